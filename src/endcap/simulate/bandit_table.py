"""The published comparison of estimators on simulated feedback, run anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold

from endcap.evaluation.off_policy.feedback import Floats, Ints
from endcap.evaluation.off_policy.overlap import Overlap, overlap_of
from endcap.evaluation.off_policy.reward_model import N_FOLDS, predicted_rewards
from endcap.evaluation.off_policy.value import METHODS, evidence_of, parts_of
from endcap.simulate.bandit import (
    Draws,
    SimulatedLog,
    bandit_world,
    learnt_policy,
    simulated_log,
)

N_ROUNDS, N_ACTIONS, N_FEATURES, BETA, N_RUNS = 10_000, 30, 5, -3.0, 20
FOLD_SEED = 12345

PUBLISHED: Mapping[str, tuple[float, float]] = {
    "dm": (0.074390, 0.024525),
    "ips": (0.009481, 0.006899),
    "snips": (0.006665, 0.004541),
    "dr": (0.006175, 0.004245),
    "sndr": (0.006118, 0.003997),
    "switch_dr": (0.006175, 0.004245),
    "shrunk_dr": (0.021951, 0.013337),
}
"""Relative error by method, mean and standard deviation of 20 runs: examples/synthetic/README.md of
the Open Bandit Pipeline, made with its version 0.5.1."""


@dataclass(frozen=True, slots=True)
class TableRun:
    """One run: each method's relative error, and how the weights were spread."""

    errors: Mapping[str, float]
    overlap: Overlap


def table_run(seed: int, *, as_published: bool = True) -> TableRun:
    """Return one run of the comparison.

    Args:
        seed: 0 .. 19 for the published runs.
        as_published: with the very random numbers of the published runs, which use the seed anew
            for coefficients, contexts and actions; else with new ones.
    """
    log, target_chances = _drawn(seed, as_published=as_published)
    feedback = log.feedback
    predicted = predicted_rewards(feedback, folds=_folds(len(feedback)))
    evidence, _ = evidence_of(feedback, target_chances, predicted)
    parts, _ = parts_of(evidence)
    truth = log.value_of(target_chances)
    return TableRun(
        errors={method: abs(parts[method].value - truth) / truth for method in METHODS},
        overlap=overlap_of(feedback, target_chances, logging_chances=log.logging_chances),
    )


def _drawn(seed: int, *, as_published: bool) -> tuple[SimulatedLog, Floats]:
    def draws() -> Draws:
        return np.random.RandomState(seed)

    rng: Draws = draws() if as_published else np.random.default_rng([seed, N_ACTIONS])
    world = bandit_world(
        n_actions=N_ACTIONS,
        n_features=N_FEATURES,
        beta=BETA,
        rng=draws() if as_published else rng,
    )
    training, test = (
        simulated_log(world, N_ROUNDS, rng=rng, action_rng=draws() if as_published else None)
        for _ in range(2)
    )
    return test, learnt_policy(training.feedback, test.context)


def _folds(n_rounds: int) -> Ints:
    folds = np.empty(n_rounds, dtype=np.int64)
    shuffled = KFold(N_FOLDS, shuffle=True, random_state=FOLD_SEED)
    for fold, (_, rounds) in enumerate(shuffled.split(folds)):
        folds[rounds] = fold
    return folds
