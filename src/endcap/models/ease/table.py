"""The table of EASE, dense or sparse: its rows, and its arrays for a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Table: TypeAlias = NDArray[np.float32] | sparse.csr_array
"""What having the item of a row says for that of a column: dense where it was solved whole."""

_SPARSE = ("data", "indices", "indptr")


def dense(table: Table) -> NDArray[np.float32]:
    """Return a table, or a product with it, with its zeros."""
    return table if isinstance(table, np.ndarray) else np.asarray(table.toarray())


def dense_rows(table: Table, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return some rows of the table with their zeros, shape (n_rows, n_items)."""
    return dense(table[rows])


def arrays_of(table: Table) -> dict[str, NDArray[Any]]:
    """Return the table as arrays by name; `table_of` reads them."""
    if isinstance(table, np.ndarray):
        return {"table": table}
    return {f"table.{name}": getattr(table, name) for name in _SPARSE}


def table_of(arrays: Mapping[str, NDArray[Any]], *, n_items: int) -> Table:
    """Return the table among saved arrays."""
    if "table" in arrays:
        return arrays["table"]
    parts = tuple(arrays[f"table.{name}"] for name in _SPARSE)
    return sparse.csr_array(parts, shape=(n_items, n_items))
