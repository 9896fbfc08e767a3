"""A made-up shop of a given size: vectors, histories, categories, and one target a user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.split import Split, SplitCounts, Targets
from endcap.features.history import History, history_of
from endcap.models.vectors import VectorRanking
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

D = 64
N_SEEN = 8
N_CATEGORIES, N_BRANDS = 300, 1_000


@dataclass(frozen=True, slots=True)
class Shop:
    """What a model of vectors knows, and what it is asked.

    user_vectors, item_vectors: float32, shapes (n_users, 64) and (n_items, 64).
    """

    user_vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    split: Split
    history: History


class Vectors:
    """A model that ranks by inner products, as `als` and `two_tower` do; a `Ranker`."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        beneath = np.linspace(-1, -0.001, len(shop.item_vectors), dtype=np.float32)
        self._ranking = VectorRanking(shop.item_vectors, beneath)

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of all items, shape (n_users, n_items)."""
        return self._ranking.score(
            lambda asked: self._shop.user_vectors[np.unique(users)],
            users,
            history=self._shop.history,
        )

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest inner product for each user."""
        return self._ranking.rank(
            lambda asked: self._shop.user_vectors[np.unique(users)],
            users,
            k,
            history=self._shop.history,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )


def make_shop(n_users: int, n_items: int, *, seed: int = 0) -> Shop:
    """Return a shop of so many users and items; popularity falls off as in a real one."""
    rng = np.random.default_rng(seed)
    seen = _popular_items(rng, (n_users, N_SEEN), n_items)
    users = np.repeat(np.arange(n_users, dtype=np.int32), N_SEEN)
    n_rows = len(users)
    order = np.argsort(rng.integers(1_000_000, size=n_rows), kind="stable")
    items = Items(
        department=rng.integers(20, size=n_items).astype(np.int32),
        category=rng.integers(N_CATEGORIES, size=n_items).astype(np.int32),
        brand=rng.integers(N_BRANDS, size=n_items).astype(np.int32),
        department_names=tuple(f"d{place}" for place in range(20)),
        category_names=tuple(f"c{place}" for place in range(N_CATEGORIES)),
        brand_names=tuple(f"b{place}" for place in range(N_BRANDS)),
    )
    train = Dataset(
        Interactions(
            user_idx=users[order],
            item_idx=seen.ravel()[order],
            kind=np.full(n_rows, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
            value=np.ones(n_rows, dtype=np.float32),
            price=np.full(n_rows, np.nan, dtype=np.float32),
            ts=np.arange(n_rows, dtype=np.int64),
        ),
        n_users=n_users,
        n_items=n_items,
        items=items,
    )
    return Shop(
        rng.standard_normal((n_users, D), dtype=np.float32),
        rng.standard_normal((n_items, D), dtype=np.float32),
        _split(train, rng),
        history_of(train),
    )


def _split(train: Dataset, rng: np.random.Generator) -> Split:
    n_users, n_items = train.n_users, train.n_items
    wanted = _popular_items(rng, (n_users,), n_items)
    had = pair_set(train.interactions.user_idx, train.interactions.item_idx, stride=n_items)
    users = np.arange(n_users, dtype=np.int32)
    new = ~had.contain(users, wanted)
    targets = Targets(
        users[new],
        np.arange(int(new.sum()) + 1, dtype=np.int64),
        wanted[new],
        np.zeros(int(new.sum()), dtype=np.bool_),
    )
    n_rows = len(train.interactions)
    counts = SplitCounts(n_rows, len(targets), 0, len(targets), 0, 0, len(targets), 0, 0)
    return Split(train, {"discovery": targets}, n_rows, n_rows + 1, counts)


def _popular_items(
    rng: np.random.Generator, shape: tuple[int, ...], n_items: int
) -> NDArray[np.int32]:
    return (n_items * rng.random(shape) ** 3).astype(np.int32)
