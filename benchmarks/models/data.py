"""The real data of these benchmarks, from the folder that `ENDCAP_TEST_DATA` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US, SECOND_US

Clicks: TypeAlias = NDArray[np.int64]
"""The items of one session, in order."""
N_VALIDATION = 5_000
"""Sessions at the end of the training part that no model learns; blends learn how to rank them."""

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


def read_sessions(folder: Path) -> tuple[list[Clicks], list[Clicks]]:
    """Return the sessions of training and test, in the order of the file."""
    table = duckdb.read_parquet(str(folder / "sessions.parquet")).order("session")
    rows = table.fetchnumpy()
    items = [np.asarray(one, dtype=np.int64) for one in rows["items"]]
    is_test = rows["split"] == "test"
    first = min(int(one.min()) for one in items)
    train = [one - first for one, test in zip(items, is_test, strict=True) if not test]
    return train, [one - first for one, test in zip(items, is_test, strict=True) if test]


def as_data(sessions: Sequence[Clicks], *, n_items: int, start: int = 0) -> Dataset:
    """Return sessions as users of their own, one a day: the data has no times, only an order."""
    lengths = np.array([len(one) for one in sessions])
    users = np.repeat(np.arange(len(sessions)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    ts_us = (start + users + 1) * DAY_US + within * SECOND_US
    return dataset_of(ts_us, users, np.concatenate(sessions), kind=Kind.VIEW, n_items=n_items)


def learnt_sessions(folder: Path) -> Dataset:
    """Return the training sessions of a folder but the last `N_VALIDATION`."""
    train, test = read_sessions(folder)
    n_items = 1 + max(int(one.max()) for one in (*train, *test))
    return as_data(train[:-N_VALIDATION], n_items=n_items)
