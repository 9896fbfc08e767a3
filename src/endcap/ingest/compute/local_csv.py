"""CSV and TSV as a DuckDB table of text columns, with a reason for each record that is no row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import fill, identifier, literal, plain_path
from endcap.ingest.readers import MAX_LINE_BYTES, RawTable

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
KEEP_FAULTS = "store_rejects = true, rejects_table = 'faults', rejects_scan = 'fault_scans'"
SKIP_FAULTS = "ignore_errors = true"

# Errors come one a column; a record is at fault once. Records behind the n-th faulty one were
# numbered n too low, because it was not counted.
FAULTS = """
    CREATE OR REPLACE TABLE $numbered AS
    SELECT
        line - $header AS file_row,
        row_number() OVER (ORDER BY line) AS nth,
        CASE min(error_type)
            WHEN 'UNQUOTED VALUE' THEN 'a quote is not closed'
            WHEN 'LINE SIZE OVER MAXIMUM' THEN 'longer than $max_mib MiB'
            WHEN 'INVALID ENCODING' THEN 'not UTF-8'
            ELSE 'not as many columns as the header'
        END AS broken,
        min(csv_line) AS line
    FROM faults GROUP BY faults.line
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
    WITH good AS (
        SELECT wanted.file_row, wanted.file_row - count($numbered.file_row) AS nth
        FROM wanted
        ANTI JOIN $numbered AS itself ON wanted.file_row = itself.file_row
        LEFT JOIN $numbered ON $numbered.file_row < wanted.file_row
        GROUP BY wanted.file_row
    )
    SELECT good.file_row, [$cells] AS cells, NULL AS line
    FROM ($relation) AS records JOIN good ON records.file_row = good.nth
    UNION ALL
    SELECT file_row, NULL, line FROM $numbered SEMI JOIN wanted USING (file_row)
    ORDER BY 1
"""
ADD = "INSERT INTO $name (file_row, broken) SELECT file_row, broken FROM $numbered"
FORGET = "DROP TABLE faults; DROP TABLE fault_scans"


def read_csv(
    db: DuckDBPyConnection, name: str, table: RawTable, fields: Mapping[str, str], *, faults: str
) -> None:
    """Make the table `name`, see `Compute.read`, and `faults`, of the records that are no rows."""
    own = identifier(name)
    values = "".join(
        f", c{table.columns.index(column)} AS {identifier(field)}"
        for field, column in fields.items()
    )
    db.execute(
        f"CREATE OR REPLACE TABLE {own} AS SELECT file_row, NULL::VARCHAR AS broken{values} "
        f"FROM ({_relation(table, KEEP_FAULTS)})"
    )
    header, max_mib = str(int(table.has_header)), str(MAX_LINE_BYTES // 2**20)
    db.execute(fill(FAULTS, numbered=faults, header=header, max_mib=max_mib))
    db.execute(FORGET)
    if db.execute(fill("SELECT 1 FROM $numbered LIMIT 1", numbered=faults)).fetchall():
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
    db.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS {rows}")
    found = db.execute(
        fill(WANTED, cells=cells, relation=_relation(table, SKIP_FAULTS), numbered=faults)
    ).fetchall()
    for row, values, line in found:
        if values is None:
            yield row, (line or "").strip("\r\n")
        else:
            record = dict(zip(table.columns, values, strict=True))
            yield row, json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _relation(table: RawTable, faults: str) -> str:
    return fill(
        RECORDS,
        path=literal(plain_path(table.file.path)),
        columns=", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(table.columns))),
        header=str(int(table.has_header)),
        delimiter=literal(table.delimiter),
        quote=literal(table.quote),
        max_line=str(MAX_LINE_BYTES),
        faults=faults,
    )
