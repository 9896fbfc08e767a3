import numpy as np
import pytest
from evaluation_shop import dataset_of

from endcap.evaluation.split import TimeCuts, days_before_end, split_by_time
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

# user 0 returns and buys item 0 again (twice), item 2 anew, and item 4, which nobody had;
# user 1 never returns; user 2 is new.
ROWS = [
    (1, 0, 0),
    (2, 0, 1),
    (3, 1, 2),
    (10, 0, 0),
    (11, 0, 0),
    (11, 0, 2),
    (12, 0, 4),
    (19, 2, 1),
    (20, 1, 3),
]


@pytest.fixture
def data():
    return dataset_of(ROWS, n_users=4, n_items=6)


def test_targets_by_hand(data):
    split = split_by_time(data, cut_us=10, end_us=20)
    everything, repeat, discovery = (split.targets[view] for view in ("all", "repeat", "discovery"))
    assert everything.users.tolist() == [0, 2]
    assert [row.tolist() for row in everything.rows()] == [[0, 2, 4], [1]]
    assert everything.is_cold.tolist() == [False, False, True, False]
    assert repeat.users.tolist() == [0]
    assert [row.tolist() for row in repeat.rows()] == [[0]]
    assert discovery.users.tolist() == [0, 2]
    assert [row.tolist() for row in discovery.rows()] == [[2, 4], [1]]


def test_counts_by_hand(data):
    counts = split_by_time(data, cut_us=10, end_us=20).counts
    assert (counts.n_train, counts.n_window, counts.n_after) == (3, 5, 1)
    assert (counts.n_targets, counts.n_cold_targets, counts.n_cold_items) == (4, 1, 1)
    assert (counts.n_test_users, counts.n_cold_users, counts.n_silent_users) == (2, 1, 1)


def test_the_window_reaches_to_the_end_of_the_data_by_default(data):
    split = split_by_time(data, cut_us=10)
    assert split.end_us == 21
    assert split.counts.n_after == 0
    assert split.targets["all"].users.tolist() == [0, 1, 2]


def test_train_keeps_the_whole_catalogue(data):
    train = split_by_time(data, cut_us=10).train
    assert (train.n_users, train.n_items, len(train.items)) == (4, 6, 6)


def test_seen_pairs(data):
    seen = split_by_time(data, cut_us=10).seen
    assert list(zip(seen.rows.tolist(), seen.items.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 2),
    ]


def test_a_view_may_be_empty():
    data = dataset_of([(1, 0, 0), (10, 0, 1)], n_users=1, n_items=2)
    repeat = split_by_time(data, cut_us=5).targets["repeat"]
    assert (len(repeat), repeat.rows(), repeat.n_relevant.tolist()) == (0, [], [])


@pytest.mark.parametrize(("cut", "end"), [(0, None), (1, None), (21, None), (15, 15), (13, 19)])
def test_nothing_to_learn_from_or_to_measure_by_is_an_error(data, cut, end):
    with pytest.raises(DataError, match="there is no interaction"):
        split_by_time(data, cut_us=cut, end_us=end)


def test_the_error_compares_the_window_with_the_data_in_days():
    data = dataset_of([(day * DAY_US, 0, 0) for day in range(10)], n_users=1, n_items=1)
    with pytest.raises(DataError) as caught:
        split_by_time(data, cut_us=days_before_end(data, 28))
    assert caught.value.where == (
        "the data span 9.0 days; the window begins 28.0 days before their end and is 28.0 days long"
    )
    assert "training.test_days" in caught.value.mend


def test_days_are_counted_from_the_end_of_the_data():
    midnights = [(day * DAY_US, 0, 0) for day in range(10)]
    data = dataset_of(midnights, n_users=1, n_items=1)
    window = data.between(days_before_end(data, 3), None)
    assert len(window.interactions) == 3, "data of whole days: three days are three days"


def test_validation_never_meets_the_test_window():
    rows = [(day * DAY_US + 5, day % 3, day % 4) for day in range(30)]
    data = dataset_of(rows, n_users=3, n_items=4)
    cuts = TimeCuts.before_end(data, test_days=7, validation_days=5)
    validation, test = cuts.validation(data), cuts.test(data)
    assert cuts.test_us - cuts.validation_us == 5 * DAY_US
    assert (validation.cut_us, validation.end_us) == (cuts.validation_us, cuts.test_us)
    assert (test.cut_us, test.end_us) == (cuts.test_us, data.end_us)
    assert validation.counts.n_window == 5
    assert test.counts.n_window == 7
    assert test.counts.n_train == validation.counts.n_train + validation.counts.n_window
    assert validation.train.interactions.ts.max() < cuts.validation_us


def test_sampled_users_keep_their_targets():
    rows = [(1, user, user % 5) for user in range(50)]
    rows += [(10, user, item) for user in range(50) for item in {user % 5, user % 7, user % 3}]
    split = split_by_time(dataset_of(rows, n_users=50, n_items=8), cut_us=5)
    drawn = split.sample(20, rng=np.random.default_rng(1))
    assert drawn.n_drawn_users == 20
    assert len(np.unique(drawn.targets["all"].users)) == 20
    for view, targets in drawn.targets.items():
        whole = split.targets[view]
        rows_of = dict(zip(whole.users.tolist(), whole.rows(), strict=True))
        assert set(targets.users) == set(whole.users) & set(drawn.targets["all"].users)
        for user, row in zip(targets.users.tolist(), targets.rows(), strict=True):
            assert row.tolist() == rows_of[user].tolist()
        assert len(targets.is_cold) == len(targets.items)
    assert drawn.counts == split.counts
    assert split.sample(50, rng=np.random.default_rng(1)) is split
