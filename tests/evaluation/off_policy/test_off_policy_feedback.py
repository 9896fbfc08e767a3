"""A log, and a target for it, that cannot be right are refused, with the rows that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from endcap.evaluation.off_policy.feedback import LoggedFeedback
from endcap.evaluation.off_policy.target import (
    action_shares,
    chances,
    importance_weights,
    same_in_every_context,
)
from endcap.schema.errors import DataError


def log(**changed: Any) -> LoggedFeedback:
    """Four rounds, three actions, two positions."""
    columns: dict[str, Any] = {
        "action": np.array([0, 1, 2, 1]),
        "reward": np.array([0.0, 1.0, 0.0, 1.0]),
        "propensity": np.array([0.5, 0.25, 0.25, 0.2]),
        "n_actions": 3,
        "position": np.array([0, 0, 1, 1]),
        "n_positions": 2,
    }
    return LoggedFeedback(**(columns | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"propensity": np.array([0.5, 0.0, 0.2, 0.2])}, r"propensity is not in \(0, 1\].*: 2"),
        ({"propensity": np.array([0.5, 0.1, 1.01, -1])}, r"propensity .* 2 of 4 rows: 3, 4"),
        ({"propensity": np.array([np.nan, 0.1, 1, 1])}, "propensity .* 1 of 4 rows: 1"),
        ({"reward": np.array([0, 1, np.inf, np.nan])}, "reward is not a finite .* rows: 3, 4"),
        ({"action": np.array([0, 1, 3, 1])}, r"action is not 0 \.\. n_actions - 1 in .*: 3"),
        ({"action": np.array([-1, 1, 2, 1])}, "action .*: 1"),
        ({"action": np.array([0.0, 1, 2, 1])}, "numbers from 0 are needed, not float64"),
        ({"position": np.array([0, 0, 2, 1])}, "position .*: 3"),
        ({"position": None}, "2 positions, but no round says"),
        ({"context": np.array([[0.0], [1], [np.nan], [2]])}, "context is not finite .*: 3"),
        ({"context": np.zeros(4)}, "context has 1 dimensions"),
        ({"reward": np.zeros(3)}, "reward has 3 rows and action 4"),
        ({"group": np.zeros(5, dtype=int)}, "group has 5 rows"),
        ({name: np.zeros(0, dtype=int) for name in ("action", "reward")}, "no rounds"),
    ],
)
def test_a_log_that_cannot_be_right_is_refused(changed, message):
    with pytest.raises(DataError, match=message):
        log(**changed)


def test_only_the_first_wrong_rows_are_named():
    n = 1000
    with pytest.raises(DataError, match=r"in 1,000 of 1,000 rows: 1, 2, 3, 4, 5, …"):
        LoggedFeedback(np.zeros(n, dtype=int), np.zeros(n), np.zeros(n), n_actions=1)


def test_groups_are_numbered_anew_and_absent_ones_are_each_round_for_itself():
    assert log(group=np.array([9, 4, 9, 7])).groups.tolist() == [2, 0, 2, 1]
    assert log().groups.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.full((4, 3), 0.3), "do not sum to 1 in 4 of 4 rows: 1, 2, 3, 4"),
        (np.array([[1.0, 0, 0]] * 3 + [[1.5, -0.5, 0]]), "not from 0 to 1 in 1 of 4 rows: 4"),
        (np.array([[1.0, 0, 0]] * 3 + [[np.nan, 1, 0]]), "not from 0 to 1 in 1 of 4 rows: 4"),
        (np.full((3, 3), 1 / 3), r"shape \(3, 3\), for 4 rounds, 3 actions and 2 positions"),
        (np.full((4, 3, 3), 1 / 3), r"shape \(4, 3, 3\)"),
        (same_in_every_context(np.full((1, 3), 1 / 3)), r"shape \(1, 3\), for 2 positions"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(target, message):
    with pytest.raises(DataError, match=message):
        chances(target, log())


def test_chances_by_position_are_taken_at_each_rounds_own():
    by_position = np.zeros((4, 3, 2))
    by_position[:, 0, 0] = by_position[:, 2, 1] = 1
    found = chances(by_position, log())
    assert found.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert importance_weights(log(), found).tolist() == [2, 0, 4, 0]


def test_a_target_may_be_a_function_of_the_log():
    uniform = chances(lambda feedback: np.full((len(feedback), 3), 1 / 3), log())
    assert importance_weights(log(), uniform) == pytest.approx([2 / 3, 4 / 3, 4 / 3, 5 / 3])


def test_shares_of_actions_are_counted_by_position():
    assert action_shares(log()).tolist() == [[0.5, 0.5, 0], [0, 0.5, 0.5]]
    with pytest.raises(DataError, match="nothing was shown at position 2"):
        action_shares(log(n_positions=3))
