"""How much of the log speaks for the target at all, and when too little does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from endcap.evaluation.off_policy.feedback import Flags, Floats, Ints, LoggedFeedback
from endcap.evaluation.off_policy.target import importance_weights
from endcap.schema.errors import DataError

TOP_SHARE = 0.01
MEAN_P_VALUE = 0.001


@dataclass(frozen=True, slots=True)
class Limits:
    """What a log must be like to speak for a target; by default, for any estimate at all.

    min_groups: groups of rounds; fewer say too little of how much they differ.
    min_rounds: effective sample size, in rounds.
    min_share: effective sample size, as a share of the rounds.
    min_rewards: effective number of rewards other than 0.
    max_unsupported: share of the target's doings that the log never saw.
    max_mean_off: how far the mean weight may be from 1, where chance does not explain it.
    """

    min_groups: int = 20
    min_rounds: float = 200.0
    min_share: float = 0.01
    min_rewards: float = 10.0
    max_unsupported: float = 0.05
    max_mean_off: float = 0.1


CAUTION = Limits(
    min_groups=100,
    min_rounds=1000.0,
    min_share=0.2,
    min_rewards=50.0,
    max_unsupported=0.01,
    max_mean_off=0.05,
)
"""What makes a warning needless: intervals hold what they promise. See benchmarks/off_policy.py."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the weights of a log are spread, before any clipping.

    n_rounds, n_groups: of the log; groups are what intervals resample.
    ess: effective sample size, (sum w)^2 / sum w^2: how many rounds of the target's own would be
        worth as much (Kish 1965); ess_share: as a share of the rounds there are.
    n_rewards: rounds with a reward other than 0 that the target might have had.
    effective_rewards: the same as ess over w r: how many rewards an estimate rests on.
    top_share: share of all weight in the heaviest 1 % of rounds.
    max_weight: the largest weight.
    mean_weight: should be 1; mean_std_error its standard error over groups.
    mean_p_value: of a normal test that it is 1; too small a one when weights have heavy tails.
    unsupported: share of the target's doings on actions that were never shown at that position, or,
        where the logging policy's chances are known, to which it gave none.
    n_unseen: pairs of an action and a position that were never shown.
    """

    n_rounds: int
    n_groups: int
    ess: float
    ess_share: float
    n_rewards: int
    effective_rewards: float
    top_share: float
    max_weight: float
    mean_weight: float
    mean_std_error: float
    mean_p_value: float
    unsupported: float
    n_unseen: int

    def faults(self, limits: Limits) -> list[str]:
        """Return in words what makes an estimate from these weights mislead; empty if nothing."""
        checks = (
            (
                self.n_groups < limits.min_groups,
                f"rounds are of {self.n_groups:,} groups, fewer than {limits.min_groups:,}",
            ),
            (
                self.ess < limits.min_rounds or self.ess_share < limits.min_share,
                f"{self.n_rounds:,} rounds are worth {self.ess:,.0f} ({self.ess_share:.1%}) of the "
                f"target's own, fewer than {limits.min_rounds:,.0f} or {limits.min_share:.0%}",
            ),
            (
                self.unsupported > limits.max_unsupported,
                f"{self.unsupported:.1%} of what the target does was never shown, more than "
                f"{limits.max_unsupported:.0%}",
            ),
            (
                self.effective_rewards < limits.min_rewards,
                f"{self.n_rewards:,} rewards are worth {self.effective_rewards:.1f}, fewer than "
                f"{limits.min_rewards:.0f}",
            ),
            (
                self.is_mean_off(limits),
                f"weights have a mean of {self.mean_weight:.3f}, not 1 (p = "
                f"{self.mean_p_value:.1g}): propensities are wrong or actions are missing",
            ),
        )
        return [words for is_wrong, words in checks if is_wrong]

    def is_mean_off(self, limits: Limits) -> bool:
        """Whether the mean weight is further from 1 than allowed, and not by chance."""
        return abs(self.mean_weight - 1) > limits.max_mean_off and self.mean_p_value < MEAN_P_VALUE

    def demand(self, limits: Limits) -> None:
        """Pass if the log can speak for the target.

        Raises:
            DataError: it cannot; says in which ways.
        """
        if found := self.faults(limits):
            raise DataError(
                f"not enough overlap: {'; '.join(found)}",
                mend="Log with more exploration, judge a target nearer to the log, or ask for the "
                "direct method alone, which extrapolates",
            )


def overlap_of(
    feedback: LoggedFeedback, target_chances: Floats, *, logging_chances: Floats | None = None
) -> Overlap:
    """Return how the weights of the target are spread over the log.

    Args:
        feedback: what was logged.
        target_chances: shape (n_rounds, n_actions); see `target.chances`.
        logging_chances: the logging policy's, of the same shape, if they are all known.
    """
    weight = importance_weights(feedback, target_chances)
    ess = effective_size(weight)
    n_top = max(1, math.ceil(TOP_SHARE * len(weight)))
    rewarded = weight * feedback.reward
    beyond = is_unsupported(feedback, logging_chances=logging_chances)
    mean, std_error = float(weight.mean()), clustered_error(weight - weight.mean(), feedback.groups)
    return Overlap(
        n_rounds=len(feedback),
        n_groups=int(feedback.groups.max()) + 1,
        ess=ess,
        ess_share=ess / len(weight),
        n_rewards=int(np.count_nonzero(rewarded)),
        effective_rewards=effective_size(np.abs(rewarded)),
        top_share=_share(np.sort(weight)[-n_top:].sum(), weight.sum()),
        max_weight=float(weight.max()),
        mean_weight=mean,
        mean_std_error=std_error,
        mean_p_value=_p_value(mean - 1.0, std_error),
        unsupported=float(target_chances[beyond].sum() / len(feedback)),
        n_unseen=int(np.count_nonzero(~was_shown(feedback))),
    )


def effective_size(weight: Floats) -> float:
    """Return (sum w)^2 / sum w^2 of weights that are not negative; 0 when all are 0."""
    largest = weight.max()
    if largest == 0:
        return 0.0
    scaled = weight / largest  # so that no square overflows
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def is_unsupported(feedback: LoggedFeedback, *, logging_chances: Floats | None = None) -> Flags:
    """Return which actions the log cannot show in each round; see `Overlap.unsupported`.

    bool, shape (n_rounds, n_actions).
    """
    if logging_chances is None:
        return ~was_shown(feedback)[feedback.positions]
    return np.asarray(logging_chances == 0)


def was_shown(feedback: LoggedFeedback) -> Flags:
    """Return which actions were ever shown at each position, shape (n_positions, n_actions)."""
    shown = np.zeros((feedback.n_positions, feedback.n_actions), dtype=np.bool_)
    shown[feedback.positions, feedback.action] = True
    return shown


def clustered_error(influence: Floats, groups: Ints) -> float:
    """Return the standard error of a mean whose rounds are independent between groups only.

    Args:
        influence: how much each round moves the mean, of mean 0.
        groups: of each round, 0 .. n_groups - 1.

    Source: Liang, Zeger 1986; NaN of a single group.
    """
    totals = np.bincount(groups, weights=influence)
    n_groups = len(totals)
    if n_groups < 2:
        return math.nan
    return float(np.sqrt((totals**2).sum() * n_groups / (n_groups - 1)) / len(influence))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def _p_value(difference: float, std_error: float) -> float:
    if math.isnan(std_error):
        return math.nan
    if std_error == 0:
        return 1.0 if abs(difference) < 1e-9 else 0.0
    return float(2.0 * norm.sf(abs(difference) / std_error))
