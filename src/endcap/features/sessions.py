"""Where one visit of a user ends and the next begins: by a gap without an event.

The batch form works on all users at once; `SessionClock` is its online form for one user.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import SECOND_US, Timestamps, UserIdx

SESSION_GAP_S = 30 * 60.0
"""A longer silence ends a session: the usual half hour."""

_NEVER_US = np.iinfo(np.int64).min


def gap_us_of(gap_s: float) -> int:
    """Return the longest silence within a session in microseconds.

    Raises:
        ValueError: the gap is negative or no number.
    """
    if not gap_s >= 0:
        raise ValueError(f"gap_s must be at least 0, not {gap_s}")
    return round(gap_s * SECOND_US)


def session_starts(user_idx: UserIdx, ts: Timestamps, *, gap_s: float) -> NDArray[np.bool_]:
    """Return for each event whether a new session of its user starts with it, shape (n_events,).

    It does for the first event of a user, and for one more than `gap_s` after that user's event
    before it; a silence of exactly `gap_s` does not end a session.

    Args:
        user_idx: user of each event, shape (n_events,).
        ts: its time in microseconds; the events are in overall time order.
        gap_s: the longest silence within a session, in seconds.

    Raises:
        ValueError: the events are not in time order, or the gap is negative.

    Cost: one stable sort of the users.
    """
    order = np.argsort(user_idx, kind="stable")
    starts = np.empty(len(ts), dtype=np.bool_)
    starts[order] = _starts_by_user(user_idx[order], ts[order], gap_us_of(gap_s))
    return starts


def session_ids(user_idx: UserIdx, ts: Timestamps, *, gap_s: float) -> NDArray[np.int64]:
    """Return the session of each event, numbered from 0 by the time of their first events.

    Arguments, errors and cost as in `session_starts`; shape (n_events,).
    """
    order = np.argsort(user_idx, kind="stable")
    starts = _starts_by_user(user_idx[order], ts[order], gap_us_of(gap_s))
    # Numbers go by the order of all events, so that a later event never renumbers an earlier one.
    in_time = np.empty(len(ts), dtype=np.bool_)
    in_time[order] = starts
    numbers = (np.cumsum(in_time) - 1)[order]
    latest_start = np.maximum.accumulate(np.where(starts, np.arange(len(ts)), 0))
    ids = np.empty(len(ts), dtype=np.int64)
    ids[order] = numbers[latest_start]
    return ids


def latest_sessions(
    user_idx: UserIdx, ts: Timestamps, n_users: int, *, gap_s: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return of each user's latest session the number of events and the length in seconds.

    Both have shape (n_users,); zeros for a user without events. Other arguments, errors and cost
    as in `session_starts`.
    """
    starts = session_starts(user_idx, ts, gap_s=gap_s)
    began_us = np.full(n_users, _NEVER_US, dtype=np.int64)
    np.maximum.at(began_us, user_idx[starts], ts[starts])
    ended_us = np.full(n_users, _NEVER_US, dtype=np.int64)
    np.maximum.at(ended_us, user_idx, ts)
    n_events = np.bincount(user_idx[ts >= began_us[user_idx]], minlength=n_users)
    length_s = (ended_us - began_us) / SECOND_US
    return n_events.astype(np.int32), length_s.astype(np.float32)


def continues_session(last_us: int | None, ts_us: int, *, gap_us: int) -> bool:
    """Return whether an event belongs to the session of its user's event before it.

    Args:
        last_us: time of that event; None when there was none.
        ts_us: time of the event, at or after `last_us`.
        gap_us: the longest silence within a session, microseconds.
    """
    return last_us is not None and ts_us - last_us <= gap_us


@dataclass(slots=True)
class SessionClock:
    """The session of one user under way, event by event, in constant memory.

    n_events, start_us, last_us: of the latest session; None before any event.
    n_sessions: how many there were, that one included.
    """

    gap_s: float = SESSION_GAP_S
    n_sessions: int = 0
    n_events: int = 0
    start_us: int | None = None
    last_us: int | None = None
    _gap_us: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._gap_us = gap_us_of(self.gap_s)

    def tick(self, ts_us: int) -> bool:
        """Take the user's next event and return whether a new session starts with it.

        Raises:
            ValueError: the event is earlier than the one before it.
        """
        if self.last_us is not None and ts_us < self.last_us:
            raise ValueError("events must come in time order")
        is_start = not continues_session(self.last_us, ts_us, gap_us=self._gap_us)
        if is_start:
            self.n_sessions += 1
            self.n_events, self.start_us = 0, ts_us
        self.n_events += 1
        self.last_us = ts_us
        return is_start


def _starts_by_user(user_idx: UserIdx, ts: Timestamps, gap_us: int) -> NDArray[np.bool_]:
    """Return the starts among events that are sorted by user, then time."""
    same_user = user_idx[1:] == user_idx[:-1]
    silence_us = np.diff(ts)
    if np.any(silence_us[same_user] < 0):
        raise ValueError("events must be in time order")
    starts = np.ones(len(ts), dtype=np.bool_)
    starts[1:] = ~same_user | (silence_us > gap_us)
    return starts
