"""Sessions told event by event are the sessions told of all events at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.sessions import SessionClock, session_ids, session_starts

GAP_S = 1.5
# Whole and half seconds, so that silences of exactly the gap are frequent.
events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 30).map(lambda half: half * 500_000)), max_size=40
).map(lambda rows: sorted(rows, key=lambda row: row[1]))


def columns(rows):
    users = np.array([user for user, _ in rows], dtype=np.int32)
    return users, np.array([ts for _, ts in rows], dtype=np.int64)


@given(events)
def test_a_clock_for_each_user_says_what_the_batch_says(rows):
    users, ts = columns(rows)
    starts = session_starts(users, ts, gap_s=GAP_S)
    ids = session_ids(users, ts, gap_s=GAP_S)
    clocks = {user: SessionClock(GAP_S) for user, _ in rows}
    for row, (user, ts_us) in enumerate(rows):
        clock = clocks[user]
        assert clock.tick(ts_us) == starts[row]
        so_far = ids[: row + 1][users[: row + 1] == user]
        own = ids[: row + 1] == ids[row]
        assert clock.n_sessions == len(np.unique(so_far))
        assert clock.n_events == own.sum()
        assert (clock.start_us, clock.last_us) == (ts[: row + 1][own].min(), ts_us)


@given(events)
def test_sessions_are_numbered_by_their_first_event_and_belong_to_one_user(rows):
    users, ts = columns(rows)
    ids = session_ids(users, ts, gap_s=GAP_S)
    starts = session_starts(users, ts, gap_s=GAP_S)
    assert ids[starts].tolist() == list(range(starts.sum()))
    for session in range(starts.sum()):
        assert len(set(users[ids == session].tolist())) == 1
        assert np.all(np.diff(ts[ids == session]) <= GAP_S * 1_000_000)


@given(events, st.integers(0, 30))
def test_later_events_change_no_earlier_session(rows, cut):
    users, ts = columns(rows)
    n_before = int(np.searchsorted(ts, cut * 500_000))
    whole = session_ids(users, ts, gap_s=GAP_S)
    before = session_ids(users[:n_before], ts[:n_before], gap_s=GAP_S)
    np.testing.assert_array_equal(whole[:n_before], before)


@given(events)
def test_users_do_not_touch_each_other(rows):
    users, ts = columns(rows)
    starts = session_starts(users, ts, gap_s=GAP_S)
    for user in range(4):
        own = users == user
        alone = session_starts(users[own], ts[own], gap_s=GAP_S)
        np.testing.assert_array_equal(starts[own], alone)
