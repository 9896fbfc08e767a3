"""Finds the columns of a raw file, whatever its form, and looks at its first records.

Reading all of it is for the engines in `compute`; types and reasons are given by `clean`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TextIO

import duckdb

from endcap.ingest.engine import blaming, plain_path
from endcap.ingest.packing import lines
from endcap.ingest.parquet_text import column_as_text
from endcap.ingest.staging import Format, StagedFile
from endcap.schema.errors import DataError

MAX_LINE_BYTES = 32 * 2**20
BLANKS = " \t\r\n\v\f"
"""A line of JSON lines that holds nothing else is blank: no row, and not counted, by any engine."""

SAMPLE_ROWS = 1000
DELIMITERS = ",\t;|"
csv.field_size_limit(MAX_LINE_BYTES)  # the engine's own; the module knows one for the process

Record = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class RawTable:
    """A raw file whose columns are known and whose rows can be read.

    columns: names as in the file, `#1`, `#2`, ... where it has no header.
    delimiter, has_header, quote: of CSV and TSV; an empty quote means that nothing is quoted.
    types: of Parquet, DuckDB's name for each column.
    times_as_text: whether times of Parquet that state no zone come as written, not as
        microseconds of UTC.
    """

    file: StagedFile
    columns: tuple[str, ...]
    delimiter: str = ","
    has_header: bool = True
    quote: str = '"'
    types: tuple[str, ...] = ()
    times_as_text: bool = False

    @property
    def n_header_rows(self) -> int:
        """How many records of the file are no rows: people count the header as the first line."""
        return int(self.has_header and self.file.format in {Format.CSV, Format.TSV})


def open_table(
    file: StagedFile,
    *,
    positional: bool = False,
    delimiter: str | None = None,
    quote: str = '"',
    times_as_text: bool = False,
) -> RawTable:
    """Return the file with the names of its columns.

    Args:
        file: what `stage` returned.
        positional: the file has no header, its columns are `#1`, `#2` and so on.
        delimiter: between the cells of a CSV; told from its first line when None.
        quote: around cells of a CSV; empty when nothing is quoted.
        times_as_text: see `RawTable`.

    Raises:
        DataError: the columns cannot be told.
    """
    if file.format is Format.PARQUET:
        return replace(_open_parquet(file), times_as_text=times_as_text)
    if file.format is Format.JSON_LINES:
        return _open_json_lines(file)
    return _open_csv(file, positional=positional, delimiter=delimiter, quote=quote)


def first_records(table: RawTable, n_rows: int = SAMPLE_ROWS) -> list[Record]:
    """Return the first records that can be read, values as text; what is no record is left out."""
    if table.file.format is Format.PARQUET:
        return _first_of_parquet(table, n_rows)
    if table.file.format is Format.JSON_LINES:
        return [
            {name: _text(value) for name, value in record.items()}
            for record in _json_records(table.file, n_rows)
        ]
    return list(islice(_csv_records(table), n_rows))


def _open_parquet(file: StagedFile) -> RawTable:
    with duckdb.connect() as db:
        try:
            rows = db.execute(
                "DESCRIBE SELECT * FROM read_parquet(?)", [plain_path(file.path)]
            ).fetchall()
        except duckdb.Error as error:
            raise DataError(
                f"not a whole Parquet file: {str(error).splitlines()[0]}",
                where=str(file.original),
                mend="Fetch or export it again",
            ) from error
    return RawTable(file, tuple(row[0] for row in rows), types=tuple(row[1] for row in rows))


def _first_of_parquet(table: RawTable, n_rows: int) -> list[Record]:
    shown = ", ".join(
        column_as_text(name, kind, times_as_text=True)
        for name, kind in zip(table.columns, table.types, strict=True)
    )
    with duckdb.connect() as db, blaming(table.file.original):
        db.execute("SET TimeZone = 'UTC'")
        found = db.execute(
            f"SELECT {shown} FROM read_parquet(?) LIMIT ?", [plain_path(table.file.path), n_rows]
        ).fetchall()
    return [dict(zip(table.columns, row, strict=True)) for row in found]


def _open_json_lines(file: StagedFile) -> RawTable:
    columns = dict.fromkeys(name for record in _json_records(file, SAMPLE_ROWS) for name in record)
    if columns:
        return RawTable(file, tuple(columns))
    found = islice(lines(file.path, file.packing), SAMPLE_ROWS)
    start = next((line.strip() for line in found if line.strip()), b"")
    if not start:
        raise DataError(
            "the file is empty: it has blank lines at most",
            where=str(file.original),
            mend="Export it again, or leave it out",
        )
    mend = "Turn the array into lines with: jq -c '.[]'" if start.startswith(b"[") else ""
    if start == b"{":
        mend = "Write each object on a line of its own with: jq -c ."
    if b"\r" in start:
        mend = "Turn its line ends into line feeds with: tr '\\r' '\\n'"
    raise DataError(
        f"none of the first {SAMPLE_ROWS} lines is a JSON object",
        where=str(file.original),
        mend=mend,
    )


def _json_records(file: StagedFile, n_rows: int) -> Iterator[dict[str, Any]]:
    for line in islice(lines(file.path, file.packing), n_rows):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):  # the engine gives the reason when it reads the line
            continue
        if isinstance(record, dict):
            yield record


def _open_csv(file: StagedFile, *, positional: bool, delimiter: str | None, quote: str) -> RawTable:
    with file.path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline(MAX_LINE_BYTES)
        if delimiter is None:
            delimiter = "\t" if file.format is Format.TSV else _delimiter(first)
        text.seek(0)
        try:
            header = next(records_of(text, delimiter, quote), [])
        except csv.Error as error:
            raise DataError(
                f"the header cannot be read: {error}",
                where=str(file.original),
                mend="Say delimiter and quote under [file] of a mapping file",
            ) from error
    if positional:
        names = [f"#{n}" for n in range(1, len(header) + 1)]
        return RawTable(file, tuple(names), delimiter, has_header=False, quote=quote)
    names, taken = [], set()
    for n, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{n}"
        names.append(name if name not in taken else f"{name}_{n}")
        taken.add(names[-1])
    if not names:
        raise DataError(
            "the first line is empty",
            where=str(file.original),
            mend="Remove the blank lines before the header",
        )
    return RawTable(file, tuple(names), delimiter, quote=quote)


def _csv_records(table: RawTable) -> Iterator[Record]:
    with table.file.path.open(encoding="utf-8-sig", newline="") as text:
        rows = enumerate(records_of(text, table.delimiter, table.quote))
        while True:
            try:
                n, cells = next(rows)
            except (StopIteration, csv.Error):  # the engine says what is wrong with the record
                return
            if (n or not table.has_header) and len(cells) == len(table.columns):
                yield {name: cell or None for name, cell in zip(table.columns, cells, strict=True)}


def records_of(text: TextIO, delimiter: str, quote: str) -> Iterator[list[str]]:
    """Yield the cells of each record of a CSV, blank ones and the header included."""
    if len(delimiter) > 1 or not quote:  # the csv module knows single characters only
        return (line.rstrip("\r\n").split(delimiter) for line in text)
    return csv.reader(text, delimiter=delimiter, quotechar=quote)


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=lambda mark: (line.count(mark), -DELIMITERS.index(mark)))


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
