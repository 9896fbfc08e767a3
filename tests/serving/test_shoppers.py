from __future__ import annotations

import dataclasses

import numpy as np

from endcap.serving.shoppers import Shoppers


def test_shoppers_differ_in_what_they_like(bundle):
    picked = Shoppers(bundle, n_picked=6).picked
    assert len(picked) == 6
    favourites = {shopper.about.rpartition("% ")[2] for shopper in picked}
    assert favourites == {"Produce", "Bakery", "Dairy", "Drinks", "Garden", "Kitchen"}


def test_the_busiest_come_first(bundle):
    totals = [int(one.about.split()[0].replace(",", "")) for one in Shoppers(bundle).picked]
    assert totals == sorted(totals, reverse=True)


def test_an_unknown_user_has_no_line(bundle):
    assert Shoppers(bundle).about("nobody") == ""


def test_a_shop_without_departments(bundle):
    bare = dataclasses.replace(
        bundle, department=np.full(bundle.n_items, -1, np.int32), department_names=()
    )
    assert Shoppers(bare).picked[0].about.endswith("purchases")


def test_fewer_users_than_asked_for(bundle):
    picked = Shoppers(bundle, n_picked=500).picked
    assert len(picked) == len({shopper.user_id for shopper in picked}) == bundle.n_users


def test_a_shop_that_nobody_has_visited(bundle):
    nothing = np.zeros(0, dtype=np.int32)
    history = dataclasses.replace(
        bundle.history,
        indptr=np.zeros(bundle.n_users + 1, dtype=np.int64),
        items=nothing,
        counts=nothing.astype(np.float32),
        first_ts=nothing.astype(np.int64),
        last_ts=nothing.astype(np.int64),
    )
    assert Shoppers(dataclasses.replace(bundle, history=history)).picked == ()
