"""Equations of their own against the table solved whole, and what an update leaves as it was."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from endcap.models.ease import equations as ease_equations
from endcap.models.ease.equations import Sequences, of_sequences, of_sets
from endcap.models.ease.model import EASE, EASEConfig
from endcap.models.ease.near import solve_near
from endcap.models.ease.whole import solve_whole
from endcap.schema.dataset import Items
from endcap.schema.errors import NotFittedError, SettingsError
from endcap.schema.protocols import Updates
from endcap.testing.models import every_user
from endcap.testing.toy_data import dataset, planted_tastes

NEAR = EASEConfig(reg=5.0, max_whole=0, n_near=500)


def rng():
    return np.random.default_rng(0)


def random_sequences(n_users=60, n_items=23, *, seed=1):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, 9, n_users)
    users = np.repeat(np.arange(n_users), lengths)
    items = np.concatenate([draw.permutation(n_items)[:n] for n in lengths]).astype(np.int32)
    return Sequences(users, items, draw.uniform(0.2, 1, len(items)).astype(np.float32))


@settings(max_examples=25)
@given(st.floats(0.5, 20), st.floats(0, 1), st.floats(1, 100), st.integers(0, 2**32 - 1))
def test_where_all_are_neighbours_it_is_the_whole_table(tau, backward, reg, seed):
    told = random_sequences(n_users=100, n_items=8, seed=seed)
    equations = of_sequences(told, n_items=8, tau=tau, backward=backward)
    near = solve_near(equations, reg=reg, n_near=8).toarray()
    whole = solve_whole(equations, reg=reg)
    # What nobody had around an item has no place in its equation, but one in the whole.
    around = (equations.right.toarray() > 0) & ~np.eye(8, dtype=np.bool_)
    assert (near[~around] == 0).all()
    complete = around.sum(axis=0) == 7
    assert complete.any()
    np.testing.assert_allclose(near[:, complete], whole[:, complete], rtol=2e-3, atol=2e-5)


def test_the_whole_of_sets_is_the_near_one_where_everything_goes_together():
    had = (rng().random((200, 12)) < 0.5).astype(np.float32)
    equations = of_sets(sparse.csr_array(had))
    near = solve_near(equations, reg=3.0, n_near=11).toarray()
    np.testing.assert_allclose(near, solve_whole(equations, reg=3.0), rtol=1e-3, atol=1e-5)


def test_neighbours_are_those_that_explain_most_alone():
    told = random_sequences(n_users=400)
    equations = of_sequences(told, n_items=23, tau=4.0, backward=0.2)
    table = solve_near(equations, reg=2.0, n_near=5).toarray()
    left, right = equations.left.toarray(), equations.right.toarray()
    for item in range(23):
        gain = right[:, item] ** 2 / (left.diagonal() + 2)
        gain[item] = -1
        best = np.sort(np.argsort(-gain)[:5])
        np.testing.assert_array_equal(np.flatnonzero(table[:, item]), best)
        system = left[np.ix_(best, best)] + 2 * np.eye(5)
        expected = np.linalg.solve(system, right[best, item])
        np.testing.assert_allclose(table[best, item], expected, rtol=1e-3, atol=1e-5)


def test_equations_do_not_depend_on_how_many_targets_are_taken_at_once(monkeypatch):
    told = random_sequences()
    at_once = of_sequences(told, n_items=23, tau=2.0, backward=0.5)
    monkeypatch.setattr(ease_equations, "MAX_TARGETS", 7)
    in_parts = of_sequences(told, n_items=23, tau=2.0, backward=0.5)
    for one, other in ((at_once.left, in_parts.left), (at_once.right, in_parts.right)):
        np.testing.assert_allclose(one.toarray(), other.toarray(), rtol=1e-5, atol=1e-6)


def test_far_off_items_are_no_context():
    n = 40
    told = Sequences(np.zeros(n, np.int64), np.arange(n, dtype=np.int32), np.ones(n, np.float32))
    right = of_sequences(told, n_items=n, tau=2.0, backward=0.1).right.toarray()
    distance = np.arange(n)[None, :] - np.arange(n)[:, None]
    side = np.where(distance > 0, 1.0, 0.1)
    exact = np.where(distance == 0, 0, side * np.exp(-(np.abs(distance) - 1) / 2))
    np.testing.assert_allclose(right, np.where(exact >= 0.02, exact, 0), rtol=1e-5)


def test_the_large_form_is_chosen_by_the_number_of_items():
    data, _ = planted_tastes(rng())
    sparse_one = EASE(EASEConfig(reg=5.0, max_whole=data.n_items - 1)).fit(data, rng=rng())
    dense_one = EASE(EASEConfig(reg=5.0, max_whole=data.n_items)).fit(data, rng=rng())
    assert sparse.issparse(sparse_one.table_)
    assert isinstance(dense_one.table_, np.ndarray)
    users = every_user(data)
    one, other = sparse_one.recommend(users, 5).items, dense_one.recommend(users, 5).items
    assert (one == other).mean() > 0.8


def test_twins_are_said_to_be_unsolvable_in_the_large_form_too():
    twins = of_sets(sparse.csr_array(np.ones((40, 6), dtype=np.float32)))
    with pytest.raises(SettingsError, match="Choose a larger one"):
        solve_near(twins, reg=1e-12, n_near=5)


def grown(data, *, since_us):
    """The data, and a new user who takes items 0, 3 and a new one one after another."""
    told = data.interactions
    users = np.append(told.user_idx, [data.n_users] * 3)
    items = np.append(told.item_idx, [0, 3, data.n_items])
    ts = np.append(told.ts, since_us + np.arange(3))
    return dataset(users, items, ts, n_users=data.n_users + 1, n_items=data.n_items + 1)


def test_an_update_solves_what_has_changed_and_leaves_the_rest():
    data, _ = planted_tastes(rng())
    model = EASE(NEAR).fit(data, rng=rng())
    assert isinstance(model, Updates)
    before = model.table_.toarray()
    more = grown(data, since_us=data.end_us)
    updated = model.update(more, since_us=data.end_us, rng=rng())
    anew = EASE(NEAR).fit(more, rng=rng())
    changed = [0, 3, data.n_items]
    found, wanted = updated.table_.toarray(), anew.table_.toarray()
    np.testing.assert_allclose(found[:, changed], wanted[:, changed], rtol=1e-4, atol=1e-6)
    others = np.setdiff1d(np.arange(data.n_items), changed)
    np.testing.assert_array_equal(found[np.ix_(others, others)], before[np.ix_(others, others)])
    np.testing.assert_allclose(found, wanted, atol=5e-3)
    np.testing.assert_array_equal(model.table_.toarray(), before)
    new = np.array([data.n_users], dtype=np.int32)
    assert not {0, 3, data.n_items} & set(updated.recommend(new, 20).items[0].tolist())


@pytest.mark.parametrize("config", [NEAR, EASEConfig(reg=5.0)])
def test_an_update_by_everything_is_a_fit(config):
    data, _ = planted_tastes(rng())
    cut_us = int(data.interactions.ts[len(data.interactions) // 2])
    half = data.between(None, cut_us)
    updated = EASE(config).fit(half, rng=rng()).update(data, since_us=0, rng=rng())
    anew, users = EASE(config).fit(data, rng=rng()), every_user(data)
    np.testing.assert_array_equal(
        updated.recommend(users, 10).items, anew.recommend(users, 10).items
    )


def test_an_update_by_nothing_changes_nothing():
    data, _ = planted_tastes(rng())
    model = EASE(NEAR).fit(data, rng=rng())
    wider = replace(
        data, n_items=data.n_items + 1, items=Items(*[np.full(data.n_items + 1, -1, np.int32)] * 3)
    )
    updated = model.update(wider, since_us=data.end_us, rng=rng())
    np.testing.assert_array_equal(updated.table_.toarray(), model.table_.toarray())
    assert len(updated.columns_) == data.n_items + 1


def test_updating_before_fitting_is_an_error():
    data, _ = planted_tastes(rng())
    with pytest.raises(NotFittedError):
        EASE(NEAR).update(data, since_us=0, rng=rng())


def test_a_sparse_table_is_kept_in_a_folder(tmp_path):
    data, _ = planted_tastes(rng())
    model = EASE(NEAR).fit(data, rng=rng())
    model.save(tmp_path)
    table = EASE.load(tmp_path).table_
    assert sparse.issparse(table)
    np.testing.assert_array_equal(table.toarray(), model.table_.toarray())
