"""Raw files of any form as one relation: a row number, a reason if the row is broken, text columns.

Every value leaves here as text or NULL; types and reasons about values are given by `clean`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
from duckdb import DuckDBPyConnection

from endcap.ingest.engine import fill, identifier, literal, plain_path
from endcap.ingest.staging import Format, StagedFile
from endcap.schema.errors import DataError

MAX_LINE_BYTES = 32 * 2**20
SAMPLE_ROWS = 1000
DELIMITERS = ",\t;|"

# The engine numbers records, not physical lines: they differ where a quoted field holds a line
# break. The header counts as record 1.
CSV_RELATION = """
    SELECT row_number() OVER () + $header AS row_number, NULL::VARCHAR AS broken, record, $fields
    FROM (
        SELECT {$named} AS record, * FROM read_csv(
            $path, columns = {$columns}, auto_detect = false, header = false, skip = $header,
            delim = $delimiter, quote = '"', escape = '"', strict_mode = true,
            max_line_size = $max_line, compression = 'none', $faults
        )
    )
"""

# One column that no separator can split, so that a broken line is still a row with a number.
JSON_RELATION = """
    SELECT row_number, broken, record, $fields
    FROM (
        SELECT
            row_number() OVER () AS row_number,
            line AS record,
            CASE
                WHEN line IS NULL OR trim(line) = '' THEN 'the line is empty'
                WHEN NOT json_valid(line) THEN 'not JSON'
                WHEN left(ltrim(line), 1) <> '{' THEN 'not a JSON object'
            END AS broken,
            CASE WHEN json_valid(line) THEN json_extract_string(line, $pointers) END AS found
        FROM read_csv(
            $path, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false,
            delim = '\x01', quote = '', escape = '', strict_mode = false,
            max_line_size = $max_line, compression = 'none', $faults
        )
    )
"""

PARQUET_RELATION = """
    SELECT file_row_number + 1 AS row_number, NULL::VARCHAR AS broken, record, $fields
    FROM (
        SELECT record, file_row_number
        FROM read_parquet($path) AS record
    )
"""

SAMPLE_KEYS = """
    SELECT json_keys(record) FROM ($relation LIMIT $n_rows) WHERE broken IS NULL
"""

KEEP_FAULTS = "store_rejects = true, rejects_table = 'faults', rejects_scan = 'fault_scans'"
SKIP_FAULTS = "ignore_errors = true"

# Errors come one a column; a record is at fault once.
FAULTS = """
    SELECT line, min(error_type), min(csv_line) FROM faults GROUP BY line ORDER BY line
"""
FORGET_FAULTS = "DROP TABLE faults; DROP TABLE fault_scans"
FAULT_REASONS = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
    "UNQUOTED VALUE": "a quote is not closed",
    "LINE SIZE OVER MAXIMUM": f"longer than {MAX_LINE_BYTES // 2**20} MiB",
}


@dataclass(frozen=True, slots=True)
class RawTable:
    """A raw file whose columns are known and whose rows can be selected.

    columns: names as in the file, `#1`, `#2`, ... where it has no header.
    """

    file: StagedFile
    columns: tuple[str, ...]
    delimiter: str = ","
    has_header: bool = True
    types: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        """SQL that turns the relation's `record` back into the raw text of the row."""
        if self.file.format is Format.JSON_LINES:
            return "record"
        return "CAST(to_json(record) AS VARCHAR)"

    def relation(self, fields: Mapping[str, str], *, keep_faults: bool) -> str:
        """Return a SELECT of row_number, broken, record and one text column a field.

        Args:
            fields: name of the result -> column of the file.
            keep_faults: records that are no rows at all go to the table `faults`, once a scan;
                otherwise they are left out.
        """
        parts = {
            "path": literal(plain_path(self.file.path)),
            "max_line": str(MAX_LINE_BYTES),
            "faults": KEEP_FAULTS if keep_faults else SKIP_FAULTS,
        }
        places = {name: self.columns.index(column) for name, column in fields.items()}
        if self.file.format is Format.PARQUET:
            values = {name: self._as_text(place) for name, place in places.items()}
            return fill(PARQUET_RELATION, fields=_aliases(values), path=parts["path"])
        if self.file.format is Format.JSON_LINES:
            pointers = ", ".join(literal(_pointer(column)) for column in fields.values()) or "''"
            values = {name: f"found[{place}]" for place, name in enumerate(fields, start=1)}
            return fill(JSON_RELATION, fields=_aliases(values), pointers=f"[{pointers}]", **parts)
        return fill(
            CSV_RELATION,
            fields=_aliases({name: f"c{place}" for name, place in places.items()}),
            named=", ".join(f"{literal(name)}: c{n}" for n, name in enumerate(self.columns)),
            columns=", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(self.columns))),
            delimiter=literal(self.delimiter),
            header=str(int(self.has_header)),
            **parts,
        )

    def _as_text(self, place: int) -> str:
        column = f"record.{identifier(self.columns[place])}"
        if self.types[place] in {"FLOAT", "DOUBLE"}:
            # A whole number that some tool stored as a float names the same thing as before.
            return f"regexp_replace(CAST({column} AS VARCHAR), '\\.0$', '')"
        if self.types[place].startswith(("TIMESTAMP", "DATE")):
            return f"CASE WHEN isfinite({column}) THEN CAST(epoch_us({column}) AS VARCHAR) END"
        return f"CAST({column} AS VARCHAR)"


def open_table(db: DuckDBPyConnection, file: StagedFile, *, positional: bool = False) -> RawTable:
    """Return the file with the names of its columns.

    Args:
        db: used to look into the file; nothing is created in it.
        file: what `stage` returned.
        positional: the file has no header, its columns are `#1`, `#2` and so on.

    Raises:
        DataError: the columns cannot be told.
    """
    if file.format is Format.PARQUET:
        return _open_parquet(db, file)
    if file.format is Format.JSON_LINES:
        return _open_json_lines(db, file)
    return _open_csv(file, positional=positional)


def _open_parquet(db: DuckDBPyConnection, file: StagedFile) -> RawTable:
    try:
        rows = db.execute(
            "DESCRIBE SELECT * FROM read_parquet(?)", [plain_path(file.path)]
        ).fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"not a whole Parquet file: {str(error).splitlines()[0]}", where=str(file.original)
        ) from error
    return RawTable(file, tuple(row[0] for row in rows), types=tuple(row[1] for row in rows))


def _open_json_lines(db: DuckDBPyConnection, file: StagedFile) -> RawTable:
    probe = RawTable(file, ("",)).relation({}, keep_faults=False)
    keys = db.execute(fill(SAMPLE_KEYS, relation=probe, n_rows=str(SAMPLE_ROWS))).fetchall()
    columns = tuple(dict.fromkeys(key for (row,) in keys for key in row))
    if columns:
        return RawTable(file, columns)
    with file.path.open(encoding="utf-8") as lines:
        start = lines.read(1)
    raise DataError(
        f"none of the first {SAMPLE_ROWS} lines is a JSON object",
        where=str(file.original),
        mend="Turn the array into lines with: jq -c '.[]'" if start == "[" else "",
    )


def _open_csv(file: StagedFile, *, positional: bool) -> RawTable:
    with file.path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline(MAX_LINE_BYTES)
        delimiter = "\t" if file.format is Format.TSV else _delimiter(first)
        lines.seek(0)
        try:
            header = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error as error:
            raise DataError(
                f"the header cannot be read: {error}", where=str(file.original)
            ) from error
    if positional:
        names = [f"#{n}" for n in range(1, len(header) + 1)]
        return RawTable(file, tuple(names), delimiter, has_header=False)
    names = []
    for n, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{n}"
        names.append(name if name not in names else f"{name}_{n}")
    if not names:
        raise DataError("the first line is empty", where=str(file.original))
    return RawTable(file, tuple(names), delimiter)


def read_faults(db: DuckDBPyConnection, *, where: StagedFile) -> list[tuple[int, str, str]]:
    """Return (record number, reason, raw text) of what was no row, in order; see `relation`."""
    if where.format is Format.PARQUET:
        return []
    faults = db.execute(FAULTS).fetchall()
    db.execute(FORGET_FAULTS)
    return [
        (int(line), FAULT_REASONS.get(kind, kind.lower()), (text or "").strip("\r\n"))
        for line, kind, text in faults
    ]


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=lambda mark: (line.count(mark), -DELIMITERS.index(mark)))


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _aliases(values: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in values.items()) or "NULL AS nothing"
