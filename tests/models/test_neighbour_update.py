"""An update of item_knn against a fit on everything."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.models.neighbours import update as neighbour_update
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import dataset

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def never_as_a_fit(monkeypatch):
    """The shops here are so small that a day is a large part of all."""
    monkeypatch.setattr(neighbour_update, "MAX_SHARE", 1.0)


def shop(rng, *, n_events=250, n_users=30, n_items=24, days=200):
    """Return random interest of three weights, in few items mostly."""
    data = dataset(
        rng.integers(n_users, size=n_events).astype(np.int32),
        (n_items * rng.random(n_events) ** 3).astype(np.int32),
        rng.integers(days * DAY_US, size=n_events),
        n_users=n_users,
        n_items=n_items,
    )
    weight = rng.choice([0.3, 0.6, 1.0], size=n_events).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, weight=weight))


def before(data, cut_us, *, n_users=None, n_items=None):
    """Return what was known before the cut, of the first users and items alone."""
    n_users, n_items = n_users or data.n_users, n_items or data.n_items
    told = data.interactions.between(None, cut_us)
    told = told.take((told.user_idx < n_users) & (told.item_idx < n_items))
    unknown = np.full(n_items, -1, dtype=np.int32)
    items = replace(data.items, department=unknown, category=unknown, brand=unknown)
    return replace(
        data, interactions=told, n_users=n_users, n_items=n_items, items=items, refusals=None
    )


def same_neighbours(one, other):
    """Assert that the nearest of each item are equal, but for the order of nearly equal ones.

    The nearest are a quarter, and all of a row that nothing lies beyond.
    """
    n_exact = -(-one.config.n_neighbours // 4)
    is_sure = np.arange(one.config.n_neighbours) < n_exact
    is_sure = is_sure | (one.neighbours_.beyond == 0)[:, np.newaxis]
    sims, expected = one.neighbour_sims_, other.neighbour_sims_
    np.testing.assert_allclose(sims[is_sure], expected[is_sure], rtol=1e-4, atol=1e-9)
    differs = is_sure & (one.neighbour_items_ != other.neighbour_items_)
    for row, place in np.argwhere(differs):
        is_near = np.isclose(expected[row], expected[row, place], rtol=1e-3)
        assert is_near.sum() > 1 or place >= n_exact - 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_neighbours=st.integers(1, 12),
    shrink=st.sampled_from([0.0, 3.0, 20.0]),
    half_life_days=st.sampled_from([20.0, 1e9]),
    min_users=st.integers(1, 4),
    user_power=st.sampled_from([0.0, 0.25]),
    refused=st.sampled_from([0.0, 0.05]),
)
def test_an_update_equals_a_fit(
    seed, n_neighbours, shrink, half_life_days, min_users, user_power, refused
):
    rng = np.random.default_rng(seed)
    data = shop(rng)
    cut_us = int(data.interactions.ts[rng.integers(len(data.interactions))])
    old = before(data, cut_us, n_users=int(rng.integers(10, 31)), n_items=int(rng.integers(5, 25)))
    is_refusal = rng.random(len(data.interactions)) < refused
    if is_refusal.any():
        data = replace(data, refusals=data.interactions.take(is_refusal))
    config = ItemKNNConfig(
        n_neighbours=n_neighbours,
        shrink=shrink,
        popularity_power=0.7,
        pair_half_life_days=half_life_days,
        min_users=min_users,
        user_power=user_power,
    )
    updated = ItemKNN(config).fit(old, rng=RNG).update(data, since_us=cut_us, rng=RNG)
    same_neighbours(updated, ItemKNN(config).fit(data, rng=RNG))


def test_nothing_beyond_the_end_of_a_row_is_nearer_than_is_said():
    data = shop(np.random.default_rng(6), n_events=500)
    config = ItemKNNConfig(n_neighbours=4, pair_half_life_days=40.0)
    model = ItemKNN(config).fit(before(data, 190 * DAY_US), rng=RNG)
    found = model.update(data, since_us=190 * DAY_US, rng=RNG).neighbours_
    whole = ItemKNNConfig(n_neighbours=24, pair_half_life_days=40.0)
    every = ItemKNN(whole).fit(data, rng=RNG)
    for row in range(data.n_items):
        is_other = ~np.isin(every.neighbour_items_[row], found.items[row])
        others = every.neighbour_sims_[row][is_other]
        assert others.max(initial=0) <= found.beyond[row] * (1 + 1e-5)


def test_a_month_of_daily_updates_equals_a_fit():
    data = shop(np.random.default_rng(5), n_events=600)
    config = ItemKNNConfig(n_neighbours=4, pair_half_life_days=40.0)
    model = ItemKNN(config).fit(before(data, 170 * DAY_US), rng=RNG)
    for day in range(170, 200):
        until = before(data, (day + 1) * DAY_US)
        model = model.update(until, since_us=day * DAY_US, rng=RNG)
    same_neighbours(model, ItemKNN(config).fit(data, rng=RNG))


def test_only_doubtful_rows_are_worked_out_anew(monkeypatch):
    worked_out = []
    fill = neighbour_update.Takers.fill

    def counting(self, found, items, **label):
        worked_out.extend(items.tolist())
        fill(self, found, items, **label)

    monkeypatch.setattr(neighbour_update.Takers, "fill", counting)
    data = shop(np.random.default_rng(1))
    wide = ItemKNNConfig(n_neighbours=24)  # every row is whole, so that nothing is in doubt
    cut_us = 195 * DAY_US
    model = ItemKNN(wide).fit(before(data, cut_us), rng=RNG)
    worked_out.clear()
    model.update(data, since_us=cut_us, rng=RNG)
    assert worked_out == []
    narrow = ItemKNN(ItemKNNConfig(n_neighbours=2)).fit(before(data, 150 * DAY_US), rng=RNG)
    worked_out.clear()
    narrow.update(data, since_us=150 * DAY_US, rng=RNG)
    assert 0 < len(worked_out) < data.n_items


def test_where_most_of_the_work_is_new_all_rows_are_those_of_a_fit(monkeypatch):
    monkeypatch.setattr(neighbour_update, "MAX_SHARE", 0.02)
    data = shop(np.random.default_rng(4))
    config = ItemKNNConfig(n_neighbours=5, pair_half_life_days=30.0)
    old = ItemKNN(config).fit(before(data, 150 * DAY_US), rng=RNG)
    updated = old.update(data, since_us=150 * DAY_US, rng=RNG).neighbours_
    fitted = ItemKNN(config).fit(data, rng=RNG).neighbours_
    np.testing.assert_array_equal(updated.items, fitted.items)
    np.testing.assert_array_equal(updated.sims, fitted.sims)


def test_the_half_life_found_by_the_fit_is_kept():
    data = shop(np.random.default_rng(2))
    model = ItemKNN().fit(before(data, 100 * DAY_US), rng=RNG)
    updated = model.update(data, since_us=100 * DAY_US, rng=RNG)
    assert updated.pair_half_life_days_ == model.pair_half_life_days_


def test_an_update_goes_on_from_what_was_learnt_not_from_what_was_told(tmp_path):
    data = shop(np.random.default_rng(3))
    config = ItemKNNConfig(n_neighbours=6, pair_half_life_days=50.0)
    cut_us = 150 * DAY_US
    told = ItemKNN(config).fit(before(data, cut_us), rng=RNG).with_history(before(data, DAY_US))
    told.save(tmp_path)
    expected = ItemKNN(config).fit(data, rng=RNG)
    for model in (told, ItemKNN.load(tmp_path)):
        same_neighbours(model.update(data, since_us=cut_us, rng=RNG), expected)


@pytest.mark.parametrize("idle_days", [3, 40])
def test_the_half_life_of_pairs_follows_how_long_ago_people_were_here(idle_days):
    users = np.arange(5, dtype=np.int32)
    ts = np.where(users == 0, 100 * DAY_US - 1, (100 - idle_days) * DAY_US)
    data = dataset(users, users, ts, n_users=6, n_items=5)
    model = ItemKNN().fit(data, rng=RNG)
    assert model.pair_half_life_days_ == pytest.approx(12 * idle_days)


def test_the_half_life_of_pairs_is_a_week_at_least():
    users = np.arange(5, dtype=np.int32)
    data = dataset(users, users, np.zeros(5, dtype=np.int64), n_users=5, n_items=5)
    assert ItemKNN().fit(data, rng=RNG).pair_half_life_days_ == 7.0
