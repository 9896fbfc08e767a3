"""One small shop whose features are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from endcap.features.online import KnownEvents, Learnt, live_user_features
from endcap.features.point_in_time import (
    item_features,
    taste_codes,
    totals_of,
    user_features,
)
from endcap.features.spec import FeatureSpec
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US, SECOND_US
from feature_events import ITEMS, WEIGHTS, interactions

NOW_US = 100 * DAY_US
HOUR_US = 3600 * SECOND_US
SPEC = FeatureSpec()
NAN = float("nan")


def ago(days=0.0, hours=0.0):
    return NOW_US - round(days * DAY_US + hours * HOUR_US)


TOLD = [
    (0, 0, Kind.PURCHASE, 2.0, 3.0, ago(days=20)),
    (0, 1, Kind.VIEW, 1.0, NAN, ago(hours=2)),
    (0, 1, Kind.CART, 1.0, NAN, ago(hours=1.75)),
    (0, 1, Kind.PURCHASE, 1.0, 5.0, ago(hours=1.5)),
    (0, 3, Kind.IMPRESSION, 1.0, NAN, ago(hours=0.1)),
    (1, 0, Kind.RATING, 4.0, NAN, ago(days=14)),
    (1, 0, Kind.RATING, 1.0, NAN, ago(days=7)),
    (1, 4, Kind.DISLIKE, 1.0, NAN, ago(days=1)),
    (1, 4, Kind.PURCHASE, 1.0, 8.0, NOW_US),
]


def users(told=TOLD, **changes):
    given = interactions(told, weights=changes.pop("weights", None))
    totals = totals_of(item_features(given, ITEMS, at_us=NOW_US, spec=SPEC), ITEMS, spec=SPEC)
    chosen = np.arange(3, dtype=np.int32)
    values = {"users": chosen, "at_us": NOW_US, "spec": SPEC, "totals": totals, **changes}
    return user_features(given, ITEMS, **values)


def test_what_is_known_of_users():
    found = users()
    assert len(found) == 3
    assert found.n_items.tolist() == [2, 1, 0]
    np.testing.assert_allclose(found.days_since_first_event, [20, 14, NAN])
    np.testing.assert_allclose(found.days_since_last_event, [1.5 / 24, 7, NAN])
    assert found.n_events_recent.tolist() == [3, 1, 0]
    assert found.n_items_recent.tolist() == [1, 1, 0]
    assert found.n_items_bought_recent.tolist() == [1, 1, 0]
    # Of two prices the lower one; it is the lowest in the shop.
    np.testing.assert_array_equal(found.price_level, np.array([3, NAN, NAN], dtype=np.float32))
    assert found.price_band.tolist() == [0, -1, -1]
    assert found.session_n_events.tolist() == [3, 1, 0]
    assert found.session_length_s.tolist() == [1800.0, 0.0, 0.0]
    assert found.taste.code.tolist() == [1, 0, 0]
    once, thrice = np.log1p(1) * 2 ** (-20 / 30), np.log1p(3) * 2 ** (-1.5 / 24 / 30)
    assert found.taste.share.tolist() == pytest.approx(
        [thrice / (once + thrice), once / (once + thrice), 1.0]
    )


def test_the_same_with_weights_tells_taste_by_them_and_counts_alike():
    plain, weighed = users(), users(weights=WEIGHTS)
    # The second rating has one star, which weighs as a dislike and is no act any more; it takes
    # the item out of what the user wants.
    assert weighed.n_events_recent.tolist() == [3, 0, 0]
    assert weighed.taste.code.tolist() == [1, 0]
    once, more = np.log1p(1) * 2 ** (-20 / 30), np.log1p(1.9) * 2 ** (-1.5 / 24 / 30)
    assert weighed.taste.share[0] == pytest.approx(more / (once + more))
    assert plain.n_items.tolist() == weighed.n_items.tolist()


def test_without_totals_the_band_is_unknown():
    assert users(totals=None).price_band.tolist() == [-1, -1, -1]


def test_tastes_of_departments():
    spec = FeatureSpec(taste_by="department")
    assert users(spec=spec).taste.code.tolist() == [0, 0]


def test_nobody_is_asked_about_twice():
    with pytest.raises(ValueError, match="once"):
        users(users=np.array([1, 1], dtype=np.int32))


def test_what_is_known_of_items():
    found = item_features(interactions(TOLD), ITEMS, at_us=NOW_US, spec=SPEC)
    assert len(found) == len(ITEMS)
    assert found.n_events.tolist() == [3, 3, 0, 0, 0, 0, 0]
    assert found.n_users.tolist() == [2, 1, 0, 0, 0, 0, 0]
    assert found.n_events_recent.tolist() == [1, 3, 0, 0, 0, 0, 0]
    assert found.n_bought.tolist() == [3, 1, 0, 0, 0, 0, 0]
    assert found.count_ratings.tolist() == [2, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(found.avg_rating[:2], [2.5, NAN])
    assert found.trend[0] == pytest.approx(2 ** (-20 / 7) + 2**-2 + 2**-1)
    assert found.popularity[0] == pytest.approx(sum(2 ** (-age / 90) for age in (20, 14, 7)))
    np.testing.assert_allclose(found.price, [3, 5, *[NAN] * 5])
    # Of the two prices in the department, 3 is the edge of two fifths and 5 that of the rest.
    assert found.price_band.tolist() == [0, 2, -1, -1, -1, -1, -1]
    np.testing.assert_allclose(found.category_share, [0.25, 0.75, 0.75, 0, 0, NAN, 0])
    np.testing.assert_allclose(found.days_since_first_seen[:3], [20, 2 / 24, NAN])
    np.testing.assert_allclose(found.days_since_last_seen[:3], [7, 1.5 / 24, NAN])


def test_a_shop_without_recent_events_has_no_shares():
    late = item_features(interactions(TOLD[:1]), ITEMS, at_us=NOW_US, spec=SPEC)
    assert np.isnan(late.category_share).all()
    nothing = item_features(interactions([]), ITEMS, at_us=NOW_US, spec=SPEC)
    assert not nothing.n_events.any()
    assert nothing.trend.dtype == np.float32


def test_a_visitor_who_is_learnt_of_by_item_only():
    live = live_user_features(
        Learnt(),
        KnownEvents(interactions([(0, 1, Kind.VIEW, 1.0, NAN, ago(hours=1))])),
        taste_codes(ITEMS, SPEC),
        at_us=NOW_US,
        spec=SPEC,
    )
    assert not live.incomplete
    assert (live.row.n_events_recent.tolist(), live.row.taste.code.tolist()) == ([1], [1])
    forgotten = live_user_features(
        Learnt(bought=None),
        KnownEvents(interactions([]), forgotten_until_us=ago(days=3)),
        taste_codes(ITEMS, SPEC),
        at_us=NOW_US,
        spec=SPEC,
    )
    assert forgotten.incomplete == {
        *("n_items", "days_since_first_event", "days_since_last_event", "taste"),
        *("n_items_recent", "n_events_recent", "session_n_events", "session_length_s"),
    }
