"""Live and learnt together are what a batch of all events gives, for every kind in any order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.features.history import history_of
from endcap.features.popularity import decayed_counts
from endcap.features.unsettled import NO_EVENTS, settle
from endcap.features.weights import KindWeights, interest, weigh
from endcap.feedback.state import ALWAYS_COUNTED, LiveConfig, LiveState
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.events import Event
from endcap.schema.types import DAY_US

USERS, ITEMS = ("ann", "bob"), ("milk", "bread", "tea")
INDEX = {item_id: item for item, item_id in enumerate(ITEMS)}
UNKNOWN = np.full(len(ITEMS), -1, dtype=np.int32)
ORIGIN_US = 20 * DAY_US

happening = st.tuples(
    st.integers(0, len(USERS) - 1),
    st.integers(0, len(ITEMS) - 1),
    st.sampled_from(list(Kind)),
    st.integers(0, 9).map(lambda days: days * DAY_US),
    st.integers(1, 5),
)
happenings = st.lists(happening, max_size=30)
some_weights = st.builds(
    KindWeights,
    remove=st.sampled_from([0.0, -0.2, -0.6]),
    dislike=st.sampled_from([0.0, -1.0]),
    liked_from_stars=st.sampled_from([0.0, 3.0]),
)


def data_of(events) -> Dataset:
    # One purchase of full weight more, so that the scale of the weights is always the same.
    events = sorted([*events, (0, 0, Kind.PURCHASE, 0, 1)], key=lambda one: one[3])
    return Dataset(
        interactions=Interactions(
            user_idx=np.array([one[0] for one in events], dtype=np.int32),
            item_idx=np.array([one[1] for one in events], dtype=np.int32),
            kind=np.array([KIND_CODES[one[2]] for one in events], dtype=np.uint8),
            value=np.array([one[4] for one in events], dtype=np.float32),
            price=np.full(len(events), np.nan, dtype=np.float32),
            ts=np.array([one[3] for one in events], dtype=np.int64),
        ),
        n_users=len(USERS),
        n_items=len(ITEMS),
        items=Items(department=UNKNOWN, category=UNKNOWN, brand=UNKNOWN),
    )


def live_state(events, weights, unsettled=None) -> LiveState:
    def learnt(user_id):
        return NO_EVENTS if unsettled is None else unsettled.row(USERS.index(user_id))

    config = LiveConfig(
        decay_origin_us=ORIGIN_US, counted=ALWAYS_COUNTED | {Kind.VIEW, Kind.CART}, weights=weights
    )
    state = LiveState(INDEX, config, learnt=learnt)
    for n, (user, item, kind, ts, stars) in enumerate(events):
        state.apply(Event(f"e{n}", kind, USERS[user], ITEMS[item], ts, float(stars)), ts)
    return state


def popular(data: Dataset, half_life_days: float) -> np.ndarray:
    told = data.interactions
    return decayed_counts(
        told.item_idx,
        told.ts,
        n_items=len(ITEMS),
        half_life_days=half_life_days,
        origin_us=ORIGIN_US,
        weights=told.weight,
    )


@given(happenings, happenings, some_weights, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_counts_go_on_where_those_of_the_bundle_end(before, live, weights, random):
    learnt = weigh(data_of(before), weights)
    _, unsettled = settle(learnt)
    random.shuffle(live)
    state = live_state(live, weights, unsettled)
    whole = interest(weigh(data_of(before + live), weights))
    for counts, half_life_days in ((state.trending_counts, 7.0), (state.popular_counts, 90.0)):
        np.testing.assert_allclose(
            popular(interest(learnt), half_life_days) + counts,
            popular(whole, half_life_days),
            rtol=1e-5,
            atol=1e-6,
        )


@given(happenings, some_weights, st.randoms(use_true_random=False))
def test_what_is_refused_live_is_what_the_batch_has_as_refused(live, weights, random):
    history = history_of(interest(weigh(data_of(live), weights)))
    random.shuffle(live)
    # The purchase that `data_of` adds is the user's own word, too.
    state = live_state([*live, (0, 0, Kind.PURCHASE, 0, 1)], weights)
    for user, user_id in enumerate(USERS):
        refused = sorted(INDEX[item_id] for item_id in state.refused(user_id))
        assert refused == history.row(user).refused.tolist()


@given(happenings)
def test_impressions_change_nothing_live(live):
    state, shown = live_state(live, KindWeights()), live_state(live, KindWeights())
    for n, (user, item, _, ts, _) in enumerate(live):
        shown.apply(Event(f"i{n}", Kind.IMPRESSION, USERS[user], ITEMS[item], ts), ts)
    np.testing.assert_array_equal(state.popular_counts, shown.popular_counts)
    np.testing.assert_array_equal(state.trending_counts, shown.trending_counts)
    assert state.shoppers == shown.shoppers
    assert state.counts_version == shown.counts_version
    for user_id in USERS:
        assert state.recent(user_id) == shown.recent(user_id)
        assert state.cart(user_id) == shown.cart(user_id)
        assert state.version(user_id) == shown.version(user_id)
        assert state.refused(user_id) == shown.refused(user_id)
