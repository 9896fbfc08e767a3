"""JSON lines, packed or not, as a DuckDB table of text columns.

The engine's own reader does the work; it says only that a line is bad, so lines are looked at
again in Python, and only then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from endcap.ingest.engine import identifier, literal, plain_path
from endcap.ingest.packing import Packing, lines, unpacked_parts
from endcap.ingest.readers import BLANKS, MAX_LINE_BYTES, RawTable

TOO_DEEP = "nested too deeply"

# Rows come in the order of the file; blank lines are no rows.
READ_PART = """
    INSERT INTO {name}
    SELECT {base} + row_number() OVER (), NULL{values}
    FROM read_json(
        {path}, format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = true,
        maximum_object_size = {max_line}, compression = 'none'
    )
"""


def read_json_lines(
    db: DuckDBPyConnection,
    name: str,
    table: RawTable,
    fields: Mapping[str, str],
    *,
    scratch: Path,
) -> None:
    """Make the table `name`; see `Compute.read`."""
    own = identifier(name)
    columns = "".join(f", {identifier(field)} VARCHAR" for field in fields)
    db.execute(f"CREATE OR REPLACE TABLE {own} (file_row BIGINT, broken VARCHAR{columns})")
    broken: dict[int, str] = {}
    base = 0
    for part in _plain_parts(table, scratch):
        try:
            _read_part(db, own, part, fields, base)
        except duckdb.InvalidInputException:  # such as a line that is longer than it bears
            copy = scratch / "mended.jsonl"
            broken |= {base + n: reason for n, reason in _mend(part, copy)}
            _read_part(db, own, copy, fields, base)
            copy.unlink()
        base = _last_row(db, own)
    broken |= _faults(db, own, table, fields, known=broken)
    if broken:
        db.execute(
            f"UPDATE {own} SET broken = faults.reason FROM ("
            "SELECT unnest(?::BIGINT[]) AS file_row, unnest(?::VARCHAR[]) AS reason"
            f") AS faults WHERE {own}.file_row = faults.file_row",
            [list(broken), list(broken.values())],
        )


def json_records(table: RawTable, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield (file_row, line) of the wanted rows, in the order of the file."""
    wanted = set(rows)
    if not wanted:
        return
    last = max(wanted)
    for row, line in _numbered_lines(table):
        if row in wanted:
            yield row, line.decode("utf-8", errors="replace").strip()
        if row == last:
            return


def fault(line: bytes) -> str | None:
    """Return why a line is no JSON object; None when it is one."""
    if len(line) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES // 2**20} MiB"
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValueError:
        return "not JSON"
    except RecursionError:
        return TOO_DEEP
    return None if isinstance(record, dict) else "not a JSON object"


def _plain_parts(table: RawTable, scratch: Path) -> Iterator[Path]:
    file = table.file
    with file.path.open("rb") as start:
        has_mark = start.read(3) == b"\xef\xbb\xbf"
    if file.packing is Packing.NONE and not has_mark:
        yield file.path
    else:
        yield from unpacked_parts(file.path, file.packing, scratch)


def _read_part(
    db: DuckDBPyConnection, own: str, part: Path, fields: Mapping[str, str], base: int
) -> None:
    # Two fields may be the same column; without any, the engine still has to be told of one.
    columns = list(dict.fromkeys(fields.values())) or ["nothing"]
    db.execute(
        READ_PART.format(
            name=own,
            base=base,
            values="".join(f", {identifier(column)}" for column in fields.values()),
            path=literal(plain_path(part)),
            columns=", ".join(f"{identifier(column)}: 'VARCHAR'" for column in columns),
            max_line=MAX_LINE_BYTES,
        )
    )


def _last_row(db: DuckDBPyConnection, own: str) -> int:
    found = db.execute(f"SELECT max(file_row) FROM {own}").fetchall()
    return int(found[0][0] or 0)


def _faults(
    db: DuckDBPyConnection,
    own: str,
    table: RawTable,
    fields: Mapping[str, str],
    *,
    known: Mapping[int, str],
) -> dict[int, str]:
    """Return the reason of each row that the engine left empty because the line is bad."""
    empty = " AND ".join(f"{identifier(field)} IS NULL" for field in fields) or "true"
    found = db.execute(f"SELECT file_row FROM {own} WHERE {empty}").fetchall()
    suspects = {row for (row,) in found} - set(known)
    if not suspects:
        return {}
    faults = {}
    for row, line in islice(_numbered_lines(table), max(suspects)):
        if row in suspects:
            reason = fault(line)
            if reason is None and _says_any(line, fields.values()):
                reason = "not JSON"  # such as half a character, which only Python forgives
            if reason is not None:
                faults[row] = reason
    return faults


def _says_any(line: bytes, columns: Collection[str]) -> bool:
    record = json.loads(line)
    return any(record.get(column) is not None for column in columns)


def _numbered_lines(table: RawTable) -> Iterator[tuple[int, bytes]]:
    return enumerate(_filled(lines(table.file.path, table.file.packing)), start=1)


def _filled(found: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines that the engine does not take for blank."""
    return (line for line in found if line.strip(BLANKS.encode()))


def _mend(part: Path, copy: Path) -> list[tuple[int, str]]:
    """Write the lines that are good as they are; return (line number, reason) of the others.

    A line that is nested too deeply for Python may be good.
    """
    faults: list[tuple[int, str]] = []
    with copy.open("wb") as out:
        for n, line in enumerate(_filled(lines(part, Packing.NONE)), start=1):
            reason = fault(line)
            if reason in {None, TOO_DEEP}:
                out.write(line if line.endswith(b"\n") else line + b"\n")
            else:
                faults.append((n, str(reason)))
                out.write(b"{}\n")
    return faults
