"""What each user did with each item, as arrays; and how live events are added to it.

Not for scores: `repeat`, `neighbours` and `fold_in` turn a history into those.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.weights import REMOVE, pair_keys, take_back
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import DAY_US, ItemIdx, Timestamps

NO_ITEMS: ItemIdx = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class UserHistory:
    """The distinct items that one user is interested in, ascending; arrays have shape (n,).

    counts: the sum of the weights of the user's interactions with the item; their number where
        each weighs one.
    first_ts, last_ts: when the first and the last of them were, in microseconds.
    refused: items of which the user said that they are not wanted, and nothing else since;
        ascending, none of them among `items`, shape (n_refused,).
    """

    items: ItemIdx
    counts: NDArray[np.float32]
    first_ts: Timestamps
    last_ts: Timestamps
    refused: ItemIdx = field(default_factory=lambda: NO_ITEMS)

    def __len__(self) -> int:
        return len(self.items)

    def latest(self, limit: int) -> UserHistory:
        """Return the `limit` items with the latest last_ts; of equals, the smaller item."""
        if len(self) <= limit:
            return self
        # np.lexsort sorts by its last key first: newest first, then the smaller item.
        chosen = np.sort(np.lexsort((self.items, -self.last_ts))[:limit])
        return self._only(chosen)

    def _only(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> UserHistory:
        return UserHistory(
            self.items[rows],
            self.counts[rows],
            self.first_ts[rows],
            self.last_ts[rows],
            self.refused,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """What each user refused; user u owns items[indptr[u]:indptr[u + 1]], ascending."""

    indptr: NDArray[np.int64]
    items: ItemIdx

    def row(self, user: int) -> ItemIdx:
        """Return the items that one user refused; none when the user is not known here."""
        if not 0 <= user < len(self.indptr) - 1:
            return NO_ITEMS
        return self.items[int(self.indptr[user]) : int(self.indptr[user + 1])]


@dataclass(frozen=True, slots=True)
class History:
    """The histories of all users, one after another.

    indptr: int64, shape (n_users + 1,); user u owns the entries indptr[u]:indptr[u + 1].
    items, counts, first_ts, last_ts: shape (nnz,), as in `UserHistory`.
    refused: what each user refused; None where nobody refused anything.
    """

    indptr: NDArray[np.int64]
    items: ItemIdx
    counts: NDArray[np.float32]
    first_ts: Timestamps
    last_ts: Timestamps
    refused: Refused | None = None

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
            self.items[part],
            self.counts[part],
            self.first_ts[part],
            self.last_ts[part],
            self.refused_by(user),
        )

    def refused_by(self, user: int) -> ItemIdx:
        """Return what a user refused; nothing when the user is not known here."""
        return NO_ITEMS if self.refused is None else self.refused.row(user)

    def seen_by(self, user: int) -> ItemIdx:
        """Return what is no news to a user, had or refused; in no certain order."""
        items = self.items[self.part(user)]
        return items if self.refused is None else np.concatenate([items, self.refused.row(user)])


def empty_history() -> UserHistory:
    """Return the history of somebody who has none."""
    return UserHistory(
        items=np.empty(0, dtype=np.int32),
        counts=np.empty(0, dtype=np.float32),
        first_ts=np.empty(0, dtype=np.int64),
        last_ts=np.empty(0, dtype=np.int64),
    )


def history_of(data: Dataset) -> History:
    """Return what each user of the data is interested in, and what each refused."""
    return build_history(data.interactions, data.n_users, refusals=data.refusals)


def build_history(
    interactions: Interactions, n_users: int, *, refusals: Interactions | None = None
) -> History:
    """Return what each user is interested in, and what each refused.

    Every interaction counts by its weight, whatever its quantity; the order of simultaneous ones
    is irrelevant. What a user did with an item before refusing it is left out.

    Args:
        interactions: sorted by time, as always; each weighs more than 0.
        n_users: rows of the result; users without interactions have an empty row.
        refusals: the last words that are refusals, as `features.weights.interest` has them.

    Raises:
        ValueError: a weight is not above 0; `features.weights.interest` tells interest apart.

    Cost: one sort of the interactions; 24 bytes a distinct pair.
    """
    key = pair_keys(interactions)
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = _group_starts(key)
    ts = interactions.ts[order]
    ends = np.append(starts[1:], len(key))[: len(starts)]  # also without any interaction
    pairs = key[starts]
    counts = (ends - starts).astype(np.float32)
    if interactions.weight is not None and len(starts):
        if not np.all(interactions.weight > 0):
            raise ValueError("every interaction of a history must weigh more than 0")
        counts = np.add.reduceat(interactions.weight[order], starts)
    first_ts = ts[starts]
    last_ts = ts[ends - 1]  # the sort is stable and the interactions are in time order
    refused = None
    if refusals is not None and len(refusals):
        no = np.unique(pair_keys(refusals))
        refused = Refused(_indptr(no >> 32, n_users), (no & 0xFFFFFFFF).astype(np.int32))
        kept = _are_not_in(pairs, no)
        pairs, counts, first_ts, last_ts = pairs[kept], counts[kept], first_ts[kept], last_ts[kept]
    return History(
        indptr=_indptr(pairs >> 32, n_users),
        items=(pairs & 0xFFFFFFFF).astype(np.int32),
        counts=counts,
        first_ts=first_ts,
        last_ts=last_ts,
        refused=refused,
    )


def without_refused(data: Dataset) -> Dataset:
    """Return the data without interactions whose user has since refused the item."""
    if data.refusals is None:
        return data
    kept = ~np.isin(pair_keys(data.interactions), pair_keys(data.refusals))
    return replace(data, interactions=data.interactions.take(kept))


def merge_events(
    row: UserHistory,
    items: ItemIdx,
    ts: Timestamps,
    *,
    kinds: NDArray[np.uint8] | None = None,
    weights: NDArray[np.float32] | None = None,
) -> UserHistory:
    """Return the history with more events added to it.

    Equal to `build_history` of the `interest` of all the events together, when the carts, removals
    and refusals are among the events and not yet in the row (`features.unsettled` keeps them);
    events may come in any order, the same item may come several times. What the row itself has as
    refused stays so until an event shows interest.

    Args:
        row: what is known so far; it is not changed.
        items: item of each new event, shape (n_events,).
        ts: its time in microseconds, shape (n_events,).
        kinds: its `columns.KIND_CODES`; None where there are neither carts nor removals.
        weights: what it says, `features.weights.interaction_weights`; each one when None.
    """
    if len(items) == 0:
        return row
    items, ts = np.asarray(items, dtype=np.int32), np.asarray(ts, dtype=np.int64)
    told = np.ones(len(items), dtype=np.float32) if weights is None else weights
    is_removal = np.zeros(len(items), dtype=np.bool_) if kinds is None else kinds == REMOVE
    is_refusal = (told < 0) & ~is_removal
    if is_removal.any() and kinds is not None:
        told = take_back(items, kinds, told, ts)
    shows = told > 0
    merged = _add(row, items[shows], ts[shows], told[shows])
    return _refuse(merged, items[is_refusal], ts[is_refusal])


def _add(
    row: UserHistory, items: ItemIdx, ts: Timestamps, weights: NDArray[np.float32]
) -> UserHistory:
    """Return the row with interest added."""
    if len(items) == 0:
        return row
    all_items = np.concatenate([row.items, items])
    order = np.argsort(all_items, kind="stable")
    all_items = all_items[order]
    starts = _group_starts(all_items)
    return UserHistory(
        items=all_items[starts],
        counts=np.add.reduceat(np.concatenate([row.counts, weights])[order], starts),
        first_ts=np.minimum.reduceat(np.concatenate([row.first_ts, ts])[order], starts),
        last_ts=np.maximum.reduceat(np.concatenate([row.last_ts, ts])[order], starts),
        refused=np.setdiff1d(row.refused, items) if len(row.refused) else row.refused,
    )


def _refuse(row: UserHistory, items: ItemIdx, ts: Timestamps) -> UserHistory:
    """Return the row with refusals added; one at the time of the last interest prevails."""
    if len(items) == 0:
        return row
    place = np.minimum(np.searchsorted(row.items, items), max(len(row) - 1, 0))
    is_later = np.ones(len(items), dtype=np.bool_)
    if len(row):
        is_later = (row.items[place] != items) | (row.last_ts[place] <= ts)
    refused = np.union1d(row.refused, items[is_later]).astype(np.int32)
    kept = row._only(~np.isin(row.items, refused))
    return replace(kept, refused=refused)


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


def _are_not_in(pairs: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs are not among the others, far fewer; both ascending and distinct."""
    place = np.searchsorted(pairs, others)
    inside = place < len(pairs)
    place, others = place[inside], others[inside]
    absent = np.ones(len(pairs), dtype=np.bool_)
    absent[place[pairs[place] == others]] = False
    return absent


def _indptr(users: NDArray[np.int64], n_users: int) -> NDArray[np.int64]:
    """Return where the entries of each user begin, and the last ones end."""
    indptr = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=n_users), out=indptr[1:])
    return indptr


def _group_starts(sorted_keys: NDArray[np.int64] | NDArray[np.int32]) -> NDArray[np.int64]:
    """Return where each run of equal keys begins."""
    if len(sorted_keys) == 0:
        return np.empty(0, dtype=np.int64)
    changes = np.flatnonzero(sorted_keys[1:] != sorted_keys[:-1]) + 1
    return np.concatenate([np.zeros(1, dtype=np.int64), changes])
