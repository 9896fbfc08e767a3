"""What holds for all kinds of events in any order, whatever they weigh."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.features.history import history_of, merge_events, without_refused
from endcap.features.popularity import decayed_counts
from endcap.features.unsettled import UserEvents, settle
from endcap.features.weights import KindWeights, interaction_weights, interest, weigh
from endcap.models.als import ALS, ALSConfig
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.models.popular import Popular
from endcap.models.repeat import Repeat
from endcap.models.trending import Trending
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US

N_USERS, N_ITEMS = 3, 6
UNKNOWN = np.full(N_ITEMS, -1, dtype=np.int32)
MODELS = (Popular, Trending, Repeat, ItemKNN, ALS)

happening = st.tuples(
    st.integers(0, N_USERS - 1),
    st.integers(0, N_ITEMS - 1),
    st.sampled_from(list(Kind)),
    st.integers(0, 12).map(lambda days: days * DAY_US),
    st.integers(1, 5),
)
happenings = st.lists(happening, max_size=40)
some_weights = st.builds(
    KindWeights,
    view=st.sampled_from([0.0, 0.3]),
    cart=st.sampled_from([0.0, 0.6]),
    remove=st.sampled_from([0.0, -0.2, -0.6]),
    dislike=st.sampled_from([0.0, -1.0]),
    liked_from_stars=st.sampled_from([0.0, 3.0]),
)


def data_of(events) -> Dataset:
    events = sorted(events, key=lambda one: one[3])
    return Dataset(
        interactions=Interactions(
            user_idx=np.array([one[0] for one in events], dtype=np.int32),
            item_idx=np.array([one[1] for one in events], dtype=np.int32),
            kind=np.array([KIND_CODES[one[2]] for one in events], dtype=np.uint8),
            value=np.array([one[4] for one in events], dtype=np.float32),
            price=np.full(len(events), np.nan, dtype=np.float32),
            ts=np.array([one[3] for one in events], dtype=np.int64),
        ),
        n_users=N_USERS,
        n_items=N_ITEMS,
        items=Items(department=UNKNOWN, category=UNKNOWN, brand=UNKNOWN),
    )


def with_anchor(events):
    """The events and one more purchase, so that the scale of the weights is always the same."""
    return [*events, (0, 0, Kind.PURCHASE, 0, 1)]


def same_row(one, other):
    for name in ("items", "first_ts", "last_ts", "refused"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    np.testing.assert_allclose(one.counts, other.counts, rtol=1e-5)


def live_events(events, user, weights) -> UserEvents:
    own = [one for one in events if one[0] == user]
    kinds = np.array([KIND_CODES[one[2]] for one in own], dtype=np.uint8)
    values = np.array([one[4] for one in own], dtype=np.float32)
    return UserEvents(
        items=np.array([one[1] for one in own], dtype=np.int32),
        kinds=kinds,
        weights=interaction_weights(kinds, values, weights),
        ts=np.array([one[3] for one in own], dtype=np.int64),
    )


@given(happenings, happenings, some_weights, st.randoms(use_true_random=False))
def test_learnt_and_live_together_are_the_history_of_all(before, live, weights, random):
    before = with_anchor(before)
    whole = history_of(interest(weigh(data_of(before + live), weights)))
    history, unsettled = settle(weigh(data_of(before), weights))
    random.shuffle(live)
    for user in range(N_USERS):
        new = live_events(live, user, weights)
        kept = unsettled.row(user) if unsettled is not None else live_events([], user, weights)
        merged = merge_events(
            history.row(user),
            np.concatenate([kept.items, new.items]),
            np.concatenate([kept.ts, new.ts]),
            kinds=np.concatenate([kept.kinds, new.kinds]),
            weights=np.concatenate([kept.weights, new.weights]),
        )
        same_row(merged, whole.row(user))


@given(happenings, some_weights)
def test_a_history_is_what_a_loop_over_the_events_gives(events, weights):
    events = with_anchor(events)
    history = history_of(interest(weigh(data_of(events), weights)))
    for user in range(N_USERS):
        expected, refused = {}, []
        for item in range(N_ITEMS):
            own = sorted((one for one in events if one[:2] == (user, item)), key=lambda one: one[3])
            removed_at = max((one[3] for one in own if one[2] is Kind.REMOVE), default=-1)
            total, last, last_no = 0.0, -1, -1
            for _, _, kind, ts, stars in own:
                weight = weights.of(kind, stars)
                if kind is Kind.CART and ts <= removed_at:
                    weight = max(weight + weights.remove, 0.0)
                if weight > 0:
                    total, last = total + weight, ts
                elif weight < 0 and kind is not Kind.REMOVE:
                    last_no = ts
            if last_no >= max(last, 0):
                refused.append(item)
            elif total > 0:
                expected[item] = (total, last)
        row = history.row(user)
        assert row.items.tolist() == sorted(expected)
        assert row.refused.tolist() == refused
        np.testing.assert_allclose(row.counts, [expected[item][0] for item in sorted(expected)])
        assert row.last_ts.tolist() == [expected[item][1] for item in sorted(expected)]


@given(happenings)
def test_without_refused_no_pair_is_left_that_was_refused(events):
    data = interest(weigh(data_of(with_anchor(events)), KindWeights()))
    history, kept = history_of(data), without_refused(data).interactions
    pairs = set(zip(kept.user_idx.tolist(), kept.item_idx.tolist(), strict=True))
    for user in range(N_USERS):
        assert pairs & {(user, item) for item in range(N_ITEMS)} == {
            (user, item) for item in history.row(user).items.tolist()
        }


@given(happenings, st.sampled_from([0.25, 3.0, 10.0]))
@settings(max_examples=25, deadline=None)
def test_the_scale_of_the_weights_changes_no_ranking(events, factor):
    weights = KindWeights()
    scaled = KindWeights(
        **{kind.value: factor * weights.of(kind) for kind in Kind if kind is not Kind.IMPRESSION}
    )
    events = with_anchor(events)
    one, other = (interest(weigh(data_of(events), told)) for told in (weights, scaled))
    users = np.arange(N_USERS, dtype=np.int32)
    for model in MODELS:
        lists = [
            make(model).fit(data, rng=np.random.default_rng(0)).recommend(users, 4).items
            for data in (one, other)
        ]
        np.testing.assert_array_equal(lists[0], lists[1], err_msg=model.__name__)


@given(happenings)
@settings(max_examples=25, deadline=None)
def test_no_model_ever_recommends_what_was_refused(events):
    data = interest(weigh(data_of(with_anchor(events)), KindWeights()))
    history = history_of(data)
    users = np.arange(N_USERS, dtype=np.int32)
    for model in MODELS:
        fitted = make(model).fit(data, rng=np.random.default_rng(0))
        for exclude_seen in (True, False):
            ranked = fitted.recommend(users, N_ITEMS, exclude_seen=exclude_seen).items
            for user in range(N_USERS):
                assert not set(ranked[user].tolist()) & set(history.row(user).refused.tolist())


@given(happenings)
@settings(max_examples=25, deadline=None)
def test_impressions_change_nothing_that_is_learnt(events):
    told = with_anchor([one for one in events if one[2] is not Kind.IMPRESSION])
    shown = with_anchor(events)
    users = np.arange(N_USERS, dtype=np.int32)
    one, other = (interest(weigh(data_of(rows), KindWeights())) for rows in (told, shown))
    assert one.end_us == other.end_us
    for model in MODELS:
        lists = [
            make(model).fit(data, rng=np.random.default_rng(0)).recommend(users, 4)
            for data in (one, other)
        ]
        np.testing.assert_array_equal(lists[0].items, lists[1].items)
        np.testing.assert_array_equal(lists[0].scores, lists[1].scores)


@given(st.lists(happening.map(lambda one: (*one[:2], Kind.VIEW, *one[3:])), min_size=1))
def test_where_all_are_of_one_kind_its_weight_does_not_matter(events):
    weights = KindWeights(view=0.07)
    told = interest(weigh(data_of(events), weights))
    assert told.interactions.weight is None
    history = history_of(told)
    assert history.counts.sum() == len(events)
    counts = decayed_counts(
        told.interactions.item_idx,
        told.interactions.ts,
        n_items=N_ITEMS,
        half_life_days=9.0,
        origin_us=0,
        weights=told.interactions.weight,
    )
    assert np.count_nonzero(counts) == len({item for _, item, *_ in events})


def make(model):
    if model is ItemKNN:
        return ItemKNN(ItemKNNConfig(min_users=1, n_neighbours=4))
    if model is ALS:
        return ALS(ALSConfig(embedding_size=3, iterations=2, n_threads=1))
    return model()
