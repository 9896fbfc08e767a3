"""The rows of one machine: a SQLite file, synced to disk before a write returns.

Rows are JSON under text keys. Not for several servers: those share a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

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
from endcap.stores._sqlite import open_database, sqlite_errors, transaction
from endcap.stores.urls import file_of

APPLICATION_ID = 0x4543524F  # "ECRO"

# Text compares by its UTF-8 bytes, which is the order of Python's strings.
_SCHEMA = """
CREATE TABLE records (
    table_name TEXT NOT NULL,
    key TEXT NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (table_name, key)
)
"""
_GET = "SELECT row FROM records WHERE table_name = ? AND key = ?"
_PUT = """
INSERT INTO records (table_name, key, row) VALUES (?, ?, ?)
ON CONFLICT (table_name, key) DO UPDATE SET row = excluded.row
"""
_PAGE = "SELECT key, row FROM records WHERE table_name = ? AND key > ? ORDER BY key LIMIT ?"
_DELETE = "DELETE FROM records WHERE table_name = ? AND key = ?"

_T = TypeVar("_T")


class SqliteStore:
    """A `Store` in one SQLite file; one thread of its own does all the work, in order.

    Args:
        path: the file; it and its folders are created when absent.
        busy_timeout_s: how long a write waits for another process that writes.

    Raises:
        StoreError: the path is a folder, no database, damaged, or not writable.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        self._path = path.absolute()
        self._connection = open_database(
            self._path,
            schema=_SCHEMA,
            application_id=APPLICATION_ID,
            busy_timeout_s=busy_timeout_s,
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="endcap-rows")
        self._is_closed = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of a URL such as `sqlite:///./var/rows.db`."""
        return cls(file_of(url))

    async def get_many(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows under the keys, in their order; None where there is none."""
        check_text("table", [table])
        check_text("key", keys)
        wanted = [(table, key) for key in keys]
        return await self._run(lambda: self._get(wanted))

    async def put_many(self, table: str, rows: Mapping[str, Row]) -> None:
        """Write the rows in one transaction, on disk when this returns; or raise, and none is.

        Raises:
            StoreError: a row cannot be kept as JSON, locked, disk full, damaged, or closed.
        """
        check_text("table", [table])
        records = [(table, key, data) for key, data in encode_rows(rows).items()]
        await self._run(lambda: self._write(_PUT, records))

    async def page(
        self, table: str, *, token: str | None = None, limit: int = 1000
    ) -> tuple[list[tuple[str, Row]], str | None]:
        """Return the next rows in key order and the token that goes on; None at the end."""
        check_text("table", [table])
        check_limit(limit)
        after = decode_token(token)
        return await self._run(lambda: self._page(table, after, limit))

    async def delete_many(self, table: str, keys: Sequence[str]) -> None:
        """Remove the rows in one transaction; a missing one is no error."""
        check_text("table", [table])
        check_text("key", keys)
        records = [(table, key) for key in keys]
        await self._run(lambda: self._write(_DELETE, records))

    async def close(self) -> None:
        """Finish what was begun and release the file; calling twice is harmless."""
        self._is_closed = True
        await asyncio.to_thread(self._finish)

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._is_closed:
            raise StoreError("the store is closed", where=str(self._path))
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _finish(self) -> None:
        self._thread.shutdown(wait=True)
        with sqlite_errors(self._path):
            self._connection.close()

    def _get(self, wanted: Sequence[tuple[str, str]]) -> list[Row | None]:
        with sqlite_errors(self._path):
            self._connection.execute("BEGIN")  # one snapshot for all the keys
            try:
                found = [self._connection.execute(_GET, pair).fetchone() for pair in wanted]
            finally:
                self._connection.execute("COMMIT")
        return [None if row is None else decode_row(row[0]) for row in found]

    def _write(self, statement: str, records: Sequence[tuple[str | bytes, ...]]) -> None:
        if not records:
            return
        with sqlite_errors(self._path), transaction(self._connection):
            self._connection.executemany(statement, records)

    def _page(self, table: str, after: str, limit: int) -> tuple[list[tuple[str, Row]], str | None]:
        with sqlite_errors(self._path):
            # One more than asked for tells whether there is a next page.
            found = self._connection.execute(_PAGE, (table, after, limit + 1)).fetchall()
        page: list[tuple[str, Row]] = [(key, decode_row(row)) for key, row in found[:limit]]
        return page, encode_token(page[-1][0]) if len(found) > limit else None
