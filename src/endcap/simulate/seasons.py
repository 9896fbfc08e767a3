"""When things happen: hours, weekdays, the time of the year and growth, as one clock.

Inside a simulation time runs from 0 to 1 in steps of equal activity; this turns it into dates.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from endcap.simulate.scramble import Floats, Integers

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

HOURS = (
    *(0.45, 0.30, 0.20, 0.15, 0.15, 0.20, 0.35, 0.55, 0.80, 1.00, 1.15, 1.20),
    *(1.20, 1.15, 1.10, 1.10, 1.15, 1.25, 1.40, 1.60, 1.75, 1.70, 1.35, 0.85),
)
"""Activity of each hour of the day, UTC; evenings are busiest."""

WEEKDAYS = (1.08, 1.02, 1.00, 0.97, 0.90, 0.93, 1.10)
"""Activity of each day of the week, Monday first."""


class Clock:
    """Turns the share of all activity that has passed into a time, and back."""

    def __init__(self, start: date, n_days: int, *, growth: float = 1.0) -> None:
        first = datetime(start.year, start.month, start.day, tzinfo=UTC)
        self.start_ms = int(first.timestamp()) * 1000
        self.end_ms = self.start_ms + n_days * DAY_MS
        self._edges_ms = self.start_ms + np.arange(n_days * 24 + 1, dtype=np.float64) * HOUR_MS
        activity = hourly_activity(start, n_days) * growth ** (
            np.arange(n_days * 24) / (n_days * 24)
        )
        passed = np.concatenate([[0.0], np.cumsum(activity)])
        self._passed = passed / passed[-1]

    def time_ms(self, position: Floats) -> Integers:
        """Return the time at which that share of all activity has passed."""
        times: Integers = np.interp(position, self._passed, self._edges_ms).astype(np.int64)
        return times

    def middle(self, begin: float, end: float) -> float:
        """Return the midnight nearest to the middle between two positions, or else the middle."""
        middle = (begin + end) / 2
        midnights = self._passed[::24]
        at = int(np.searchsorted(midnights, middle))
        near = midnights[max(at - 1, 0) : at + 1]
        nearest = float(near[np.argmin(np.abs(near - middle))])
        return nearest if begin < nearest < end else middle


def hourly_activity(start: date, n_days: int) -> Floats:
    """Return the activity of each hour from the day on, without growth; about 1 on average.

    A year is quiet in summer and busiest in the weeks before Christmas.
    """
    days = np.arange(n_days) + start.toordinal()
    of_year = (days - 1) % 365.2425  # day 1 of the calendar is the first of January, year 1
    rush = np.exp(-(((of_year - 345.0) / 18.0) ** 2))
    yearly = 1.0 + 0.08 * np.cos(2 * np.pi * of_year / 365.2425) + 0.7 * rush
    weekly = np.array(WEEKDAYS)[(days - 1) % 7]
    hourly: np.ndarray[Any, np.dtype[np.float64]] = np.outer(yearly * weekly, HOURS)
    return hourly.ravel()
