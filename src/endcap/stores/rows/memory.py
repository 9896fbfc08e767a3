"""Rows that end with the process: for tests, and the reference for the other back ends.

Nothing is durable here. Rows pass through JSON as elsewhere, so a test sees what a file would give.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Self

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Row
from endcap.stores._codec import (
    check_limit,
    check_text,
    decode_row,
    decode_token,
    encode_rows,
    encode_token,
)
from endcap.stores.urls import check_bare


class MemoryStore:
    """A `Store` in dictionaries."""

    def __init__(self) -> None:
        self._tables: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._is_closed = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a new, empty store; every `memory://` is another one."""
        check_bare(url)
        return cls()

    async def get_many(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows under the keys, in their order; None where there is none."""
        rows = self._open_table(table)
        check_text("key", keys)
        return [decode_row(rows[key]) if key in rows else None for key in keys]

    async def put_many(self, table: str, rows: Mapping[str, Row]) -> None:
        """Keep all the rows, or raise and keep none; an existing row is replaced.

        Raises:
            StoreError: a row cannot be kept as JSON, or the store is closed.
        """
        self._open_table(table).update(encode_rows(rows))

    async def page(
        self, table: str, *, token: str | None = None, limit: int = 1000
    ) -> tuple[list[tuple[str, Row]], str | None]:
        """Return the next rows in key order and the token that goes on; None at the end."""
        check_limit(limit)
        after = decode_token(token)
        rows = self._open_table(table)
        keys = sorted(key for key in rows if key > after)
        page: list[tuple[str, Row]] = [(key, decode_row(rows[key])) for key in keys[:limit]]
        return page, encode_token(page[-1][0]) if len(keys) > limit else None

    async def delete_many(self, table: str, keys: Sequence[str]) -> None:
        """Remove the rows; a missing one is no error."""
        rows = self._open_table(table)
        check_text("key", keys)
        for key in keys:
            rows.pop(key, None)

    async def close(self) -> None:
        """Forget the rows; calling twice is harmless."""
        self._is_closed = True
        self._tables.clear()

    def _open_table(self, table: str) -> dict[str, bytes]:
        if self._is_closed:
            raise StoreError("the store is closed", where="memory://")
        check_text("table", [table])
        return self._tables[table]
