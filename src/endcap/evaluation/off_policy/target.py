"""The policy to be judged: with which chance it would show each action in each logged round."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from endcap.evaluation.off_policy.feedback import Floats, LoggedFeedback, rows_named
from endcap.schema.errors import DataError

Target: TypeAlias = Floats | Callable[[LoggedFeedback], Floats]
"""Chances of shape (n_rounds, n_actions), or (n_rounds, n_actions, n_positions) if they depend on
the position; or a function that returns them for a log. Each row sums to 1."""

SUM_TOLERANCE = 1e-6


def chances(target: Target, feedback: LoggedFeedback) -> Floats:
    """Return the target's chance of each action at each round's own position.

    float64, shape (n_rounds, n_actions).

    Raises:
        DataError: the shape does not fit the log, a chance is no number from 0 to 1, or a row does
            not sum to 1; names rows, the first being row 1.
    """
    given = np.asarray(target(feedback) if callable(target) else target, dtype=np.float64)
    if given.ndim == 3 and given.shape[2] == feedback.n_positions:
        given = given[np.arange(len(given)), :, feedback.positions[: len(given)]]
    if given.shape != (len(feedback), feedback.n_actions):
        raise DataError(
            f"chances of the target have the shape {given.shape}, for {len(feedback):,} rounds, "
            f"{feedback.n_actions:,} actions and {feedback.n_positions} positions"
        )
    # Written so that NaN is refused too.
    is_wrong = np.asarray((~((given >= 0) & (given <= 1 + SUM_TOLERANCE))).any(axis=1))
    if is_wrong.any():
        raise DataError(f"chances of the target are not from 0 to 1 in {rows_named(is_wrong)}")
    is_wrong = np.abs(given.sum(axis=1) - 1) > SUM_TOLERANCE
    if is_wrong.any():
        raise DataError(f"chances of the target do not sum to 1 in {rows_named(is_wrong)}")
    return given


def same_in_every_context(by_position: Floats) -> Target:
    """Return the target that shows actions with these chances whatever the context.

    Args:
        by_position: shape (n_positions, n_actions).
    """

    def target(feedback: LoggedFeedback) -> Floats:
        if by_position.shape != (feedback.n_positions, feedback.n_actions):
            raise DataError(
                f"chances of the target have the shape {by_position.shape}, for "
                f"{feedback.n_positions} positions and {feedback.n_actions:,} actions"
            )
        return by_position[feedback.positions]

    return target


def action_shares(feedback: LoggedFeedback) -> Floats:
    """Return how often each action was shown at each position, shape (n_positions, n_actions).

    The best guess at a logging policy that looks at no context and does not change; of one that
    does, the average. An action that was not shown has no share, which 3 / n bounds.

    Raises:
        DataError: a position was never used.
    """
    cells = feedback.positions * feedback.n_actions + feedback.action
    n_cells = feedback.n_positions * feedback.n_actions
    counts = np.bincount(cells, minlength=n_cells).reshape(feedback.n_positions, -1)
    n_shown = counts.sum(axis=1, keepdims=True)
    if (n_shown == 0).any():
        raise DataError(f"nothing was shown at position {int(n_shown.argmin())}")
    return np.asarray(counts / n_shown)


def importance_weights(feedback: LoggedFeedback, target_chances: Floats) -> Floats:
    """Return how much more often the target does what each round did, shape (n_rounds,).

    w_i = pi_e(a_i | x_i, k_i) / pi_b(a_i | x_i, k_i); its mean is 1 over many rounds if the logging
    policy can do whatever the target can.

    Args:
        feedback: what was logged.
        target_chances: see `chances`.
    """
    return target_chances[np.arange(len(feedback)), feedback.action] / feedback.propensity
