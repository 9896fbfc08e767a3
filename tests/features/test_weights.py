import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from endcap.features.weights import (
    DEFAULT_WEIGHTS,
    KindWeights,
    interaction_weights,
    interest,
    weigh,
)
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.errors import SettingsError

UNKNOWN = np.full(9, -1, dtype=np.int32)


def data_of(*events) -> Dataset:
    """A data set from (user, item, kind, ts) or (user, item, kind, ts, value), in time order."""
    events = sorted(events, key=lambda event: event[3])
    n = len(events)
    return Dataset(
        interactions=Interactions(
            user_idx=np.array([event[0] for event in events], dtype=np.int32),
            item_idx=np.array([event[1] for event in events], dtype=np.int32),
            kind=np.array([KIND_CODES[event[2]] for event in events], dtype=np.uint8),
            value=np.array([(*event, 1.0)[4] for event in events], dtype=np.float32),
            price=np.full(n, np.nan, dtype=np.float32),
            ts=np.array([event[3] for event in events], dtype=np.int64),
        ),
        n_users=5,
        n_items=9,
        items=Items(department=UNKNOWN, category=UNKNOWN, brand=UNKNOWN),
    )


def rows(interactions):
    if interactions is None:
        return []
    codes = {code: kind for kind, code in KIND_CODES.items()}
    return [
        (int(user), int(item), codes[int(kind)], int(ts), pytest.approx(float(weight)))
        for user, item, kind, ts, weight in zip(
            interactions.user_idx,
            interactions.item_idx,
            interactions.kind,
            interactions.ts,
            interactions.weights,
            strict=True,
        )
    ]


def learnt(*events, weights=DEFAULT_WEIGHTS):
    return interest(weigh(data_of(*events), weights))


def test_what_each_kind_weighs_unless_told_otherwise():
    assert {kind.value: DEFAULT_WEIGHTS.of(kind) for kind in Kind} == {
        "view": 0.3,
        "cart": 0.6,
        "purchase": 1.0,
        "rating": 1.0,
        "like": 1.0,
        "dislike": -1.0,
        "impression": 0.0,
        "remove": -0.6,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"view": -0.1},
        {"dislike": 0.5},
        {"remove": 1.0},
        {"impression": 0.1},
        {"impression": -1.0},
        {"purchase": float("nan")},
        {"purchase": float("inf")},
        {"veiw": 1.0},
        dict.fromkeys(("view", "cart", "purchase", "rating", "like"), 0.0),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ValidationError):
        KindWeights(**wrong)


def test_a_rating_counts_whatever_its_stars_unless_a_bound_is_set():
    kind = np.full(3, KIND_CODES[Kind.RATING], dtype=np.uint8)
    stars = np.array([1, 3, 5], dtype=np.float32)
    assert interaction_weights(kind, stars, DEFAULT_WEIGHTS).tolist() == [1, 1, 1]
    strict = KindWeights(liked_from_stars=3, dislike=-0.5)
    assert interaction_weights(kind, stars, strict).tolist() == [-0.5, 1, 1]
    views = np.full(3, KIND_CODES[Kind.VIEW], dtype=np.uint8)
    assert np.all(interaction_weights(views, stars, strict) > 0)


@given(
    st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(0, 5)), max_size=20),
    st.integers(0, 5),
)
def test_one_event_weighs_what_it_weighs_among_others(events, bound):
    weights = KindWeights(liked_from_stars=bound)
    together = interaction_weights(
        np.array([KIND_CODES[kind] for kind, _ in events], dtype=np.uint8),
        np.array([stars for _, stars in events], dtype=np.float32),
        weights,
    )
    alone = np.array([weights.of(kind, stars) for kind, stars in events], dtype=np.float32)
    np.testing.assert_array_equal(together, alone)


def test_a_kind_of_a_later_release_weighs_nothing():
    kind = np.array([200, KIND_CODES[Kind.VIEW]], dtype=np.uint8)
    found = interaction_weights(kind, np.ones(2, dtype=np.float32), DEFAULT_WEIGHTS)
    np.testing.assert_allclose(found, [0, 0.3])


def test_only_proportions_matter():
    scaled = KindWeights(
        view=3, cart=6, purchase=10, rating=10, like=10, dislike=-10, remove=-6, liked_from_stars=2
    )
    kinds = (Kind.VIEW, Kind.PURCHASE)
    one, other = KindWeights(liked_from_stars=2).relative_to(kinds), scaled.relative_to(kinds)
    assert {kind: one.of(kind, 5) for kind in Kind} == pytest.approx(
        {kind: other.of(kind, 5) for kind in Kind}
    )
    assert one.liked_from_stars == other.liked_from_stars == 2


def test_where_there_are_views_alone_each_counts_one():
    told = weigh(data_of((0, 1, Kind.VIEW, 1), (0, 1, Kind.VIEW, 2)), DEFAULT_WEIGHTS)
    assert told.interactions.weights.tolist() == [1, 1]
    both = weigh(data_of((0, 1, Kind.VIEW, 1), (0, 1, Kind.PURCHASE, 2)), DEFAULT_WEIGHTS)
    np.testing.assert_allclose(both.interactions.weights, [0.3, 1])


def test_kinds_are_named_in_the_order_of_their_codes():
    told = data_of((0, 1, Kind.PURCHASE, 1), (0, 1, Kind.VIEW, 2), (0, 1, Kind.VIEW, 3))
    assert told.interactions.kinds == (Kind.VIEW, Kind.PURCHASE)
    assert data_of().interactions.kinds == ()


def test_data_that_says_nothing_of_interest_is_an_error():
    with pytest.raises(SettingsError, match="above 0: impression"):
        weigh(data_of((0, 1, Kind.IMPRESSION, 1)), DEFAULT_WEIGHTS)
    with pytest.raises(SettingsError, match="ENDCAP_KINDS__VIEW"):
        weigh(data_of((0, 1, Kind.VIEW, 1)), KindWeights(view=0))
    assert len(weigh(data_of(), DEFAULT_WEIGHTS).interactions) == 0


def test_nothing_is_dropped_by_weighing_and_unweighed_data_stay_as_they_are():
    told = data_of(*((0, 1, kind, ts) for ts, kind in enumerate(Kind)))
    assert len(weigh(told, DEFAULT_WEIGHTS).interactions) == len(Kind)
    assert interest(told) is told


def test_purchases_alone_come_back_without_weights():
    told = learnt((0, 1, Kind.PURCHASE, 1), (1, 1, Kind.PURCHASE, 2))
    assert told.interactions.weight is None
    assert told.refusals is None
    assert len(told.interactions) == 2


def test_what_is_no_interest_is_not_learnt_from():
    told = learnt(
        (0, 1, Kind.IMPRESSION, 1),
        (0, 2, Kind.VIEW, 2),
        (0, 3, Kind.DISLIKE, 3),
        (0, 4, Kind.REMOVE, 4),
        (0, 5, Kind.PURCHASE, 5),
    )
    assert rows(told.interactions) == [(0, 2, Kind.VIEW, 2, 0.3), (0, 5, Kind.PURCHASE, 5, 1.0)]
    assert rows(told.refusals) == [(0, 3, Kind.DISLIKE, 3, -1.0)]


def test_a_removal_takes_back_the_carts_before_it_of_that_user_and_item():
    told = learnt(
        (0, 1, Kind.CART, 1),
        (0, 1, Kind.CART, 2),
        (0, 2, Kind.CART, 3),
        (1, 1, Kind.CART, 4),
        (0, 1, Kind.REMOVE, 5),
        (0, 1, Kind.CART, 6),
        (0, 9 - 1, Kind.REMOVE, 7),
        (0, 1, Kind.PURCHASE, 8),
    )
    assert rows(told.interactions) == [
        (0, 2, Kind.CART, 3, 0.6),
        (1, 1, Kind.CART, 4, 0.6),
        (0, 1, Kind.CART, 6, 0.6),
        (0, 1, Kind.PURCHASE, 8, 1.0),
    ]
    assert told.refusals is None


def test_a_removal_may_leave_part_of_the_interest_or_all():
    events = [(0, 1, Kind.CART, 1), (0, 1, Kind.REMOVE, 1), (1, 2, Kind.PURCHASE, 2)]
    part = learnt(*events, weights=KindWeights(remove=-0.4))
    assert rows(part.interactions)[0] == (0, 1, Kind.CART, 1, 0.2)
    whole = learnt(*events, weights=KindWeights(remove=0))
    assert rows(whole.interactions)[0] == (0, 1, Kind.CART, 1, 0.6)
    more = learnt(*events, weights=KindWeights(remove=-9))
    assert len(more.interactions) == 1


def test_only_a_last_word_is_a_refusal():
    told = learnt(
        (0, 1, Kind.DISLIKE, 1),
        (0, 1, Kind.VIEW, 2),
        (0, 2, Kind.PURCHASE, 1),
        (0, 2, Kind.DISLIKE, 2),
        (0, 3, Kind.DISLIKE, 5),
        (0, 3, Kind.LIKE, 5),
        (1, 1, Kind.DISLIKE, 9),
    )
    assert [row[:2] for row in rows(told.refusals)] == [(0, 2), (0, 3), (1, 1)]
    assert len(told.interactions) == 3, "what happened stays a fact, also where it was refused"


def test_a_cart_that_was_taken_back_does_not_lift_a_refusal():
    told = learnt(
        (0, 1, Kind.DISLIKE, 1),
        (0, 1, Kind.CART, 2),
        (0, 1, Kind.REMOVE, 3),
        (0, 5, Kind.VIEW, 4),
    )
    assert [row[:2] for row in rows(told.refusals)] == [(0, 1)]


def test_bad_ratings_are_refusals_where_a_bound_is_set():
    events = [(0, 1, Kind.RATING, 1, 2.0), (0, 2, Kind.RATING, 2, 4.0)]
    told = learnt(*events, weights=KindWeights(liked_from_stars=3))
    assert [row[:2] for row in rows(told.interactions)] == [(0, 2)]
    assert [row[:2] for row in rows(told.refusals)] == [(0, 1)]
    assert learnt(*events).refusals is None


def test_a_cut_in_time_hides_what_took_back_or_refused_later():
    told = weigh(
        data_of(
            (0, 1, Kind.CART, 1),
            (0, 2, Kind.PURCHASE, 2),
            (0, 1, Kind.REMOVE, 5),
            (0, 2, Kind.DISLIKE, 6),
        ),
        DEFAULT_WEIGHTS,
    )
    before = interest(told.between(None, 5))
    assert [row[:3] for row in rows(before.interactions)] == [
        (0, 1, Kind.CART),
        (0, 2, Kind.PURCHASE),
    ]
    assert before.refusals is None
    after = interest(told)
    assert [row[:2] for row in rows(after.refusals)] == [(0, 2)]
    assert after.end_us == 7
