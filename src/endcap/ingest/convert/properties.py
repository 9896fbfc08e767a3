"""Properties of RetailRocket's items over time: every change of them, at its time.

The source says one property of one item at one time a row, week by week. How items stand last is
SQL of their shape, in `shapes.retailrocket`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from endcap.ingest.convert.tables import create_relation
from endcap.ingest.engine import connect, count, fill, literal, plain_path

CATEGORY = "categoryid"
AVAILABLE = "available"

CHANGES = """
    COPY (
        SELECT item_id, property, value, ts FROM (
            SELECT
                itemid AS item_id, property, value,
                TRY_CAST("timestamp" AS BIGINT) * 1000 AS ts,
                lag(value) OVER (
                    PARTITION BY itemid, property ORDER BY TRY_CAST("timestamp" AS BIGINT), value
                ) AS before
            FROM source WHERE property IN ($properties)
        ) WHERE ts IS NOT NULL AND value IS DISTINCT FROM before
        ORDER BY TRY_CAST(item_id AS BIGINT), item_id, property, ts, value
    ) TO $path (FORMAT parquet, COMPRESSION zstd)
"""


def write_changes(
    files: Sequence[Path],
    target: Path,
    *,
    scratch: Path,
    properties: Sequence[str] = (AVAILABLE, CATEGORY),
) -> int:
    """Return the number of changes written: item_id, property, value, ts in microseconds.

    The first value that is known of an item is a change too; a snapshot that repeats the value
    before it is none. So the value at a time is that of the last change up to then.

    Args:
        files: the parts of `item_properties`, packed or not.
        target: the Parquet file to write, ordered by item, property and time.
        scratch: a folder for what does not fit into memory.
        properties: which ones.

    Raises:
        DataError: a file cannot be read.
    """
    with connect(scratch) as db, TemporaryDirectory(dir=scratch) as copies:
        create_relation(db, "source", files, scratch=Path(copies))
        names = ", ".join(literal(name) for name in properties)
        db.execute(fill(CHANGES, properties=names, path=literal(str(target))))
        return count(db, f"SELECT count(*) FROM read_parquet({literal(plain_path(target))})")
