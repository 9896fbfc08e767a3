"""The closed forms against their definitions, and a weighed history against sums by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from endcap.features.history import history_of
from endcap.features.weights import KindWeights, interest, weigh
from endcap.models.ease import whole as ease_whole
from endcap.models.ease.equations import of_sets
from endcap.models.ease.model import EASE, EASEConfig, places_from_end
from endcap.models.ease.whole import solve_whole
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import SettingsError
from endcap.testing.toy_data import START_US, dataset, planted_tastes

# Rows are users, columns items; nobody had item 4.
HAD = np.array(
    [
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 1, 1, 0],
    ],
    dtype=np.float32,
)


def data_of(*pairs, n_users, n_items, ts=None):
    users, items = np.array(pairs, dtype=np.int32).T
    ts = np.arange(len(pairs)) if ts is None else np.array(ts)
    return dataset(users, items, START_US + ts, n_users=n_users, n_items=n_items)


def shop():
    """Each user had the items of a row from left to right."""
    return data_of(*np.argwhere(HAD).tolist(), n_users=4, n_items=5)


def fit(data, **settings):
    return EASE(EASEConfig(**settings)).fit(data, rng=np.random.default_rng(0))


def by_definition(had, reg):
    had = had.astype(np.float64)
    inverse = np.linalg.inv(had.T @ had + reg * np.eye(had.shape[1]))
    return np.eye(had.shape[1]) - inverse @ np.diag(1 / np.diag(inverse))


def test_the_table_of_two_items_by_hand():
    # X'X + I = [[3, 1], [1, 2]], P = [[2, -1], [-1, 3]] / 5.
    taken = sparse.csr_array(np.array([[1, 1], [1, 0]], dtype=np.float32))
    table = solve_whole(of_sets(taken), reg=1.0)
    np.testing.assert_allclose(table, [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)


@pytest.mark.parametrize("reg", [0.5, 50.0])
def test_without_tau_the_table_is_that_of_the_paper(reg):
    model = fit(shop(), reg=reg, tau=None)
    assert model.kept_.tolist() == [0, 1, 2, 3]
    assert model.table_.dtype == np.float32
    assert model.table_.flags.c_contiguous
    np.testing.assert_allclose(model.table_, by_definition(HAD[:, :4], reg), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("block_rows", [1, 7, 1000])
def test_blocks_change_nothing(monkeypatch, block_rows):
    monkeypatch.setattr(ease_whole, "BLOCK_ROWS", block_rows)
    had = (np.random.default_rng(1).random((60, 23)) < 0.3).astype(np.float32)
    table = solve_whole(of_sets(sparse.csr_array(had)), reg=3.0)
    np.testing.assert_allclose(table, by_definition(had, 3.0), rtol=1e-4, atol=1e-6)


def test_without_tau_the_history_is_flat():
    model = fit(shop(), reg=0.5, tau=None)
    flat = HAD[:, :4] @ by_definition(HAD[:, :4], 0.5)
    scores = model.score(np.arange(4, dtype=np.int32))
    expected = np.where(flat > 0, flat, model.beneath_[:4])
    assert (flat < 0).any()
    np.testing.assert_allclose(scores[:, :4], expected, rtol=1e-4)
    np.testing.assert_array_equal(scores[:, 4], np.full(4, model.beneath_[4]))


def ordered(sequences, *, n_items, reg, tau, backward):
    """The table by its definition: each item of a sequence regressed on the others around it."""
    left, right = np.zeros((n_items, n_items)), np.zeros((n_items, n_items))
    for items in sequences:
        for place, target in enumerate(items):
            context = np.zeros(n_items)
            for other, item in enumerate(items):
                distance = abs(place - other)
                if distance:
                    side = 1 if other < place else backward
                    context[item] = side * np.exp(-(distance - 1) / tau)
            left += np.outer(context, context)
            right[:, target] += context
    table = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        system = left[np.ix_(others, others)] + reg * np.eye(n_items - 1)
        table[others, item] = np.linalg.solve(system, right[others, item])
    return table


@pytest.mark.parametrize("backward", [0.0, 0.3, 1.0])
def test_with_tau_each_item_is_regressed_on_what_came_around_it(backward):
    model = fit(shop(), reg=0.5, tau=3.0, backward=backward)
    sequences = [np.flatnonzero(row) for row in HAD]
    expected = ordered(sequences, n_items=4, reg=0.5, tau=3.0, backward=backward)
    np.testing.assert_allclose(model.table_, expected, rtol=1e-4, atol=1e-6)


def test_what_comes_later_is_foreseen_and_not_the_other_way_round():
    # Everybody had item 0, then 1.
    pairs = [(user, item) for user in range(5) for item in range(2)]
    model = fit(data_of(*pairs, n_users=5, n_items=2), reg=1.0, tau=2.0, backward=0.0)
    np.testing.assert_allclose(model.table_, [[0, 5 / 6], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize("max_whole", [0, 100])
def test_the_latest_items_say_most(max_whole):
    model = fit(shop(), reg=0.5, tau=2.0, max_whole=max_whole)
    table = np.asarray(model.table_.todense() if max_whole == 0 else model.table_)
    # User 3 had items 0, 2 and 3, in that order.
    expected = np.exp(-2 / 2) * table[0] + np.exp(-1 / 2) * table[2] + table[3]
    scores = model.score(np.array([3], dtype=np.int32))[0, :4]
    assert (expected > 0).any()
    np.testing.assert_allclose(scores[expected > 0], expected[expected > 0], rtol=1e-4)
    np.testing.assert_array_equal(scores[expected <= 0], model.beneath_[:4][expected <= 0])


def test_places_are_by_the_last_time_then_by_row():
    told = [(0, 7), (0, 3), (1, 9), (0, 1), (0, 7), (0, 5), (1, 2)]
    data = data_of(*told, n_users=3, n_items=10, ts=[0, 1, 1, 2, 2, 2, 3])
    history = history_of(data)
    places = places_from_end(history, data.interactions)
    assert places.dtype == np.int32
    assert history.items.tolist() == [1, 3, 5, 7, 2, 9]
    assert places.tolist() == [2, 3, 0, 1, 0, 1]


def test_what_was_refused_takes_no_place():
    data = data_of((0, 3), (0, 5), (0, 2), (0, 6), n_users=1, n_items=7)
    no = data_of((0, 2), (0, 6), n_users=1, n_items=7, ts=[8, 9]).interactions
    history = history_of(replace(data, refusals=no))
    assert history.items.tolist() == [3, 5]
    assert places_from_end(history, data.interactions).tolist() == [1, 0]


def test_weights_of_kinds_count():
    pairs = [(0, 0), (0, 1), (1, 0), (1, 0), (1, 2), (2, 1), (2, 1), (2, 2)]
    kinds = [Kind.PURCHASE, Kind.VIEW, Kind.PURCHASE, Kind.PURCHASE, Kind.VIEW, *[Kind.VIEW] * 3]
    data = data_of(*pairs, n_users=3, n_items=3)
    kind = np.array([KIND_CODES[kind] for kind in kinds], dtype=np.uint8)
    told = replace(data, interactions=replace(data.interactions, kind=kind))
    model = fit(interest(weigh(told, KindWeights(view=0.25))), reg=0.5, tau=None)
    # Of a user and an item the sum of the weights, at most 1.
    shown = np.array([[1, 0.25, 0], [1, 0, 0.25], [0, 0.5, 0.25]])
    table = by_definition(shown, 0.5)
    np.testing.assert_allclose(model.table_, table, rtol=1e-5, atol=1e-7)
    expected = (table[0] + 0.25 * table[1])[2]  # user 0 had item 0, then looked at 1
    assert expected > 0
    assert model.score(np.array([0], dtype=np.int32))[0, 2] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("tau", "max_whole"), [(None, 100), (1.5, 100), (1.5, 0)])
def test_a_reason_is_what_the_score_falls_by(tau, max_whole):
    data, _ = planted_tastes(np.random.default_rng(2))
    model = fit(data, reg=5.0, tau=tau, max_whole=max_whole)
    asked = np.array([11], dtype=np.int32)
    items = model.recommend(asked, 10).items[0]
    before = model.score(asked)[0]
    told, named = data.interactions, set()
    for item, reason in zip(items.tolist(), model.explain(11, items), strict=True):
        assert reason.kind == "because_of"
        kept = (told.user_idx != 11) | (told.item_idx != reason.item)
        without = model.with_history(replace(data, interactions=told.take(kept)))
        after = without.score(asked)[0]
        if after[item] > 0:  # below, popularity takes over
            assert reason.amount == pytest.approx(before[item] - after[item], rel=1e-3)
            named.add(reason.item)
    assert len(named) > 1


def test_similar_items_are_a_row_of_the_table():
    model = fit(shop(), reg=0.5, tau=None)
    near = model.similar_items(np.array([0, 4], dtype=np.int32), 5)
    row = by_definition(HAD[:, :4], 0.5)[0]
    best = [item for item in np.argsort(-row).tolist() if row[item] > 0]
    assert near.items.tolist() == [best + [-1] * (5 - len(best)), [-1] * 5]
    np.testing.assert_allclose(near.scores[0, : len(best)], row[best], rtol=1e-4)


def test_what_float32_cannot_solve_is_said():
    twins = sparse.csr_array(np.ones((40, 6), dtype=np.float32))
    with pytest.raises(SettingsError, match="Choose a larger one"):
        solve_whole(of_sets(twins), reg=1e-12)
