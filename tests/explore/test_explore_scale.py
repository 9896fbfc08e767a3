"""The cost that `explore` states, measured on two million rows."""

import tracemalloc

import numpy as np
import pytest

from endcap.explore.exploration import explore
from endcap.explore.page import About, render_page
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US, SECOND_US

N_ROWS, N_USERS, N_ITEMS = 2_000_000, 200_000, 50_000
MAX_BYTES_A_ROW = 64
MAX_PAGE_BYTES = 300_000


def large(rng):
    users = (rng.pareto(1.1, N_ROWS) * 20).astype(np.int64) * 7919 % N_USERS
    items = np.minimum((rng.pareto(0.9, N_ROWS) * 30).astype(np.int64), N_ITEMS - 1)
    codes = (np.arange(N_ITEMS) % 300).astype(np.int32)
    names = tuple(f"name {code}" for code in range(300))
    return Dataset(
        Interactions(
            user_idx=users.astype(np.int32),
            item_idx=items.astype(np.int32),
            kind=rng.integers(1, 5, N_ROWS).astype(np.uint8),
            value=rng.integers(1, 6, N_ROWS).astype(np.float32),
            price=rng.lognormal(2, 1, N_ROWS).astype(np.float32),
            ts=np.sort(rng.integers(0, 1200 * 86_400, N_ROWS)) * SECOND_US,
        ),
        N_USERS,
        N_ITEMS,
        Items(codes, codes, codes, names, names, names),
    )


@pytest.mark.slow
def test_memory_grows_with_the_rows_as_stated_and_the_page_does_not():
    data = large(np.random.default_rng(3))
    tracemalloc.start()
    found = explore(data, cut_us=data.end_us - 28 * DAY_US)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    page_bytes = len(render_page(found, About("large")).encode())
    print(f"{peak_bytes / N_ROWS:.0f} bytes a row, {page_bytes:,} bytes of page")
    assert peak_bytes / N_ROWS < MAX_BYTES_A_ROW
    assert page_bytes < MAX_PAGE_BYTES
