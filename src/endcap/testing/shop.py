"""A small generated shop with planted tastes, so that a page can be tested without training.

Not for measuring models: its users are far too easy to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US, ItemIdx

SHOP_END_US = 1_577_836_800_000_000  # 2020-01-01
N_DAYS = 120
N_NEW_DAYS = 20
N_BASKETS = 24
N_STAPLES = 8

DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "Produce": ("Apples", "Berries", "Greens", "Roots"),
    "Bakery": ("Loaves", "Rolls", "Cakes", "Biscuits"),
    "Dairy": ("Milk", "Cheese", "Yogurt", "Butter"),
    "Drinks": ("Juice", "Tea", "Coffee", "Water"),
    "Garden": ("Seeds", "Pots", "Tools", "Soil"),
    "Kitchen": ("Pans", "Knives", "Bowls", "Cups"),
}
ADJECTIVES = ("Red", "Golden", "Plain", "Fine", "Wild", "Small", "Large", "Sweet", "Old", "Bright")


@dataclass(frozen=True, slots=True)
class TinyShop:
    """The shop as plain values, aligned by index.

    catalogue: one mapping an item with the keys that a bundle's catalogue has; a few lack a name,
        a price or a department, and a few names belong to two items.
    favourite: the department code that each user buys most of.
    staples: items each user buys again and again, shape (n_users, n_staples).
    new_items: items that were first bought in the last days of the data.
    """

    data: Dataset
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    catalogue: tuple[dict[str, Any], ...]
    price: np.ndarray[Any, np.dtype[np.float32]]
    is_available: np.ndarray[Any, np.dtype[np.bool_]]
    favourite: tuple[int, ...]
    staples: ItemIdx
    new_items: ItemIdx


def tiny_shop(rng: np.random.Generator, *, n_users: int = 60, n_items: int = 300) -> TinyShop:
    """Return a shop whose users buy staples of one department again and again, in data time.

    The data ends at `SHOP_END_US`; it has 120 days, 6 departments with 4 categories each, some
    items that cannot be had and some that are new.

    Args:
        rng: the same generator state gives the same shop.
        n_users: at least 1.
        n_items: at least 60, so that each department has ten.
    """
    n_departments = len(DEPARTMENTS)
    department = (np.arange(n_items) % n_departments).astype(np.int32)
    category = (department * 4 + (np.arange(n_items) // n_departments) % 4).astype(np.int32)
    price = np.round(rng.uniform(0.5, 20.0, n_items), 2).astype(np.float32)
    price[n_items // 2] = np.nan
    department[-1] = category[-1] = -1
    is_available = np.arange(n_items) % 37 != 5
    new_items = np.arange(7, n_items, 17, dtype=np.int32)
    favourite = tuple(user % n_departments for user in range(n_users))
    old_items = np.setdiff1d(np.arange(n_items, dtype=np.int32), new_items)
    staples = np.stack(
        [
            rng.choice(old_items[department[old_items] == code], N_STAPLES, replace=False)
            for code in favourite
        ]
    )
    items = Items(
        department=department,
        category=category,
        brand=np.full(n_items, -1, dtype=np.int32),
        department_names=tuple(DEPARTMENTS),
        category_names=tuple(name for names in DEPARTMENTS.values() for name in names),
    )
    interactions = _interactions(rng, staples, department, old_items=old_items, new_items=new_items)
    item_ids = tuple(f"item-{index:03d}" for index in range(n_items))
    return TinyShop(
        data=Dataset(interactions=interactions, n_users=n_users, n_items=n_items, items=items),
        user_ids=tuple(f"user-{index:02d}" for index in range(n_users)),
        item_ids=item_ids,
        catalogue=_catalogue(item_ids, items, price=price, is_available=is_available),
        price=price,
        is_available=is_available,
        favourite=favourite,
        staples=staples.astype(np.int32),
        new_items=new_items,
    )


def _interactions(
    rng: np.random.Generator,
    staples: ItemIdx,
    department: ItemIdx,
    *,
    old_items: ItemIdx,
    new_items: ItemIdx,
) -> Interactions:
    """Return baskets of staples, of other things from the same department, and of anything."""
    users: list[int] = []
    items: list[int] = []
    times: list[int] = []
    for user, own in enumerate(staples):
        near = old_items[department[old_items] == department[own[0]]]
        for day in rng.uniform(0, N_DAYS, N_BASKETS):
            anything = np.concatenate([old_items, new_items]) if day > N_DAYS - N_NEW_DAYS else near
            basket = np.unique(
                np.concatenate([rng.choice(own, 4), rng.choice(near, 2), rng.choice(anything, 2)])
            )
            users += [user] * len(basket)
            items += basket.tolist()
            times += [SHOP_END_US - int((N_DAYS - day) * DAY_US) - 1] * len(basket)
    order = np.argsort(times, kind="stable")
    n_rows = len(order)
    return Interactions(
        user_idx=np.array(users, dtype=np.int32)[order],
        item_idx=np.array(items, dtype=np.int32)[order],
        kind=np.full(n_rows, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
        value=np.ones(n_rows, dtype=np.float32),
        price=np.full(n_rows, np.nan, dtype=np.float32),
        ts=np.array(times, dtype=np.int64)[order],
    )


def _catalogue(
    item_ids: Sequence[str],
    items: Items,
    *,
    price: np.ndarray[Any, np.dtype[np.float32]],
    is_available: np.ndarray[Any, np.dtype[np.bool_]],
) -> tuple[dict[str, Any], ...]:
    entries = []
    for index, item_id in enumerate(item_ids):
        department, category = int(items.department[index]), int(items.category[index])
        known = department >= 0
        entries.append(
            {
                "item_id": item_id,
                "name": _name(index, items.category_names[category]) if known else None,
                "department": items.department_names[department] if known else None,
                "category": items.category_names[category] if known else None,
                "brand": None,
                "price": None if np.isnan(price[index]) else round(float(price[index]), 2),
                "currency": "USD",
                "image_url": None,
                "is_available": bool(is_available[index]),
            }
        )
    return tuple(entries)


def _name(index: int, category: str) -> str:
    # Items 24 apart are of one category; every tenth of those pairs shares its name.
    variety = index // 24 - (1 if index % 240 in range(24, 29) else 0)
    first, second = divmod(variety, len(ADJECTIVES))
    return f"{ADJECTIVES[second]} {category}" + (f" No. {first + 1}" if first else "")
