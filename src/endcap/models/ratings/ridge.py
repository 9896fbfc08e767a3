"""Many small ridge regressions over shared vectors: one half-sweep of alternating least squares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_BLOCK_CELLS = 1 << 21  # of gathered vectors at once: 8 MB


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Observations grouped by row; a (row, column) that was observed twice stands twice.

    indptr: int64, shape (n_rows + 1,); row r owns the entries indptr[r]:indptr[r + 1].
    columns: int32, shape (n,).
    values: float32, shape (n,).
    order: which of the given observations each entry is, shape (n,).
    """

    indptr: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many observations each row has, shape (n_rows,)."""
        return np.diff(self.indptr)


def sparse_rows(
    rows: NDArray[np.int32], columns: NDArray[np.int32], values: NDArray[np.float32], *, n_rows: int
) -> SparseRows:
    """Return the observations (row, column, value) grouped by row, in the order they came."""
    order = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return SparseRows(indptr.astype(np.int64), columns[order], values[order], order)


def solve_ridge(
    rows: SparseRows,
    values: NDArray[np.float32],
    vectors: Vectors,
    *,
    penalties: NDArray[np.float32],
) -> Vectors:
    """Return for each row the x that minimises |A x - b|^2 + penalty |x|^2, shape (n_rows, d).

    A are the vectors of the row's columns and b its values; zeros for a row without observations.

    Args:
        rows: which columns each row observed.
        values: what it observed, in the order of `rows.columns`, shape (n,).
        vectors: of every column, shape (n_columns, d).
        penalties: of each row, above 0 where it has observations, shape (n_rows,).

    Cost: for a row of n observations n^2 d where n <= d, by the system of its observations
    (A A' + penalty) y = b, x = A' y; else n d^2. Call it with one BLAS thread: the systems are
    small.
    """
    solved = np.zeros((len(rows), vectors.shape[1]), dtype=np.float32)
    for chosen, places in _blocks(rows, d=vectors.shape[1]):
        block = vectors[rows.columns[places]]
        solved[chosen] = _solve(block, values[places], penalties[chosen])
    return solved


def _blocks(rows: SparseRows, *, d: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows of equal length with the places of their entries, shape (n_chosen, length)."""
    order = np.argsort(rows.lengths, kind="stable")
    ordered = rows.lengths[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        length = int(ordered[start])
        if length == 0:
            continue
        n_at_once = max(1, _BLOCK_CELLS // (length * d))
        for begin in range(start, end, n_at_once):
            chosen = order[begin : min(begin + n_at_once, end)]
            yield chosen, rows.indptr[chosen][:, None] + np.arange(length)


def _solve(
    block: NDArray[np.float32], values: NDArray[np.float32], penalties: NDArray[np.float32]
) -> Vectors:
    transposed = block.transpose(0, 2, 1)
    length, d = block.shape[1:]
    ridge = penalties[:, None, None]
    if length <= d:
        system = block @ transposed + ridge * np.eye(length, dtype=np.float32)
        return (transposed @ np.linalg.solve(system, values[:, :, None]))[:, :, 0]
    system = transposed @ block + ridge * np.eye(d, dtype=np.float32)
    solved: Vectors = np.linalg.solve(system, transposed @ values[:, :, None])[:, :, 0]
    return solved
