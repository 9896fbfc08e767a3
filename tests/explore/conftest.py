from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import SECOND_US


def at(text: str) -> int:
    """Return a UTC time such as 2024-01-31 or 2024-01-31T12:00 in microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


def dataset(
    rows: Sequence[tuple[Any, ...]],
    *,
    n_users: int | None = None,
    n_items: int | None = None,
    **attributes: tuple[list[int], tuple[str, ...]],
) -> Dataset:
    """Return rows of (user, item, time[, kind[, value[, price]]]) as a dataset, in time order.

    An attribute is given as the codes of all items and the names of the codes.
    """
    full = [(*row, *(Kind.VIEW, 1.0, np.nan)[len(row) - 3 :]) for row in rows]
    full = [(u, i, at(ts) if isinstance(ts, str) else ts, k, v, p) for u, i, ts, k, v, p in full]
    full.sort(key=lambda row: row[2])
    columns = list(zip(*full, strict=True)) or [()] * 6
    n_items = n_items if n_items is not None else max(columns[1], default=-1) + 1
    unknown = np.full(n_items, -1, dtype=np.int32)
    codes = {name: unknown for name in ("department", "category", "brand")}
    names: dict[str, tuple[str, ...]] = {}
    for name, (given, texts) in attributes.items():
        codes[name], names[f"{name}_names"] = np.array(given, dtype=np.int32), texts
    return Dataset(
        Interactions(
            user_idx=np.array(columns[0], dtype=np.int32),
            item_idx=np.array(columns[1], dtype=np.int32),
            kind=np.array([KIND_CODES[kind] for kind in columns[3]], dtype=np.uint8),
            value=np.array(columns[4], dtype=np.float32),
            price=np.array(columns[5], dtype=np.float32),
            ts=np.array(columns[2], dtype=np.int64),
        ),
        n_users if n_users is not None else max(columns[0], default=-1) + 1,
        n_items,
        Items(**codes, **names),
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., Dataset]:
    """The maker of small datasets, see `dataset`."""
    return dataset


@pytest.fixture(scope="session")
def time_us() -> Callable[[str], int]:
    """The reader of times, see `at`."""
    return at


@pytest.fixture(scope="session")
def busy() -> Dataset:
    """A random data set that has something of everything: kinds, stars, prices, names."""
    rng = np.random.default_rng(5)
    n_rows, n_items = 3000, 80
    kinds = rng.choice([Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.RATING], n_rows).tolist()
    begin = at("2024-01-01")
    rows = [
        (
            int(rng.integers(0, 60) ** 2 // 60),
            int(rng.integers(0, n_items)),
            begin + int(rng.integers(0, 200 * 86_400)) * SECOND_US,
            kind,
            float(rng.integers(1, 6)) if kind in (Kind.PURCHASE, Kind.RATING) else 1.0,
            float(rng.lognormal(2, 1)) if kind == Kind.PURCHASE else np.nan,
        )
        for kind in kinds
    ]
    codes = [item % 3 for item in range(n_items)]
    return dataset(
        rows,
        n_users=70,
        n_items=n_items,
        department=(codes, ("Tea", "$x$ & <b>", "Пироги 🥧")),
        brand=(codes, ("A", "B", "C")),
    )
