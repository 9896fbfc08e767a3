"""The array types that rooms pass to each other, and the one rule for ranking ties.

Text ids live outside; dense int32 indices live inside. Conversion happens in `ingest/ids.py`
and at the two edges of serving, nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.schema.selection import best_columns

UserId: TypeAlias = str
ItemId: TypeAlias = str
UserIdx: TypeAlias = NDArray[np.int32]
ItemIdx: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.float32]
Timestamps: TypeAlias = NDArray[np.int64]  # UTC, microseconds

NO_ITEM = -1
"""Pads short rows of a `TopK`; its score is -inf."""

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
    best = best_columns(scores, k)
    return TopK(best.columns, best.scores)
