"""What each user did with each item, as arrays; and how live events are added to it.

Not for scores: `repeat`, `neighbours` and `fold_in` turn a history into those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US, ItemIdx, Timestamps


@dataclass(frozen=True, slots=True)
class UserHistory:
    """The distinct items of one user, ascending by item; all arrays have shape (n,).

    counts: how many interactions the user had with the item.
    first_ts, last_ts: when the first and the last of them were, in microseconds.
    """

    items: ItemIdx
    counts: NDArray[np.float32]
    first_ts: Timestamps
    last_ts: Timestamps

    def __len__(self) -> int:
        return len(self.items)

    def latest(self, limit: int) -> UserHistory:
        """Return the `limit` items with the latest last_ts; of equals, the smaller item."""
        if len(self) <= limit:
            return self
        # np.lexsort sorts by its last key first: newest first, then the smaller item.
        chosen = np.sort(np.lexsort((self.items, -self.last_ts))[:limit])
        return UserHistory(
            self.items[chosen], self.counts[chosen], self.first_ts[chosen], self.last_ts[chosen]
        )


@dataclass(frozen=True, slots=True)
class History:
    """The histories of all users, one after another.

    indptr: int64, shape (n_users + 1,); user u owns the entries indptr[u]:indptr[u + 1].
    items, counts, first_ts, last_ts: shape (nnz,), as in `UserHistory`.
    """

    indptr: NDArray[np.int64]
    items: ItemIdx
    counts: NDArray[np.float32]
    first_ts: Timestamps
    last_ts: Timestamps

    @property
    def n_users(self) -> int:
        """How many users there are, those without any interaction included."""
        return len(self.indptr) - 1

    def part(self, user: int) -> slice:
        """Return where a user's entries are; an empty slice when the user is not known here."""
        if not 0 <= user < self.n_users:
            return slice(0, 0)
        return slice(int(self.indptr[user]), int(self.indptr[user + 1]))

    def row(self, user: int) -> UserHistory:
        """Return one user's part, sharing memory; empty when the user is not known here."""
        part = self.part(user)
        return UserHistory(
            self.items[part], self.counts[part], self.first_ts[part], self.last_ts[part]
        )


def empty_history() -> UserHistory:
    """Return the history of somebody who has none."""
    return UserHistory(
        items=np.empty(0, dtype=np.int32),
        counts=np.empty(0, dtype=np.float32),
        first_ts=np.empty(0, dtype=np.int64),
        last_ts=np.empty(0, dtype=np.int64),
    )


def build_history(interactions: Interactions, n_users: int) -> History:
    """Return what each user did with each item.

    Every interaction counts once, whatever its quantity; the order of simultaneous ones is
    irrelevant.

    Args:
        interactions: sorted by time, as always.
        n_users: rows of the result; users without interactions have an empty row.

    Cost: one sort of the interactions; 24 bytes a distinct pair.
    """
    # One int64 key a pair; both halves are int32 by type, so it cannot overflow.
    key = (interactions.user_idx.astype(np.int64) << 32) | interactions.item_idx
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = _group_starts(key)
    ts = interactions.ts[order]
    pair_users = key[starts] >> 32
    indptr = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(pair_users, minlength=n_users), out=indptr[1:])
    ends = np.append(starts[1:], len(key))[: len(starts)]  # also without any interaction
    return History(
        indptr=indptr,
        items=(key[starts] & 0xFFFFFFFF).astype(np.int32),
        counts=(ends - starts).astype(np.float32),
        first_ts=ts[starts],
        last_ts=ts[ends - 1],  # the sort is stable and the interactions are in time order
    )


def merge_events(row: UserHistory, items: ItemIdx, ts: Timestamps) -> UserHistory:
    """Return the history with more events added to it.

    Equal to `build_history` on all the events together; events may come in any order, the same
    item may come several times.

    Args:
        row: what is known so far; it is not changed.
        items: item of each new event, shape (n_events,).
        ts: its time in microseconds, shape (n_events,).
    """
    if len(items) == 0:
        return row
    all_items = np.concatenate([row.items, np.asarray(items, dtype=np.int32)])
    order = np.argsort(all_items, kind="stable")
    all_items = all_items[order]
    starts = _group_starts(all_items)
    new_ts = np.asarray(ts, dtype=np.int64)
    counts = np.concatenate([row.counts, np.ones(len(items), dtype=np.float32)])[order]
    return UserHistory(
        items=all_items[starts],
        counts=np.add.reduceat(counts, starts),
        first_ts=np.minimum.reduceat(np.concatenate([row.first_ts, new_ts])[order], starts),
        last_ts=np.maximum.reduceat(np.concatenate([row.last_ts, new_ts])[order], starts),
    )


def recency_weights(
    last_ts: Timestamps, *, now_us: int, half_life_days: float
) -> NDArray[np.float32]:
    """Return 2 ** (-age / half-life) for each time, in (0, 1]; the future counts as now."""
    age_days = np.maximum(now_us - last_ts, 0) / DAY_US
    return np.exp2(-age_days / half_life_days).astype(np.float32)


def seed_weights(
    row: UserHistory | History, *, now_us: int, half_life_days: float
) -> NDArray[np.float32]:
    """Return how much each item of a history says about its user now: recency x log1p(count)."""
    recency = recency_weights(row.last_ts, now_us=now_us, half_life_days=half_life_days)
    return recency * np.log1p(row.counts)


def tower_weights(
    row: UserHistory | History, now_us: int, half_life_days: float
) -> NDArray[np.float32]:
    """Return the `history_weights` of the two-tower's user tower, one an item of the row.

    Always above zero, because the network takes a zero for padding.
    """
    weights = seed_weights(row, now_us=now_us, half_life_days=half_life_days)
    return np.maximum(weights, np.float32(1e-12))


def _group_starts(sorted_keys: NDArray[np.int64] | NDArray[np.int32]) -> NDArray[np.int64]:
    """Return where each run of equal keys begins."""
    if len(sorted_keys) == 0:
        return np.empty(0, dtype=np.int64)
    changes = np.flatnonzero(sorted_keys[1:] != sorted_keys[:-1]) + 1
    return np.concatenate([np.zeros(1, dtype=np.int64), changes])
