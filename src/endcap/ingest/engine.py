"""One DuckDB connection set up for a table job, and text made safe to stand inside SQL.

Knows nothing of what the tables mean.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

import duckdb
from duckdb import DuckDBPyConnection

from endcap.schema.errors import DataError

MEMORY_LIMIT = "2GiB"
OF_INPUT = (duckdb.IOException, duckdb.InvalidInputException, duckdb.OutOfMemoryException)
# The engine says it in the words of the system, or counts by itself what it may spill.
FULL = {
    "No space left on device": errno.ENOSPC,
    "File too large": errno.EFBIG,
    "Disk quota exceeded": errno.EDQUOT,
    "max_temp_directory_size": errno.ENOSPC,
}


@contextmanager
def connect(scratch: Path, *, memory_limit: str = MEMORY_LIMIT) -> Iterator[DuckDBPyConnection]:
    """Yield a private in-memory database that spills into `scratch` beyond its memory limit.

    It never fetches an extension, and reads times without a zone as UTC.

    Raises:
        OSError: the disk is full.
    """
    db = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        db.execute("SET TimeZone = 'UTC'")
        # A notebook without ipywidgets has none, and refuses to be told so.
        if db.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]:
            db.execute("SET enable_progress_bar = false")
        with minding_the_disk():
            yield db
    finally:
        db.close()


@contextmanager
def minding_the_disk() -> Iterator[None]:
    """Turn what the engine says about a full disk into the `OSError` that it is."""
    try:
        yield
    except duckdb.Error as error:
        full = full_disk(error)
        if full is None:
            raise
        raise full from error


def full_disk(error: duckdb.Error) -> OSError | None:
    """Return the error as that of a full disk, with the file if it names one; None if it is not."""
    text = str(error)
    code = next((code for words, code in FULL.items() if words in text), None)
    if code is None:
        return None
    return OSError(code, os.strerror(code), file_in(error))


def file_in(error: duckdb.Error) -> str | None:
    """Return the file that an error names, if it names one."""
    named = re.search(r'[Ff]ile \\?["\']([^"\'\\]+)', str(error))
    return named[1] if named else None


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Turn what the engine says about its input into a `DataError` that names the file.

    A mistake in our own SQL stays what it is, and so does a full disk.
    """
    try:
        yield
    except duckdb.Error as error:
        # Of Parquet that is damaged inside the engine says so by the plainest of its errors.
        if full_disk(error) is not None or not (
            isinstance(error, OF_INPUT) or type(error) is duckdb.Error
        ):
            raise
        raise DataError(
            f"the file cannot be read to its end: {str(error).splitlines()[0]}",
            where=str(path),
            mend="It may be damaged: fetch or export it again",
        ) from error


def fill(template: str, **parts: str) -> str:
    """Return the SQL with each `$name` replaced by a fragment that is SQL already.

    Anything from outside goes through `literal`, `identifier` or a query parameter first.
    """
    return Template(template).substitute(parts)


def literal(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def plain_path(path: Path) -> str:
    """Return the path in a form in which the engine sees no wildcard."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path.resolve()))


def count(db: DuckDBPyConnection, query: str, parameters: list[object] | None = None) -> int:
    """Return the single whole number that the query yields; 0 for NULL."""
    row = db.execute(query, parameters).fetchone()
    return int(row[0] or 0) if row else 0
