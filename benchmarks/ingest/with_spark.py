"""The same steps as a careful person would write them for Spark on this machine: `local[2]`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

SCHEMA = "reviewerID STRING, asin STRING, overall DOUBLE, unixReviewTime BIGINT"
WEEK_S = 7 * 86_400


def run(file: Path, out: Path, *, k_core: int) -> dict[str, Any]:
    """Return the time, the session's start left out, and the counts of the same steps."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import DataFrame, SparkSession, Window
    from pyspark.sql import functions as f

    began_s = time.perf_counter()
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.range(1).count()
    started_s = time.perf_counter()
    raw = spark.read.schema(SCHEMA).json(str(file))
    rows = (
        raw.toDF("user_id", "item_id", "value", "ts")
        .withColumn("position", f.monotonically_increasing_id())
        .cache()
    )
    n_rows = rows.count()
    rows = rows.dropna().where(f.col("ts").between(631_152_000, int(time.time()) + 86_400))
    rows = rows.dropDuplicates(["user_id", "item_id", "value", "ts"]).cache()
    n_left = rows.count()

    def frequent(left: DataFrame, column: str) -> DataFrame:
        counts = left.groupBy(column).count().where(f.col("count") >= k_core)
        return left.join(counts.select(column), column, "left_semi")

    while True:
        smaller = frequent(frequent(rows, "user_id"), "item_id").cache()
        n_smaller = smaller.count()
        rows = smaller
        if n_smaller == n_left:
            break
        n_left = n_smaller

    def numbered(column: str, index: str) -> DataFrame:
        first = rows.groupBy(column).agg(f.min("position").alias("first"))
        order = Window.orderBy("first")
        return first.select(column, (f.row_number().over(order) - 1).alias(index))

    users, items = numbered("user_id", "user_idx"), numbered("item_id", "item_idx")
    rows = rows.join(users, "user_id").join(items, "item_id").cache()
    end_s = int(rows.agg(f.max("ts")).first()[0]) + 1
    weight = f.pow(f.lit(2.0), (f.col("ts") - end_s) / WEEK_S)
    popularity = rows.groupBy("item_idx", "item_id").agg(
        f.count("*").alias("count_ratings"),
        f.avg("value").alias("avg_rating"),
        f.count_distinct("user_idx").alias("n_users"),
        f.sum(weight).alias("trend"),
        f.min("ts").alias("first_s"),
        f.max("ts").alias("last_s"),
    )
    recent = f.sum(f.when(f.col("ts") >= end_s - WEEK_S, 1).otherwise(0))
    activity = rows.groupBy("user_idx", "user_id").agg(
        f.count("*").alias("n_events"),
        f.count_distinct("item_idx").alias("n_items"),
        f.max("ts").alias("last_s"),
        recent.alias("n_last_7d"),
    )
    rows.select("user_idx", "item_idx", "value", "ts", "position").sort("ts", "position").drop(
        "position"
    ).write.parquet(str(out / "interactions"))
    popularity.write.parquet(str(out / "popularity"))
    activity.write.parquet(str(out / "users"))
    took_s = time.perf_counter() - started_s
    result = {
        "took_s": took_s,
        "start_s": started_s - began_s,
        "rows_in": n_rows,
        "kept": n_left,
        "users": users.count(),
        "items": items.count(),
    }
    spark.stop()
    return result
