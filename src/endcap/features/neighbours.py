"""Scores of all items from the nearest neighbours of a few, for training and serving alike.

How neighbours are found is `models/neighbours/item_knn.py`'s affair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, UserHistory, seed_weights
from endcap.features.visits import visits_after
from endcap.schema.types import ItemIdx, Scores


def neighbour_seed_weights(
    row: UserHistory | History, *, now_us: int, half_life_days: float, visit_power: float
) -> NDArray[np.float32]:
    """Return how much each item of a history says for its neighbours, float32, shape (nnz,).

    It is `seed_weights` / (1 + visits after it) ** visit_power: age by the calendar, which tells
    last week from last year, and by the user's own pace, which tells the last visit from the one
    before it wherever people come rarely. Only ratios within a user matter for a ranking.

    Args:
        row: one user's history, or those of all.
        now_us: from when ages are counted, in microseconds.
        half_life_days: of an item by the calendar.
        visit_power: how fast it fades from visit to visit; 0 by the calendar alone.
    """
    weights = seed_weights(row, now_us=now_us, half_life_days=half_life_days)
    if visit_power == 0:
        return weights
    pace = np.power(1.0 + visits_after(row), -visit_power)
    return np.asarray(weights * pace, dtype=np.float32)


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
        seed_weights: how much each says, shape (n_seeds,), e.g. `neighbour_seed_weights`.
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
