"""The steps of `tables` in Polars: `python -m benchmarks.tables.with_polars FILE OUT K`.

Lazy throughout, on its streaming engine; prints took_s, cpu_s and kept as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    LazyFrame = Any

ENGINE = "streaming"


def main() -> None:
    """Run the steps on a file and say how long they took."""
    import polars as pl

    file, out, k = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    started_s, cpu_started_s = time.perf_counter(), time.process_time()
    rows = _read(file).collect(engine=ENGINE)
    while True:
        left = rows.lazy()
        for column in ("user_id", "item_id"):
            counts = rows.lazy().group_by(column).agg(pl.len().alias("n"))
            left = left.join(counts.filter(pl.col("n") >= k), on=column, how="semi")
        smaller = left.collect(engine=ENGINE)
        n_before, rows = len(rows), smaller
        if len(rows) == n_before:
            break
    for name in ("user", "item"):
        numbered = (
            rows.lazy()
            .group_by(f"{name}_id")
            .agg(pl.col("position").min())
            .sort("position")
            .select(pl.int_range(pl.len(), dtype=pl.Int32).alias(f"{name}_idx"), f"{name}_id")
            .collect(engine=ENGINE)
        )
        numbered.write_parquet(out / f"{name}s.parquet", compression="zstd")
        rows = rows.lazy().join(numbered.lazy(), on=f"{name}_id").collect(engine=ENGINE)
    indexed = rows.lazy().sort("ts", "position").select("user_idx", "item_idx", "value", "ts")
    indexed.sink_parquet(out / "interactions.parquet", compression="zstd", engine=ENGINE)
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_started_s
    print(json.dumps({"took_s": took_s, "cpu_s": cpu_s, "kept": len(rows)}))


def _read(file: Path) -> LazyFrame:
    import polars as pl

    if file.suffix == ".csv":
        rows = pl.scan_csv(
            file,
            schema_overrides={
                "user_id": pl.String,
                "item_id": pl.String,
                "value": pl.Float64,
                "ts": pl.Int64,
            },
            row_index_name="position",
            ignore_errors=True,
        )
        return rows.select("position", "user_id", "item_id", "value", "ts")
    schema = {
        "reviewerID": pl.String,
        "asin": pl.String,
        "overall": pl.Float64,
        "unixReviewTime": pl.Int64,
    }
    rows = pl.scan_ndjson(file, schema=schema, row_index_name="position", ignore_errors=True)
    return rows.select(
        "position",
        pl.col("reviewerID").alias("user_id"),
        pl.col("asin").alias("item_id"),
        pl.col("overall").alias("value"),
        pl.col("unixReviewTime").alias("ts"),
    )


if __name__ == "__main__":
    main()
