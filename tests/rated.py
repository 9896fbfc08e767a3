"""Data sets of ratings for tests of several rooms."""

import numpy as np

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items

STARS_SHARES = np.array([108_725, 82_139, 142_257, 347_041, 1_009_026]) / 1_689_188
"""Of one to five stars in Electronics, 5-core, 2014."""


def rated(users, items, stars, *, ts=None, n_users=None, n_items=None) -> Dataset:
    """Return ratings in the order given, a microsecond apart when no times are given."""
    users, items = np.asarray(users, dtype=np.int32), np.asarray(items, dtype=np.int32)
    ts = np.arange(len(users)) if ts is None else np.asarray(ts)
    n_items = int(items.max()) + 1 if n_items is None else n_items
    codes = np.full(n_items, -1, dtype=np.int32)
    order = np.argsort(ts, kind="stable")
    return Dataset(
        Interactions(
            user_idx=users[order],
            item_idx=items[order],
            kind=np.full(len(users), KIND_CODES[Kind.RATING], dtype=np.uint8),
            value=np.asarray(stars, dtype=np.float32)[order],
            price=np.full(len(users), np.nan, dtype=np.float32),
            ts=ts[order].astype(np.int64),
        ),
        n_users=int(users.max()) + 1 if n_users is None else n_users,
        n_items=n_items,
        items=Items(codes, codes, codes),
    )


def electronics_like(*, n_rows=20_000, n_users=2_500, n_items=800, seed=0) -> Dataset:
    """Return independent ratings with Electronics' shares of stars: nothing in them to learn."""
    rng = np.random.default_rng(seed)
    users = np.concatenate([np.tile(np.arange(n_users), 5), rng.integers(n_users, size=n_rows)])
    users = rng.permutation(users[:n_rows])
    items = (n_items * rng.random(n_rows) ** 2).astype(np.int32)
    stars = rng.choice(np.arange(1, 6), size=n_rows, p=STARS_SHARES)
    return rated(users, items, stars, n_users=n_users, n_items=n_items)
