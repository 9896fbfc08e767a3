"""The event log of one machine: a SQLite file, synced to disk before an append returns.

Any number of processes may read it while one appends. Not for several servers: those share a
broker.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Offset
from endcap.stores._codec import check_events, check_text, decode_offset
from endcap.stores._sqlite import open_database, open_reader, sqlite_errors, transaction
from endcap.stores.urls import file_of

APPLICATION_ID = 0x45434556  # "ECEV"
MAX_EVENT_BYTES = 64 * 1024 * 1024
MAX_GROUP_APPENDS = 1_000
MAX_PAGE_EVENTS = 1_000
MAX_PAGE_BYTES = 4 * 1024 * 1024

# AUTOINCREMENT: a number once given is never given again, even if the newest rows are deleted.
_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    data BLOB NOT NULL
)
"""
_INSERT = "INSERT INTO events (key, data) VALUES (?, ?)"
_MAX_ROWS_PER_INSERT = 400  # two parameters a row, below the 999 of the oldest SQLite builds
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_PAGE = "SELECT seq, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"


@dataclass(frozen=True, slots=True)
class _Append:
    key: str
    events: tuple[bytes, ...]
    done: asyncio.Future[None]


class SqliteEventLog:
    """An `EventLog` in one SQLite file, with group commit.

    One thread writes. While it waits for the disk, appends queue up; it then commits all of them
    in one transaction. So one append costs one fsync, and a thousand at once cost a few.

    Args:
        path: the file; it and its folders are created when absent.
        busy_timeout_s: how long an append waits for another process that writes.

    Raises:
        StoreError: the path is a folder, no database, damaged, or not writable.

    Attributes:
        n_commits: transactions so far; fewer than appends when group commit works.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        self.n_commits = 0
        self._path = path.absolute()
        self._busy_timeout_s = busy_timeout_s
        self._connection = open_database(
            self._path,
            schema=_SCHEMA,
            application_id=APPLICATION_ID,
            busy_timeout_s=busy_timeout_s,
        )
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # nothing is queued behind the None that ends the writer
        self._is_closed = False
        self._writer: threading.Thread | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the log of a URL such as `sqlite:///./var/events.db`."""
        return cls(file_of(url))

    async def append(self, events: Sequence[bytes], *, key: str) -> None:
        """Return once all the events are on disk, in order; or raise, and none is acknowledged.

        A caller that is cancelled while it waits does not know: the events may be kept.

        Raises:
            StoreError: locked by another process, disk full, damaged, closed, or no bytes.
        """
        check_text("key", [key])
        batch = tuple(events)
        check_events(batch)
        # Refused before it is queued, so that it cannot spoil the group it would be part of.
        if any(len(event) > MAX_EVENT_BYTES for event in batch):
            raise StoreError(f"an event is larger than {MAX_EVENT_BYTES} bytes")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._check_open()
            if not batch:
                return
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._write_groups, name="endcap-event-log", daemon=True
                )
                self._writer.start()
            self._queue.put(_Append(key, batch, done))
        await done

    async def read(self, *, after: Offset | None = None) -> AsyncIterator[tuple[Offset, bytes]]:
        """Yield what is in the log now, from after the offset (or the start) to the end.

        Appends that come meanwhile are left for the next read, so this ends. Holds one page in
        memory, at most `MAX_PAGE_BYTES` and one event.

        Raises:
            StoreError: the offset is not of this log, or the log is damaged or closed.
        """
        end = await asyncio.to_thread(self._read_end)
        place = decode_offset(after, end=end)
        while place < end:
            page = await asyncio.to_thread(self._read_page, place, end)
            if not page:  # the rest was deleted by hand
                return
            for seq, data in page:
                yield str(seq), data
            place = page[-1][0]

    async def close(self) -> None:
        """Commit what is queued and release the file; calling twice is harmless."""
        with self._lock:
            if not self._is_closed and self._writer is not None:
                self._queue.put(None)
            self._is_closed = True
        await asyncio.to_thread(self._finish)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the event log is closed", where=str(self._path))

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.join()
        with sqlite_errors(self._path):
            self._connection.close()

    def _write_groups(self) -> None:
        group: list[_Append] = []
        while (first := self._queue.get()) is not None:
            group = [first]
            is_last = not self._take_waiting(group)
            # A caller that gave up before its turn was never promised anything.
            self._commit([append for append in group if not append.done.cancelled()])
            if is_last:
                return

    def _take_waiting(self, group: list[_Append]) -> bool:
        """Add to the group what waits in the queue; return whether more may come."""
        while len(group) < MAX_GROUP_APPENDS:
            try:
                append = self._queue.get_nowait()
            except queue.Empty:
                break
            if append is None:
                return False
            group.append(append)
        return True

    def _commit(self, group: Sequence[_Append]) -> None:
        if not group:
            return
        failure: Exception | None = None
        rows = [(append.key, event) for append in group for event in append.events]
        try:
            with sqlite_errors(self._path), transaction(self._connection):
                _insert(self._connection, rows)
            self.n_commits += 1
        except Exception as error:  # whatever it is, it goes to everybody who waits
            failure = error
        waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
        for append in group:
            waiting[append.done.get_loop()].append(append.done)
        for loop, futures in waiting.items():
            # An event loop that has ended has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, futures, failure)

    def _read_end(self) -> int:
        self._check_open()
        with sqlite_errors(self._path), closing(self._open_reader()) as reader:
            row = reader.execute(_LAST).fetchone()
        return 0 if row is None else int(row[0])

    def _read_page(self, place: int, end: int) -> list[tuple[int, bytes]]:
        # A connection a page: its lock ends with the page, however slowly the caller consumes.
        self._check_open()
        page: list[tuple[int, bytes]] = []
        n_bytes = 0
        with sqlite_errors(self._path), closing(self._open_reader()) as reader:
            for seq, data in reader.execute(_PAGE, (place, end, MAX_PAGE_EVENTS)):
                page.append((seq, data))
                n_bytes += len(data)
                if n_bytes >= MAX_PAGE_BYTES:
                    break
        return page

    def _open_reader(self) -> sqlite3.Connection:
        return open_reader(self._path, busy_timeout_s=self._busy_timeout_s)


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[str, bytes]]) -> None:
    # One statement for many rows: each statement gives up the interpreter lock, and getting it back
    # from a busy event loop may take milliseconds.
    for start in range(0, len(rows), _MAX_ROWS_PER_INSERT):
        chunk = rows[start : start + _MAX_ROWS_PER_INSERT]
        statement = _INSERT + ", (?, ?)" * (len(chunk) - 1)
        connection.execute(statement, [value for row in chunk for value in row])


def _settle(futures: Sequence[asyncio.Future[None]], failure: Exception | None) -> None:
    for future in futures:
        if future.done():  # cancelled while the disk was busy
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
