"""Laws of the split in time: nothing leaks, nothing is lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.split import SplitCounts, split_by_time
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items

N_USERS, N_ITEMS, END = 5, 7, 40

CUT = 20
user, item = st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1)


def happen(first, last):
    return st.lists(st.tuples(st.integers(first, last), user, item), min_size=1, max_size=15)


past, window, later = happen(0, CUT - 1), happen(CUT, END - 1), happen(END, END + 9)


def dataset(rows):
    ts, users, items = (np.array(column) for column in zip(*sorted(rows), strict=True))
    n = len(rows)
    codes = np.full(N_ITEMS, -1, dtype=np.int32)
    return Dataset(
        Interactions(
            user_idx=users.astype(np.int32),
            item_idx=items.astype(np.int32),
            kind=np.full(n, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
            value=np.ones(n, dtype=np.float32),
            price=np.full(n, np.nan, dtype=np.float32),
            ts=ts.astype(np.int64),
        ),
        n_users=N_USERS,
        n_items=N_ITEMS,
        items=Items(codes, codes, codes),
    )


def cut_apart(rows):
    return split_by_time(dataset(rows), cut_us=CUT, end_us=END)


def pairs(targets):
    return {
        (int(user), int(item))
        for user, row in zip(targets.users, targets.rows(), strict=True)
        for item in row
    }


@given(past, window)
def test_train_is_strictly_before_the_cut(past, window):
    train = cut_apart(past + window).train.interactions
    assert (train.ts < CUT).all()
    assert len(train) == len(past)


@given(past, window, window, later)
def test_the_future_changes_no_train_array(past, window, other_window, later):
    train, other = cut_apart(past + window).train, cut_apart(past + other_window + later).train
    for name in ("user_idx", "item_idx", "kind", "value", "price", "ts"):
        np.testing.assert_array_equal(
            getattr(train.interactions, name), getattr(other.interactions, name)
        )
    assert (train.n_users, train.n_items) == (other.n_users, other.n_items)


@given(past, window, later)
def test_targets_are_what_the_window_holds(past, window, later):
    targets_of = cut_apart(past + window + later).targets
    before = {(user, item) for _, user, item in past}
    taken = {(user, item) for _, user, item in window}
    assert pairs(targets_of["all"]) == taken
    assert pairs(targets_of["repeat"]) == taken & before
    assert pairs(targets_of["discovery"]) == taken - before
    for targets in targets_of.values():
        assert (targets.n_relevant > 0).all()
        assert (np.diff(targets.users) > 0).all()
        for row in targets.rows():
            assert row.dtype == np.int32
            assert (np.diff(row) > 0).all()


@given(past, window, later)
def test_every_interaction_and_user_is_counted_once(past, window, later):
    split = cut_apart(past + window + later)
    history, tested = ({user for _, user, _ in rows} for rows in (past, window))
    warm = {item for _, _, item in past}
    taken = {(user, item) for _, user, item in window}
    n_cold = sum(item not in warm for _, item in taken)
    assert split.counts == SplitCounts(
        n_train=len(past),
        n_window=len(window),
        n_after=len(later),
        n_targets=len(taken),
        n_cold_targets=n_cold,
        n_cold_items=len({item for _, item in taken} - warm),
        n_test_users=len(tested),
        n_cold_users=len(tested - history),
        n_silent_users=len(history - tested),
    )
    cold_by_view = {view: int(targets.is_cold.sum()) for view, targets in split.targets.items()}
    assert cold_by_view == {"all": n_cold, "repeat": 0, "discovery": n_cold}
