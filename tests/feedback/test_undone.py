"""What a later event undoes, in the live counts and in what a visitor is known to refuse."""

from __future__ import annotations

import numpy as np
import pytest

from endcap.features.unsettled import NO_EVENTS, UserEvents
from endcap.features.weights import KindWeights
from endcap.feedback.state import ALWAYS_COUNTED, MAX_RECENT, LiveConfig, LiveState
from endcap.feedback.undone import NEVER_US, PairCarts, carts_of
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.events import Event

INDEX = {"milk": 0, "bread": 1, "tea": 2}
EVERYTHING = LiveConfig(counted=ALWAYS_COUNTED | {Kind.VIEW, Kind.CART})


def event(n: int, kind: Kind, item_id: str = "milk", *, user="ann", ts=0, value=1.0) -> Event:
    return Event(f"e{n}", kind, user, item_id, ts, value)


def applied(*told, config=EVERYTHING, learnt=None) -> LiveState:
    """State after (kind, ts) or (kind, ts, item) of one visitor."""
    state = LiveState(INDEX, config, learnt=learnt)
    for n, (kind, ts, *item) in enumerate(told):
        state.apply(event(n, kind, *item, ts=ts), ts)
    return state


def learnt_carts(*rows):
    """Learnt events of Ann's milk, from (kind, weight, ts)."""
    events = UserEvents(
        items=np.zeros(len(rows), dtype=np.int32),
        kinds=np.array([KIND_CODES[kind] for kind, _, _ in rows], dtype=np.uint8),
        weights=np.array([weight for _, weight, _ in rows], dtype=np.float32),
        ts=np.array([ts for _, _, ts in rows], dtype=np.int64),
    )
    return lambda user: events if user == "ann" else NO_EVENTS


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.VIEW, 0.3),
        (Kind.CART, 0.6),
        (Kind.PURCHASE, 1.0),
        (Kind.RATING, 1.0),
        (Kind.LIKE, 1.0),
        (Kind.DISLIKE, 0.0),
        (Kind.IMPRESSION, 0.0),
        (Kind.REMOVE, 0.0),
    ],
)
def test_each_kind_counts_by_its_weight(kind, expected):
    state = applied((kind, 0))
    assert state.popular_counts[0] == state.trending_counts[0] == pytest.approx(expected)


def test_views_and_carts_count_only_where_the_bundle_learnt_from_such():
    state = applied((Kind.VIEW, 0), (Kind.CART, 0), (Kind.REMOVE, 1), config=LiveConfig())
    assert not state.popular_counts.any()
    assert state.counts_version == 0
    assert applied((Kind.LIKE, 0), config=LiveConfig()).popular_counts[0] == 1


def test_a_bad_rating_is_a_fact_but_no_interest():
    config = LiveConfig(weights=KindWeights(liked_from_stars=3))
    state = LiveState(INDEX, config)
    state.apply(event(1, Kind.RATING, ts=5, value=2.0), 5)
    assert not state.popular_counts.any()
    assert state.shoppers == {Kind.RATING: {0: {"ann": 5}}}
    assert state.refused("ann") == {"milk": 5}
    state.apply(event(2, Kind.RATING, ts=6, value=4.0), 6)
    assert state.refused("ann") == {}


def test_a_removal_takes_its_carts_out_of_the_counts_whenever_it_comes():
    both = (Kind.CART, 5), (Kind.REMOVE, 9)
    for told in (both, both[::-1]):
        state = applied(*told)
        assert state.popular_counts[0] == state.trending_counts[0] == 0.0
    later = applied(*both, (Kind.CART, 10), (Kind.PURCHASE, 3))
    assert later.popular_counts[0] == pytest.approx(1.6)


def test_part_of_the_interest_may_stay():
    config = LiveConfig(counted=EVERYTHING.counted, weights=KindWeights(remove=-0.4))
    state = applied((Kind.CART, 5), (Kind.REMOVE, 5), config=config)
    assert state.popular_counts[0] == pytest.approx(0.2)


def test_a_removal_of_another_item_or_by_another_visitor_takes_nothing():
    state = applied((Kind.CART, 5), (Kind.REMOVE, 9, "tea"))
    state.apply(event(7, Kind.REMOVE, user="bob", ts=9), 9)
    assert state.popular_counts[0] == pytest.approx(0.6)
    assert state.popular_counts[2] == 0


def test_a_removal_takes_back_what_the_bundle_counted_in():
    learnt = learnt_carts((Kind.CART, 0.6, 100), (Kind.CART, 0.6, 200))
    state = applied((Kind.REMOVE, 900), learnt=learnt)
    assert state.popular_counts[0] == pytest.approx(-1.2, rel=1e-5)
    earlier = applied((Kind.REMOVE, 150), learnt=learnt)
    assert earlier.popular_counts[0] == pytest.approx(-0.6, rel=1e-5)
    other = LiveState(INDEX, EVERYTHING, learnt=learnt)
    other.apply(event(1, Kind.REMOVE, user="bob", ts=9), 9)
    assert other.popular_counts[0] == 0


def test_a_cart_that_came_late_is_taken_by_a_learnt_removal():
    learnt = learnt_carts((Kind.REMOVE, -0.6, 50))
    assert applied((Kind.CART, 40), learnt=learnt).popular_counts[0] == 0
    assert applied((Kind.CART, 60), learnt=learnt).popular_counts[0] == pytest.approx(0.6)


def test_the_cart_is_empty_of_what_was_removed():
    state = applied(
        (Kind.CART, 1, "milk"),
        (Kind.CART, 2, "tea"),
        (Kind.REMOVE, 3, "milk"),
        (Kind.REMOVE, 3, "bread"),
    )
    assert state.cart("ann") == ["tea"]
    again = applied((Kind.CART, 5), (Kind.REMOVE, 4), (Kind.CART, 2))
    assert again.cart("ann") == ["milk"]
    assert applied((Kind.REMOVE, 5), (Kind.CART, 5)).cart("ann") == []


def test_a_dislike_stands_until_a_later_sign_of_interest():
    assert applied((Kind.DISLIKE, 5)).refused("ann") == {"milk": 5}
    assert applied((Kind.DISLIKE, 5), (Kind.VIEW, 4)).refused("ann") == {"milk": 5}
    assert applied((Kind.VIEW, 5), (Kind.DISLIKE, 5)).refused("ann") == {"milk": 5}
    assert applied((Kind.VIEW, 6), (Kind.DISLIKE, 5)).refused("ann") == {}
    assert applied((Kind.IMPRESSION, 6), (Kind.DISLIKE, 5)).refused("ann") == {"milk": 5}
    assert applied((Kind.DISLIKE, 5)).refused("bob") == {}


def test_a_cart_that_was_taken_out_again_is_no_sign_of_interest():
    told = (Kind.DISLIKE, 5), (Kind.CART, 6)
    assert applied(*told).refused("ann") == {}
    state = applied(*told, (Kind.REMOVE, 7))
    assert state.refused("ann") == {"milk": 5}
    assert state.last_yes_us("ann", "milk") == NEVER_US


def test_a_refusal_is_remembered_longer_than_what_else_was_done():
    views = ((Kind.VIEW, 10 + n, "tea") for n in range(MAX_RECENT + 5))
    state = applied((Kind.DISLIKE, 1, "milk"), (Kind.DISLIKE, 1, "bread"), (Kind.LIKE, 2, "bread"))
    for n, (kind, ts, item) in enumerate(views):
        state.apply(event(100 + n, kind, item, ts=ts), ts)
    assert all(recent.item_id == "tea" for recent in state.recent("ann"))
    assert state.refused("ann") == {"milk": 1}
    assert state.last_yes_us("ann", "bread") == 2
    assert state.last_yes_us("nobody", "bread") == NEVER_US


def test_what_weighs_nothing_says_nothing():
    silent = LiveConfig(weights=KindWeights(dislike=0, view=0), counted=EVERYTHING.counted)
    state = applied((Kind.DISLIKE, 5), (Kind.VIEW, 6), config=silent)
    assert state.refused("ann") == {}
    assert not state.popular_counts.any()
    assert state.last_yes_us("ann", "milk") == NEVER_US


def test_an_impression_leaves_no_trace_but_its_id():
    state = applied((Kind.IMPRESSION, 5))
    assert state.has("e0")
    assert (state.version("ann"), state.counts_version, len(state)) == (0, 0, 1)
    assert state.recent("ann") == []


def test_recent_things_weigh_what_they_said_at_the_time():
    state = applied((Kind.VIEW, 1), (Kind.CART, 2), (Kind.REMOVE, 3), (Kind.DISLIKE, 4))
    assert [recent.weight for recent in state.recent("ann")] == [0.3, 0.6, -0.6, -1.0]


def test_a_rest_of_rounding_does_not_rank_an_item():
    learnt = learnt_carts(*((Kind.CART, 0.1 * n, -1000 * n) for n in range(1, 9)))
    state = applied((Kind.CART, 1), (Kind.CART, 2), (Kind.REMOVE, 9))
    assert state.popular_counts[0] == 0.0
    assert carts_of(learnt("ann"), 1) == PairCarts()
    assert len(carts_of(learnt("ann"), 0).carts) == 8
