"""The nearest neighbours of every item by who took both, with bounded memory.

What a user makes of the neighbours is `item_knn.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.features.history import History, recency_weights
from endcap.schema.types import NO_ITEM
from endcap.telemetry import track

MAX_BLOCK_PAIRS = 12_000_000  # of two items, 8 bytes each and as much again for a copy


def nearest_items(
    history: History,
    n_items: int,
    *,
    n_neighbours: int,
    shrink: float,
    popularity_power: float,
    half_life_days: float,
    now_us: int,
    min_users: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the neighbours of each item, nearest first, and how near they are.

    For an item i and a neighbour j,

        sim(i, j) = sum over users of both of interest(user, i) * interest(user, j)
                    * recency(user, j) / (size(i) ** (1 - power) * size(j) ** power + shrink)

    with interest = min(count, 1) and size the sum of its squares over users, which is their number
    where every interaction weighs one. For equal recencies and a power of 0.5 it is the shrunk
    cosine. A larger power asks for what is special to the item, a smaller one for what sells
    anyway. Equal similarities go to the smaller item.

    Args:
        history: who took what, how much interest that showed, and when last.
        n_items: size of the catalogue.
        n_neighbours: columns of the result, padded with -1 and 0.
        shrink: see above.
        popularity_power: see above.
        half_life_days: of the recency of the neighbour, as seen from `now_us`.
        now_us: the end of the data.
        min_users: items that fewer users took are left out on both sides.

    Cost: the sum over users of the square of their number of items; at most about 300 MB.
    Source: Aiolli 2013, asymmetric cosine; the recency is ours.
    """
    interest = np.minimum(history.counts, np.float32(1))
    taken = _by_user(history, n_items, interest, min_users)
    recency = recency_weights(history.last_ts, now_us=now_us, half_life_days=half_life_days)
    lately = _by_user(history, n_items, interest * recency, min_users)
    by_item = taken.T.tocsr()
    squares = taken.data.astype(np.float64) ** 2
    sizes = np.bincount(taken.indices, weights=squares, minlength=n_items)
    as_seed, as_neighbour = sizes ** (1 - popularity_power), sizes**popularity_power
    items = np.full((n_items, n_neighbours), NO_ITEM, dtype=np.int32)
    sims = np.zeros((n_items, n_neighbours), dtype=np.float32)
    with track("item_knn", n_items, unit="items") as task:
        for start, stop in _blocks(by_item, taken):
            pairs = (by_item[start:stop] @ lately).tocsr()
            seeds = np.repeat(np.arange(start, stop), np.diff(pairs.indptr))
            near = pairs.data / (as_seed[seeds] * as_neighbour[pairs.indices] + shrink)
            near[pairs.indices == seeds] = 0.0
            for row in range(stop - start):
                part = slice(pairs.indptr[row], pairs.indptr[row + 1])
                best = _nearest(pairs.indices[part], near[part], n_neighbours)
                items[start + row, : len(best)] = pairs.indices[part][best]
                sims[start + row, : len(best)] = near[part][best]
            task.advance(stop - start)
    return items, sims


def _by_user(
    history: History, n_items: int, weights: NDArray[np.float32], min_users: int
) -> sparse.csr_array:
    """Return the users x items matrix of the weights, without the items of too few users."""
    n_takers = np.bincount(history.items, minlength=n_items)
    kept = n_takers[history.items] >= min_users
    # How many kept entries lie before each user's first one.
    indptr = np.concatenate([[0], np.cumsum(kept)])[history.indptr]
    return sparse.csr_array(
        (weights[kept], history.items[kept], indptr), shape=(history.n_users, n_items)
    )


def _blocks(by_item: sparse.csr_array, by_user: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Yield ranges of items whose pairs fit into one block, by an upper bound of their number."""
    n_items = by_item.shape[0]
    lengths = np.diff(by_user.indptr)
    sizes = np.zeros(n_items, dtype=np.int64)
    np.add.at(sizes, by_user.indices, np.repeat(lengths, lengths))
    sizes = np.minimum(sizes, n_items)
    ends = np.cumsum(sizes)
    start = 0
    while start < n_items:
        done = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, done + MAX_BLOCK_PAIRS, side="right"))
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def _nearest(
    items: NDArray[np.int32], near: NDArray[np.float64], n_neighbours: int
) -> NDArray[np.int64]:
    """Return the places of the nearest items, best first; ties go to the smaller item."""
    places = np.flatnonzero(near > 0)
    if len(places) > n_neighbours:
        threshold = np.partition(near[places], len(places) - n_neighbours)[-n_neighbours]
        places = places[near[places] >= threshold]
    return places[np.lexsort((items[places], -near[places]))][:n_neighbours]
