"""What several models list for the same users, merged: the candidates of a blend.

Where each candidate ends up is decided by `blend/fusion.py` or by `ranker/trees.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK

NOT_LISTED = -1
"""The place of an item in a list that does not hold it."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The different items of the lists of some users, one row a user.

    items: int32, ascending within a row, `NO_ITEM` behind the last one, shape (n_users, width).
    places: in each list, 0 for the best, `NOT_LISTED` where it is not in it; int16, shape
        (n_lists, n_users, width).
    scores: those of each list, float32, NaN where it is not in it; the same shape.
    """

    items: ItemIdx
    places: NDArray[np.int16]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def is_real(self) -> NDArray[np.bool_]:
        """Whether each place of a row holds an item, shape (n_users, width)."""
        return np.asarray(self.items != NO_ITEM)

    @property
    def n_each(self) -> NDArray[np.int64]:
        """How many candidates each user has, shape (n_users,)."""
        return np.asarray(self.is_real.sum(axis=1))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """Return the candidates of some of the users."""
        return Candidates(self.items[rows], self.places[:, rows], self.scores[:, rows])

    def best(self, scores: Scores) -> TopK:
        """Return all candidates, best first; of equal scores the smaller item comes first.

        Args:
            scores: of each candidate, finite, shape (n_users, width).
        """
        ranked = np.where(self.is_real, scores, -np.inf).astype(np.float32)
        # Items ascend within a row, so that a stable sort leaves the smaller one first.
        order = np.argsort(-ranked, axis=1, kind="stable")
        return TopK(
            np.take_along_axis(self.items, order, axis=1),
            np.take_along_axis(ranked, order, axis=1),
        )


def merge_lists(lists: Sequence[TopK]) -> Candidates:
    """Return what the lists hold together, each item of a user once.

    Args:
        lists: one or more, of the same users, padded, without repeats, at most 32,767 long.

    Cost: one sort of all entries.
    """
    n_users, width = len(lists[0]), sum(some.k for some in lists)
    listed = np.concatenate([some.items for some in lists], axis=1)
    # Each entry as one number: its item, then where it stands in the lists side by side.
    keys = (listed.astype(np.int64) << 32) | np.arange(width)
    keys[listed == NO_ITEM] = np.iinfo(np.int64).max
    keys.sort(axis=1)
    items = np.where(keys == np.iinfo(np.int64).max, NO_ITEM, keys >> 32).astype(np.int32)
    is_first = items != NO_ITEM
    is_first[:, 1:] &= items[:, 1:] != items[:, :-1]
    column = np.cumsum(is_first, axis=1) - 1
    width = int(is_first.sum(axis=1).max(initial=0))
    merged = np.full((n_users, width), NO_ITEM, dtype=np.int32)
    row, entry = np.nonzero(items != NO_ITEM)
    column = column[row, entry]
    merged[row, column] = items[row, entry]
    source = (keys[row, entry] & 0xFFFFFFFF).astype(np.int64)
    places = np.full((len(lists), n_users, width), NOT_LISTED, dtype=np.int16)
    scores = np.full((len(lists), n_users, width), np.nan, dtype=np.float32)
    start = 0
    for number, some in enumerate(lists):
        own = (source >= start) & (source < start + some.k)
        place = source[own] - start
        places[number, row[own], column[own]] = place
        scores[number, row[own], column[own]] = some.scores[row[own], place]
        start += some.k
    return Candidates(merged, places, scores)
