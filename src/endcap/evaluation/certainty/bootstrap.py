"""How sure a mean over users is, and by how much one model differs from another.

The users are the sample, and the training seeds where there are several: intervals say what other
users of the same shop in the same window would give, not what another window would. Whether a
difference is more than chance is decided in `significance.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.certainty.draws import Columns, Draws, draws_from

CONFIDENCE = 0.95
Verdict: TypeAlias = Literal["better than", "not shown to differ from", "worse than"]

SeededColumns: TypeAlias = NDArray[np.float64]
"""Columns of the same users under several training seeds, shape (n_seeds, n_users, n_columns)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; all three NaN when it is defined for nobody.

    n_users: over whom the mean is taken; the others say nothing of it.
    n_seeds: how many training seeds the interval allows for; with 1, for no other than the one.
    """

    mean: float
    low: float
    high: float
    n_users: int = 0
    n_seeds: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of a paired difference, first minus second, with its 95 % interval.

    n_users, n_seeds: as in `Interval`; users count for whom both are defined, and seeds of the
        one with fewer.
    p_value: how often chance alone makes so large a difference; NaN when it was not tested.
    p_adjusted: the same for the largest of the family it was tested in; NaN outside of one.
    """

    mean: float
    low: float
    high: float
    n_users: int = 0
    p_value: float = math.nan
    p_adjusted: float = math.nan
    n_seeds: int = 1

    @property
    def verdict(self) -> Verdict:
        """What it shows of the first, when more is better.

        An interval that holds 0 shows no difference, nor does a test that chance may pass: one
        that was made, but for no family, shows nothing. Untested, the interval decides alone.
        """
        is_tested = not math.isnan(self.p_value)
        if is_tested and not self.p_adjusted <= 1.0 - CONFIDENCE:
            return "not shown to differ from"
        if self.low > 0:
            return "better than"
        return "worse than" if self.high < 0 else "not shown to differ from"


def bootstrap_means(
    values: Columns, *, n_replicates: int = 1000, rng: np.random.Generator
) -> Columns:
    """Return the column means of resampled users, shape (n_replicates, n_columns); NaN of none.

    Args:
        values: one row a user, shape (n_users, n_columns); see `Draws.means`.
        n_replicates: 1000 gives the ends of a 95 % interval to about a tenth of its width.
        rng: where the resampling draws from.

    Source: Efron 1979.
    """
    (means,) = draws_from(rng, n_users=len(values), n_replicates=n_replicates).means([values])
    return means


def percentile_ends(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval of replicates, shape (n_replicates,).

    Of those that are defined, as one user among many may be drawn by some only; NaN of none.

    Source: Efron, Tibshirani 1993, section 13.3.
    """
    known = replicates[~np.isnan(replicates)]
    if len(known) == 0:
        return math.nan, math.nan
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Resampled:
    """The values of one model with the means of its resampled users; see `resample`.

    values: shape (n_seeds, n_users, n_columns); a user is defined under all seeds or under none.
    replicates: shape (n_replicates, n_columns).
    weights: the share of each seed in each replicate, shape (n_replicates, n_seeds).
    draws: the users of each replicate, the same as of every other model of the call.
    """

    values: SeededColumns
    replicates: Columns
    weights: Columns
    draws: Draws

    @property
    def n_seeds(self) -> int:
        """How many training seeds the values are of."""
        return len(self.values)

    @property
    def of_users(self) -> Columns:
        """The values of each user, the mean over the seeds, shape (n_users, n_columns)."""
        return np.asarray(self.values.mean(axis=0))

    def intervals(self) -> list[Interval]:
        """Return the mean and the percentile interval of each column.

        An outcome that no sampled user shows has an interval of [0, 0]; over n users its true
        mean may still be up to about 3 / n.
        """
        return _intervals(self.of_users, self.replicates, n_seeds=self.n_seeds)

    def minus(self, other: Resampled) -> list[Difference]:
        """Return the paired difference of each column; both from the same `resample` call.

        Where one of the two is not defined for a user, the user counts for neither. No p-values:
        see `significance.differences_from`.
        """
        found = _intervals(
            self.of_users - other.of_users,
            self.replicates_minus(other),
            n_seeds=min(self.n_seeds, other.n_seeds),
        )
        return [
            Difference(one.mean, one.low, one.high, one.n_users, n_seeds=one.n_seeds)
            for one in found
        ]

    def replicates_minus(self, other: Resampled) -> Columns:
        """Return the paired difference of each replicate, shape (n_replicates, n_columns)."""
        replicates = self.replicates - other.replicates
        missing = np.isnan(self.values[0]), np.isnan(other.values[0])
        unlike = np.flatnonzero((missing[0] != missing[1]).any(axis=0))
        if len(unlike):
            is_out = (missing[0] | missing[1])[:, unlike]
            pair = [np.where(is_out, np.nan, one.values[:, :, unlike]) for one in (self, other)]
            weights = [self.weights, other.weights]
            first, second = _replicates(pair, weights, self.draws)
            replicates[:, unlike] = first - second
        return replicates


def resample(
    values: Mapping[str, Columns], *, n_replicates: int = 1000, rng: np.random.Generator
) -> dict[str, Resampled]:
    """Return each model's values with their resampled means, all over the same resampled users.

    The intervals allow for other users, not for other training seeds: see `resample_seeds`.

    Args:
        values: by model, shape (n_users, n_columns), the same users in the same order.
        n_replicates: see `bootstrap_means`.
        rng: where the resampling draws from.
    """
    seeded = {name: columns[None] for name, columns in values.items()}
    return resample_seeds(seeded, n_replicates=n_replicates, rng=rng)


def resample_seeds(
    values: Mapping[str, SeededColumns], *, n_replicates: int = 1000, rng: np.random.Generator
) -> dict[str, Resampled]:
    """Return each model's values with their means over resampled users and resampled seeds.

    Users are the same for all models; seeds are drawn for each model by itself, since the same
    number means nothing in common to two models. Of n seeds n - 1 are drawn, which makes the
    spread of the mean right where drawing n would make it too small by (n - 1) / n. A percentile
    cannot go beyond the best and the worst seed: with 2 or 3 of them the interval is still narrow.

    Args:
        values: by model, shape (n_seeds, n_users, n_columns), the same users in the same order. A
            user counts in a column when it is defined under every seed. Of two models, that with
            fewer seeds says how many a difference allows for: repeat (`numpy.broadcast_to`) what
            no seed changes.
        n_replicates: see `bootstrap_means`.
        rng: where the resampling draws from.

    Raises:
        ValueError: models differ in their number of users.

    Source: McCarthy, Snowden 1985 (draw n - 1); Owen 2007 (rows and columns drawn apart).
    """
    numbers = {columns.shape[1] for columns in values.values()}
    if len(numbers) != 1:
        raise ValueError(f"models differ in their numbers of users: {sorted(numbers)}")
    draws = draws_from(rng, n_users=numbers.pop(), n_replicates=n_replicates)
    whole = [_under_every_seed(columns) for columns in values.values()]
    weights = [_seed_weights(len(columns), n_replicates, rng) for columns in whole]
    replicates = _replicates(whole, weights, draws)
    rows = zip(values, whole, replicates, weights, strict=True)
    return {name: Resampled(columns, means, shares, draws) for name, columns, means, shares in rows}


def _under_every_seed(values: SeededColumns) -> SeededColumns:
    if len(values) == 1:
        return values
    return np.where(np.isnan(values).any(axis=0), np.nan, values)


def _seed_weights(n_seeds: int, n_replicates: int, rng: np.random.Generator) -> Columns:
    if n_seeds == 1:
        return np.ones((n_replicates, 1))
    shares = np.full(n_seeds, 1.0 / n_seeds)
    return rng.multinomial(n_seeds - 1, shares, size=n_replicates) / (n_seeds - 1)


def _replicates(
    values: Sequence[SeededColumns], weights: Sequence[Columns], draws: Draws
) -> list[Columns]:
    """Return the weighted mean over seeds of the mean over users, for each of the values."""
    means = iter(draws.means([columns for model in values for columns in model]))
    return [
        np.asarray(sum(share[:, None] * next(means) for share in shares.T)) for shares in weights
    ]


def _intervals(values: Columns, replicates: Columns, *, n_seeds: int) -> list[Interval]:
    n_users = (~np.isnan(values)).sum(axis=0)
    means = np.nansum(values, axis=0) / np.where(n_users > 0, n_users, np.nan)
    intervals = []
    for mean, n, column in zip(means, n_users, replicates.T, strict=True):
        low, high = percentile_ends(column) if n > 1 else (math.nan, math.nan)
        intervals.append(Interval(float(mean), low, high, int(n), n_seeds))
    return intervals
