"""Raw files as Spark tables of text, every record with its number in the file.

Spark reads what both engines read alike. A record on which they might differ, and a CSV whose
records do not end with their lines, is read by the local engine instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.compute.spark_raw import (
    JSON_OPTIONS,
    as_text,
    cells,
    is_blank,
    is_doubtful,
    is_irregular,
    name,
    string,
    url,
)
from endcap.ingest.packing import Packing, unpacked_parts
from endcap.ingest.readers import RawTable
from endcap.ingest.staging import Format
from endcap.schema.errors import DataError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WRONG_WIDTH = "not as many columns as the header"
# Where a line stands: the first byte of its piece of the file, and its number among that piece's.
_PLACE = (
    "CAST(_metadata.file_block_start AS BIGINT) AS block",
    "monotonically_increasing_id() AS nth",
)


class Reader:
    """Reads one raw file into a folder.

    Args:
        session: reads it.
        local: reads what the session might read differently.
        folder: for the table; made here.
    """

    def __init__(self, session: SparkSession, local: LocalCompute, folder: Path) -> None:
        self._session = session
        self._local = local
        self._folder = folder

    def read(self, table: RawTable, fields: Mapping[str, str]) -> DataFrame:
        """Return the records of a file: file_row, broken, and a column of text a field.

        Raises:
            DataError: it cannot be read to its end.
        """
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        self._folder.mkdir(parents=True)
        try:
            if table.file.format is Format.JSON_LINES:
                return self._json_lines(table, fields)
            if table.file.format is Format.PARQUET:
                return self._parquet(table, fields)
            return self._delimited(table, fields)
        except (PySparkException, Py4JError) as error:
            raise DataError(
                f"the file cannot be read to its end: {_cause(str(error))}",
                where=str(table.file.original),
            ) from error

    def _json_lines(self, table: RawTable, fields: Mapping[str, str]) -> DataFrame:
        if table.file.packing is not Packing.ZSTD:  # which Spark unpacks with a native library only
            return self._json_part(table, fields, table.file.path, base=0, nth=0)
        found, base = None, 0
        parts = unpacked_parts(table.file.path, table.file.packing, self._folder)
        for nth, part in enumerate(parts):
            rows = self._json_part(table, fields, part, base=base, nth=nth)
            base += rows.count()
            found = rows if found is None else found.union(rows)
        if found is None:
            raise DataError("the file is empty", where=str(table.file.original))
        return found

    def _json_part(
        self, table: RawTable, fields: Mapping[str, str], path: Path, *, base: int, nth: int
    ) -> DataFrame:
        """Return the records of plain or gzip text, numbered from `base` on."""
        columns = list(dict.fromkeys(fields.values()))
        struct = ", ".join(f"{name(column)}: STRING" for column in columns) or "nothing: STRING"
        short = ", ".join(f"c{n}: STRING" for n in range(len(columns))) or "nothing: STRING"
        lines = self._session.read.option("lineSep", "\n").text(url(path))
        parsed = (
            lines.where(f"NOT {is_blank('value')}")
            .selectExpr("value", *_PLACE)
            .selectExpr(
                "*",
                # An element after it shows that the record ends where the line does.
                f"CAST(from_json('[' || value || ',{{}}]', {string(f'ARRAY<STRUCT<{struct}>>')},"
                f" {JSON_OPTIONS}) AS ARRAY<STRUCT<{short}>>) AS found",
            )
            .selectExpr("*", f"{is_doubtful('value', columns)} AS is_doubtful")
        )
        own = self._folder / f"lines-{nth}"
        parsed.selectExpr(
            "block",
            "nth",
            "CASE WHEN is_doubtful THEN CAST(value AS BINARY) END AS line",
            *(f"get(found, 0).c{columns.index(c)} AS {name(f)}" for f, c in fields.items()),
        ).write.parquet(url(own))
        stored = self._session.read.parquet(url(own))
        numbered, again = self._numbered(stored, base=base), "line IS NOT NULL"
        sure = numbered.where(f"NOT ({again})").selectExpr(
            "file_row", "CAST(NULL AS STRING) AS broken", *map(name, fields)
        )
        doubtful = numbered.where(again).selectExpr("file_row", "line").orderBy("file_row")
        copy = self._folder / f"again-{nth}.jsonl"
        rows = []
        with copy.open("wb") as out:
            for row, line in doubtful.toLocalIterator():
                rows.append(row)
                out.write(bytes(line).rstrip(b"\r") + b"\n")
        if not rows:
            return sure
        return sure.union(self._reread(table, fields, copy, rows, nth=nth))

    def _reread(
        self,
        table: RawTable,
        fields: Mapping[str, str],
        copy: Path,
        rows: Sequence[int],
        *,
        nth: int,
    ) -> DataFrame:
        """Return what the local engine makes of some lines, given with their numbers."""
        again = replace(table, file=replace(table.file, path=copy, packing=Packing.NONE))
        self._local.read("reread", again, fields)
        numbers = {"line": ("BIGINT", list(range(1, len(rows) + 1))), "row": ("BIGINT", rows)}
        self._local.put("reread_rows", numbers)
        listed = "".join(f", {_quoted(field)}" for field in fields)
        select = (
            f"SELECT reread_rows.row AS file_row, broken{listed}"
            " FROM reread JOIN reread_rows ON reread.file_row = reread_rows.line"
        )
        return self._from_local(select, fields, self._folder / f"again-{nth}.parquet")

    def _from_local(self, select: str, fields: Mapping[str, str], path: Path) -> DataFrame:
        columns = {"file_row": "BIGINT", "broken": "VARCHAR", **dict.fromkeys(fields, "VARCHAR")}
        self._local.write(select, columns=columns, order="file_row", path=path)
        schema = ", ".join(
            f"{name(c)} {'BIGINT' if kind == 'BIGINT' else 'STRING'}" for c, kind in columns.items()
        )
        return self._session.read.schema(schema).parquet(url(path))

    def _numbered(self, stored: DataFrame, *, base: int) -> DataFrame:
        """Return the stored lines with `file_row`, from `base` + 1 on, in the order of the file."""
        pieces = stored.groupBy("block").agg({"nth": "min", "*": "count"}).orderBy("block")
        shifts, before = {}, base
        for block, first, n_rows in pieces.select("block", "min(nth)", "count(1)").collect():
            shifts[block] = before + 1 - first
            before += n_rows
        if not shifts:
            return stored.selectExpr("CAST(nth AS BIGINT) AS file_row", "*")
        listed = ", ".join(f"{block}L, {shift}L" for block, shift in shifts.items())
        return stored.selectExpr(f"nth + map({listed})[block] AS file_row", "*")

    def _whole(self, table: RawTable, fields: Mapping[str, str]) -> DataFrame:
        """Return the records of a file as the local engine reads them."""
        self._local.read("whole", table, fields)
        return self._from_local("SELECT * FROM whole", fields, self._folder / "whole.parquet")

    def _delimited(self, table: RawTable, fields: Mapping[str, str]) -> DataFrame:
        newline = _newline(table.file.path)
        if newline is None:
            return self._whole(table, fields)
        lines = self._session.read.option("lineSep", newline).text(url(table.file.path))
        n_columns = len(table.columns)
        filled = lines if n_columns == 1 else lines.where("value <> ''")
        found = cells("value", delimiter=table.delimiter, quote=table.quote)
        own = self._folder / "lines"
        has_width = (
            f"(size(found) = {n_columns}"
            f" OR size(found) = {n_columns + 1} AND last_one = '')"  # a delimiter at the end
        )
        filled.selectExpr("value", *_PLACE).selectExpr(
            "block", "nth", f"{is_irregular('value', table)} AS is_irregular", f"{found} AS found"
        ).selectExpr("*", "try_element_at(found, -1) AS last_one").selectExpr(
            "block",
            "nth",
            "is_irregular",
            f"CASE WHEN NOT {has_width} THEN {string(WRONG_WIDTH)} END AS broken",
            *(
                f"CASE WHEN {has_width} THEN nullif(get(found, {table.columns.index(c)}), '') END"
                f" AS {name(f)}"
                for f, c in fields.items()
            ),
        ).write.parquet(url(own))
        stored = self._session.read.parquet(url(own))
        if stored.where("is_irregular").limit(1).count():
            return self._whole(table, fields)
        numbered = self._numbered(stored, base=-int(table.has_header))
        return numbered.where("file_row > 0").selectExpr("file_row", "broken", *map(name, fields))

    def _parquet(self, table: RawTable, fields: Mapping[str, str]) -> DataFrame:
        places = {field: table.columns.index(column) for field, column in fields.items()}
        texts = {field: as_text(table, place) for field, place in places.items()}
        if any(text is None for text in texts.values()):
            return self._whole(table, fields)
        pairs = {field: text for field, text in texts.items() if text is not None}
        doubts = " OR ".join(text.doubt for text in pairs.values() if text.doubt) or "false"
        rows = self._session.read.parquet(url(table.file.path)).selectExpr(
            "CAST(_metadata.row_index AS BIGINT) + 1 AS file_row",
            f"coalesce({doubts}, false) AS is_doubtful",
            *(f"{text.sql} AS {name(field)}" for field, text in pairs.items()),
        )
        own = self._folder / "rows"
        rows.write.parquet(url(own))
        stored = self._session.read.parquet(url(own))
        columns = ("file_row", "CAST(NULL AS STRING) AS broken", *map(name, fields))
        doubtful = [row for (row,) in stored.where("is_doubtful").select("file_row").collect()]
        if not doubtful:
            return stored.selectExpr(*columns)
        self._local.read("reread", table, fields)
        self._local.put("reread_rows", {"file_row": ("BIGINT", doubtful)})
        again = "SELECT reread.* FROM reread SEMI JOIN reread_rows USING (file_row)"
        return (
            stored.where("NOT is_doubtful")
            .selectExpr(*columns)
            .union(self._from_local(again, fields, self._folder / "again.parquet"))
        )


def _newline(path: Path) -> str | None:
    """Return what ends the lines of a text file; None when it is a lone carriage return."""
    with path.open("rb") as text:
        start = text.read(2**20)
    if b"\n" not in start and b"\r" in start:
        return None
    return "\r\n" if b"\r\n" in start else "\n"


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _cause(text: str) -> str:
    """Return the innermost reason that Spark gives."""
    found = re.findall(
        r"(?:Caused by: )?(?:java\.[\w.]+Exception|org\.[\w.]+Exception): (.+)", text
    )
    return json.dumps((found or [text])[-1].splitlines()[0][:200], ensure_ascii=False)
