"""The equations of EASE solved item by item, each among those alone that say most for it.

For catalogues of any size: what an item that nobody had beside another could say for it is little,
and the systems that are left are small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from endcap.models.ease.equations import Equations
from endcap.models.threads import one_blas_thread
from endcap.schema.errors import SettingsError
from endcap.telemetry import track


def solve_near(
    equations: Equations, *, reg: float, n_near: int, items: NDArray[np.int32] | None = None
) -> sparse.csr_array:
    """Return what having one item says for another, float32, shape (n_items, n_items), sparse.

    The column of an item is the exact solution among its neighbours: the `n_near` other items
    whose own regression alone would explain most of it, right ** 2 / (left of itself + reg). With
    as many neighbours as items it is the table of `whole.solve_whole`.

    Args:
        equations: what is regressed on what.
        reg: weight of the squared size of the table, > 0.
        n_near: how many neighbours may speak for an item, >= 1.
        items: whose columns are solved, ascending; the others stay empty. All when None.

    Raises:
        SettingsError: a system is not positive definite once rounded to float32.

    Cost: an item with n neighbours takes n ** 3 / 3 multiplications, and as long as the rows of
    the neighbours in `left`; memory is the result's: 8 bytes a neighbour.
    Source: Ning, Karypis 2011 (fsSLIM: SLIM among neighbours), with the closed form of Steck 2019.
    """
    n_items = equations.left.shape[0]
    chosen = np.arange(n_items, dtype=np.int32) if items is None else items
    problem = _problem(equations, reg=reg, n_near=n_near)
    rows, values = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.float32)]
    lengths = np.zeros(n_items, dtype=np.int64)
    with one_blas_thread(), track("ease", len(chosen), unit="items") as task:
        for item in chosen.tolist():
            near, says = problem.solve(item)
            rows.append(near)
            values.append(says)
            lengths[item] = len(near)
            task.advance()
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    columns = (np.concatenate(values), np.concatenate(rows), indptr)
    return sparse.csc_array(columns, shape=(n_items, n_items)).tocsr()


@dataclass(frozen=True, slots=True)
class _Problem:
    """All that the system of one item is cut out of.

    left: the common matrix; its rows are its columns.
    by_target: the right side of each item as a row.
    sizes: what is divided by in choosing neighbours, shape (n_items,).
    place_of: scratch: where an item stands among the neighbours, -1 for no neighbour.
    """

    left: sparse.csr_array
    by_target: sparse.csr_array
    sizes: NDArray[np.float32]
    place_of: NDArray[np.int32]
    reg: float
    n_near: int

    def solve(self, item: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the neighbours of an item, ascending, and what each says for it."""
        near, wanted = self._neighbours(item)
        if not len(near):
            return near, wanted
        # LAPACK's order of memory is of no matter: the system is symmetric.
        _, says, failed = lapack.sposv(self._system(near).T, wanted, lower=1, overwrite_a=1)
        if failed:
            raise SettingsError(
                f"the items cannot be told apart with a reg of {self.reg:g}",
                where="EASEConfig.reg",
                mend="Choose a larger one",
            )
        return near, np.asarray(says, dtype=np.float32)

    def _neighbours(self, item: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        part = slice(self.by_target.indptr[item], self.by_target.indptr[item + 1])
        near, wanted = self.by_target.indices[part], self.by_target.data[part]
        places = np.flatnonzero((near != item) & (wanted > 0))
        if len(places) > self.n_near:
            gain = wanted[places] ** 2 / self.sizes[near[places]]
            places = places[np.argpartition(-gain, self.n_near)[: self.n_near]]
        places = places[np.argsort(near[places])]
        return near[places].astype(np.int32), wanted[places]

    def _system(self, near: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the rows and columns of the neighbours, dense, with the regularisation."""
        n = len(near)
        starts = self.left.indptr[near]
        lengths = self.left.indptr[near + 1] - starts
        before = np.cumsum(lengths) - lengths
        entries = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        self.place_of[near] = np.arange(n, dtype=np.int32)
        columns = self.place_of[self.left.indices[entries]]
        self.place_of[near] = -1
        inside = np.flatnonzero(columns >= 0)
        system = np.zeros((n, n), dtype=np.float32)
        rows = np.repeat(np.arange(n), lengths)
        system[rows[inside], columns[inside]] = self.left.data[entries[inside]]
        system[np.diag_indices(n)] += np.float32(self.reg)
        return system


def _problem(equations: Equations, *, reg: float, n_near: int) -> _Problem:
    sizes = equations.left.diagonal().astype(np.float32) + np.float32(reg)
    place_of = np.full(len(sizes), -1, dtype=np.int32)
    by_target = equations.right.T.tocsr()
    return _Problem(equations.left, by_target, sizes, place_of, reg, n_near)
