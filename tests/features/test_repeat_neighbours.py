import numpy as np
import pytest

from endcap.features.history import UserHistory
from endcap.features.neighbours import score_neighbours
from endcap.features.repeat import repeat_scores
from endcap.schema.types import DAY_US


def row(counts, ages_days, now):
    last_ts = now - np.array(ages_days, dtype=np.int64) * DAY_US
    return UserHistory(
        items=np.arange(len(counts), dtype=np.int32),
        counts=np.array(counts, dtype=np.float32),
        first_ts=last_ts,
        last_ts=last_ts,
    )


def test_repeat_is_frequency_times_recency():
    now = 500 * DAY_US
    history = row([4, 4, 1], [0, 60, 60], now)
    scores = repeat_scores(history, now_us=now, half_life_days=60.0, frequency_power=0.5)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [2.0, 1.0, 0.5], rtol=1e-6)


def test_repeat_of_nothing_is_nothing():
    assert len(repeat_scores(row([], [], 0), now_us=0, half_life_days=60.0)) == 0


NEIGHBOURS = np.array([[1, 2], [0, -1], [-1, -1]], dtype=np.int32)
SIMS = np.array([[0.5, 0.25], [0.5, 9.0], [9.0, 9.0]], dtype=np.float32)


def test_neighbours_add_up_and_padding_does_not():
    seeds = np.array([0, 1], dtype=np.int32)
    weights = np.array([2.0, 1.0], dtype=np.float32)
    scores = score_neighbours(seeds, weights, NEIGHBOURS, SIMS, 3)
    assert scores.dtype == np.float32
    assert scores.tolist() == [0.5, 1.0, 0.5]


@pytest.mark.parametrize("seeds", [[], [2]])
def test_without_neighbours_nothing_scores(seeds):
    items = np.array(seeds, dtype=np.int32)
    scores = score_neighbours(items, np.ones(len(seeds), np.float32), NEIGHBOURS, SIMS, 3)
    assert scores.tolist() == [0.0, 0.0, 0.0]
