import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.history import UserHistory, build_history, merge_events
from endcap.features.neighbours import neighbour_seed_weights
from endcap.features.visits import visits_after
from endcap.schema.types import DAY_US, SECOND_US
from endcap.testing.toy_data import dataset

MINUTE_US = 60 * SECOND_US


def row_of(*last_ts):
    ts = np.array(last_ts, dtype=np.int64)
    items = np.arange(len(ts), dtype=np.int32)
    return UserHistory(items, np.ones(len(ts), dtype=np.float32), ts, ts)


def test_visits_are_counted_from_the_end_and_share_a_place():
    row = row_of(0, 5 * DAY_US, 5 * DAY_US, 9 * DAY_US, 9 * DAY_US + 20 * MINUTE_US)
    assert visits_after(row).tolist() == [2, 1, 1, 0, 0]
    assert visits_after(row, gap_s=600.0).tolist() == [3, 2, 2, 1, 0]


def test_nothing_had_no_visits():
    assert visits_after(row_of()).tolist() == []


times = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 300)), max_size=30)


@given(times)
def test_all_users_at_once_equal_one_at_a_time(events):
    users, items, minutes = np.array(events, dtype=np.int64).reshape(-1, 3).T
    data = dataset(
        users.astype(np.int32), items.astype(np.int32), minutes * MINUTE_US, n_users=4, n_items=6
    )
    history = build_history(data.interactions, 4)
    together = visits_after(history)
    alone = [visits_after(history.row(user)) for user in range(4)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_a_live_event_is_a_visit_of_its_own():
    row = row_of(0, DAY_US)
    items, ts = np.array([7], dtype=np.int32), np.array([3 * DAY_US])
    assert visits_after(merge_events(row, items, ts)).tolist() == [2, 1, 0]


def test_seeds_fade_by_the_calendar_and_by_visits():
    row = row_of(0, 10 * DAY_US, 30 * DAY_US)
    weights = neighbour_seed_weights(row, now_us=30 * DAY_US, half_life_days=10.0, visit_power=1.0)
    expected = np.log(2) * np.array([2**-3 / 3, 2**-2 / 2, 1])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
