import numpy as np
import pytest

from endcap.features.history import History
from endcap.features.places import place_weights, places_from_latest, weighted_sums

HISTORY = History(
    indptr=np.array([0, 3, 3, 5]),
    items=np.array([0, 1, 2, 1, 2], dtype=np.int32),
    counts=np.array([1, 0.5, 4, 1, 1], dtype=np.float32),
    first_ts=np.array([0, 0, 0, 0, 0]),
    last_ts=np.array([30, 10, 20, 7, 7]),
)


def test_the_latest_stands_first_and_of_equals_the_smaller_item():
    assert places_from_latest(HISTORY).tolist() == [0, 2, 1, 0, 1]


def test_an_item_says_less_the_earlier_it_is_and_the_less_interest_it_met():
    e = np.exp(-0.5)
    found = place_weights(HISTORY, tau=2.0)
    assert found.tolist() == pytest.approx([1, 0.5 * e**2, e, 1, e])


def test_the_sum_of_a_user_is_that_of_own_items_alone_and_zero_without_any():
    vectors = np.array([[1, 0], [0, 1], [2, 2]], dtype=np.float32)
    weights = np.array([1, 2, 3, 4, 0], dtype=np.float32)
    found = weighted_sums(HISTORY, weights, vectors)
    assert found.tolist() == [[7, 8], [0, 0], [0, 4]]
