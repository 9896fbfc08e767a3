"""Which events show interest, which are sales, and how many of them each user and item had.

How much each kind weighs is said in `weights.py`: in a count, each event is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US, Timestamps

INTEREST = frozenset({Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.RATING, Kind.LIKE})
"""The kinds that show interest where no weights say it. An impression is the shop's act; a dislike
or a removal wants less of an item, not more."""

SALES = frozenset({Kind.PURCHASE, Kind.RATING})
"""The kinds that say an item was bought: who reviews one has it."""


def of_kinds(kind: NDArray[np.uint8], kinds: Iterable[Kind]) -> NDArray[np.bool_]:
    """Return for each event whether it is of one of the kinds, shape (n_events,)."""
    wanted = np.zeros(256, dtype=np.bool_)
    wanted[[KIND_CODES[one] for one in kinds]] = True
    return wanted[kind]


def count_events(index: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """Return how many events each of `n` users (or items) has, int32, shape (n,)."""
    return np.bincount(index, minlength=n).astype(np.int32)


def count_distinct(index: NDArray[np.int32], other: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """Return how many different partners each index occurs with, int32, shape (n,).

    Args:
        index: user (or item) of each event, shape (n_events,).
        other: item (or user) of the same event.
        n: length of the result.

    Cost: one sort of the events.
    """
    pairs = (index.astype(np.int64) << 32) | other
    pairs.sort()  # several times as quick as np.unique
    is_first = np.ones(len(pairs), dtype=np.bool_)
    is_first[1:] = pairs[1:] != pairs[:-1]
    return count_events((pairs[is_first] >> 32).astype(np.int32), n)


def days_before(ts: Timestamps, *, at_us: int, is_known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the age of each time in days, float32, >= 0; NaN where it is not known."""
    ages = np.maximum(at_us - ts, 0) / DAY_US
    return np.where(is_known, ages, np.nan).astype(np.float32)


def acts_of(events: Interactions) -> Interactions:
    """Return the events that show interest, undone later or not, each counting one.

    They are those of a weight above 0, or of the kinds of `INTEREST` where weights are not set.
    """
    if events.weight is None:
        return events.take(of_kinds(events.kind, INTEREST))
    return replace(events.take(events.weight > 0), weight=None)


def sales_of(events: Interactions) -> Interactions:
    """Return the events that say an item was bought."""
    return events.take(of_kinds(events.kind, SALES))
