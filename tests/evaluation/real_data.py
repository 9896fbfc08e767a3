"""Real data sets beside the checkout as data, without the ingest in between."""

import os
from pathlib import Path

import numpy as np
import pytest

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items


def folder_of(name: str) -> Path:
    """Return the folder of a data set; a test that needs it is skipped where it is not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", beside)) / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ENDCAP_TEST_DATA")
    return folder


def dataset_from(ts_us, users, items, kind: Kind) -> Dataset:
    """Return interactions of one kind from columns that are in time order, ids from 0."""
    n_rows, n_items = len(ts_us), int(items.max()) + 1
    codes = np.full(n_items, -1, dtype=np.int32)
    told = Interactions(
        user_idx=users.astype(np.int32),
        item_idx=items.astype(np.int32),
        kind=np.full(n_rows, KIND_CODES[kind], dtype=np.uint8),
        value=np.ones(n_rows, dtype=np.float32),
        price=np.full(n_rows, np.nan, dtype=np.float32),
        ts=ts_us.astype(np.int64),
    )
    return Dataset(told, int(users.max()) + 1, n_items, Items(codes, codes, codes))
