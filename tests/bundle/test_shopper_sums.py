from __future__ import annotations

from dataclasses import replace

import pytest

from endcap.bundle.scorer.shoppers import Shoppers
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US
from endcap.testing.shop import SHOP_END_US

NOW_US = SHOP_END_US + DAY_US
WEEK_AGO_US = NOW_US - 7 * DAY_US


@pytest.fixture
def learnt(shop, bundle):
    """An item, one of its users within the week, one of before, one who never had it."""
    events = shop.data.interactions
    for item in range(bundle.n_items):
        users = events.user_idx[events.item_idx == item]
        recent = set(users[events.ts[events.item_idx == item] >= WEEK_AGO_US].tolist())
        old = set(users.tolist()) - recent
        if recent and old:
            never = set(range(60)) - recent - old
            return item, *(shop.user_ids[min(group)] for group in (recent, old, never))
    raise AssertionError("no such item")


def test_without_live_events_it_is_the_history(bundle):
    shoppers = Shoppers(bundle, {})
    for item in (0, 5, 150):
        assert shoppers.n_ever(item) == bundle.n_shoppers(item)
        assert shoppers.n_since(item, WEEK_AGO_US) == bundle.n_shoppers_since(item, WEEK_AGO_US)


def test_a_person_counts_once(bundle, learnt):
    item, recent, old, never = learnt
    live = {Kind.PURCHASE: {item: dict.fromkeys([recent, old, never, "stranger"], NOW_US)}}
    shoppers = Shoppers(bundle, live)
    assert shoppers.n_ever(item) == bundle.n_shoppers(item) + 2
    assert shoppers.n_since(item, WEEK_AGO_US) == bundle.n_shoppers_since(item, WEEK_AGO_US) + 3


def test_what_was_live_but_before_the_moment_does_not_count(bundle, learnt):
    item, _, _, never = learnt
    shoppers = Shoppers(bundle, {Kind.PURCHASE: {item: {never: WEEK_AGO_US - 1}}})
    assert shoppers.n_since(item, WEEK_AGO_US) == bundle.n_shoppers_since(item, WEEK_AGO_US)


def test_only_what_the_verb_says_is_told(bundle, learnt):
    item, _, _, never = learnt
    live = {Kind.RATING: {item: {never: NOW_US}}}
    n_learnt = bundle.n_shoppers(item)
    assert Shoppers(bundle, live).n_ever(item) == n_learnt
    reviews = Shoppers(replace(bundle, history_kind_verb="reviewed"), live)
    assert reviews.n_ever(item) == n_learnt + 1
    other = Shoppers(replace(bundle, history_kind_verb="sniffed"), live)
    assert other.n_ever(item) == n_learnt


def test_whoever_did_anything_that_counts_is_active(bundle, learnt):
    item, recent, _, never = learnt
    live = {
        Kind.RATING: {item: {never: NOW_US, recent: NOW_US}},
        Kind.PURCHASE: {item: {never: NOW_US - DAY_US, "stranger": NOW_US}},
    }
    n_learnt = bundle.n_shoppers_since(item, WEEK_AGO_US)
    assert Shoppers(bundle, live).n_active_since(item, WEEK_AGO_US) == n_learnt + 2
    assert Shoppers(bundle, live).n_active_since(item, NOW_US + 1) == 0
