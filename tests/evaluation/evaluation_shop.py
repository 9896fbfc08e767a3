"""Tiny data sets and scripted models for the evaluation's tests."""

from collections.abc import Callable

import numpy as np

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import TopK, UserIdx, top_k


def dataset_of(rows, *, n_users: int, n_items: int) -> Dataset:
    """Return purchases from (ts, user, item) rows in any order."""
    ts, users, items = (np.array(column) for column in zip(*sorted(rows), strict=True))
    codes = np.full(n_items, -1, dtype=np.int32)
    return Dataset(
        Interactions(
            user_idx=users.astype(np.int32),
            item_idx=items.astype(np.int32),
            kind=np.full(len(ts), KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
            value=np.ones(len(ts), dtype=np.float32),
            price=np.full(len(ts), np.nan, dtype=np.float32),
            ts=ts.astype(np.int64),
        ),
        n_users=n_users,
        n_items=n_items,
        items=Items(codes, codes, codes),
    )


class ScoredBy:
    """A model whose scores come from a function of the users; ties by item index, as in serving."""

    def __init__(self, data: Dataset, score: Callable[[UserIdx], np.ndarray]) -> None:
        self.score = score
        self.seen = np.zeros((data.n_users, data.n_items), dtype=bool)
        self.seen[data.interactions.user_idx, data.interactions.item_idx] = True

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        scores = np.array(self.score(users), dtype=np.float32)
        if exclude_seen:
            scores[self.seen[users]] = -np.inf
        if allowed is not None:
            scores[:, np.setdiff1d(np.arange(scores.shape[1]), allowed)] = -np.inf
        return top_k(scores, k)


class Scripted:
    """A model that returns whatever a function makes of (users, k)."""

    def __init__(self, answer: Callable[[UserIdx, int], TopK]) -> None:
        self.answer = answer

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        return self.answer(users, k)


def popular_of(data: Dataset) -> ScoredBy:
    """Return the popularity ranking of the data."""
    counts = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    return ScoredBy(data, lambda users: np.tile(counts, (len(users), 1)))


N_USERS, N_ITEMS, CUT = 300, 200, 1_000


def shop_rows() -> list[tuple[int, int, int]]:
    """A shop whose low item indices sell best: the trap for models that leave ties to the index.

    Users 0 to 289 have a history; 290 to 299 come after the cut only, 280 to 289 never return.
    Every seventh buys again only by chance.
    Items 190 to 199 come after the cut only.
    """
    rng = np.random.default_rng(5)
    rows = []
    for user in range(N_USERS):
        own = rng.choice(190, size=6, replace=False)
        if user < 290:
            for item in (*own, *(190 * rng.random(10) ** 3).astype(int)):
                rows.append((int(rng.integers(CUT)), user, int(item)))
        if not 280 <= user < 290:
            again = () if user % 7 == 3 else own[:3]
            new = (190 * rng.random(4) ** 3).astype(int)
            for item in (*again, *new, rng.integers(190, 200)):
                rows.append((int(rng.integers(CUT, 2 * CUT)), user, int(item)))
    return rows
