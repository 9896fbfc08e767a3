"""The equations of EASE solved whole: one dense matrix is inverted.

For catalogues whose square fits into memory; `near.py` is for the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from endcap.models.ease.equations import Equations
from endcap.schema.errors import SettingsError

BLOCK_ROWS = 256  # of the table, worked on at a time


def solve_whole(equations: Equations, *, reg: float) -> NDArray[np.float32]:
    """Return what having one item says for another, float32, shape (n_items, n_items).

    With P = (left + reg I)^-1 the table, zero on its diagonal, is

        B = P right - P diag(diag(P right) / diag(P)),

    which is I - P diag(1 / diag(P)) where right is left.

    Args:
        equations: what is regressed on what.
        reg: weight of the squared size of the table, > 0.

    Raises:
        SettingsError: left + reg I is not positive definite once rounded to float32.

    Cost: n_items ** 3 multiplications; 4 * n_items ** 2 bytes where right is left, in which
    everything is worked out in place, else twice that and n_items products an entry of right.
    Source: Steck 2019, equation 8; Choi et al. 2021, equation 9.
    """
    inverse = _inverse(equations.left, reg)
    if not len(inverse):
        return inverse
    if equations.right is not equations.left:
        return _explained(inverse, equations.right)
    inverse /= -inverse.diagonal()
    np.fill_diagonal(inverse, 0)
    return inverse


def _explained(inverse: NDArray[np.float32], right: sparse.csr_array) -> NDArray[np.float32]:
    """Return the table of the right side, a block of its columns at a time."""
    turned = right.T.tocsr()
    table = np.empty_like(inverse)
    own = inverse.diagonal()
    for start in range(0, len(inverse), BLOCK_ROWS):
        chosen = np.arange(start, min(start + BLOCK_ROWS, len(inverse)))
        rows = np.asarray(turned[chosen] @ inverse)  # the inverse is symmetric
        excess = rows[np.arange(len(chosen)), chosen] / own[chosen]
        rows -= excess[:, np.newaxis] * inverse[chosen]
        table[:, chosen] = rows.T
    np.fill_diagonal(table, 0)
    return table


def _inverse(left: sparse.csr_array, reg: float) -> NDArray[np.float32]:
    inverse = _dense(left)
    inverse[np.diag_indices_from(inverse)] += np.float32(reg)
    if not len(inverse):
        return inverse
    # Of a symmetric matrix LAPACK reads and writes one triangle; by its order of memory, ours is
    # the upper one.
    factor, failed = lapack.spotrf(inverse.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise SettingsError(
            f"the items cannot be told apart with a reg of {reg:g}",
            where="EASEConfig.reg",
            mend="Choose a larger one",
        )
    triangle, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = np.asarray(triangle.T, dtype=np.float32)
    _mirror(inverse)
    return inverse


def _dense(table: sparse.csr_array) -> NDArray[np.float32]:
    """Return the table with its zeros, a block of rows at a time."""
    dense = np.empty(table.shape, dtype=np.float32)
    for start in range(0, len(dense), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        dense[rows] = table[rows].toarray()
    return dense


def _mirror(table: NDArray[np.float32]) -> None:
    """Write the upper triangle into the lower one, a block of rows at a time."""
    for start in range(0, len(table), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        table[rows, :start] = table[:start, rows].T
        block = table[rows, rows]
        block[:] = np.triu(block) + np.triu(block, 1).T
