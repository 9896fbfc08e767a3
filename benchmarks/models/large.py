"""A log of the size of Electronics 5-core, and one fit on it: `python -m benchmarks.models.large`.

Beauty's histories spread over copies of its catalogue, 15 % of the items replaced by any others:
192,403 users, 63,001 items, 1.7 million events. Nothing measured on it says how good a model is.
"""

from __future__ import annotations

import json
import time

import numpy as np

from benchmarks.models.data import dataset_of, folder_of, leave_one_out_data
from endcap.models.ease.model import EASE
from endcap.schema.columns import Kind
from endcap.schema.dataset import Dataset
from endcap.training.run import peak_memory_bytes

FOLDER = "amazon_beauty_5core_2014"
N_USERS, N_ITEMS = 192_403, 63_001
REPLACED_SHARE = 0.15


def large_data() -> Dataset:
    """Return the log in time order; the same each time."""
    one, rng = leave_one_out_data(folder_of(FOLDER)), np.random.default_rng(0)
    told = one.interactions
    n_copies, n_catalogues = -(-N_USERS // one.n_users), -(-N_ITEMS // one.n_items)
    copies = np.repeat(np.arange(n_copies), len(told))
    users = np.tile(told.user_idx.astype(np.int64), n_copies) + copies * one.n_users
    items = np.tile(told.item_idx.astype(np.int64), n_copies)
    items = (items + copies % n_catalogues * one.n_items) % N_ITEMS
    replaced = rng.random(len(items)) < REPLACED_SHARE
    items[replaced] = rng.integers(N_ITEMS, size=int(replaced.sum()))
    kept = np.flatnonzero(users < N_USERS)
    ts_us = np.tile(told.ts, n_copies)
    order = kept[np.argsort(ts_us[kept], kind="stable")]
    return dataset_of(ts_us[order], users[order], items[order], kind=Kind.RATING, n_items=N_ITEMS)


def main() -> None:
    """Fit EASE with its defaults, and print the seconds and the largest memory."""
    data = large_data()
    started_s = time.perf_counter()
    EASE().fit(data, rng=np.random.default_rng(0))
    said = {
        "fit_s": time.perf_counter() - started_s,
        "peak_bytes": peak_memory_bytes(),
        "n_users": data.n_users,
        "n_items": data.n_items,
        "n_events": len(data.interactions),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
