"""Sets of (row, item) pairs as sorted int64 keys, so that membership is one binary search.

Not a history: no counts, no times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pairs:
    """A set of (row, item) pairs.

    keys: row * stride + item, sorted, distinct, shape (n_pairs,).
    stride: larger than every item in the set, and at least 1.
    """

    keys: NDArray[np.int64]
    stride: int

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each pair, ascending."""
        return self.keys // self.stride

    @property
    def items(self) -> NDArray[np.int64]:
        """The item of each pair, ascending within its row."""
        return self.keys % self.stride

    def of_rows(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs of some rows: the place of each in `rows`, and its item."""
        starts, ends = (
            np.searchsorted(self.keys, (rows.astype(np.int64) + more) * self.stride)
            for more in (0, 1)
        )
        n_each = ends - starts
        places = np.repeat(np.arange(len(rows)), n_each)
        within = np.arange(len(places)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
        return places, self.keys[starts[places] + within] % self.stride

    def contain(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of the pairs are in the set; the two arguments broadcast.

        A negative item, or one beyond the stride, is in no set.
        """
        possible = (items >= 0) & (items < self.stride)
        wanted = rows.astype(np.int64) * self.stride + np.where(possible, items, 0)
        if len(self.keys) == 0:
            return np.zeros(wanted.shape, dtype=np.bool_)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.asarray((self.keys[place] == wanted) & possible)


def pair_set(rows: NDArray[np.integer], items: NDArray[np.integer], *, stride: int) -> Pairs:
    """Return the distinct pairs of two arrays of equal length.

    Args:
        rows: shape (n,), >= 0.
        items: shape (n,), 0 <= item < stride.
        stride: usually the number of items.

    Cost: one sort, O(n log n).
    """
    keys = np.sort(rows.astype(np.int64) * stride + items)
    # Faster than np.unique, which hashes first.
    is_new = np.ones(len(keys), dtype=np.bool_)
    is_new[1:] = keys[1:] != keys[:-1]
    return Pairs(keys[is_new], max(stride, 1))
