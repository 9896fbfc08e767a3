"""A tiny shop with categories and brands, and lists of its items: for the measures of variety."""

import numpy as np

from endcap.evaluation.metrics.ground import Ground, ground_of
from endcap.evaluation.split import Split, split_by_time
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import NO_ITEM, TopK

CUT = 100


def lists_of(*rows, k: int | None = None) -> TopK:
    """Return padded lists, scored 0, -1, -2, ..."""
    k = k or max(len(row) for row in rows)
    items = np.full((len(rows), k), NO_ITEM, dtype=np.int32)
    scores = np.full((len(rows), k), -np.inf, dtype=np.float32)
    for place, row in enumerate(rows):
        items[place, : len(row)] = row
        scores[place, : len(row)] = -np.arange(len(row))
    return TopK(items, scores)


def items_of(*, department=None, category=None, brand=None) -> Items:
    """Return a catalogue of codes; groups are called a, b, c, ..., what is not given is unknown."""
    given = {"department": department, "category": category, "brand": brand}
    n_items = max(len(codes) for codes in given.values() if codes is not None)
    columns, names = {}, {}
    for name, codes in given.items():
        codes = [-1] * n_items if codes is None else codes
        columns[name] = np.array(codes, dtype=np.int32)
        names[f"{name}_names"] = tuple(chr(ord("a") + code) for code in range(max(codes) + 1))
    return Items(**columns, **names)


def dataset_of(rows, *, n_users: int, items: Items) -> Dataset:
    """Return purchases from (ts, user, item) rows."""
    ts, users, bought = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T
    return Dataset(
        Interactions(
            user_idx=users.astype(np.int32),
            item_idx=bought.astype(np.int32),
            kind=np.full(len(ts), KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
            value=np.ones(len(ts), dtype=np.float32),
            price=np.full(len(ts), np.nan, dtype=np.float32),
            ts=ts,
        ),
        n_users=n_users,
        n_items=len(items),
        items=items,
    )


def split_of(past, future, *, n_users: int, items: Items) -> Split:
    """Return a split from (user, item) pairs before and after the cut."""
    rows = [(0, *pair) for pair in past] + [(CUT, *pair) for pair in future]
    return split_by_time(dataset_of(rows, n_users=n_users, items=items), cut_us=CUT)


# Items 0 to 5 were had by 4, 2, 1, 1, 0 and 0 of the four users; user 4 comes after the cut.
PAST = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (0, 2), (1, 3)]
FUTURE = [(0, 3), (0, 4), (1, 2), (2, 1), (4, 0)]
CATALOGUE = items_of(category=[0, 0, 1, 1, 2, -1], brand=[0, 1, 0, 1, 2, 2])


def varied_split() -> Split:
    """Return the split of the tiny shop; users 0, 1, 2 and 4 have targets."""
    return split_of(PAST, FUTURE, n_users=5, items=CATALOGUE)


def varied_ground() -> Ground:
    """Return what is known before the cut of the tiny shop."""
    return ground_of(varied_split())
