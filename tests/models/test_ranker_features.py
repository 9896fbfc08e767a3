from dataclasses import replace

import numpy as np
import pytest

from endcap.models.ranker.candidates import merge_lists
from endcap.models.ranker.facts import UserFacts, item_facts
from endcap.models.ranker.features import describe
from endcap.schema.dataset import Items
from endcap.schema.types import DAY_US, NO_ITEM, TopK
from endcap.testing.toy_data import START_US, dataset, planted_tastes

# user, item, day: user 0 had 1, 2, 1; users 1 and 2 went from 1 to 3; nobody had 4.
EVENTS = np.array([(0, 1, 0), (0, 2, 2), (0, 1, 8), (1, 1, 1), (1, 3, 3), (2, 1, 4), (2, 3, 9)])


@pytest.fixture(scope="module")
def small():
    users, items, days = EVENTS.T
    data = dataset(users, items, START_US + days * DAY_US, n_users=4, n_items=5)
    codes = np.array([-1, 0, 0, 1, 1], dtype=np.int32)
    return replace(data, items=Items(codes, codes, np.full(5, -1, dtype=np.int32)))


def board(rows, k=4):
    items = np.array([[*row, *[NO_ITEM] * (k - len(row))] for row in rows], dtype=np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, 10.0 - np.arange(k)).astype(np.float32)
    return merge_lists([TopK(items, scores)])


def features(data, candidates, users):
    told = UserFacts.of(data, n_items=data.n_items).take(np.array(users, dtype=np.int32))
    names, matrix = describe(candidates, told, item_facts(data), members=["a"])
    assert matrix.dtype == np.float32
    assert len(names) == len(set(names)) == matrix.shape[1]
    return {name: matrix[:, place] for place, name in enumerate(names)}


def test_values_by_hand(small):
    found = features(small, board([[3, 1, 4], [2]]), [0, 3])
    nan = np.nan
    # Pairs: user 0 with items 1, 3, 4; the stranger with item 2.
    expected = {
        "a.place": [1, 0, 2, 0],
        "a.height": [0.5, 1, 0, 0],
        "lists.n": [1, 1, 1, 1],
        "item.n_users": [3, 2, 0, 1],
        "item.repeat_share": [1 / 3, 0, 0, 0],
        "item.silence_days": [1, 0, nan, 7],
        "user.n_items": [2, 2, 2, 0],
        "user.silence_days": [1, 1, 1, 0],
        "pair.had": [1, 0, 0, 0],
        "pair.amount": [2, nan, nan, nan],
        "pair.interval_days": [8, nan, nan, nan],
        "pair.place": [0, nan, nan, nan],
        "pair.category_share": [1, 0, 0, 0],
        "pair.brand_share": [nan] * 4,
        "next.last": [0, 2 / 13, 0, 0],  # two users of three, shrunk by ten
        "near.last": [0, 2 / (np.sqrt(6) + 10), 0, 0],
        "near.second": [1 / (np.sqrt(3) + 10), 0, 0, 0],
        "then.n_events_30d": [4, 1, 0, 1],
        "then.n_events_next": [0, 1, 0, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


def test_nobody_else_changes_what_is_said_of_a_user():
    data, _ = planted_tastes(np.random.default_rng(1))
    rng = np.random.default_rng(0)
    rows = [rng.permutation(data.n_items)[:4].tolist() for _ in range(5)]
    users = [3, 17, 3, 100, 9]
    together = features(data, board(rows), users)
    for place, user in enumerate(users):
        alone = features(data, board([rows[place]]), [user])
        for name, values in alone.items():
            part = together[name][4 * place : 4 * place + 4]
            np.testing.assert_array_equal(values, part, err_msg=name)


def test_what_is_told_later_changes_users_and_not_items(small):
    past = small.between(None, START_US + 8 * DAY_US)
    candidates, facts = board([[3, 1, 4]]), item_facts(past)
    names, before = describe(
        candidates, UserFacts.of(past, n_items=5).take(np.array([2])), facts, members=["a"]
    )
    _, after = describe(
        candidates, UserFacts.of(small, n_items=5).take(np.array([2])), facts, members=["a"]
    )
    of_items = [place for place, name in enumerate(names) if name.startswith("item.")]
    np.testing.assert_array_equal(before[:, of_items], after[:, of_items])
    had = names.index("pair.had")
    assert (before[:, had].tolist(), after[:, had].tolist()) == ([1, 0, 0], [1, 1, 0])


def test_strangers_and_an_empty_shop_have_features():
    none = np.empty(0, dtype=np.int32)
    data = dataset(none, none, none.astype(np.int64), n_users=2, n_items=5)
    found = features(data, board([[3, 1], [2]]), [0, -1])
    assert all(len(values) == 3 for values in found.values())
    assert not found["pair.had"].any()
    assert not found["near.max"].any()
