"""CSV and TSV as a DuckDB table of text columns, with a reason for each record that is no row."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import fill, identifier, literal, plain_path
from endcap.ingest.packing import CHUNK_BYTES
from endcap.ingest.readers import MAX_LINE_BYTES, RawTable, records_of
from endcap.schema.errors import DataError

OPEN_QUOTE = "a quote is not closed"
MAX_OPEN_LINES = 1000
# Of a faulty record the engine keeps so much, or up to a character less.
KEPT_BYTES = 10_000 - 3
BATCH_ROWS = 10_000
LONG_LINE_BYTES = 1 << 16
MAX_CELLS_TOO_MANY = 10_000  # the engine notes each of them, with the whole record beside it

# The engine numbers records, not physical lines: they differ where a quoted field holds a line
# break. The header is no record.
RECORDS = """
    SELECT row_number() OVER () AS file_row, *
    FROM read_csv(
        $path, columns = {$columns}, auto_detect = false, header = false, skip = $header,
        delim = $delimiter, quote = $quote, escape = $quote, strict_mode = true,
        max_line_size = $max_line, compression = 'none', $faults
    )
"""
# Without it the engine would stop at the first quote that is not closed.
KEEP_FAULTS = "store_rejects = true, rejects_table = 'faults', rejects_scan = 'fault_scans'"

# Errors come one a column; a record is at fault once. Records behind the n-th faulty one were
# numbered n too low, because it was not counted. The engine's own numbers of faulty records count
# blank ones too, which are no rows.
FAULTS = """
    CREATE OR REPLACE TABLE $numbered AS
    WITH bad AS (
        SELECT
            faults.line AS place,
            CASE min(error_type)
                WHEN 'UNQUOTED VALUE' THEN '$open_quote'
                WHEN 'LINE SIZE OVER MAXIMUM' THEN 'longer than $max_mib MiB'
                WHEN 'INVALID ENCODING' THEN 'not UTF-8'
                ELSE 'not as many columns as the header'
            END AS broken,
            min(csv_line) AS line,
            min(line_byte_position) - 1 AS first_byte
        FROM faults GROUP BY faults.line
    ),
    blank AS (
        SELECT place, row_number() OVER (ORDER BY place) AS n_so_far
        FROM (SELECT unnest(?::BIGINT[]) AS place)
    )
    SELECT
        bad.place - $header - coalesce(n_so_far, 0) AS file_row,
        row_number() OVER (ORDER BY bad.place) AS nth,
        broken, line, first_byte
    FROM bad ASOF LEFT JOIN blank ON bad.place > blank.place
"""
SHIFT = """
    UPDATE $name SET file_row = file_row + behind.shift FROM (
        SELECT counted.file_row AS counted_as, steps.shift
        FROM $name AS counted ASOF JOIN (
            SELECT file_row - nth AS good_before, max(nth) AS shift
            FROM $numbered GROUP BY good_before
        ) AS steps ON counted.file_row > steps.good_before
    ) AS behind WHERE file_row = counted_as
"""
# The scan leaves faulty records out, so the n-th of the others is looked for by that number.
WANTED = """
    CREATE OR REPLACE TABLE wanted_records AS
    WITH good AS (
        SELECT wanted.file_row, wanted.file_row - count($numbered.file_row) AS nth
        FROM wanted
        ANTI JOIN $numbered AS itself ON wanted.file_row = itself.file_row
        LEFT JOIN $numbered ON $numbered.file_row < wanted.file_row
        GROUP BY wanted.file_row
    )
    SELECT good.file_row, [$cells] AS cells, NULL AS line, NULL AS first_byte
    FROM ($relation) AS records JOIN good ON records.file_row = good.nth
    UNION ALL
    SELECT file_row, NULL, line, first_byte FROM $numbered SEMI JOIN wanted USING (file_row)
"""
ADD = "INSERT INTO $name (file_row, broken) SELECT file_row, broken FROM $numbered"
FORGET = "DROP TABLE faults; DROP TABLE fault_scans"


def read_csv(
    db: DuckDBPyConnection, name: str, table: RawTable, fields: Mapping[str, str], *, faults: str
) -> None:
    """Make the table `name`, see `Compute.read`, and `faults`, of the records that are no rows."""
    _refuse_endless_rows(table)
    own = identifier(name)
    values = "".join(
        f", c{table.columns.index(column)} AS {identifier(field)}"
        for field, column in fields.items()
    )
    db.execute(
        f"CREATE OR REPLACE TABLE {own} AS SELECT file_row, NULL::VARCHAR AS broken{values} "
        f"FROM ({_relation(table)})"
    )
    any_faults = bool(db.execute("SELECT 1 FROM faults LIMIT 1").fetchall())
    parts = {
        "header": str(int(table.has_header)),
        "open_quote": OPEN_QUOTE,
        "max_mib": str(MAX_LINE_BYTES // 2**20),
    }
    blank = _blank_records(table) if any_faults else []
    db.execute(fill(FAULTS, numbered=faults, **parts), [blank])
    db.execute(FORGET)
    if any_faults:
        n_good = int(db.execute(f"SELECT count(*) FROM {own}").fetchall()[0][0])
        _refuse_open_quote(db, table, faults, n_good=n_good)
        db.execute(fill(SHIFT, name=own, numbered=faults))
        db.execute(fill(ADD, name=own, numbered=faults))


def csv_records(
    db: DuckDBPyConnection, table: RawTable, rows: str, *, faults: str
) -> Iterator[tuple[int, str | None]]:
    """Yield (file_row, record) of the wanted rows, in the order of the file.

    Args:
        db: in which `read_csv` has read the file.
        table: the file.
        rows: a SELECT of the wanted `file_row`s.
        faults: what `read_csv` made.
    """
    cells = ", ".join(f"c{n}" for n in range(len(table.columns)))
    db.execute(f"CREATE OR REPLACE TABLE wanted AS {rows}")
    wanted = fill(WANTED, cells=cells, relation=_relation(table), numbered=faults)
    db.execute(wanted)
    db.execute(FORGET)
    # A cursor of its own, because whoever takes the records uses the connection meanwhile.
    with db.cursor() as cursor:
        cursor.execute("SELECT * FROM wanted_records ORDER BY file_row")
        while found := cursor.fetchmany(BATCH_ROWS):
            for row, values, line, first_byte in found:
                if values is None:
                    yield row, _faulty_text(table, line or "", first_byte)
                else:
                    record = dict(zip(table.columns, values, strict=True))
                    yield row, json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    db.execute("DROP TABLE wanted; DROP TABLE wanted_records")


def _faulty_text(table: RawTable, line: str, first_byte: int) -> str:
    """Return what stands in the file, to the end of a line where the engine cut it off."""
    if len(line.encode()) >= KEPT_BYTES:
        with table.file.path.open("rb") as file:
            file.seek(first_byte)
            text = file.read(MAX_LINE_BYTES)
        end = text.find(b"\n", KEPT_BYTES)
        line = text[: end if end >= 0 else None].decode("utf-8", errors="replace")
    return line.strip("\r\n")


def _refuse_endless_rows(table: RawTable) -> None:
    """Raise `DataError` if a row has so many cells too many that the engine would take for ever.

    Cost: a glance at every 64 KiB of the file, unless a line is long and full of delimiters.
    """
    n_cells = len(table.columns) + MAX_CELLS_TOO_MANY
    if not any(line.count(table.delimiter.encode()) >= n_cells for line in _long_lines(table)):
        return
    with table.file.path.open(encoding="utf-8-sig", newline="") as text:
        for row, cells in enumerate(records_of(text, table.delimiter, table.quote), start=1):
            if len(cells) > n_cells:
                raise DataError(
                    f"row {row:,} has {len(cells):,} cells, and the header has "
                    f"{len(table.columns):,}",
                    where=str(table.file.original),
                    mend="Put its text into quotes, or take the row out",
                )


def _long_lines(table: RawTable) -> Iterator[bytes]:
    with (
        table.file.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        ends = b"\n" if text.find(b"\n") >= 0 else b"\r"
        start = 0
        while start + LONG_LINE_BYTES < len(text):
            end = text.rfind(ends, start, start + LONG_LINE_BYTES)
            if end < 0:
                end = text.find(ends, start + LONG_LINE_BYTES)
                end = end if end >= 0 else len(text)
                yield text[start:end]
            start = end + 1


def _blank_records(table: RawTable) -> list[int]:
    """Return the places of blank records, the header being the first of all records.

    Of a single column a blank record is a row without a value.
    """
    if len(table.columns) == 1 or not _may_have_blank_records(table):
        return []
    with table.file.path.open(encoding="utf-8-sig", newline="") as text:
        records = records_of(text, table.delimiter, table.quote)
        return [n for n, found in enumerate(records, start=1) if found in ([], [""])]


def _may_have_blank_records(table: RawTable) -> bool:
    with (
        table.file.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        return any(text.find(ends) >= 0 for ends in (b"\n\n", b"\n\r", b"\r\r"))


def _refuse_open_quote(
    db: DuckDBPyConnection, table: RawTable, faults: str, *, n_good: int
) -> None:
    """Raise `DataError` when a quote that is not closed took too much of the file with it."""
    found = db.execute(
        f"SELECT file_row, first_byte FROM {faults} WHERE broken = '{OPEN_QUOTE}'"
        f" AND file_row = {n_good} + (SELECT count(*) FROM {faults})"  # nothing came after it
    ).fetchall()
    for row, first_byte in found:
        n_lines = _count_ends(table, first_byte) - 1
        if n_lines > MAX_OPEN_LINES:
            raise DataError(
                f"a quote that opens in row {row + table.n_header_rows:,} is not closed, and "
                f"{n_lines:,} more lines would be lost with it",
                where=str(table.file.original),
                mend='Close it, or say quote = "" under [file] of a mapping file if nothing is '
                "quoted",
            )


def _count_ends(table: RawTable, first_byte: int) -> int:
    """Return how many lines end from a place in the file on."""
    n_feeds = n_returns = 0
    with table.file.path.open("rb") as file:
        file.seek(first_byte)
        while text := file.read(CHUNK_BYTES):
            n_feeds += text.count(b"\n")
            n_returns += text.count(b"\r")
    return n_feeds or n_returns


def _relation(table: RawTable) -> str:
    return fill(
        RECORDS,
        path=literal(plain_path(table.file.path)),
        columns=", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(table.columns))),
        header=str(int(table.has_header)),
        delimiter=literal(table.delimiter),
        quote=literal(table.quote),
        max_line=str(MAX_LINE_BYTES),
        faults=KEEP_FAULTS,
    )
