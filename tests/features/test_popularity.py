import numpy as np
import pytest

from endcap.features.popularity import (
    NEVER,
    as_of,
    decay_weights,
    decayed_counts,
    first_seen,
    last_price,
)
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US

HALF_LIFE = 7.0


def priced(items, prices):
    n = len(items)
    return Interactions(
        user_idx=np.zeros(n, dtype=np.int32),
        item_idx=np.array(items, dtype=np.int32),
        kind=np.full(n, 3, dtype=np.uint8),
        value=np.ones(n, dtype=np.float32),
        price=np.array(prices, dtype=np.float32),
        ts=np.arange(n, dtype=np.int64),
    )


def test_an_event_counts_one_now_and_half_a_half_life_ago():
    now = 1000 * DAY_US
    ts = now - np.array([0, 7, 14]) * DAY_US
    counts = decayed_counts(
        np.array([0, 1, 1]), ts, n_items=3, half_life_days=HALF_LIFE, origin_us=now
    )
    assert counts.dtype == np.float64
    np.testing.assert_allclose(counts, [1, 0.75, 0])


def test_as_of_does_not_depend_on_the_origin():
    now = 1000 * DAY_US
    ts = now - np.array([1, 5, 30]) * DAY_US
    items = np.array([0, 0, 1])
    seen = [
        as_of(
            decayed_counts(items, ts, n_items=2, half_life_days=HALF_LIFE, origin_us=origin),
            now_us=now,
            origin_us=origin,
            half_life_days=HALF_LIFE,
        )
        for origin in (now, now - 90 * DAY_US, now + DAY_US)
    ]
    np.testing.assert_allclose(seen[0], [2 ** (-1 / 7) + 2 ** (-5 / 7), 2 ** (-30 / 7)])
    np.testing.assert_allclose(seen[1], seen[0])
    np.testing.assert_allclose(seen[2], seen[0])


def test_weights_multiply_events():
    counts = decayed_counts(
        np.array([1, 1]),
        np.zeros(2, dtype=np.int64),
        n_items=2,
        half_life_days=HALF_LIFE,
        origin_us=0,
        weights=np.array([2.0, 0.5]),
    )
    assert counts.tolist() == [0.0, 2.5]


def test_nothing_happened():
    none = np.empty(0, dtype=np.int64)
    counts = decayed_counts(none, none, n_items=2, half_life_days=HALF_LIFE, origin_us=0)
    assert counts.dtype == np.float64
    assert counts.tolist() == [0.0, 0.0]


def test_long_ago_vanishes_and_far_ahead_is_refused():
    long_ago = decay_weights(np.array([0]), half_life_days=1.0, origin_us=2000 * DAY_US)
    assert long_ago.tolist() == [0.0]
    with pytest.raises(ValueError, match="half-lives after"):
        decay_weights(np.array([2000 * DAY_US]), half_life_days=1.0, origin_us=0)
    with pytest.raises(ValueError, match="above 0"):
        decay_weights(np.array([0]), half_life_days=0.0, origin_us=0)


def test_first_seen_is_the_earliest_and_unseen_is_older_than_any_window():
    seen = first_seen(np.array([2, 0, 2]), np.array([9, 7, 5]), 3)
    assert seen.tolist() == [7, NEVER, 5]
    assert not seen[1] >= 0


def test_last_price_is_the_lower_median_of_the_latest_five():
    # Item 0: the special offer of 1 does not set it. Item 1: too few to need five, a NaN between.
    events = [
        *[(0, price) for price in (9.0, 9.0, 4.0, 4.5, 4.5, 1.0, 5.0)],
        *[(1, price) for price in (2.0, np.nan, 3.0)],
        (2, np.nan),
        (3, 0.0),
    ]
    items, prices = zip(*events, strict=True)
    found = last_price(priced(items, prices), 5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([4.5, 2.0, np.nan, np.nan, np.nan], np.float32))


def test_last_price_looks_at_the_latest_only():
    found = last_price(priced([0, 0, 0], [9.0, 9.0, 2.0]), 1, n_latest=1)
    assert found.tolist() == [2.0]
