"""Whether a candidate may take the place of the live model: every check, its limit and its reason.

A number that is missing never passes. How the decision is kept is in `record.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from endcap.evaluation.certainty.bootstrap import CONFIDENCE, Difference, Resampled, resample_seeds
from endcap.evaluation.certainty.seed_test import half_width_with_seeds
from endcap.evaluation.certainty.significance import differences_from
from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.split import TEMPORAL
from endcap.evaluation.verdicts.config import GateConfig
from endcap.evaluation.verdicts.guardrails import Check, guardrails, known
from endcap.evaluation.verdicts.sides import Side, shared_metrics, values_of_both


@dataclass(frozen=True, slots=True)
class Decision:
    """What a gate decided, and on what grounds.

    candidate, live: as `sides.find_side` takes them.
    metric, view: what the first checks are of.
    checks: all of them, passed or not.
    """

    candidate: str
    live: str
    split_id: str
    view: str
    metric: str
    checks: tuple[Check, ...]
    config: GateConfig

    @property
    def passed(self) -> bool:
        """Whether the candidate may go live: every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it may not: the reason of each check that failed."""
        return tuple(check.reason for check in self.checks if not check.passed)


def decide(
    candidate: Side,
    live: Side,
    *,
    config: GateConfig,
    n_replicates: int = 1000,
    rng: np.random.Generator,
) -> Decision:
    """Return whether the candidate is good enough to take the place of the live model.

    It passes when it was measured on the test part of the time split, is not worse than the live
    model by more than the margin, is better than the popularity ranking beyond the noise, and
    keeps within every guardrail that is not waived.

    Args:
        candidate: the model to be put live.
        live: the one that is.
        config: margins, guardrails and which are waived.
        n_replicates: of the bootstrap over users.
        rng: where bootstrap and test draw from.

    Raises:
        DataError: the two were measured on different users or targets; says what differs.
        SettingsError: there is no such view or metric.
    """
    view, mine, theirs = values_of_both(candidate, live, view=config.view or None)
    shared_metrics(mine, theirs, [config.metric])
    checks = (
        _is_on_time_split(candidate),
        _is_not_worse(candidate, live, view, config, n_replicates=n_replicates, rng=rng),
        _is_better_than_reference(candidate, view, config, n_replicates=n_replicates, rng=rng),
        *_held_to(candidate, live, view, config),
    )
    split_id = candidate.kept.evaluation.split_id
    return Decision(candidate.name, live.name, split_id, view, config.metric, checks, config)


def _is_on_time_split(candidate: Side) -> Check:
    evaluation = candidate.kept.evaluation
    part = evaluation.facts.get("on", "no part")
    passed = evaluation.protocol == TEMPORAL and part == "test"
    where = f"it was measured by protocol {evaluation.protocol}, on {part}"
    demand = "as it must" if passed else f"where only {TEMPORAL} on test says what is to come"
    return Check("time split", None, None, passed, f"{where}, {demand}")


def _is_not_worse(
    candidate: Side,
    live: Side,
    view: str,
    config: GateConfig,
    *,
    n_replicates: int,
    rng: np.random.Generator,
) -> Check:
    values = {
        "candidate": candidate.kept.per_user[view].under_each_fit(candidate.model, [config.metric]),
        "live": live.kept.per_user[view].under_each_fit(live.model, [config.metric]),
    }
    resampled = resample_seeds(values, n_replicates=n_replicates, rng=rng)
    (found,) = resampled["candidate"].minus(resampled["live"])
    of_live = resampled["live"].intervals()[0].mean
    limit = -config.margin * of_live
    found = replace(found, low=min(found.low, _lowest(resampled, found)))
    passed = of_live > 0 and found.low > limit
    reason = (
        f"{config.metric} is {_signed(found)} beside the live model's {of_live:.4f}; the interval "
        f"{'stays above' if passed else 'must stay above'} {limit:+.4f}, a margin of "
        f"{config.margin:.1%}"
    )
    return Check("not worse than live", known(found.low), known(limit), passed, reason)


FEW_LOSERS = 10
"""With fewer users who lose, resampling cannot tell how many more there may be."""


def _lowest(resampled: Mapping[str, Resampled], found: Difference) -> float:
    """Return a lower end that holds for few seeds and for losses which few users show, or none.

    Of n users the share that loses may be 3 / n higher than it seems, each up to 1.
    """
    candidate, live = resampled["candidate"], resampled["live"]
    if np.array_equal(candidate.values, live.values, equal_nan=True):
        return found.low
    lowest = found.mean
    if found.n_users and np.nansum(candidate.of_users < live.of_users) < FEW_LOSERS:
        lowest -= 3.0 / found.n_users
    half = half_width_with_seeds(candidate, live)
    return min(lowest, found.mean - half)


def _is_better_than_reference(
    candidate: Side,
    view: str,
    config: GateConfig,
    *,
    n_replicates: int,
    rng: np.random.Generator,
) -> Check:
    """Compare with popularity, as one of all the models that the candidate was chosen from."""
    per_user, reference = candidate.kept.per_user[view], candidate.kept.evaluation.reference
    name = f"better than {reference}"
    if candidate.model == reference:
        return Check(name, None, 0.0, False, f"the candidate is {reference} itself")
    rivals = [model for model in per_user.values if model != RANDOM]
    values = {
        model: per_user.under_each_fit(model, [config.metric])
        for model in dict.fromkeys([*rivals, candidate.model])
    }
    resampled = resample_seeds(values, n_replicates=n_replicates, rng=rng)
    (found,) = differences_from(reference, resampled, rng=rng)[candidate.model]
    passed = found.low > 0 and found.p_adjusted <= 1.0 - CONFIDENCE
    reason = (
        f"{config.metric} is {_signed(found)} beside {reference}, p = {found.p_adjusted:.4f} "
        f"corrected for {len(values) - 1} models; "
        f"{'better' if passed else 'not shown to be better'} beyond the noise"
    )
    return Check(name, known(found.low), 0.0, passed, reason)


def _held_to(candidate: Side, live: Side, view: str, config: GateConfig) -> Iterator[Check]:
    for guardrail, checks in guardrails(candidate, live, view, config).items():
        for check in checks:
            if guardrail in config.waived or check.name in config.waived:
                yield replace(check, passed=True, reason=f"waived; {check.reason}")
            else:
                yield check


def _signed(found: Difference) -> str:
    if math.isnan(found.mean):
        return "not known"
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
