import numpy as np
import pytest

from endcap.features.history import build_history, history_of
from endcap.models.als import ALS, ALSConfig
from endcap.models.histories import entry_rows, known_history, take_users
from endcap.models.repeat import Repeat, RepeatConfig
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import START_US, checkerboard_of_refusals, dataset, planted_tastes

USERS = np.array([3, -1, 0, 3, 99, 24], dtype=np.int32)


def test_taken_users_have_the_rows_they_had():
    data = checkerboard_of_refusals()
    history = history_of(data)
    taken = take_users(history, USERS)
    assert taken.n_users == len(USERS)
    for row, user in enumerate(USERS.tolist()):
        one, other = taken.row(row), history.row(user)
        for name in ("items", "counts", "first_ts", "last_ts", "refused"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert len(taken.row(0)) > 5
    assert len(taken.row(0).refused) == 2


def test_nobody_is_taken_from_nobody():
    empty = dataset(*[np.empty(0, dtype=np.int32)] * 2, np.empty(0, np.int64), n_users=0, n_items=2)
    taken = take_users(build_history(empty.interactions, 0), np.array([0, -1], dtype=np.int32))
    assert taken.n_users == 2
    assert len(taken.items) == 0


def test_entries_know_their_row():
    assert entry_rows(np.array([0, 2, 2, 3])).tolist() == [0, 0, 2]


def test_items_beyond_the_known_ones_are_left_out_of_a_history():
    data = checkerboard_of_refusals()
    known = known_history(data, n_items=10)
    assert known.n_users == data.n_users
    assert known.items.max() == 9
    assert known.refused.items.max() == 9
    whole = known_history(data, n_items=data.n_items)
    assert len(whole.items) == len(history_of(data).items) > len(known.items)


def test_ages_are_counted_from_the_end_of_the_history():
    # Three half-lives ago to an hour ago: the same item is due less the longer ago it was.
    one = np.zeros(2, dtype=np.int32)
    items = np.array([1, 2], dtype=np.int32)
    ts = np.array([START_US, START_US + 30 * DAY_US], dtype=np.int64)
    data = dataset(one, items, ts, n_users=1, n_items=3)
    model = Repeat(RepeatConfig(half_life_days=10.0)).fit(data, rng=np.random.default_rng(0))
    asked = np.zeros(1, dtype=np.int32)
    assert model.score(asked)[0, 1] == pytest.approx(1 / 8, rel=1e-5)
    then = model.with_history(data.between(None, START_US + 1))
    assert then.score(asked)[0, 1] == pytest.approx(1, rel=1e-5)


def test_a_shorter_history_of_the_same_user_gives_another_vector():
    data, _ = planted_tastes(np.random.default_rng(1))
    model = ALS(ALSConfig(embedding_size=8, iterations=3, reg=0.5, n_threads=1))
    model.fit(data, rng=np.random.default_rng(0))
    users = np.arange(20, dtype=np.int32)
    other = model.with_history(data.between(None, START_US + 30 * DAY_US))
    assert other.item_factors_ is model.item_factors_
    assert np.abs(other.user_vectors(users) - model.user_vectors(users)).max() > 0.01
