"""Dense indices for the text ids of users and items, and back: the only place that converts.

Indices follow the first arrival, so that an index never changes when more rows are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill
from endcap.schema.errors import DataError
from endcap.schema.types import ItemIdx, UserIdx

NUMBER_USERS = """
    WITH arrivals AS (SELECT user_id, min(position) AS first FROM $rows GROUP BY user_id)
    SELECT user_idx, user_id FROM $known
    UNION ALL
    SELECT $n_known + row_number() OVER (ORDER BY first) - 1 AS user_idx, user_id
    FROM arrivals ANTI JOIN $known USING (user_id)
"""

# First what the catalogue lists, in its order, then what only the rows name.
NUMBER_ITEMS = """
    WITH arrivals AS (SELECT item_id, min(position) AS first FROM $rows GROUP BY item_id),
    found AS (
        SELECT item_id, 0 AS part, line AS place FROM catalogue $listed
        UNION ALL
        SELECT item_id, 1 AS part, first AS place
        FROM arrivals ANTI JOIN catalogue USING (item_id)
    )
    SELECT item_idx, item_id FROM $known
    UNION ALL
    SELECT $n_known + row_number() OVER (ORDER BY part, place) - 1 AS item_idx, item_id
    FROM found ANTI JOIN $known USING (item_id)
"""
INDEXED = """
    SELECT position, user_idx, item_idx, kind, value, price, ts
    FROM $rows JOIN user_ids USING (user_id) JOIN item_ids USING (item_id)
"""
NOBODY = {"user_idx": ("BIGINT", ()), "user_id": ("VARCHAR", ())}
NOTHING = {"item_idx": ("BIGINT", ()), "item_id": ("VARCHAR", ())}


def index_ids(
    compute: Compute, rows: str, *, whole_catalogue: bool, n_users: int = 0, n_items: int = 0
) -> None:
    """Make the tables `user_ids`, `item_ids` and `indexed`, which is `rows` by index.

    Args:
        compute: holds `rows`, the table `catalogue`, and `known_users` and `known_items` when
            some are numbered already.
        rows: a table of rows by id.
        whole_catalogue: whether items that nobody touched get an index too.
        n_users: how many users are numbered already.
        n_items: how many items are.
    """
    if not n_users:
        compute.put("known_users", NOBODY)
    if not n_items:
        compute.put("known_items", NOTHING)
    users = fill(NUMBER_USERS, rows=rows, known="known_users", n_known=str(n_users))
    compute.make("user_ids", users)
    listed = "" if whole_catalogue else "SEMI JOIN arrivals USING (item_id)"
    items = fill(NUMBER_ITEMS, rows=rows, known="known_items", n_known=str(n_items), listed=listed)
    compute.make("item_ids", items)
    compute.make("indexed", fill(INDEXED, rows=rows))


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
