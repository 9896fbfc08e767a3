import numpy as np
import pytest

from endcap.features.sessions import (
    SessionClock,
    continues_session,
    latest_sessions,
    session_ids,
    session_starts,
)

MINUTE_US = 60_000_000


def columns(*events):
    users, minutes = zip(*events, strict=True)
    return np.array(users, dtype=np.int32), np.array(minutes, dtype=np.int64) * MINUTE_US


def test_a_silence_longer_than_the_gap_ends_a_session():
    users, ts = columns((7, 0), (7, 30), (3, 31), (7, 61), (3, 62), (7, 62))
    assert session_starts(users, ts, gap_s=1800).tolist() == [1, 0, 1, 1, 1, 0]
    assert session_ids(users, ts, gap_s=1800).tolist() == [0, 0, 1, 2, 3, 2]


def test_no_events_have_no_sessions():
    nobody, never = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    assert session_starts(nobody, never, gap_s=1).tolist() == []
    assert session_ids(nobody, never, gap_s=1).tolist() == []


def test_the_latest_session_of_each_user():
    users, ts = columns((2, 0), (0, 3), (2, 40), (2, 41), (2, 55))
    n_events, length_s = latest_sessions(users, ts, 4, gap_s=1800)
    assert n_events.tolist() == [1, 0, 3, 0]
    assert length_s.tolist() == [0.0, 0.0, 900.0, 0.0]


def test_a_clock_before_any_event_has_no_session():
    clock = SessionClock()
    assert (clock.n_sessions, clock.n_events, clock.start_us, clock.last_us) == (0, 0, None, None)
    assert clock.tick(5)
    assert (clock.n_sessions, clock.n_events, clock.start_us, clock.last_us) == (1, 1, 5, 5)


@pytest.mark.parametrize(("last_us", "expected"), [(None, False), (40, True), (39, False)])
def test_what_continues_a_session(last_us, expected):
    assert continues_session(last_us, 50, gap_us=10) is expected


def test_events_out_of_order_are_refused():
    users, ts = columns((1, 5), (2, 7), (1, 4))
    with pytest.raises(ValueError, match="time order"):
        session_starts(users, ts, gap_s=1)
    clock = SessionClock()
    clock.tick(5)
    with pytest.raises(ValueError, match="time order"):
        clock.tick(4)


@pytest.mark.parametrize("gap_s", [-1.0, float("nan")])
def test_a_gap_that_is_none_is_refused(gap_s):
    users, ts = columns((1, 0))
    with pytest.raises(ValueError, match="gap_s"):
        session_starts(users, ts, gap_s=gap_s)
    with pytest.raises(ValueError, match="gap_s"):
        SessionClock(gap_s)
