from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from endcap.bundle.scorer.panel import open_scorers
from endcap.schema.columns import Kind
from endcap.serving.gather import STEP_US
from pages import context_of
from shops import WALL_NOW_US


@pytest.fixture(scope="module")
def scorers(bundle):
    return open_scorers(bundle)


def test_a_stranger_has_no_history(bundle, scorers):
    context = context_of(bundle, scorers, "nobody")
    assert (context.visitor, context.in_session, context.anchor) == ("new", False, None)
    assert len(context.taste) == len(context.bought) == len(context.seen) == 0
    assert context.departments == context.ranks.departments[:3]


def test_a_known_user_has_the_history_of_the_bundle(bundle, scorers):
    context = context_of(bundle, scorers, "user-07")
    row = bundle.history.row(7)
    np.testing.assert_array_equal(context.taste.items, row.items)
    np.testing.assert_array_equal(context.bought.counts, row.counts)
    np.testing.assert_array_equal(context.seen, row.items)
    assert context.departments[0] == 1  # the planted favourite


def test_live_events_join_the_taste_and_purchases_what_was_bought(bundle, scorers):
    acts = [
        ("u", Kind.VIEW, "item-003", 50),
        ("u", Kind.PURCHASE, "item-009", 40),
        ("u", Kind.CART, "item-015", 30),
        ("u", Kind.VIEW, "no such item", 20),
        ("someone else", Kind.VIEW, "item-021", 10),
    ]
    context = context_of(bundle, scorers, "u", acts)
    assert context.visitor == "session"
    assert context.taste.items.tolist() == [3, 9, 15]
    assert context.bought.items.tolist() == [9]
    assert context.off_limits.tolist() == [9, 15]
    assert context.seen.tolist() == [3, 9, 15]
    assert context.session_items.tolist() == [15, 9, 3]
    assert context.session_kinds == (Kind.CART, Kind.PURCHASE, Kind.VIEW)


def test_an_old_purchase_is_not_of_this_visit_but_no_discovery(bundle, scorers):
    context = context_of(bundle, scorers, "u", [("u", Kind.PURCHASE, "item-009", 7200)])
    assert not context.in_session
    assert context.off_limits.tolist() == []
    assert context.seen.tolist() == [9]


def test_a_cart_is_kept_after_the_visit(bundle, scorers):
    context = context_of(bundle, scorers, "u", [("u", Kind.CART, "item-009", 7200)])
    assert context.off_limits.tolist() == [9]


def test_a_history_of_views_is_neither_bought_nor_a_reason_to_hide(bundle, scorers):
    views = replace(bundle, history_kind_verb="viewed")
    context = context_of(views, scorers, "user-07")
    assert len(context.taste) > 0
    assert len(context.bought) == len(context.seen) == 0


def test_decay_is_reckoned_to_the_hour(bundle, scorers):
    context = context_of(bundle, scorers, "user-07", wall_us=WALL_NOW_US + STEP_US // 3)
    assert context.step_us % STEP_US == 0
    assert context.now_us - context.step_us == STEP_US // 3


def test_a_context_cannot_be_changed(bundle, scorers):
    with pytest.raises(FrozenInstanceError):
        context_of(bundle, scorers, "user-07").visitor = "new"
