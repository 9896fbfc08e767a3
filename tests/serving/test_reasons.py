"""Reasons are checked against the raw interactions, counted another way than the bundle does."""

from __future__ import annotations

import re

import numpy as np
import pytest

from endcap.bundle.scorer.panel import open_scorers
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US
from endcap.serving.candidates import Candidates, Source
from endcap.serving.reasons import ago, explain, name_of
from pages import context_of, engine_of, shelf_of
from shops import WALL_NOW_US

COUNT = r"([\d,]+)"


@pytest.fixture(scope="module")
def users_of(shop):
    """The users of an item since a moment, from the interactions themselves."""
    events = shop.data.interactions

    def count(item: int, since_us: int = 0) -> set[int]:
        rows = (events.item_idx == item) & (events.ts >= since_us)
        return set(events.user_idx[rows].tolist())

    return count


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("user", [0, 7, 33, 59])
def test_every_number_on_a_page_is_true(shop, bundle, users_of, user):
    page = engine_of(bundle).home(shop.user_ids[user], request_id="r")
    events = shop.data.interactions
    now_us = bundle.data_time(WALL_NOW_US)
    by_name: dict = {}
    for index, entry in enumerate(shop.catalogue):
        by_name.setdefault(entry["name"], set()).add(index)
    anchors = by_name[shelf_of(page, "because").title.removeprefix("Because you bought ")]
    n_checked = 0
    for slot in page.slots():
        item = bundle.item_index[slot.item_id]
        if found := re.fullmatch(rf"{COUNT} shoppers bought both", slot.reason):
            counts = {len(users_of(item) & users_of(anchor)) for anchor in anchors}
            assert number(found[1]) in counts
        elif found := re.fullmatch(rf"{COUNT} shoppers bought this and (.+)", slot.reason):
            own = {
                seed
                for seed in by_name[found[2]]
                if user in users_of(seed)  # it is something the visitor has had
            }
            assert number(found[1]) in {len(users_of(item) & users_of(seed)) for seed in own}
        elif found := re.fullmatch(
            rf"Bought by {COUNT} shoppers in the last (7|28) days", slot.reason
        ):
            since_us = now_us - int(found[2]) * DAY_US
            assert number(found[1]) == len(users_of(item, since_us))
        elif found := re.fullmatch(r"Bought by (\d+) shoppers?", slot.reason):
            assert int(found[1]) == len(users_of(item))
        elif found := re.fullmatch(rf"Bought {COUNT} times, last (.+)", slot.reason):
            own = (events.item_idx == item) & (events.user_idx == user)
            assert number(found[1]) == np.count_nonzero(own)
            assert found[2] == ago(now_us - int(events.ts[own].max()))
        elif found := re.fullmatch(r"First sold (.+)", slot.reason):
            first = events.ts[events.item_idx == item].min()
            assert found[1] == ago(now_us - int(first))
        else:
            pytest.fail(f"a reason that nobody checks: {slot.reason}")
        n_checked += 1
    assert n_checked > 40


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-3, "less than a day ago"),
        (0.9, "less than a day ago"),
        (1, "1 day ago"),
        (5.5, "5 days ago"),
        (13.9, "13 days ago"),
        (14, "2 weeks ago"),
        (59, "8 weeks ago"),
        (60, "2 months ago"),
        (364, "12 months ago"),
        (365, "1 year ago"),
        (800, "2 years ago"),
    ],
)
def test_ago_never_makes_it_longer_than_it_is(days, words):
    assert ago(int(days * DAY_US)) == words


def test_an_item_that_nobody_had_has_a_modest_reason(bundle):
    scorers = open_scorers(bundle)
    context = context_of(bundle, scorers, "user-07")
    never = [item for item in range(bundle.n_items) if bundle.n_shoppers(item) == 0]
    assert never
    for source in (Source.POPULAR, Source.TRENDING, Source.BECAUSE, Source.ALS):
        row = Candidates(
            np.array(never[:1], dtype=np.int32),
            np.ones(1, dtype=np.float32),
            np.array([source], dtype=np.uint8),
        )
        assert explain(context, row, scorers) == ["In our range"]


def test_a_namesake_is_no_reason(bundle):
    assert name_of(bundle, 3) == name_of(bundle, 27)
    scorers = open_scorers(bundle)
    context = context_of(bundle, scorers, "anon", [("anon", Kind.PURCHASE, "item-003", 5)])
    row = Candidates(
        np.array([27], dtype=np.int32),
        np.ones(1, dtype=np.float32),
        np.array([Source.ITEM_KNN], dtype=np.uint8),
    )
    assert bundle.n_joint_shoppers(3, 27) > 1
    assert explain(context, row, scorers) == [f"Bought by {bundle.n_shoppers(27)} shoppers"]


def reason_to_buy_again(bundle, item_id, *acts):
    shelf = shelf_of(engine_of(bundle, acts).home("user-07", request_id="r"), "buy_again")
    (reason,) = [slot.reason for slot in shelf.slots if slot.item_id == item_id]
    return reason


def test_live_purchases_count_as_bought_and_looking_does_not(shop, bundle):
    item_id = shop.item_ids[shop.staples[7][0]]
    before = reason_to_buy_again(bundle, item_id)
    n_before = int(re.search(r"Bought (\d+) times", before)[1])
    looked = reason_to_buy_again(bundle, item_id, ("user-07", Kind.VIEW, item_id, 7200))
    bought = reason_to_buy_again(bundle, item_id, ("user-07", Kind.PURCHASE, item_id, 7200))
    assert looked == before
    assert bought == f"Bought {n_before + 1} times, last less than a day ago"


def test_an_item_without_name_is_called_by_its_id(bundle):
    assert name_of(bundle, 299) == "item-299"
    assert name_of(bundle, 3) == "Red Juice"
