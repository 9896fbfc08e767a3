"""What the user tower sees of a moment and of what was done lately, offline as online.

The items themselves come to the tower as vectors; these are counts and the clock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import UserHistory
from endcap.schema.types import DAY_US, ItemIdx, Timestamps

WINDOWS_DAYS = (7, 28)
N_CONTEXT = 6 + len(WINDOWS_DAYS)
"""Numbers in a context."""

_MAX_DAYS = 60
_WEEK_OFFSET_US = 3 * DAY_US  # the epoch was a Thursday


def tower_context(
    row: UserHistory, now_us: int, *, categories: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the context of one user at one moment, float32, shape (N_CONTEXT,).

    Args:
        row: the latest items of the user, as many as the tower looks at.
        now_us: the moment, in microseconds of data time.
        categories: code of each item's category, -1 where unknown, shape (n_items,).
    """
    one: NDArray[np.float32] = tower_contexts(
        np.zeros(len(row), dtype=np.int64),
        row.items,
        row.last_ts,
        np.array([now_us], dtype=np.int64),
        categories=categories,
    )[0]
    return one


def tower_contexts(
    rows: NDArray[np.int64],
    items: ItemIdx,
    last_ts: Timestamps,
    now_us: Timestamps,
    *,
    categories: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return the context of many users, each at a moment of its own, shape (n_rows, N_CONTEXT).

    The numbers, all of the order of one: log of the different items, of those of the last 7 and
    28 days and of their categories; log of the days since the last one, 60 where there is none;
    hour of the day as a point on a circle (UTC), and whether it is the weekend.

    Args:
        rows: whose each entry is, in [0, n_rows), shape (n,).
        items: different items of each user, shape (n,).
        last_ts: the last time of each, shape (n,).
        now_us: shape (n_rows,).
        categories: as above; all items of unknown category count as one.
    """
    n_rows = len(now_us)
    age_us = np.maximum(now_us[rows] - last_ts, 0)
    newest_us = np.full(n_rows, _MAX_DAYS * DAY_US, dtype=np.int64)
    np.minimum.at(newest_us, rows, age_us)
    distinct = np.unique((rows << 32) | (categories[items].astype(np.int64) + 1))
    counts = [np.bincount(rows, minlength=n_rows)]
    counts += [np.bincount(rows[age_us < days * DAY_US], minlength=n_rows) for days in WINDOWS_DAYS]
    counts.append(np.bincount(distinct >> 32, minlength=n_rows))
    angle = 2 * np.pi * (now_us % DAY_US) / DAY_US
    is_weekend = (now_us + _WEEK_OFFSET_US) // DAY_US % 7 >= 5
    numbers = [*(np.log1p(count) / 4 for count in counts), np.log1p(newest_us / DAY_US) / 4]
    numbers += [np.sin(angle), np.cos(angle), is_weekend.astype(np.float64)]
    return np.stack(numbers, axis=1).astype(np.float32)
