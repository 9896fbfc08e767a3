"""Raw tables made into the one that is read, by SQL: lists opened, files beside it joined.

The SQL stands in the shape; this runs it once, whatever engine the ingest itself uses.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from duckdb import DuckDBPyConnection

from endcap.ingest.convert import CONVERTERS, Converter
from endcap.ingest.engine import blaming, connect, count, fill, identifier, literal, plain_path
from endcap.ingest.readers import MAX_LINE_BYTES, open_table
from endcap.ingest.shapes.shape import UNSAID, Dialect, Reading
from endcap.ingest.staging import Format, form, plain_copy, stage

READ_TEXT = """
    CREATE TABLE $name AS SELECT * FROM read_csv(
        $path, columns = {$columns}, auto_detect = false, header = false, skip = $header,
        delim = $delimiter, quote = $quote, escape = $quote, strict_mode = true,
        max_line_size = $max_line, compression = 'none', store_rejects = true,
        rejects_table = 'faults', rejects_scan = 'fault_scans'
    )
"""
FORGET_FAULTS = "DROP TABLE faults; DROP TABLE fault_scans"
READ_PARQUET = "CREATE VIEW $name AS SELECT * FROM read_parquet($path)"
READ_LINES = """
    CREATE TABLE $name AS
    SELECT $fields, line IS NOT NULL AND NOT json_valid(line) AS is_faulty
    FROM (
        SELECT line, CASE WHEN json_valid(line) THEN json_extract_string(line, [$pointers]) END
            AS found
        FROM read_csv(
            $path, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false,
            delim = '\x01', quote = '', escape = '', strict_mode = false,
            max_line_size = $max_line, compression = 'none', ignore_errors = true
        )
    )
"""
UNITE = "CREATE VIEW $name AS $selects"
WRITE = "COPY ($select) TO $path (FORMAT parquet, COMPRESSION zstd)"


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """A Parquet file that was made of raw files.

    n_faulty: records of text files that are no rows, and so are not in it.
    """

    path: Path
    n_rows: int
    n_faulty: int


def derive(reading: Reading, target: Path, *, scratch: Path) -> DerivedTable:
    """Return the Parquet file that the SQL of a reading makes of its files.

    The SQL may use `unescape_html`, which turns `&amp;` into an ampersand, and each of
    `CONVERTERS` as a function from JSON text to JSON text.

    Args:
        reading: with a `select`; each relation it names is in `tables`, and an empty table
            stands in for a companion without a file.
        target: the file to write.
        scratch: a folder for what does not fit into memory.

    Raises:
        DataError: a file cannot be read.
    """
    if reading.select is None:
        raise ValueError("the reading has no SQL to make a table with")
    companions = reading.shape.companions if reading.shape else {}
    n_faulty = 0
    with connect(scratch) as db, TemporaryDirectory(dir=scratch) as copies:
        _create_functions(db)
        for name, paths in reading.tables.items():
            dialect = reading.dialect if name == "source" else UNSAID
            n_faulty += create_relation(db, name, paths, dialect=dialect, scratch=Path(copies))
        for name, companion in companions.items():
            if not reading.tables.get(name):
                empty = ", ".join(f"NULL::VARCHAR AS {column}" for column in companion.columns)
                db.execute(f"CREATE VIEW {identifier(name)} AS SELECT {empty} WHERE false")
        with blaming(reading.tables["source"][0]):
            db.execute(fill(WRITE, select=reading.select, path=literal(str(target))))
        n_rows = count(db, f"SELECT count(*) FROM read_parquet({literal(plain_path(target))})")
    return DerivedTable(target, n_rows, n_faulty)


def converted(converter: str, columns: Sequence[str]) -> str:
    """Return SQL that applies a converter of lines to the rows of a table that is no text.

    Args:
        converter: a name in `CONVERTERS`.
        columns: of the result; keys of the objects that the converter makes.
    """
    fields = ", ".join(
        f"json_extract_string(made, {literal('/' + name)}) AS {identifier(name)}"
        for name in dict.fromkeys(columns)
    )
    made = f"SELECT {converter}(CAST(to_json(source) AS VARCHAR)) AS made FROM source"
    return f"SELECT {fields} FROM ({made})"


def _create_functions(db: DuckDBPyConnection) -> None:
    db.create_function("unescape_html", html.unescape, ["VARCHAR"], "VARCHAR")
    for name, convert in CONVERTERS.items():
        db.create_function(name, _of_text(convert), ["VARCHAR"], "VARCHAR")


def _of_text(convert: Converter) -> Callable[[str], str]:
    return lambda text: next(convert(iter([text.encode()]))).decode()


def create_relation(
    db: DuckDBPyConnection,
    name: str,
    paths: Sequence[Path],
    *,
    scratch: Path,
    dialect: Dialect = UNSAID,
) -> int:
    """Make the relation `name` of the rows of raw files, columns brought together by name.

    Text columns hold text; those of Parquet keep their types.

    Args:
        db: where it is made.
        name: of the relation.
        paths: files of the same kind.
        scratch: for unpacked copies; they are needed no longer once this returns.
        dialect: of those that are text.

    Returns:
        The number of records that are no rows; they are left out.
    """
    n_faulty, parts = 0, []
    for nth, path in enumerate(paths):
        part = identifier(f"{name}_{nth}")
        file_format, _ = form(path, dialect.format)
        if file_format is Format.PARQUET:
            with blaming(path):
                db.execute(fill(READ_PARQUET, name=part, path=literal(plain_path(path))))
        elif file_format is Format.JSON_LINES:
            n_faulty += _read_lines(db, part, path, scratch / f"{name}-{nth}")
        else:
            n_faulty += _read_text(db, part, path, dialect, scratch / f"{name}-{nth}")
        parts.append(f"SELECT * FROM {part}")
    db.execute(fill(UNITE, name=identifier(name), selects=" UNION ALL BY NAME ".join(parts)))
    return n_faulty


def _read_lines(db: DuckDBPyConnection, name: str, path: Path, scratch: Path) -> int:
    scratch.mkdir()
    staged = stage(path, scratch, label="lines", file_format=Format.JSON_LINES)
    columns = open_table(staged).columns
    fields = ", ".join(
        f"found[{n}] AS {identifier(column)}" for n, column in enumerate(columns, start=1)
    )
    pointers = ", ".join(
        literal("/" + column.replace("~", "~0").replace("/", "~1")) for column in columns
    )
    with blaming(path):
        db.execute(
            fill(
                READ_LINES,
                name=name,
                path=literal(plain_path(plain_copy(staged, scratch, label="plain"))),
                fields=fields,
                pointers=pointers,
                max_line=str(MAX_LINE_BYTES),
            )
        )
    n_faulty = count(db, f"SELECT count(*) FROM {name} WHERE is_faulty")
    db.execute(f"DELETE FROM {name} WHERE is_faulty; ALTER TABLE {name} DROP COLUMN is_faulty")
    return n_faulty


def _read_text(
    db: DuckDBPyConnection, name: str, path: Path, dialect: Dialect, scratch: Path
) -> int:
    scratch.mkdir()
    staged = stage(
        path, scratch, label="text", file_format=dialect.format, encoding=dialect.encoding
    )
    table = open_table(
        staged,
        positional=not dialect.has_header,
        delimiter=dialect.delimiter,
        quote=dialect.quote,
    )
    with blaming(path):
        db.execute(
            fill(
                READ_TEXT,
                name=name,
                path=literal(plain_path(staged.path)),
                columns=", ".join(f"{literal(column)}: 'VARCHAR'" for column in table.columns),
                header=str(int(table.has_header)),
                delimiter=literal(table.delimiter),
                quote=literal(table.quote),
                max_line=str(MAX_LINE_BYTES),
            )
        )
    n_faulty = count(db, "SELECT count(DISTINCT line) FROM faults")
    db.execute(FORGET_FAULTS)
    return n_faulty
