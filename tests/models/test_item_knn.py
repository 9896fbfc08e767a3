import numpy as np
import pytest

from endcap.features.history import build_history, recency_weights
from endcap.models.neighbours import cooccurrence
from endcap.models.neighbours.cooccurrence import Nearness, nearest_items
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import dataset

N_USERS, N_ITEMS, NOW = 30, 14, 200 * DAY_US
SETTINGS = {
    "shrink": 3.0,
    "popularity_power": 0.7,
    "user_power": 0.5,
    "half_life_days": 40.0,
    "min_users": 4,
}


def random_history(seed=0):
    rng = np.random.default_rng(seed)
    n = 200
    data = dataset(
        rng.integers(N_USERS, size=n).astype(np.int32),
        (N_ITEMS * rng.random(n) ** 4).astype(np.int32),
        rng.integers(NOW, size=n),
        n_users=N_USERS,
        n_items=N_ITEMS,
    )
    return build_history(data.interactions, N_USERS)


def found(history, *, n_kept, **settings):
    near = nearest_items(history, N_ITEMS, n_kept=n_kept, nearness=Nearness(**settings), now_us=NOW)
    return near.items, near.sims, near.beyond


def brute_force(
    history, *, n_kept, shrink, popularity_power, user_power, half_life_days, min_users
):
    taken, lately = np.zeros((N_USERS, N_ITEMS)), np.zeros((N_USERS, N_ITEMS))
    recency = recency_weights(history.last_ts, now_us=NOW, half_life_days=half_life_days)
    for user in range(N_USERS):
        part = history.part(user)
        taken[user, history.items[part]] = 1
        lately[user, history.items[part]] = recency[part]
    n_users = taken.sum(axis=0)
    enough = n_users >= min_users
    n_items = taken[:, enough].sum(axis=1, keepdims=True)
    lately /= 2 ** (np.floor(np.log2(np.maximum(n_items, 1))) * user_power)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.outer(n_users ** (1 - popularity_power), n_users**popularity_power) + shrink
        sims = (taken.T @ lately) / below
    sims[~enough], sims[:, ~enough] = 0, 0
    np.fill_diagonal(sims, 0)
    order = np.argsort(-sims, axis=1, kind="stable")
    best = np.take_along_axis(sims, order, axis=1)
    items = np.where(best > 0, order, -1)
    return items[:, :n_kept], best[:, :n_kept], best[:, n_kept]


@pytest.mark.parametrize("block_pairs", [1, 40, 10**6])
def test_neighbours_equal_brute_force_whatever_the_blocks(monkeypatch, block_pairs):
    monkeypatch.setattr(cooccurrence, "MAX_BLOCK_PAIRS", block_pairs)
    history = random_history()
    assert np.bincount(history.items, minlength=N_ITEMS).min() == 3  # min_users has work to do
    items, sims, beyond = found(history, n_kept=5, **SETTINGS)
    expected_items, expected_sims, expected_beyond = brute_force(history, n_kept=5, **SETTINGS)
    assert items.dtype == np.int32
    assert sims.dtype == np.float32
    np.testing.assert_allclose(sims, expected_sims, rtol=1e-5)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_allclose(beyond, expected_beyond, rtol=1e-5)


def test_half_the_power_is_the_shrunk_cosine():
    history = random_history(1)
    settings = SETTINGS | {
        "popularity_power": 0.5,
        "user_power": 0.0,
        "half_life_days": np.inf,
    }
    items, sims, _ = found(history, n_kept=N_ITEMS - 1, **settings)
    of = {
        (i, int(j)): s
        for i in range(N_ITEMS)
        for j, s in zip(items[i], sims[i], strict=True)
        if j >= 0
    }
    assert of
    for (i, j), sim in of.items():
        assert of[j, i] == pytest.approx(sim)


def test_the_recent_half_of_a_history_speaks_louder():
    # Items 0 and 1 go with 2 and 3; the user had 0 long ago and 1 yesterday.
    pairs = [(user, item) for user in range(8) for item in ((0, 2) if user < 4 else (1, 3))]
    users, items = np.array([*pairs, (8, 0), (8, 1)], dtype=np.int32).T
    ts = np.array([99 * DAY_US] * len(pairs) + [DAY_US, 99 * DAY_US])
    data = dataset(users, items, ts, n_users=9, n_items=4)
    model = ItemKNN(ItemKNNConfig(half_life_days=10.0)).fit(data, rng=np.random.default_rng(0))
    assert model.recommend(np.array([8], dtype=np.int32), 2).items.tolist() == [[3, 2]]


def test_items_too_rare_to_have_neighbours_are_filled_in_by_popularity():
    users = np.array([0, 0, 1, 2, 3], dtype=np.int32)
    items = np.array([0, 1, 2, 2, 3], dtype=np.int32)
    data = dataset(users, items, np.arange(5, dtype=np.int64), n_users=4, n_items=5)
    model = ItemKNN(ItemKNNConfig(min_users=2)).fit(data, rng=np.random.default_rng(0))
    assert np.all(model.neighbour_items_ == -1)
    assert model.recommend(np.array([0], dtype=np.int32), 5).items.tolist() == [[2, 3, 4, -1, -1]]
