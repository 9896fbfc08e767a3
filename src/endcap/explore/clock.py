"""Times as days, weekdays and hours, UTC; what else they mean is for the files that use them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import DAY_US, SECOND_US, Timestamps

HOUR_US = 3_600 * SECOND_US

_THURSDAY = 3  # 1 January 1970; Monday is 0


def day_numbers(ts: Timestamps) -> NDArray[np.int64]:
    """Return the day of each time, counted from 1 January 1970."""
    return ts // DAY_US


def weekday_of(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the weekday of days counted from 1 January 1970; 0 is Monday."""
    return (days + _THURSDAY) % 7


def hour_of(ts: Timestamps) -> NDArray[np.int64]:
    """Return the hour of the day of each time, 0 to 23."""
    return ts % DAY_US // HOUR_US


def has_time_of_day(ts: Timestamps) -> bool:
    """Return whether any time is not exactly a midnight: many data sets know days only."""
    return bool(np.any(ts % DAY_US))
