"""SQL that is a column of a Parquet file as text, whatever tool wrote it and with which type."""

from __future__ import annotations

from endcap.ingest.engine import identifier

# A whole number that some tool stored as a float names the same thing as before; beyond 2 ** 53 it
# is no longer exact, and stays as it is.
WHOLE_FLOAT = (
    "CASE WHEN {column} = floor({column}) AND abs({column}) < 9007199254740992"
    " THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
)
TIME = "CASE WHEN isfinite({column}) THEN CAST(epoch_us({column}) AS VARCHAR) END"
NESTED = "CAST(to_json({column}) AS VARCHAR)"


def column_as_text(name: str, kind: str, *, times_as_text: bool = False) -> str:
    """Return SQL that is a column of a Parquet file as text, the same for every writer of it."""
    column = identifier(name)
    if kind in {"FLOAT", "DOUBLE"}:
        return WHOLE_FLOAT.format(column=column)
    if kind.startswith(("TIMESTAMP", "DATE")) and not (times_as_text and "ZONE" not in kind):
        return TIME.format(column=column)
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP")):
        return NESTED.format(column=column)
    return f"CAST({column} AS VARCHAR)"
