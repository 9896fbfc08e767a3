import math

import numpy as np
import pytest

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.discern import Room
from endcap.evaluation.pointwise.metrics import mean_intervals
from endcap.evaluation.seeds.own_rows import (
    ndcg_of_own_rows,
    own_lists,
    precision_over_k,
    precision_over_present,
)


def around(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half, 100)


@pytest.mark.parametrize(
    ("random", "oracle", "tells"),
    [
        (around(0.8, 0.01), around(0.8, 0.01), False),
        (around(0.8, 0.01), around(0.808, 0.01), False),
        (around(0.8, 0.001), around(0.808, 0.001), False),  # beyond the noise, yet no room
        (around(0.80, 0.001), around(0.83, 0.001), True),
        (around(0.80, 0.001), around(0.83, 0.05), False),
        (around(1.2, 0.01), around(0.0, 0.0), True),  # an error: less is better
        (around(math.nan, 0.01), around(1.0, 0.01), False),
    ],
)
def test_room_between_random_and_perfect(random, oracle, tells):
    assert Room(random, oracle).is_blind is not tells


def measured(metric, users, is_relevant, scores):
    lists = own_lists(users, scores, rng=np.random.default_rng(1))
    values = metric(lists, is_relevant)[:, None]
    return mean_intervals(values, n_replicates=200, rng=np.random.default_rng(2))[0]


def test_metric_with_a_fixed_denominator_is_flagged():
    """Users with one to four held-out rows: a list of ten holds them all, in whatever order."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(3_000), rng.integers(1, 5, size=3_000)).astype(np.int32)
    is_relevant = rng.random(len(users)) < 0.6
    noise, truth = rng.random(len(users)), is_relevant.astype(float)
    for metric in (precision_over_k, precision_over_present):
        random, oracle = (measured(metric, users, is_relevant, by) for by in (noise, truth))
        assert random.mean == oracle.mean
        assert Room(random, oracle).is_blind
    random, oracle = (measured(ndcg_of_own_rows, users, is_relevant, by) for by in (noise, truth))
    assert not Room(random, oracle).is_blind, "the order of own rows does move NDCG"


def test_the_same_metric_tells_once_there_is_something_to_choose():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(500), 60).astype(np.int32)
    is_relevant = rng.random(len(users)) < 0.2
    noise, truth = rng.random(len(users)), is_relevant.astype(float)
    for metric in (precision_over_k, precision_over_present):
        room = Room(*(measured(metric, users, is_relevant, by) for by in (noise, truth)))
        assert not room.is_blind
