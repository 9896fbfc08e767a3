"""The steps of `tables` in DuckDB: `python -m benchmarks.tables.with_duckdb FILE OUT K`.

With the memory that ingest gives it by default; prints took_s, cpu_s and kept as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

from endcap.ingest.config import IngestConfig

READ = {
    ".json": """
        SELECT row_number() OVER () AS position, reviewerID AS user_id, asin AS item_id,
            overall AS value, unixReviewTime AS ts
        FROM read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {
            reviewerID: 'VARCHAR', asin: 'VARCHAR', overall: 'DOUBLE', unixReviewTime: 'BIGINT'})
    """,
    ".csv": """
        SELECT row_number() OVER () AS position, user_id, item_id, value, ts
        FROM read_csv(?, store_rejects = true, types = {
            'user_id': 'VARCHAR', 'item_id': 'VARCHAR', 'value': 'DOUBLE', 'ts': 'BIGINT'})
    """,
}
FREQUENT = """
    CREATE TABLE smaller AS SELECT * FROM rows
    SEMI JOIN (SELECT user_id FROM rows GROUP BY user_id HAVING count(*) >= $k) AS users
        USING (user_id)
    SEMI JOIN (SELECT item_id FROM rows GROUP BY item_id HAVING count(*) >= $k) AS items
        USING (item_id)
"""
NUMBERED = """
    CREATE TABLE {name}s AS
    SELECT row_number() OVER (ORDER BY min(position)) - 1 AS {name}_idx, {name}_id
    FROM rows GROUP BY {name}_id
"""
INDEXED = """
    COPY (
        SELECT user_idx::INTEGER AS user_idx, item_idx::INTEGER AS item_idx, value, ts
        FROM rows JOIN users USING (user_id) JOIN items USING (item_id) ORDER BY ts, position
    ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def main() -> None:
    """Run the steps on a file and say how long they took."""
    file, out, k = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    started_s, cpu_started_s = time.perf_counter(), time.process_time()
    db = duckdb.connect(config={"memory_limit": f"{IngestConfig().memory_gb:g}GB"})
    db.execute("SET enable_progress_bar = false")
    db.execute(f"SET temp_directory = '{out / 'spill'}'")
    db.execute(f"CREATE TABLE rows AS {READ[file.suffix]}", [str(file)])
    n_rows = _count(db)
    while True:
        db.execute(FREQUENT, {"k": k})
        db.execute("DROP TABLE rows")
        db.execute("ALTER TABLE smaller RENAME TO rows")
        n_left = _count(db)
        if n_left == n_rows:
            break
        n_rows = n_left
    for name in ("user", "item"):
        db.execute(NUMBERED.format(name=name))
        path = out / f"{name}s.parquet"
        db.execute(f"COPY (FROM {name}s ORDER BY {name}_idx) TO '{path}' (COMPRESSION zstd)")
    db.execute(INDEXED.format(path=out / "interactions.parquet"))
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_started_s
    print(json.dumps({"took_s": took_s, "cpu_s": cpu_s, "kept": n_rows}))


def _count(db: duckdb.DuckDBPyConnection) -> int:
    return int(db.execute("SELECT count(*) FROM rows").fetchall()[0][0])


if __name__ == "__main__":
    main()
