"""The real data of these benchmarks, from the folder that `ENDCAP_TEST_DATA` names."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import SECOND_US

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def folder_of(name: str) -> Path:
    """Return the folder of a data set; leave with a sentence where it is not there."""
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", BESIDE)) / name
    if not folder.is_dir():
        sys.exit(f"no {folder}: set ENDCAP_TEST_DATA to the folder of the data sets")
    return folder


def leave_one_out_data(folder: Path) -> Dataset:
    """Return the interactions of `interactions.parquet` as ratings, in time order.

    Those at the same time come by user and by their place in the published file.
    """
    table = duckdb.read_parquet(str(folder / "interactions.parquet")).order('ts, "user", pos')
    rows = table.fetchnumpy()
    first = min(int(rows["user"].min()), 1), min(int(rows["item"].min()), 1)
    return dataset_of(
        rows["ts"] * SECOND_US, rows["user"] - first[0], rows["item"] - first[1], kind=Kind.RATING
    )


def tenth_of(data: Dataset) -> Dataset:
    """Return what every tenth user did; the others are still counted."""
    told = data.interactions
    return replace(data, interactions=told.take(told.user_idx % 10 == 0))


def dataset_of(
    ts_us: NDArray[np.int64],
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    *,
    kind: Kind,
    n_items: int | None = None,
) -> Dataset:
    """Return interactions of one kind as data without attributes; columns are in time order."""
    n_known = int(items.max()) + 1 if n_items is None else n_items
    codes = np.full(n_known, -1, dtype=np.int32)
    told = Interactions(
        user_idx=users.astype(np.int32),
        item_idx=items.astype(np.int32),
        kind=np.full(len(ts_us), KIND_CODES[kind], dtype=np.uint8),
        value=np.ones(len(ts_us), dtype=np.float32),
        price=np.full(len(ts_us), np.nan, dtype=np.float32),
        ts=ts_us.astype(np.int64),
    )
    return Dataset(told, int(users.max()) + 1, n_known, Items(codes, codes, codes))
