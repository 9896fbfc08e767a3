"""Rank items by the neighbours of those that a visitor has had or looked at.

The sum over neighbours itself is `features/neighbours.py`, the same for training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.neighbours import score_neighbours
from endcap.schema.types import NO_ITEM, ItemIdx, TopK, top_k


class NeighbourScorer:
    """Item-kNN over precomputed neighbours.

    Args:
        neighbour_items: shape (n_items, n_neighbours), best first, -1 padded.
        neighbour_sims: how near they are; the same shape.
        is_available: shape (n_items,); what is not available is never ranked.
    """

    def __init__(
        self,
        neighbour_items: NDArray[np.int32],
        neighbour_sims: NDArray[np.float32],
        *,
        is_available: NDArray[np.bool_],
    ) -> None:
        self._items, self._sims = neighbour_items, neighbour_sims
        self._unavailable = np.flatnonzero(~is_available)
        self._is_available = is_available

    def rank(
        self,
        seed_items: ItemIdx,
        seed_weights: NDArray[np.float32],
        k: int,
        *,
        exclude: ItemIdx | None = None,
    ) -> TopK:
        """Return the k items nearest to all the seeds together, one padded row.

        Args:
            seed_items: shape (n_seeds,).
            seed_weights: how much each seed says, shape (n_seeds,).
            k: list length.
            exclude: items that are not wanted; the seeds themselves are, unless named here.

        Cost: O(n_seeds * n_neighbours + n_items).
        """
        n_items = len(self._items)
        scores = score_neighbours(seed_items, seed_weights, self._items, self._sims, n_items)
        scores[self._unavailable] = 0.0
        if exclude is not None:
            scores[exclude] = 0.0
        known = np.flatnonzero(scores > 0).astype(np.int32)
        best = top_k(scores[known][np.newaxis], k)
        items = np.full_like(best.items, NO_ITEM)
        found = best.items != NO_ITEM
        items[found] = known[best.items[found]]
        return TopK(items, best.scores)

    def n_neighbours(self, items: ItemIdx, *, exclude: ItemIdx) -> NDArray[np.int64]:
        """Return how many neighbours of each item could be shown, those of `exclude` left out."""
        is_wanted = self._is_available.copy()
        is_wanted[exclude] = False
        near = self._items[items]
        n_near: NDArray[np.int64] = np.count_nonzero((near != NO_ITEM) & is_wanted[near], axis=1)
        return n_near

    def strongest_seeds(
        self, items: ItemIdx, seed_items: ItemIdx, seed_weights: NDArray[np.float32]
    ) -> ItemIdx:
        """Return for each item the seed that speaks loudest for it, shape (n,); -1 if none does.

        Cost: O(n * n_seeds * n_neighbours), so ask for a shelf's items only.
        """
        result = np.full(len(items), NO_ITEM, dtype=np.int32)
        if len(seed_items) == 0:
            return result
        near, sims = self._items[seed_items], self._sims[seed_items]
        for row, item in enumerate(items.tolist()):
            seeds, places = np.nonzero(near == item)
            if len(seeds):
                said = sims[seeds, places] * seed_weights[seeds]
                result[row] = seed_items[seeds[int(said.argmax())]]
        return result

    def nearness(self, items: ItemIdx, *, n_nearest: int = 10) -> NDArray[np.float64]:
        """Return the mean similarity of each item's nearest neighbours, shape (n,)."""
        means: NDArray[np.float64] = np.mean(
            self._sims[items, :n_nearest], axis=1, dtype=np.float64
        )
        return means
