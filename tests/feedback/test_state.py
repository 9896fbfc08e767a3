from __future__ import annotations

import numpy as np
import pytest

from endcap.features.popularity import decayed_counts
from endcap.feedback.state import MAX_RECENT, MAX_SALES, NOTHING_FORGOTTEN, LiveConfig, LiveState
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US, SECOND_US

MINUTE_US = 60 * SECOND_US
INDEX = {"milk": 0, "bread": 1, "tea": 2}


def event(event_id: str, item_id: str, kind: Kind = Kind.VIEW, *, user: str = "ann", ts: int = 0):
    return Event(event_id=event_id, kind=kind, user_id=user, item_id=item_id, ts=ts)


def applied(*events: Event, config: LiveConfig | None = None) -> LiveState:
    state = LiveState(INDEX, config)
    for one in events:
        state.apply(one, one.ts)
    return state


def test_a_stranger_has_nothing():
    state = applied()
    assert state.version("nobody") == 0
    assert state.recent("nobody") == []
    assert state.cart("nobody") == []
    assert state.session("nobody", now_us=0) == []


def test_the_same_event_counts_once():
    state = LiveState(INDEX)
    bought = event("e1", "milk", Kind.PURCHASE)
    assert state.apply(bought, 0)
    assert not state.apply(bought, 0)
    assert len(state) == 1
    assert state.version("ann") == 1
    assert state.has("e1")
    assert not state.has("e2")
    assert state.trending_counts.tolist() == [1, 0, 0]


def test_recent_is_in_time_order_however_the_events_came():
    state = applied(
        event("e2", "bread", ts=20), event("e1", "milk", ts=10), event("e3", "tea", ts=30)
    )
    assert [recent.item_id for recent in state.recent("ann")] == ["milk", "bread", "tea"]


def test_recent_is_bounded_and_keeps_the_newest():
    events = [event(f"e{n}", "milk", ts=n) for n in range(MAX_RECENT + 50)]
    state = applied(*reversed(events))
    assert len(state.recent("ann")) == MAX_RECENT
    assert state.recent("ann")[-1].ts == MAX_RECENT + 49
    assert state.version("ann") == MAX_RECENT + 50


def test_what_was_bought_outlasts_much_looking_around():
    bought = [event(f"p{n}", "tea", Kind.PURCHASE, ts=n) for n in range(2)]
    looked = [event(f"v{n}", "milk", ts=10 + n) for n in range(MAX_RECENT)]
    state = applied(*looked, *bought)
    assert {recent.item_id for recent in state.recent("ann")} == {"milk"}
    kept = state.remembered("ann")
    assert [recent.item_id for recent in kept.events] == ["tea", "tea"] + ["milk"] * MAX_RECENT
    assert kept.forgotten_until_us == 1
    assert kept.sales_forgotten_until_us == NOTHING_FORGOTTEN


def test_sales_are_bounded_as_well():
    events = [event(f"p{n}", "tea", Kind.PURCHASE, ts=n) for n in range(MAX_RECENT + MAX_SALES)]
    kept = applied(*events).remembered("ann")
    assert len(kept.events) == MAX_RECENT
    assert kept.sales_forgotten_until_us == MAX_RECENT - 1
    assert kept.forgotten_until_us == MAX_SALES - 1


def test_of_a_stranger_nothing_is_remembered_and_nothing_forgotten():
    assert applied().remembered("nobody") == ([], NOTHING_FORGOTTEN, NOTHING_FORGOTTEN)


def test_what_was_only_shown_is_not_done_by_the_visitor():
    state = applied(event("e1", "milk", Kind.IMPRESSION), event("e2", "tea", ts=1))
    assert [recent.item_id for recent in state.recent("ann")] == ["tea"]
    assert [recent.item_id for recent in state.session("ann", now_us=1)] == ["tea"]
    assert len(state) == 2


def test_what_is_removed_leaves_the_cart():
    state = applied(event("e1", "milk", Kind.CART, ts=1), event("e2", "tea", Kind.CART, ts=2))
    state.apply(event("e3", "milk", Kind.REMOVE, ts=3), 3)
    assert state.cart("ann") == ["tea"]


def test_visitors_do_not_see_each_other():
    state = applied(event("e1", "milk"), event("e2", "tea", user="bob"))
    assert [recent.item_id for recent in state.recent("ann")] == ["milk"]
    assert state.version("bob") == 1


def test_the_cart_holds_what_was_not_bought_since():
    state = applied(
        event("e1", "milk", Kind.CART, ts=1),
        event("e2", "tea", Kind.CART, ts=2),
        event("e3", "milk", Kind.PURCHASE, ts=3),
        event("e4", "bread", Kind.VIEW, ts=4),
    )
    assert state.cart("ann") == ["tea"]
    state.apply(event("e5", "milk", Kind.CART, ts=5), 5)
    assert state.cart("ann") == ["tea", "milk"]


@pytest.mark.parametrize(
    ("now_minutes", "expected"), [(61, ["bread", "tea"]), (90, ["bread", "tea"]), (91, [])]
)
def test_a_session_ends_after_half_an_hour_without_an_event(now_minutes, expected):
    state = applied(
        event("e1", "milk", ts=0),
        event("e2", "bread", ts=40 * MINUTE_US),
        event("e3", "tea", ts=60 * MINUTE_US),
    )
    session = state.session("ann", now_us=now_minutes * MINUTE_US)
    assert [recent.item_id for recent in session] == expected


def test_counts_equal_the_batch_form_on_the_same_events():
    config = LiveConfig(decay_origin_us=5 * DAY_US, trending_half_life_days=7.0)
    events = [
        event(f"e{n}", "milk" if n % 3 else "tea", Kind.PURCHASE, ts=n * DAY_US) for n in range(9)
    ]
    state = applied(*events, config=config)
    expected = decayed_counts(
        np.array([INDEX[one.item_id] for one in events], dtype=np.int32),
        np.array([one.ts for one in events]),
        n_items=3,
        half_life_days=7.0,
        origin_us=5 * DAY_US,
    )
    np.testing.assert_allclose(state.trending_counts, expected, rtol=1e-12)
    assert state.counts_version == 9


def test_only_sales_of_known_items_are_counted():
    state = applied(
        event("e1", "milk", Kind.VIEW),
        event("e2", "milk", Kind.CART),
        event("e3", "caviar", Kind.PURCHASE),
    )
    assert not state.trending_counts.any()
    assert state.counts_version == 0
    assert state.version("ann") == 3


def test_a_time_far_from_the_origin_does_not_break_the_counts():
    state = applied(event("e1", "milk", Kind.PURCHASE, ts=90 * 365 * DAY_US))
    assert np.isfinite(state.trending_counts).all()
    assert state.version("ann") == 1


def test_remembers_who_had_an_item_and_when_last():
    state = applied(
        event("e1", "milk", Kind.PURCHASE, ts=5),
        event("e2", "milk", Kind.PURCHASE, ts=3),
        event("e3", "milk", Kind.PURCHASE, user="bob", ts=4),
        event("e4", "milk", Kind.RATING, user="bob", ts=6),
        event("e5", "tea", Kind.VIEW),
    )
    assert state.shoppers == {
        Kind.PURCHASE: {0: {"ann": 5, "bob": 4}},
        Kind.RATING: {0: {"bob": 6}},
    }
