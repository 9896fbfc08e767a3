"""The same steps as a careful person would write them for Spark on this machine: `local[2]`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = "reviewerID STRING, asin STRING, overall DOUBLE, unixReviewTime BIGINT"
WEEK_S = 7 * 86_400


def run(file: Path, out: Path, *, k_core: int) -> dict[str, Any]:
    """Return the time, the session's start left out, and the counts of the same steps."""
    began_s = time.perf_counter()
    spark = _session()
    spark.range(1).count()
    started_s = time.perf_counter()
    rows, n_rows = _read(spark, file)
    rows, n_kept = _k_core(_clean(rows), k_core)
    users, items = _numbered(rows, "user_id", "user_idx"), _numbered(rows, "item_id", "item_idx")
    rows = rows.join(users, "user_id").join(items, "item_id").cache()
    popularity, activity = _features(rows)
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
        "kept": n_kept,
        "users": users.count(),
        "items": items.count(),
    }
    spark.stop()
    return result


def _session() -> SparkSession:
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def _read(spark: SparkSession, file: Path) -> tuple[DataFrame, int]:
    from pyspark.sql import functions as f

    rows = (
        spark.read.schema(SCHEMA)
        .json(str(file))
        .toDF("user_id", "item_id", "value", "ts")
        .withColumn("position", f.monotonically_increasing_id())
        .cache()
    )
    return rows, rows.count()


def _clean(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as f

    rows = rows.dropna().where(f.col("ts").between(631_152_000, int(time.time()) + 86_400))
    return rows.dropDuplicates(["user_id", "item_id", "value", "ts"]).cache()


def _k_core(rows: DataFrame, k: int) -> tuple[DataFrame, int]:
    n_left = rows.count()
    while True:
        rows = _frequent(_frequent(rows, "user_id", k), "item_id", k).cache()
        n_smaller = rows.count()
        if n_smaller == n_left:
            return rows, n_left
        n_left = n_smaller


def _frequent(rows: DataFrame, column: str, k: int) -> DataFrame:
    from pyspark.sql import functions as f

    counts = rows.groupBy(column).count().where(f.col("count") >= k)
    return rows.join(counts.select(column), column, "left_semi")


def _numbered(rows: DataFrame, column: str, index: str) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    first = rows.groupBy(column).agg(f.min("position").alias("first"))
    order = Window.orderBy("first")
    return first.select(column, (f.row_number().over(order) - 1).alias(index))


def _features(rows: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Return what is known of items and of users at the end of the data."""
    from pyspark.sql import functions as f

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
    return popularity, activity
