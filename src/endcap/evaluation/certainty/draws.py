"""Users drawn with replacement, again and again, and the means over whom was drawn.

What the means say of a model is in `bootstrap.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_BLOCK_CELLS = 1 << 19  # of drawn users at once: 4 MB, stays in the cache
_CALM_CELLS = (1 << 18) - 1  # multiplications; OpenBLAS wakes threads for more

Columns: TypeAlias = NDArray[np.float64]
"""One row a user (or a replicate), one column a quantity; NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Whom each replicate draws; drawn anew whenever it is asked, so that nothing is kept."""

    n_users: int
    n_replicates: int
    seed: int

    def means(self, values: Sequence[Columns]) -> list[Columns]:
        """Return the column means over the drawn users, each shape (n_replicates, n_columns).

        All see the same users, so differences of columns are paired. A mean is over those of the
        drawn users for whom it is defined, and NaN where it is for none of them.

        Args:
            values: each of shape (n_users, n_columns).

        Cost: n_replicates * n_users draws, and a matrix product of them with each of the values;
        22,363 users, 1,000 replicates and 120 columns take about a second.
        """
        parts = [_Defined.of(columns) for columns in values]
        means = [np.full((self.n_replicates, part.n_columns), np.nan) for part in parts]
        if self.n_users == 0:
            return means
        for start, counts in self._counts():
            for part, found in zip(parts, means, strict=True):
                found[start : start + len(counts)] = part.means(counts)
        return means

    def _counts(self) -> Iterator[tuple[int, Columns]]:
        """Yield blocks of replicates: the first, and how often each draws each user."""
        rng, n_users = np.random.default_rng(self.seed), self.n_users
        block = max(1, _BLOCK_CELLS // n_users)
        for start in range(0, self.n_replicates, block):
            counts = np.empty((min(block, self.n_replicates - start), n_users))
            for row in counts:
                row[:] = np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)
            yield start, counts


@dataclass(frozen=True, slots=True)
class _Defined:
    """Columns with 0 for what is not defined, and who has it: one mask for all that share it."""

    filled: Columns
    masks: Columns
    mask_of: NDArray[np.intp]

    @staticmethod
    def of(values: Columns) -> _Defined:
        missing = np.isnan(values)
        if not missing.any():
            return _Defined(values, np.empty((len(values), 0)), np.empty(0, dtype=np.intp))
        masks, mask_of = np.unique(~missing, axis=1, return_inverse=True)
        return _Defined(np.where(missing, 0.0, values), masks.astype(np.float64), mask_of)

    @property
    def n_columns(self) -> int:
        return int(self.filled.shape[1])

    def means(self, counts: Columns) -> Columns:
        totals = calm_product(counts, self.filled)
        if self.masks.shape[1] == 0:
            return totals / len(self.filled)
        n_drawn = calm_product(counts, self.masks)[:, self.mask_of]
        return np.divide(totals, n_drawn, out=np.full_like(totals, np.nan), where=n_drawn > 0)


def draws_from(rng: np.random.Generator, *, n_users: int, n_replicates: int) -> Draws:
    """Return draws that follow from the next number of the generator."""
    return Draws(n_users, n_replicates, seed=int(rng.integers(2**63)))


def calm_product(rows: Columns, values: Columns) -> Columns:
    """Return `rows @ values`, in slices too small for the linear algebra library to wake threads.

    On a busy machine its threads wait for each other, and a product takes 200 times as long.

    Args:
        rows: shape (n_rows, n_users).
        values: shape (n_users, n_columns).
    """
    total = np.zeros((len(rows), values.shape[1]))
    n_at_once = max(1, _CALM_CELLS // max(total.size, 1))
    for start in range(0, len(values), n_at_once):
        users = slice(start, start + n_at_once)
        total += rows[:, users] @ values[users]
    return total
