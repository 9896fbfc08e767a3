"""The nearest neighbours of every item by who took both, with bounded memory, on all cores.

What a user makes of the neighbours is `item_knn.py`'s affair, and what becomes of them as time
goes on `neighbour_update.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.features.history import History, recency_weights
from endcap.models.histories import entry_rows
from endcap.models.threads import N_CORES
from endcap.schema.types import NO_ITEM, ItemIdx
from endcap.telemetry import track

MAX_BLOCK_PAIRS = 12_000_000  # of all cores; 8 bytes each and as much again for a copy


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near items are to each other.

    For an item i and a neighbour j,

        sim(i, j) = sum over users of both of interest(user, i) * interest(user, j)
                    * recency(user, j) / n_items(user) ** user_power
                    / (size(i) ** (1 - power) * size(j) ** power + shrink)

    with interest = min(count, 1) and size the sum of its squares over users, which is their number
    where every interaction weighs one; n_items is rounded down to a power of two, so that one item
    more rarely changes what the others say. For equal recencies, a power of 0.5 and a user_power
    of 0 it is the shrunk cosine. A larger power asks for what is special to the item, a smaller
    one for what sells anyway. Source: Aiolli 2013, asymmetric cosine; the rest is ours.

    shrink, popularity_power, user_power: see above.
    half_life_days: of the recency of the neighbour; infinite where all of the past is alike.
    min_users: items that fewer users took are left out on both sides.
    """

    shrink: float
    popularity_power: float
    user_power: float
    half_life_days: float
    min_users: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The neighbours of each item, nearest first; of equals, the smaller item.

    items: int32, shape (n_items, n_kept), -1 padded.
    sims: how near they are, float32, the same shape, 0 under the padding.
    beyond: no item that is not listed is nearer than this, float32, shape (n_items,); 0 where all
        that is near at all is listed.
    """

    items: NDArray[np.int32]
    sims: NDArray[np.float32]
    beyond: NDArray[np.float32]

    def put(self, row: int, items: ItemIdx, sims: NDArray[np.floating]) -> None:
        """Replace a row by the nearest of the items, whose similarities are all those above 0."""
        best = _nearest(items, sims, self.items.shape[1] + 1)
        past = len(best) > self.items.shape[1]
        self.beyond[row] = sims[best[-1]] if past else 0.0
        best = best[: self.items.shape[1]]
        self.items[row], self.sims[row] = NO_ITEM, 0.0
        self.items[row, : len(best)] = items[best]
        self.sims[row, : len(best)] = sims[best]


class Takers:
    """Who took what, arranged so that similarities can be worked out a few items at a time.

    taken, lately: users x items: interest, and interest times recency; each divided by half of
        what their product is divided by.
    n_each: how many items each user had, of those that are not left out, shape (n_users,).
    sizes: see `Nearness`, shape (n_items,).
    """

    def __init__(self, history: History, n_items: int, *, nearness: Nearness, now_us: int) -> None:
        self.nearness = nearness
        interest = np.minimum(history.counts, np.float32(1))
        recency = recency_weights(
            history.last_ts, now_us=now_us, half_life_days=nearness.half_life_days
        )
        n_takers = np.bincount(history.items, minlength=n_items)
        self.kept = n_takers[history.items] >= nearness.min_users
        # How many kept entries lie before each user's first one.
        self.indptr = np.concatenate([[0], np.cumsum(self.kept)])[history.indptr]
        items = history.items[self.kept]
        self.n_each = np.diff(self.indptr)
        by = np.exp2(np.floor(np.log2(np.maximum(self.n_each, 1))) * nearness.user_power / 2)
        says = interest[self.kept] / np.repeat(by, self.n_each)
        says = says.astype(np.float32)
        shape = (history.n_users, n_items)
        self.taken = sparse.csr_array((says, items, self.indptr), shape=shape)
        self.lately = sparse.csr_array((says * recency[self.kept], items, self.indptr), shape=shape)
        squares = interest[self.kept].astype(np.float64) ** 2
        self.sizes = np.bincount(items, weights=squares, minlength=n_items).astype(np.float64)
        self._as_neighbour = self.sizes**nearness.popularity_power
        self._as_seed = self.sizes ** (1 - nearness.popularity_power)

    def below(self, seeds: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return what the sum over users is divided by, for each pair of a seed and another."""
        parts = self._as_seed[seeds] * self._as_neighbour[others]
        return np.asarray(parts + self.nearness.shrink)

    def fill(self, found: Neighbours, items: ItemIdx, *, label: str = "item_knn") -> None:
        """Work out the rows of some items, on all cores."""
        by_item = self.taken.T.tocsr()
        blocks = list(self._blocks(items))

        def work(block: ItemIdx) -> int:
            self._fill_block(found, block, by_item)
            return len(block)

        with track(label, len(items), unit="items") as task, ThreadPoolExecutor(N_CORES) as pool:
            for n_done in pool.map(work, blocks):
                task.advance(n_done)

    def _fill_block(self, found: Neighbours, block: ItemIdx, by_item: sparse.csr_array) -> None:
        pairs = (by_item[block] @ self.lately).tocsr()
        seeds = block[entry_rows(pairs.indptr)]
        near = pairs.data / self.below(seeds, pairs.indices)
        near[pairs.indices == seeds] = 0.0
        for row, item in enumerate(block.tolist()):
            part = slice(pairs.indptr[row], pairs.indptr[row + 1])
            found.put(item, pairs.indices[part], near[part])

    def _blocks(self, items: ItemIdx) -> Iterator[ItemIdx]:
        """Yield the items in parts whose pairs fit, by an upper bound of their number."""
        n_items = self.taken.shape[1]
        lengths = np.repeat(self.n_each, self.n_each)
        sizes = np.bincount(self.taken.indices, weights=lengths, minlength=n_items)
        ends = np.cumsum(np.minimum(sizes, n_items)[items])
        start = 0
        while start < len(items):
            done = ends[start - 1] if start else 0
            stop = int(np.searchsorted(ends, done + MAX_BLOCK_PAIRS / N_CORES, side="right"))
            stop = max(stop, start + 1)
            yield items[start:stop]
            start = stop


def nearest_items(
    history: History, n_items: int, *, n_kept: int, nearness: Nearness, now_us: int
) -> Neighbours:
    """Return the nearest neighbours of each item, shape (n_items, n_kept).

    Args:
        history: who took what, how much interest that showed, and when last.
        n_items: size of the catalogue.
        n_kept: columns of the result.
        nearness: what is near.
        now_us: the end of the data, from which ages are counted.

    Cost: the sum over users of the square of their number of items; at most about 300 MB besides
    the result.
    """
    found = no_neighbours(n_items, n_kept)
    takers = Takers(history, n_items, nearness=nearness, now_us=now_us)
    takers.fill(found, np.arange(n_items, dtype=np.int32))
    return found


def no_neighbours(n_items: int, n_kept: int) -> Neighbours:
    """Return nothing but padding."""
    return Neighbours(
        items=np.full((n_items, n_kept), NO_ITEM, dtype=np.int32),
        sims=np.zeros((n_items, n_kept), dtype=np.float32),
        beyond=np.zeros(n_items, dtype=np.float32),
    )


def _nearest(items: ItemIdx, near: NDArray[np.floating], n_nearest: int) -> NDArray[np.int64]:
    """Return the places of the nearest items, best first; ties go to the smaller item."""
    places = np.flatnonzero(near > 0)
    if len(places) > n_nearest:
        threshold = np.partition(near[places], len(places) - n_nearest)[-n_nearest]
        places = places[near[places] >= threshold]
    return places[np.lexsort((items[places], -near[places]))][:n_nearest]
