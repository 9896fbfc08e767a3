"""Intervals for estimates from rounds, resampling whole groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from endcap.evaluation.certainty.bootstrap import CONFIDENCE, bootstrap_means
from endcap.evaluation.off_policy.estimators import Parts
from endcap.evaluation.off_policy.feedback import Floats, Ints
from endcap.evaluation.off_policy.overlap import clustered_error


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value a round with its standard error and its 95 % interval.

    std_error: to first order, over groups; NaN of a single group.
    low, high: percentiles of the bootstrap over groups, self-normalising in each replicate anew.
    """

    value: float
    std_error: float
    low: float
    high: float


def estimates_of(
    parts: Mapping[str, Parts],
    reward: Floats,
    groups: Ints,
    *,
    n_replicates: int = 1000,
    rng: np.random.Generator,
) -> tuple[dict[str, Estimate], dict[str, Estimate], Estimate]:
    """Return each estimate, each one's lift over the mean reward, and the mean reward itself.

    All see the same resampled groups, so lifts are paired.

    Args:
        parts: by method.
        reward: as logged, shape (n_rounds,).
        groups: of the rounds, 0 .. n_groups - 1.
        n_replicates: of the bootstrap.
        rng: where the resampling draws from.

    Source: Efron, Tibshirani 1993, section 13.3; resampling groups as in Field, Welsh 2007.
    """
    columns = [
        column for one in parts.values() for column in (one.plain, one.weighted, one.divisor)
    ]
    totals = _by_group([np.ones(len(reward)), reward, *columns], groups)
    means = bootstrap_means(totals, n_replicates=n_replicates, rng=rng)
    size, logged_means = means[:, 0], means[:, 1] / means[:, 0]
    centred = reward - reward.mean()
    logged = _estimate(float(reward.mean()), centred, groups, logged_means)
    estimates, lifts = {}, {}
    for nth, (method, one) in enumerate(parts.items()):
        plain, weighted, divisor = means[:, 2 + 3 * nth : 5 + 3 * nth].T
        replicates = plain / size + _ratio(weighted, divisor)
        influence = one.influence()
        estimates[method] = _estimate(one.value, influence, groups, replicates)
        lifts[method] = _estimate(
            one.value - logged.value, influence - centred, groups, replicates - logged_means
        )
    return estimates, lifts, logged


def _by_group(columns: list[Floats], groups: Ints) -> Floats:
    return np.column_stack([np.bincount(groups, weights=column) for column in columns])


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _estimate(value: float, influence: Floats, groups: Ints, replicates: Floats) -> Estimate:
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail])
    return Estimate(value, clustered_error(influence, groups), float(low), float(high))
