"""A bundle that learnt from several kinds of events, written and opened again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.bundle.format import check_parts
from endcap.bundle.read import read_bundle
from endcap.bundle.scorer.panel import open_scorers
from endcap.bundle.scorer.shoppers import Shoppers
from endcap.features.history import History, Refused, build_history
from endcap.features.unsettled import Unsettled
from endcap.features.weights import KindWeights
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import BundleError
from endcap.schema.types import DAY_US
from endcap.testing.shop import SHOP_END_US
from shops import shop_parts, write_shop

CART = KIND_CODES[Kind.CART]


@pytest.fixture(scope="module")
def unsettled(shop):
    indptr = np.full(shop.data.n_users + 1, 2, dtype=np.int64)
    indptr[:4] = 0
    return Unsettled(
        indptr=indptr,
        items=np.array([7, 9], dtype=np.int32),
        kinds=np.full(2, CART, dtype=np.uint8),
        weights=np.array([0.6, 0.6], dtype=np.float32),
        ts=np.array([5, 6], dtype=np.int64),
    )


@pytest.fixture(scope="module")
def parts(shop, unsettled):
    events = shop.data.interactions
    told = build_history(events.take(events.user_idx < 30), shop.data.n_users)
    bought = build_history(events.take(events.user_idx < 10), shop.data.n_users)
    return shop_parts(
        shop,
        unsettled=unsettled,
        told=told,
        bought=bought,
        history_kind_verb="viewed",
        kinds=("view", "cart", "purchase"),
        kind_weights=KindWeights(view=0.2, liked_from_stars=3),
    )


@pytest.fixture(scope="module")
def opened(parts, tmp_path_factory):
    return read_bundle(write_shop(parts, tmp_path_factory.mktemp("kinds")))


def same(one, other, names):
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_everything_comes_back(opened, parts):
    columns = ("indptr", "items", "counts", "first_ts", "last_ts")
    same(opened.history, parts.history, columns)
    same(opened.told, parts.told, columns)
    same(opened.bought, parts.bought, columns)
    same(opened.unsettled, parts.unsettled, ("indptr", "items", "kinds", "weights", "ts"))
    assert opened.kind_weights == parts.kind_weights
    assert opened.kinds == parts.kinds


def test_a_bundle_of_purchases_holds_none_of_it(bundle):
    assert bundle.unsettled is bundle.told is bundle.bought is None
    assert bundle.told_history is bundle.history is bundle.bought_history
    assert bundle.kind_weights == KindWeights()
    assert len(bundle.unsettled_of("user-07")) == 0


def test_the_unsettled_events_are_of_one_user(opened):
    assert opened.unsettled_of("user-03").items.tolist() == [7, 9]
    assert len(opened.unsettled_of("user-02")) == len(opened.unsettled_of("nobody")) == 0
    assert len(opened.unsettled.row(-1)) == len(opened.unsettled.row(10**6)) == 0


def test_people_are_counted_among_what_may_be_told(opened, shop):
    events = shop.data.interactions
    item = int(np.bincount(events.item_idx).argmax())
    takers = set(events.user_idx[events.item_idx == item].tolist())
    told = {user for user in takers if user < 30}
    assert 0 < len(told) < len(takers)
    assert opened.n_shoppers(item) == len(told)
    since_us = SHOP_END_US - 500 * DAY_US
    new, known = max(takers), min(told)
    live = {Kind.VIEW: {item: {f"user-{known:02d}": since_us, f"user-{new:02d}": since_us}}}
    assert Shoppers(opened, live).n_ever(item) == len(told) + 1, "of these, one was not told of"


def test_what_can_be_folded_in_is_seen_by_all_interest(shop, bundle, tmp_path):
    events = shop.data.interactions
    told = build_history(events.take(events.user_idx < 1), shop.data.n_users)
    part = open_scorers(read_bundle(write_shop(shop_parts(shop, told=told), tmp_path)))
    history, now_us = bundle.history.row(5), SHOP_END_US
    ranked = [
        scorers.fold_in.rank(history, 50, now_us=now_us) for scorers in (open_scorers(bundle), part)
    ]
    np.testing.assert_array_equal(ranked[0].items, ranked[1].items)
    assert ranked[0].items.shape == (1, 50)


def test_bought_is_what_the_verb_says_or_a_part_of_its_own(opened):
    assert opened.bought_history is opened.bought
    views = replace(opened, bought=None)
    assert views.bought_history is None
    assert replace(opened, history_kind_verb="bought").bought_history is opened.told


@pytest.mark.parametrize("part", ["told", "bought", "unsettled"])
def test_an_item_that_is_not_in_the_catalogue_is_refused(parts, part):
    items = getattr(parts, part).items.copy()
    items[0] = parts.n_items
    with pytest.raises(BundleError, match=rf"{part}\.items"):
        check_parts(replace(parts, **{part: replace(getattr(parts, part), items=items)}))


def test_a_part_that_does_not_fit_the_users_is_refused(parts):
    short = replace(parts.unsettled, indptr=parts.unsettled.indptr[:-1])
    with pytest.raises(BundleError, match=r"unsettled\.indptr"):
        check_parts(replace(parts, unsettled=short))


def test_refusals_do_not_belong_into_the_history(parts):
    history: History = replace(
        parts.history,
        refused=Refused(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32)),
    )
    with pytest.raises(BundleError, match=r"unsettled.*settle"):
        check_parts(replace(parts, history=history))


def test_what_was_taken_back_is_not_popular_by_a_rest_of_rounding(bundle):
    live = -bundle.popular_counts * (1 - 1e-15)
    shop = open_scorers(bundle).shop
    ranks = shop.at(now_us=SHOP_END_US, live_popular=live, live_trending=live * 0, live_shoppers={})
    assert ranks.popular.items.shape[1] == 0
