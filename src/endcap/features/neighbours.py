"""Scores of all items from the nearest neighbours of a few, for training and serving alike.

How neighbours are found is `models/item_knn.py`'s affair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import ItemIdx, Scores


def score_neighbours(
    seed_items: ItemIdx,
    seed_weights: NDArray[np.float32],
    neighbour_items: NDArray[np.int32],
    neighbour_sims: NDArray[np.float32],
    n_items: int,
) -> Scores:
    """Return the similarity of every item to the seeds, weighted and summed; shape (n_items,).

    Args:
        seed_items: items the user has had, shape (n_seeds,).
        seed_weights: how much each says, shape (n_seeds,), e.g. `features.history.seed_weights`.
        neighbour_items: the neighbours of each item, shape (n_items, n_neighbours), -1 padded.
        neighbour_sims: how near they are; the same shape.
        n_items: length of the result.

    Cost: O(n_seeds * n_neighbours + n_items).
    """
    neighbours = neighbour_items[seed_items]
    amounts = neighbour_sims[seed_items] * seed_weights[:, np.newaxis]
    known = neighbours >= 0
    # bincount adds in float64 and in order, so a user scores the same alone and in a batch.
    total = np.bincount(neighbours[known], weights=amounts[known], minlength=n_items)
    return total.astype(np.float32)
