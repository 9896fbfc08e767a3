"""Dense indices for the text ids of users and items, and back: the only place that converts.

Indices follow the order of the ids as text, so the same ids always get the same indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from duckdb import DuckDBPyConnection

from endcap.ingest.engine import fill
from endcap.schema.errors import DataError
from endcap.schema.types import ItemIdx, UserIdx

INDEX_USERS = """
    CREATE TABLE users AS
    SELECT CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user_idx, user_id
    FROM (SELECT DISTINCT user_id FROM kept)
"""

INDEX_ITEMS = """
    CREATE TABLE items AS
    SELECT
        CAST(row_number() OVER (ORDER BY item_id) - 1 AS INTEGER) AS item_idx,
        item_id, name, department, category, brand, price, currency, image_url, is_available
    FROM catalogue
    WHERE $whole OR item_id IN (SELECT item_id FROM kept)
"""


def index_ids(db: DuckDBPyConnection, *, whole_catalogue: bool) -> None:
    """Make the tables `users` and `items` from `kept` and `catalogue`.

    Args:
        db: holds them; every item of `kept` stands in `catalogue`.
        whole_catalogue: whether items that nobody touched get an index too.
    """
    db.execute(INDEX_USERS)
    db.execute(fill(INDEX_ITEMS, whole=str(whole_catalogue).lower()))


class IdMap:
    """The two-way map between text ids and dense indices 0 .. n - 1."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        self._index = {text: index for index, text in enumerate(self.ids)}
        if len(self._index) != len(self.ids):
            raise DataError("an id occurs twice", where="id map")

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, ids: Iterable[str]) -> UserIdx | ItemIdx:
        """Return the index of each id, int32; -1 for an unknown one."""
        return np.fromiter((self._index.get(text, -1) for text in ids), dtype=np.int32)

    def decode(self, indices: UserIdx | ItemIdx) -> list[str]:
        """Return the id of each index.

        Raises:
            IndexError: an index is not one of 0 .. n - 1.
        """
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self.ids)):
            raise IndexError(f"an index is not one of 0 .. {len(self.ids) - 1}")
        return [self.ids[index] for index in indices.tolist()]
