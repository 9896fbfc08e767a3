"""Features that Spark reckons in parts are the features of one machine, bit by bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import duckdb
import numpy as np
import pytest

from endcap.features.point_in_time import item_features, totals_of, user_features
from endcap.features.spec import FeatureSpec
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, weigh
from endcap.ingest.compute import cluster
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US
from endcap.training.spark_features import Moment, features_on_spark

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(300)]

N_USERS, N_ITEMS, N_EVENTS = 60, 40, 3000


def a_shop() -> Dataset:
    """Return events of all kinds, many at one time; some users and items have none."""
    rng = np.random.default_rng(5)
    ts = np.sort(rng.integers(0, 60 * 24, N_EVENTS)) * (DAY_US // 24)
    price = rng.choice([np.nan, 1.5, 2.0, 9.99, 100.0], N_EVENTS).astype(np.float32)
    return Dataset(
        Interactions(
            user_idx=rng.integers(0, N_USERS - 5, N_EVENTS).astype(np.int32),
            item_idx=rng.integers(3, N_ITEMS, N_EVENTS).astype(np.int32),
            kind=rng.integers(1, 9, N_EVENTS).astype(np.uint8),
            value=rng.integers(1, 6, N_EVENTS).astype(np.float32),
            price=price,
            ts=ts,
        ),
        n_users=N_USERS,
        n_items=N_ITEMS,
        items=Items(
            department=rng.integers(-1, 3, N_ITEMS).astype(np.int32),
            category=rng.integers(-1, 8, N_ITEMS).astype(np.int32),
            brand=np.full(N_ITEMS, -1, dtype=np.int32),
            department_names=("a", "b", "c"),
            category_names=tuple("abcdefgh"),
            brand_names=(),
        ),
    )


def written(data: Dataset, folder: Path) -> list[Path]:
    """Write the interactions as two files, the rows of each in no order of time."""
    names = ("user_idx", "item_idx", "kind", "value", "price", "ts")
    rows = list(zip(*(getattr(data.interactions, name).tolist() for name in names), strict=True))
    paths = []
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE t (user_idx INTEGER, item_idx INTEGER, kind UTINYINT, value FLOAT,"
            " price FLOAT, ts BIGINT, position BIGINT)"
        )
        db.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, nullif(?, 'nan'::FLOAT), ?, ?)",
            [(*row, n) for n, row in enumerate(rows)],
        )
        for part in (0, 1):
            path = folder / f"{part}.parquet"
            db.execute(
                f"COPY (SELECT * FROM t WHERE position % 2 = {part} ORDER BY hash(position))"
                f" TO '{path}' (FORMAT parquet)"
            )
            paths.append(path)
    return paths


def same(here: object, there: object) -> None:
    for part in fields(here):
        left, right = getattr(here, part.name), getattr(there, part.name)
        if part.name == "taste":
            same(left, right)
            continue
        assert left.dtype == right.dtype, part.name
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), part.name


@pytest.mark.parametrize(
    ("weights", "day"),
    [(None, 30), (DEFAULT_WEIGHTS, 61), (KindWeights(view=0.7, liked_from_stars=3), 45), (None, 0)],
)
def test_parts_give_the_features_of_the_whole(
    spark_running: str,
    tmp_path: Path,
    weights: KindWeights | None,
    day: int,
):
    data = a_shop()
    spec, at_us = FeatureSpec(), day * DAY_US
    weighed = data if weights is None else weigh(data, weights)
    items = item_features(weighed.interactions, data.items, at_us=at_us, spec=spec)
    users = user_features(
        weighed.interactions,
        data.items,
        users=np.arange(N_USERS, dtype=np.int32),
        at_us=at_us,
        spec=spec,
        totals=totals_of(items, data.items, spec=spec),
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with cluster.spark_session(spark_running, scratch=scratch, memory_gb=0.75) as session:
        there = features_on_spark(
            session,
            written(data, tmp_path),
            Moment(data.items, at_us, spec, weights),
            n_users=N_USERS,
            n_parts=3,
        )
    same(users, there[0])
    same(items, there[1])
    assert day == 0 or (items.n_events.sum() > 0 and np.isfinite(items.price).any())
