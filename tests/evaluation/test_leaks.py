"""What is shuffled to find a leak, and of whom; the planted cheats are in `test_cheats.py`."""

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, popular_of, shop_rows

from endcap.evaluation import leaks
from endcap.evaluation.leaks import Leak, find_leaks, shuffle_future
from endcap.evaluation.split import split_by_time


@pytest.fixture(scope="module")
def data():
    return dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS)


def test_the_past_stays_and_of_the_future_who_takes_what_is_lost(data):
    shuffled = shuffle_future(data, CUT, rng=np.random.default_rng(0))
    before, after = data.interactions, shuffled.interactions
    for column in ("ts", "kind", "value"):
        np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
    start = int(np.searchsorted(before.ts, CUT))
    for column in ("user_idx", "item_idx"):
        past = getattr(before, column)[:start]
        np.testing.assert_array_equal(getattr(after, column)[:start], past)
    old, new = (np.bincount(told.item_idx[start:], minlength=N_ITEMS) for told in (before, after))
    assert sorted(old) == sorted(new), "the items changed names"
    assert (old != new).mean() > 0.5, "so how often each is taken is lost"
    assert (after.item_idx[start:] != before.item_idx[start:]).mean() > 0.9
    assert shuffled.n_items == data.n_items


def test_only_some_users_are_asked(data, monkeypatch):
    monkeypatch.setattr(leaks, "N_USERS", 20)
    split = split_by_time(data, cut_us=CUT)
    (found,) = find_leaks(
        lambda whole: {"popular": popular_of(split_by_time(whole, cut_us=CUT).train)},
        data,
        split,
        k=5,
        rng=np.random.default_rng(0),
    )
    assert (found.n_users, found.n_changed, found.is_leak) == (20, 0, False)


def test_it_says_what_it_found():
    honest = Leak("als", 2000, 0, 0.1, 0.1)
    assert str(honest) == "als: none of 2,000 lists depends on the future"
    leak = Leak("als", 2000, 1500, 0.4, 0.1)
    assert "shuffling it changes 1,500 of 2,000 lists" in str(leak)
    assert "NDCG goes from 0.4000 to 0.1000" in str(leak)
