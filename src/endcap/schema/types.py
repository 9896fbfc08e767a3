"""The array types that rooms pass to each other, and the one rule for ranking ties.

Text ids live outside; dense int32 indices live inside. Conversion happens in `ingest/ids.py`
and at the two edges of serving, nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UserId: TypeAlias = str
ItemId: TypeAlias = str
UserIdx: TypeAlias = NDArray[np.int32]
ItemIdx: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.float32]
Timestamps: TypeAlias = NDArray[np.int64]  # UTC, microseconds

NO_ITEM = -1
"""Pads short rows of a `TopK`; its score is -inf."""

_BLOCK = 64

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


@dataclass(frozen=True, slots=True)
class TopK:
    """Ranked items with their scores, one row a query, best first.

    items: int32, shape (n_queries, k); `NO_ITEM` pads short rows.
    scores: float32, the same shape; -inf under the padding.
    """

    items: ItemIdx
    scores: Scores

    def __len__(self) -> int:
        return len(self.items)

    @property
    def k(self) -> int:
        """The length of each row, padding included."""
        return int(self.items.shape[1])


def top_k(scores: Scores, k: int) -> TopK:
    """Return the k best-scored columns of each row, best first.

    Equal scores go to the smaller index, so the result is deterministic; a score of -inf (or NaN)
    means "may not be shown" and never comes back. The array is not changed.

    Args:
        scores: shape (n_queries, n_items).
        k: list length, >= 1; rows are padded when fewer items qualify.

    Cost: O(n_items) a row for the selection, O(k log k) for the order.
    """
    n_queries, n_items = scores.shape
    items = np.full((n_queries, k), NO_ITEM, dtype=np.int32)
    best = np.full((n_queries, k), -np.inf, dtype=np.float32)
    depth = min(k, n_items)
    if depth == 0:
        return TopK(items, best)
    for row in range(n_queries):
        chosen = _best_columns(scores[row], depth)
        row_scores = scores[row, chosen]
        order = np.lexsort((chosen, -row_scores))
        items[row, : len(order)] = chosen[order]
        best[row, : len(order)] = row_scores[order]
    return TopK(items, best)


def _best_columns(scores: Scores, depth: int) -> NDArray[np.int64]:
    """Return the columns of the `depth` best scores, ascending; fewer when fewer qualify."""
    floor = _lower_bound(scores, depth)
    columns = np.flatnonzero(scores >= floor if floor > -np.inf else scores > -np.inf)
    if len(columns) <= depth:
        return columns
    pool = scores[columns]
    threshold = np.partition(pool, len(pool) - depth)[len(pool) - depth]
    above, tied = columns[pool > threshold], columns[pool == threshold]
    return np.sort(np.concatenate([above, tied[: depth - len(above)]]))


def _lower_bound(scores: Scores, depth: int) -> float:
    """Return a number that at least `depth` of the scores reach, often few more than that.

    Each of `depth` blocks has a score as large as the depth-th largest maximum of a block. It
    spares the selection most of the columns, and the many equal scores that would slow it down.
    """
    n_blocks = len(scores) // _BLOCK
    if n_blocks < depth:
        return float("-inf")
    maxima = scores[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).max(axis=1)
    maxima[np.isnan(maxima)] = -np.inf
    return float(np.partition(maxima, n_blocks - depth)[n_blocks - depth])
