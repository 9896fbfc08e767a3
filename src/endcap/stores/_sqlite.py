"""How both SQLite back ends open a file, commit, and explain what SQLite reports.

Every connection that writes is durable: WAL, and an fsync before a commit returns. Not for reading
foreign databases: a file with another content is refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endcap.schema.errors import StoreError

FORMAT = 1
"""Kept as `user_version`; a release reads every format up to its own."""

# Both SQLite stores may be killed at any instant, so a mend never asks for a repair of the log.
_CAUSES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "another process holds the database locked",
        "Stop the other process that writes to it, then try again",
    ),
    sqlite3.SQLITE_LOCKED: ("the database is locked", "Try again"),
    sqlite3.SQLITE_FULL: ("the disk is full, nothing was written", "Free some space and try again"),
    sqlite3.SQLITE_IOERR: (
        "the disk reported an error, nothing was written",
        "Check the disk, its free space and its quota, then try again",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the database is damaged",
        "Restore it from a copy, or move it away to start with an empty one",
    ),
    sqlite3.SQLITE_NOTADB: (
        "the file is not a SQLite database",
        "Name another file, or move this one away",
    ),
    sqlite3.SQLITE_READONLY: (
        "the database may not be written",
        "Give this user the right to write to the file and to its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened",
        "Check that its folder exists and that this user may read and write there",
    ),
}


def open_database(
    path: Path, *, schema: str, application_id: int, busy_timeout_s: float
) -> sqlite3.Connection:
    """Return a connection in autocommit mode, its tables made, its folders created.

    It may be used from any one thread at a time.

    Args:
        path: an absolute path.
        schema: one statement, run when the file is new.
        application_id: what marks the file as this kind of store; another one is refused.
        busy_timeout_s: how long a commit waits for another process before it fails.

    Raises:
        StoreError: the path is a folder, is no database, holds something else, or is not writable.
    """
    try:
        is_folder = path.is_dir()
        _make_folders(path.parent)
    except OSError as error:
        raise StoreError(
            f"the folder of the database cannot be created: {error.strerror}",
            where=str(path),
            mend="Create it, or name a place where this user may write",
        ) from error
    if is_folder:
        raise StoreError(
            "the database is a folder",
            where=str(path),
            mend=f"Name a file, for example {path / 'endcap.db'}",
        )
    with sqlite_errors(path):
        connection = sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
    try:
        with sqlite_errors(path):
            _prepare(connection, path, schema, application_id)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection that cannot write: it never checkpoints and never blocks the writer."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=busy_timeout_s, isolation_level=None
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one write transaction: durable when it ends, or nothing is written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # On a full disk SQLite may have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises in the block into a `StoreError` that says how to mend it."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the cause; the others tell where in SQLite it struck.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        what, mend = _CAUSES.get(code, ("SQLite failed", ""))
        raise StoreError(f"{what}: {error}", where=str(path), mend=mend) from error


def _prepare(connection: sqlite3.Connection, path: Path, schema: str, application_id: int) -> None:
    is_new = _check_content(connection, path, application_id)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"the file system allows no write-ahead log (journal mode {mode!r})",
            where=str(path),
            mend="Put the database on a local disk",
        )
    connection.execute("PRAGMA synchronous = FULL")
    # On macOS fsync alone leaves the data in the drive's cache; elsewhere this changes nothing.
    connection.execute("PRAGMA fullfsync = ON")
    if not is_new:
        return
    with transaction(connection):
        # Another process may have been faster.
        if _check_content(connection, path, application_id):
            connection.execute(schema)
            connection.execute(f"PRAGMA application_id = {application_id}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")


def _check_content(connection: sqlite3.Connection, path: Path, application_id: int) -> bool:
    """Return whether the file is still empty; raise unless it is, or holds what we expect."""
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_empty and found == 0:
        return True
    if found != application_id:
        raise StoreError(
            "the database holds something else",
            where=str(path),
            mend="Give each store a file of its own",
        )
    if version > FORMAT:
        raise StoreError(
            f"the database has format {version}, this release knows {FORMAT}",
            where=str(path),
            mend="Open it with the newer release that wrote it",
        )
    return False


def _make_folders(folder: Path) -> None:
    """Create the folder and its parents, durably: a lost folder loses all that is in it."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    if os.name == "posix":
        entry = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)
