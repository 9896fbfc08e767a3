"""The local engine: DuckDB on one machine, out of core beyond its memory limit.

How a raw file becomes a table of text is in `local_csv` and `local_json`; the steps of an ingest
are SQL and stand elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from endcap.ingest.compute.local_csv import BATCH_ROWS, csv_records, read_csv
from endcap.ingest.compute.local_json import json_records, read_json_lines
from endcap.ingest.compute.protocol import Column
from endcap.ingest.engine import (
    OF_INPUT,
    blaming,
    connect,
    file_in,
    identifier,
    literal,
    minding_the_disk,
    plain_path,
)
from endcap.ingest.parquet_text import column_as_text
from endcap.ingest.readers import RawTable
from endcap.ingest.staging import Format
from endcap.schema.errors import DataError, SettingsError

# The writer marks a column as required where it can tell that no value is missing, and how much it
# can tell depends on where the rows come from. A row of nothing, which never comes, makes it sure
# of nothing, so that the same rows give the same bytes.
NO_LIST = "CASE WHEN random() > 2 THEN [NULL] END"
WRITE = """
    COPY (
        SELECT {columns} FROM (
            SELECT * FROM ({source})
            UNION ALL BY NAME SELECT {nothing} FROM range(1) WHERE random() > 2
        ) ORDER BY {order}
    ) TO {path} (FORMAT parquet, COMPRESSION zstd)
"""


class LocalCompute:
    """DuckDB behind the protocol `Compute`; a context manager that closes it.

    Args:
        scratch: an empty folder for what does not fit into memory.
        memory_limit: in DuckDB's notation; more is spilt to disk.
    """

    def __init__(self, scratch: Path, *, memory_limit: str) -> None:
        self._scratch = scratch
        self._faults: dict[Path, str] = {}
        self._views: set[str] = set()
        self._connection = connect(scratch, memory_limit=memory_limit)
        self._db = self._connection.__enter__()

    def __enter__(self) -> LocalCompute:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.__exit__(kind, error, trace)  # raises when the disk is full
        if isinstance(error, duckdb.OutOfMemoryException):
            raise SettingsError(
                "the engine needs more memory than it may take",
                where="ingest.memory_gb",
                mend="Raise it; the rest goes to disk",
            ) from error
        # Such as rows of before, which are read when they are needed.
        file = file_in(error) if isinstance(error, OF_INPUT) else None
        if file is not None:
            raise DataError(
                f"the file cannot be read: {str(error).splitlines()[0]}",
                where=file,
                mend="If it is of a snapshot, ingest all sources again, without --since",
            ) from error

    def read(self, name: str, table: RawTable, fields: Mapping[str, str]) -> None:
        """Make the table of a raw file; see `Compute.read`."""
        with blaming(table.file.original):
            if table.file.format is Format.JSON_LINES:
                read_json_lines(self._db, name, table, fields, scratch=self._scratch)
            elif table.file.format is Format.PARQUET:
                self.make(name, _parquet_rows(table, fields))
            else:
                faults = self._faults.setdefault(table.file.path, f"faults_{len(self._faults)}")
                read_csv(self._db, name, table, fields, faults=faults)

    def records(self, table: RawTable, rows: str) -> Iterator[tuple[int, str | None]]:
        """Yield the raw text of some records; see `Compute.records`."""
        with blaming(table.file.original):
            if table.file.format is Format.JSON_LINES:
                yield from json_records(table, [row for (row,) in self.rows(rows)])
            elif table.file.format is Format.PARQUET:
                yield from self._stream(_parquet_records(table, rows))
            else:
                yield from csv_records(self._db, table, rows, faults=self._faults[table.file.path])

    def _stream(self, select: str) -> Iterator[tuple[Any, ...]]:
        # A cursor of its own, because whoever takes the rows uses the connection meanwhile.
        with self._db.cursor() as cursor:
            cursor.execute(select)
            while found := cursor.fetchmany(BATCH_ROWS):
                yield from found

    def load(self, name: str, paths: Sequence[Path]) -> None:
        """Make the table of Parquet files; see `Compute.load`."""
        # A view: of many old rows only those are read that a step asks for.
        self._views.add(name)
        self._db.execute(
            f"CREATE OR REPLACE VIEW {identifier(name)} AS "
            f"SELECT * FROM read_parquet([{_listed(paths)}])"
        )

    def put(self, name: str, columns: Mapping[str, Column]) -> None:
        """Make a table of Python values; see `Compute.put`."""
        selected = ", ".join(
            f"unnest(?::{kind}[]) AS {identifier(column)}" for column, (kind, _) in columns.items()
        )
        values = [list(values) for _, values in columns.values()]
        self._db.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS SELECT {selected}", values)

    def make(self, name: str, select: str) -> None:
        """Make the table of a SELECT; see `Compute.make`."""
        self._db.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS {select}")

    def drop(self, name: str) -> None:
        """Forget a table; see `Compute.drop`."""
        kind = "VIEW" if name in self._views else "TABLE"
        self._db.execute(f"DROP {kind} IF EXISTS {identifier(name)}")
        self._views.discard(name)

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; see `Compute.rows`."""
        return self._db.execute(select).fetchall()

    def write(self, source: str, *, columns: Mapping[str, str], order: str, path: Path) -> None:
        """Write one Parquet file; see `Compute.write`."""
        _write(self._db, source, columns=columns, order=order, path=path)


def write_canonical(
    parts: Sequence[Path], *, columns: Mapping[str, str], order: str, path: Path
) -> None:
    """Write what another engine left as Parquet files as one file, the bytes as if made here.

    Args:
        parts: Parquet files with the columns that are written or ordered by; at least one.
        columns: as in `Compute.write`.
        order: as in `Compute.write`.
        path: of the new file.
    """
    with duckdb.connect() as db, minding_the_disk():
        source = f"SELECT * FROM read_parquet([{_listed(parts)}])"
        _write(db, source, columns=columns, order=order, path=path)


def _write(
    db: duckdb.DuckDBPyConnection,
    source: str,
    *,
    columns: Mapping[str, str],
    order: str,
    path: Path,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cast = ", ".join(
        f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}"
        for name, kind in columns.items()
    )
    nothing = ", ".join(
        f"{NO_LIST if kind.endswith('[]') else 'NULL'} AS {identifier(name)}"
        for name, kind in columns.items()
    )
    statement = WRITE.format(
        columns=cast, source=source, nothing=nothing, order=order, path=literal(str(path))
    )
    db.execute(statement)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(literal(plain_path(path)) for path in paths)


def _as_text(table: RawTable, place: int) -> str:
    name, kind = table.columns[place], table.types[place]
    return column_as_text(name, kind, times_as_text=table.times_as_text)


def _parquet_rows(table: RawTable, fields: Mapping[str, str]) -> str:
    places = {name: table.columns.index(column) for name, column in fields.items()}
    values = "".join(
        f", {_as_text(table, place)} AS {identifier(name)}" for name, place in places.items()
    )
    return f"""
        SELECT file_row_number + 1 AS file_row, NULL::VARCHAR AS broken{values}
        FROM read_parquet({literal(plain_path(table.file.path))}, file_row_number = true)
    """


def _parquet_records(table: RawTable, rows: str) -> str:
    struct = ", ".join(
        f"{literal(column)}: {_as_text(table, place)}" for place, column in enumerate(table.columns)
    )
    return f"""
        SELECT file_row_number + 1, CAST(to_json({{{struct}}}) AS VARCHAR)
        FROM read_parquet({literal(plain_path(table.file.path))}, file_row_number = true)
        WHERE file_row_number + 1 IN ({rows}) ORDER BY file_row_number
    """
