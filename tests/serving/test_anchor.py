from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.bundle.scorer.neighbours import NeighbourScorer
from endcap.features.history import UserHistory
from endcap.feedback.state import Recent
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US
from endcap.serving.anchor import choose_anchor

NOW_US = 1000 * DAY_US
NOTHING = np.empty(0, dtype=np.int32)


def history(**taken):
    """item_3=(count, days ago)"""
    items = [int(name.removeprefix("item_")) for name in taken]
    last = np.array([NOW_US - int(days * DAY_US) for _, days in taken.values()], dtype=np.int64)
    return UserHistory(
        items=np.array(items, dtype=np.int32),
        counts=np.array([count for count, _ in taken.values()], dtype=np.float32),
        first_ts=last,
        last_ts=last,
    )


@pytest.fixture
def neighbours(bundle):
    """Every item has ten neighbours that are alike near; tests then take some away."""

    def build(*, without=(), sims=None, n_left=None):
        items = np.tile(np.arange(200, 210, dtype=np.int32), (bundle.n_items, 1))
        near = np.full(items.shape, 0.5, dtype=np.float32)
        for item in without:
            items[item, 3:] = -1
        for item, n_kept in (n_left or {}).items():
            items[item, n_kept:] = -1
        for item, sim in (sims or {}).items():
            near[item] = sim
        return NeighbourScorer(items, near, is_available=np.ones(bundle.n_items, dtype=np.bool_))

    return build


def choose(
    bundle, scorer, taste=None, *, seen=NOTHING, session=None, live=(), bought=NOTHING, told=NOTHING
):
    return choose_anchor(
        taste=history() if taste is None else taste,
        seen=seen,
        session=session or {},
        live=live,
        bought=bought,
        told=told,
        bundle=bundle,
        neighbours=scorer,
        now_us=NOW_US,
    )


def test_nobody_without_a_past_has_an_anchor(bundle, neighbours):
    assert choose(bundle, neighbours()) is None


def test_without_neighbours_there_is_no_anchor(bundle, neighbours):
    assert choose(bundle, None, history(item_3=(5, 1))) is None
    assert choose(bundle, neighbours(without=[3]), history(item_3=(5, 1))) is None


def test_what_is_taken_often_and_lately_comes_first(bundle, neighbours):
    taste = history(item_3=(1, 2), item_5=(9, 2), item_7=(9, 90))
    assert choose(bundle, neighbours(), taste).item == 5


def test_near_neighbours_outweigh_a_little_more_frequency(bundle, neighbours):
    taste = history(item_3=(4, 2), item_5=(5, 2))
    assert choose(bundle, neighbours(sims={5: 0.1}), taste).item == 3


def test_neighbours_that_will_not_be_shown_do_not_count(bundle, neighbours):
    taste = history(item_3=(5, 1))
    scorer = neighbours()
    assert choose(bundle, scorer, taste, seen=np.arange(200, 206)).item == 3
    assert choose(bundle, scorer, taste, seen=np.arange(200, 207)) is None


def test_many_neighbours_outweigh_a_little_more_frequency(bundle, neighbours):
    taste = history(item_3=(4, 2), item_5=(5, 2))
    scorer = neighbours(n_left={5: 5})
    assert choose(bundle, scorer, taste).item == 3


def test_the_visit_comes_before_the_past(bundle, neighbours):
    taste = history(item_3=(9, 1), item_5=(1, 0), item_7=(1, 0))
    session = {"item-007": Kind.CART, "item-005": Kind.VIEW}
    anchor = choose(bundle, neighbours(), taste, session=session)
    assert (anchor.item, anchor.phrase) == (7, "{name} is in your cart")
    fewer = choose(bundle, neighbours(without=[7]), taste, session=session)
    assert (fewer.item, fewer.phrase) == (5, "you viewed {name}")


@pytest.mark.parametrize(
    ("kinds", "phrase"),
    [
        ([Kind.VIEW], "you viewed {name}"),
        ([Kind.LIKE], "you liked {name}"),
        ([Kind.VIEW, Kind.CART], "{name} is in your cart"),
        ([Kind.RATING], "you reviewed {name}"),
    ],
)
def test_a_live_past_is_told_as_it_was(bundle, neighbours, kinds, phrase):
    live = [Recent("item-003", kind, NOW_US - DAY_US) for kind in kinds]
    taste = history(item_3=(len(kinds), 1))
    assert choose(bundle, neighbours(), taste, live=live).phrase == phrase


def test_the_past_of_the_bundle_is_told_by_its_verb(bundle, neighbours):
    live = [Recent("item-003", Kind.VIEW, NOW_US - DAY_US)]
    taste, item = history(item_3=(2, 1)), np.array([3], dtype=np.int32)
    told = choose(bundle, neighbours(), taste, live=live, told=item)
    assert told.phrase == "you bought {name}"
    reviews = replace(bundle, history_kind_verb="reviewed")
    told = choose(reviews, neighbours(), taste, live=live, told=item)
    assert told.phrase == "you reviewed {name}"


def test_what_was_bought_is_told_whatever_followed(bundle, neighbours):
    live = [Recent("item-003", Kind.PURCHASE, NOW_US), Recent("item-003", Kind.VIEW, NOW_US)]
    taste, item = history(item_3=(2, 1)), np.array([3], dtype=np.int32)
    views = replace(bundle, history_kind_verb="viewed")
    told = choose(views, neighbours(), taste, live=live, bought=item, told=item)
    assert told.phrase == "you bought {name}"


def test_interest_of_which_it_is_not_known_what_it_was_is_told_as_no_more(bundle, neighbours):
    taste = history(item_3=(0.6, 1))  # a cart that was learnt among purchases
    assert choose(bundle, neighbours(), taste).phrase == "you were interested in {name}"
