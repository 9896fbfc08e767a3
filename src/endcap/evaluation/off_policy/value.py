"""From a log and a target policy to its value by every estimator, with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from endcap.evaluation.off_policy.clipping import Clipping, clipped
from endcap.evaluation.off_policy.estimators import (
    Parts,
    direct,
    doubly_robust,
    ips,
    self_normalised_dr,
    shrunk_dr,
    snips,
    switch_dr,
)
from endcap.evaluation.off_policy.feedback import Floats, LoggedFeedback, rows_named
from endcap.evaluation.off_policy.intervals import Estimate, estimates_of
from endcap.evaluation.off_policy.overlap import (
    CAUTION,
    Limits,
    Overlap,
    is_unsupported,
    overlap_of,
)
from endcap.evaluation.off_policy.reward_model import predicted_rewards, random_folds
from endcap.evaluation.off_policy.target import Target, chances, importance_weights
from endcap.evaluation.off_policy.tuning import CANDIDATES, chosen_by_slope
from endcap.schema.errors import DataError, SettingsError

DIRECT = "dm"
METHODS = (DIRECT, "ips", "snips", "dr", "sndr", "switch_dr", "shrunk_dr")


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a target policy would have earned a round, and how far to believe it.

    logged: mean reward of the logging policy, in the log itself.
    estimates: by method, the target's mean reward.
    lifts: by method, target minus logged, over the same resampled rounds.
    settings: tau and lam, by method, where one was chosen; inf: as the doubly robust estimate.
    extrapolated: share of the direct method's value on actions that the log never saw.
    overlap, clipping: how the weights are spread, and how many were cut.
    warnings: what the estimates suffer from without being refused.
    """

    logged: Estimate
    estimates: Mapping[str, Estimate]
    lifts: Mapping[str, Estimate]
    settings: Mapping[str, float]
    extrapolated: float
    overlap: Overlap
    clipping: Clipping
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the estimators work on; all of shape (n_rounds,) but the predicted rewards.

    weight: of each round, not clipped.
    used: the same, clipped.
    target_reward: predicted reward of the target.
    residual: reward minus what was predicted for the action that was shown.
    """

    reward: Floats
    weight: Floats
    used: Floats
    target_reward: Floats
    residual: Floats


def policy_value(
    feedback: LoggedFeedback,
    target: Target,
    *,
    rng: np.random.Generator,
    methods: Sequence[str] = METHODS,
    predicted: Floats | None = None,
    clip: float = np.inf,
    limits: Limits | None = None,
    logging_chances: Floats | None = None,
    n_replicates: int = 1000,
) -> PolicyValue:
    """Return what the target would have earned in the rounds of the log, by each method.

    Args:
        feedback: what was logged, with the true propensities.
        target: the policy to be judged.
        rng: where folds and resampling draw from.
        methods: some of `METHODS`; the direct method alone is not refused, it extrapolates.
        predicted: reward of each action in each round, shape (n_rounds, n_actions), from a model
            that did not learn from the round; None: fitted here, see `predicted_rewards`.
        clip: cut weights to this, for all but `dm`, `switch_dr` and `shrunk_dr`.
        limits: what overlap is enough; the usual ones when None.
        logging_chances: of all actions, shape (n_rounds, n_actions), if they were logged; without,
            what was never shown counts as never possible.
        n_replicates: of the bootstrap over groups of rounds.

    Raises:
        DataError: something does not fit the log, or there is not enough overlap.
        SettingsError: a method is not known.

    The intervals hold the target, the predicted rewards and the chosen settings fixed.
    """
    _check(methods)
    target_chances = chances(target, feedback)
    _check_shapes(feedback, predicted=predicted, logging_chances=logging_chances)
    overlap = overlap_of(feedback, target_chances, logging_chances=logging_chances)
    if tuple(methods) != (DIRECT,):
        overlap.demand(limits or Limits())
    if predicted is None:
        predicted = predicted_rewards(feedback, folds=random_folds(feedback, rng=rng))
    evidence, clipping = evidence_of(feedback, target_chances, predicted, clip=clip)
    parts, settings = parts_of(evidence, methods)
    estimates, lifts, logged = estimates_of(
        parts, feedback.reward, feedback.groups, n_replicates=n_replicates, rng=rng
    )
    beyond = is_unsupported(feedback, logging_chances=logging_chances)
    gained = target_chances * predicted
    total = float(np.abs(gained).sum())
    return PolicyValue(
        logged=logged,
        estimates=estimates,
        lifts=lifts,
        settings=settings,
        extrapolated=float(np.abs(gained[beyond]).sum()) / total if total > 0 else 0.0,
        overlap=overlap,
        clipping=clipping,
        warnings=tuple(overlap.faults(CAUTION)),
    )


def evidence_of(
    feedback: LoggedFeedback, target_chances: Floats, predicted: Floats, *, clip: float = np.inf
) -> tuple[Evidence, Clipping]:
    """Return what the estimators work on, and how weights were clipped.

    Args:
        feedback: what was logged.
        target_chances: shape (n_rounds, n_actions); see `target.chances`.
        predicted: rewards, of the same shape.
        clip: the largest weight.
    """
    weight = importance_weights(feedback, target_chances)
    used, clipping = clipped(weight, feedback.reward, largest=clip)
    evidence = Evidence(
        reward=np.asarray(feedback.reward, dtype=np.float64),
        weight=weight,
        used=used,
        target_reward=np.einsum("na,na->n", target_chances, predicted),
        residual=feedback.reward - predicted[np.arange(len(feedback)), feedback.action],
    )
    return evidence, clipping


def parts_of(
    evidence: Evidence, methods: Sequence[str] = METHODS
) -> tuple[dict[str, Parts], dict[str, float]]:
    """Return what each round says by each method, and the settings that were chosen.

    `switch_dr` and `shrunk_dr` choose theirs by `chosen_by_slope` among `CANDIDATES`.
    """
    model = evidence.target_reward, evidence.residual
    simple: dict[str, Callable[[], Parts]] = {
        DIRECT: partial(direct, evidence.target_reward),
        "ips": partial(ips, evidence.reward, evidence.used),
        "snips": partial(snips, evidence.reward, evidence.used),
        "dr": partial(doubly_robust, *model, evidence.used),
        "sndr": partial(self_normalised_dr, *model, evidence.used),
    }
    parts, settings = {}, {}
    for method in methods:
        if method in simple:
            parts[method] = simple[method]()
            continue
        tried = {
            setting: switch_dr(*model, evidence.weight, tau=setting)
            if method == "switch_dr"
            else shrunk_dr(*model, evidence.weight, lam=setting)
            for setting in CANDIDATES
        }
        settings[method] = chosen_by_slope(tried)
        parts[method] = tried[settings[method]]
    return parts, settings


def _check_shapes(feedback: LoggedFeedback, **given: Floats | None) -> None:
    wanted = (len(feedback), feedback.n_actions)
    for name, values in given.items():
        if values is not None and values.shape != wanted:
            raise DataError(f"{name} has the shape {values.shape}, not {wanted}")
    logging = given["logging_chances"]
    if logging is not None:
        stated = logging[np.arange(len(feedback)), feedback.action]
        is_wrong = ~np.isclose(stated, feedback.propensity, rtol=1e-6, atol=0.0)
        if is_wrong.any():
            raise DataError(
                f"propensity is not what logging_chances say in {rows_named(is_wrong)}",
                mend="One of them is of another policy",
            )


def _check(methods: Sequence[str]) -> None:
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise SettingsError(
            f"{', '.join(unknown) or 'nothing'} is no method",
            mend=f"Choose among {', '.join(METHODS)}",
        )
