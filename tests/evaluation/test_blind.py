"""Metrics that cannot tell models apart."""

import pytest

from endcap.evaluation.metrics.blind import SMALLEST_SPAN, blind_metrics, is_blind


@pytest.mark.parametrize(
    ("best", "random", "blind"),
    [
        (1.0, 0.5, False),
        (1.0, 1.0 - SMALLEST_SPAN / 2, True),
        (0.01, 0.0097, False),  # the room is a share of the best, not an amount
        (0.01, 0.0099, True),
        (0.0, 0.0, True),
        (0.3, 0.4, True),  # not even chance is as bad as this perfection
        (float("nan"), 0.5, True),
        (1.0, float("nan"), True),
    ],
)
def test_room_is_a_share_of_the_best(best, random, blind):
    assert is_blind(best, random) is blind


def test_only_metrics_of_which_both_are_known_are_named():
    best = {"recall": 1.0, "precision": 0.1, "ndcg": 1.0, "coverage": 0.2}
    random = {"recall": 0.1, "precision": 0.1, "ndcg": 0.999, "gini": 0.3}
    assert blind_metrics(best, random) == ("precision", "ndcg")
    assert blind_metrics({}, random) == ()
