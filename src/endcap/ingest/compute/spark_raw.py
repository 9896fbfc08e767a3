"""Pieces of Spark's SQL by which raw files become text: lines, cells, values of Parquet columns.

`spark_read` puts them together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from endcap.ingest.readers import BLANKS, MAX_LINE_BYTES, RawTable

JSON_OPTIONS = "map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')"
# What Spark writes in another way than the local engine: 1.5E7, Infinity, and more digits than
# Java is sure to choose as few of as it could.
_ODD_NUMBER = r"[0-9]E-?[0-9]|Infinity|(?=[0-9.]{17})[0-9]*[.][0-9]"
_HALF_PAIR = r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
_SIMPLE_KINDS = frozenset(
    (
        *("VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    )
)
_EXACT = 9007199254740992  # whole numbers from here on are no longer exact


@dataclass(frozen=True, slots=True)
class Text:
    """SQL that is a column as text, and a condition under which it may not be the right text."""

    sql: str
    doubt: str = ""


def name(column: str) -> str:
    """Return a column's name as SQL."""
    return "`" + column.replace("`", "``") + "`"


def string(text: str) -> str:
    """Return the text as a string of Spark's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def url(path: Path) -> str:
    """Return the path as Spark takes it, with no letter read as a wildcard."""
    return "".join(f"\\{c}" if c in "*?[]{}\\" else c for c in str(path.resolve()))


def is_blank(line: str) -> str:
    """Return SQL that tells whether a line holds nothing."""
    return f"(btrim({line}, {string(BLANKS)}) = '')"


def is_doubtful(line: str, columns: Sequence[str]) -> str:
    """Return SQL that tells whether the engines may read a line of JSON differently.

    It looks at `found`, what Spark read: the record with fields `c0`, `c1`, ..., and one more.
    """
    keys = [string(json.dumps(column, ensure_ascii=False)) for column in columns]
    doubts = [
        "coalesce(size(found), 0) <> 2",
        "get(found, 0) IS NULL",
        f"NOT is_valid_utf8({line})",
        f"octet_length({line}) > {MAX_LINE_BYTES // 2}",
        f"(contains({line}, '\\\\ud') OR contains({line}, '\\\\uD'))"
        f" AND {line} RLIKE {string(_HALF_PAIR)}",
        # Of a key that comes twice, one engine takes the first and the other the last.
        *(f"locate({key}, {line}, locate({key}, {line}) + 1) > 0" for key in keys),
        *(f"get(found, 0).c{n} RLIKE {string(_ODD_NUMBER)}" for n in range(len(columns))),
    ]
    return f"coalesce({' OR '.join(doubts)}, false)"


def is_irregular(line: str, table: RawTable) -> str:
    """Return SQL that tells whether a line of CSV may be more or less than one record."""
    too_long = f"octet_length({line}) > {MAX_LINE_BYTES // 2} OR {line} RLIKE '[\\\\r\\\\n]'"
    if not table.quote:
        return f"({too_long})"
    pattern = _line_pattern(table.delimiter, table.quote)
    return (
        f"({too_long} OR contains({line}, {string(table.quote)})"
        f" AND NOT {line} RLIKE {string(pattern)})"
    )


def cells(line: str, *, delimiter: str, quote: str) -> str:
    """Return SQL that is the array of the cells of a regular line, without their quotes."""
    plain = f"split({line}, {string(_literal(delimiter))}, -1)"
    if not quote:
        return plain
    mark, double = _literal(quote), string(quote * 2)
    whole = f"regexp_extract_all({line}, {string(_cell_pattern(delimiter, quote))}, 1)"
    inner = string(rf"^ *{mark}((?:[^{mark}]|{mark}{mark})*){mark} *\z")
    unquoted = (
        f"transform({whole}, cell -> IF(cell RLIKE {inner},"
        f" replace(regexp_extract(cell, {inner}, 1), {double}, {string(quote)}), cell))"
    )
    return f"IF(contains({line}, {string(quote)}), {unquoted}, {plain})"


def _cell(delimiter: str, quote: str) -> str:
    mark, between = _literal(quote), _literal(delimiter)
    quoted = rf" *{mark}(?:[^{mark}]|{mark}{mark})*+{mark} *(?={between}|\z)"
    return rf"(?:{quoted}|(?! *{mark})(?:(?!{between}).)*+)"


def _cell_pattern(delimiter: str, quote: str) -> str:
    return rf"(?s)\G(?:^|{_literal(delimiter)})({_cell(delimiter, quote)})"


def _line_pattern(delimiter: str, quote: str) -> str:
    cell = _cell(delimiter, quote)
    return rf"(?s)^{cell}(?:{_literal(delimiter)}{cell})*+\z"


def _literal(text: str) -> str:
    return "".join(c if c.isalnum() or c in " _" else f"\\{c}" for c in text)


def as_text(table: RawTable, place: int) -> Text | None:
    """Return how a column of a Parquet file becomes text, None for what only the local engine can.

    The same as `parquet_text.column_as_text`.
    """
    column, kind = name(table.columns[place]), table.types[place]
    if kind in _SIMPLE_KINDS or re.fullmatch(r"DECIMAL\(\d+,\d+\)", kind):
        return Text(f"CAST({column} AS STRING)")
    if kind in {"FLOAT", "DOUBLE"}:
        return _fraction(column, digits=15 if kind == "DOUBLE" else 6)
    if kind == "VARCHAR[]":
        return Text(f"to_json({column}, map('ignoreNullFields', 'false'))")
    if table.times_as_text and "ZONE" not in kind:
        if kind in {"DATE", "TIMESTAMP"}:
            low, high = (f"CAST('{day}' AS DATE)" for day in ("0001-01-01", "9999-12-31"))
            return Text(f"CAST({column} AS STRING)", f"{column} NOT BETWEEN {low} AND {high}")
        return None
    moment = {
        "DATE": f"unix_micros(CAST({column} AS TIMESTAMP))",
        "TIMESTAMP": f"unix_micros(CAST({column} AS TIMESTAMP))",
        "TIMESTAMP WITH TIME ZONE": f"unix_micros({column})",
        "TIMESTAMP_NS": f"CAST(floor({column} / 1000BD) AS BIGINT)",
    }.get(kind)
    return None if moment is None else Text(f"CAST({moment} AS STRING)")


def _fraction(column: str, *, digits: int) -> Text:
    written = f"CAST({column} AS STRING)"
    number = f"CAST({column} AS DOUBLE)"
    size = f"abs({number})"
    decimal = f"CAST(CAST({written} AS DECIMAL(38, 20)) AS STRING)"
    # Java writes 1.0E7 from there on; a decimal number of the same digits has no exponent.
    plain = f"IF({size} >= 0.001D AND {size} < 1e7D, {written}, rtrim('0', {decimal}))"
    return Text(
        f"CASE WHEN {column} = CAST('NaN' AS FLOAT) THEN 'nan'"
        f" WHEN {size} = CAST('Infinity' AS DOUBLE) THEN IF({column} > 0, 'inf', '-inf')"
        f" WHEN {number} = rint({number}) AND {size} < {_EXACT}"
        f" THEN CAST(CAST({number} AS BIGINT) AS STRING)"
        f" WHEN {size} >= 0.0001D AND {size} < 1e16D THEN {plain} END",
        f"NOT ({number} = rint({number}) AND {size} < {_EXACT})"
        f" AND {size} < CAST('Infinity' AS DOUBLE)"
        f" AND (length(regexp_replace({written}, '^[-0.]*|[.]|E.*', '')) > {digits}"
        f" OR {size} < 0.0001D OR {size} >= 1e16D)",
    )
