"""Which items go with which, and which come after which: what a ranker compares candidates by.

These are plain counts over histories, apart from any member, so that they mean the same whoever
takes part in a blend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.features.history import History
from endcap.models.histories import entry_rows
from endcap.schema.types import NO_ITEM, ItemIdx

N_NEIGHBOURS = 100
MAX_LAG = 3
"""How many items later something still counts as coming next."""
SHRINK = 10.0
MAX_ITEMS_OF_USER = 100
"""Of longer histories the latest part says what goes together; pairs grow with its square."""
MAX_BLOCK_PAIRS = 8_000_000  # of two items, looked at together


def near_items_of(
    history: History, places: NDArray[np.int32], n_items: int
) -> tuple[ItemIdx, NDArray[np.float32]]:
    """Return the items that the same people had, and how near they are, nearest first.

    sim(i, j) = users of both / (sqrt(users of i * users of j) + shrink), of each user the latest
    100 items; of equals the smaller item comes first. int32 and float32, shape (n_items,
    n_neighbours), padded with -1 and 0. The arguments are those of `next_items_of`.

    Cost: the sum over users of the square of their number of items; bounded memory.
    """
    kept = places < MAX_ITEMS_OF_USER
    indptr = np.concatenate([[0], np.cumsum(kept)])[history.indptr]
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    shape = (history.n_users, n_items)
    taken = sparse.csr_array((ones, history.items[kept], indptr), shape=shape)
    by_item = taken.T.tocsr()
    n_users = np.diff(by_item.indptr).astype(np.float64)
    found = _Table.empty(n_items)
    for start, stop in _blocks(taken):
        pairs = (by_item[start:stop] @ taken).tocoo()
        seed, other = pairs.row.astype(np.int64) + start, pairs.col.astype(np.int64)
        sims = pairs.data / (np.sqrt(n_users[seed] * n_users[other]) + SHRINK)
        is_other = seed != other
        found.put(seed[is_other], other[is_other], sims[is_other])
    return found.items, found.sims


def next_items_of(
    history: History, places: NDArray[np.int32], n_items: int
) -> tuple[ItemIdx, NDArray[np.float32]]:
    """Return the items that came 1 to 3 places after each item, and how regularly they did.

    sim(i, j) = sum over users of 1 / (how many places j came later) / (users of i + shrink), in
    the form of `near_items_of`.

    Args:
        history: of all users.
        places: how many other items of the same user came after each entry.
        n_items: size of the catalogue.
    """
    users = entry_rows(history.indptr)
    order = np.lexsort((-places, users))
    user, item = users[order], history.items[order].astype(np.int64)
    keys, amounts = [], []
    for lag in range(1, MAX_LAG + 1):
        same = user[:-lag] == user[lag:]
        keys.append((item[:-lag][same] << 32) | item[lag:][same])
        amounts.append(np.full(int(same.sum()), 1 / lag))
    pairs, pair_of = np.unique(np.concatenate(keys), return_inverse=True)
    amount = np.bincount(pair_of, weights=np.concatenate(amounts), minlength=len(pairs))
    seed, other = pairs >> 32, pairs & 0xFFFFFFFF
    n_users = np.bincount(item, minlength=n_items)
    found = _Table.empty(n_items)
    found.put(seed, other, amount / (n_users[seed] + SHRINK))
    return found.items, found.sims


class _Table:
    """The best of the pairs that are put into it, a row an item."""

    def __init__(self, items: ItemIdx, sims: NDArray[np.float32]) -> None:
        self.items, self.sims = items, sims

    @staticmethod
    def empty(n_items: int) -> _Table:
        width = min(N_NEIGHBOURS, max(n_items - 1, 1))
        shape = (n_items, width)
        return _Table(np.full(shape, NO_ITEM, dtype=np.int32), np.zeros(shape, dtype=np.float32))

    def put(
        self, seed: NDArray[np.int64], other: NDArray[np.int64], sims: NDArray[np.float64]
    ) -> None:
        """Write the rows of the seeds, all of whose pairs are given at once."""
        best = np.lexsort((other, -sims, seed))
        seed, other, sims = seed[best], other[best], sims[best]
        n_each = np.bincount(seed, minlength=len(self.items))
        place = np.arange(len(seed)) - (np.cumsum(n_each) - n_each)[seed]
        kept = place < self.items.shape[1]
        self.items[seed[kept], place[kept]] = other[kept]
        self.sims[seed[kept], place[kept]] = sims[kept]


def _blocks(taken: sparse.csr_array) -> list[tuple[int, int]]:
    """Return ranges of items whose pairs fit into memory, by an upper bound of their number."""
    lengths, n_items = np.diff(taken.indptr), taken.shape[1]
    sizes = np.bincount(taken.indices, weights=np.repeat(lengths, lengths), minlength=n_items)
    parts = (np.cumsum(np.minimum(sizes, n_items)) // MAX_BLOCK_PAIRS).astype(np.int64)
    starts = np.flatnonzero(np.diff(parts, prepend=-1))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), n_items], strict=True))
