"""Predictions that look at nothing but means: what any model of ratings must beat."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.pointwise.ratings import Stars, ratings_of
from endcap.schema.dataset import Dataset
from endcap.schema.errors import NotFittedError
from endcap.schema.types import ItemIdx, UserIdx


class GlobalMean:
    """Predicts the mean of all ratings, whoever rates what."""

    mean_: float

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Take the mean; nothing is random, so `rng` is not used."""
        self.mean_ = float(ratings_of(data).stars.mean(dtype=np.float64))
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return the mean for each row."""
        _require(self, "mean_")
        return np.full(len(users), self.mean_, dtype=np.float32)


class UserMean:
    """Predicts the plain mean of a user's ratings; the global mean for a new user."""

    means_: NDArray[np.float64]

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Take the means; nothing is random, so `rng` is not used."""
        rows = ratings_of(data)
        self.means_ = _means(rows.users, rows.stars, n=data.n_users)
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return the mean of each row's user."""
        _require(self, "means_")
        return self.means_[users].astype(np.float32)


class ItemMean:
    """Predicts the plain mean of an item's ratings; the global mean for a new item."""

    means_: NDArray[np.float64]

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Take the means; nothing is random, so `rng` is not used."""
        rows = ratings_of(data)
        self.means_ = _means(rows.items, rows.stars, n=data.n_items)
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return the mean of each row's item."""
        _require(self, "means_")
        return self.means_[items].astype(np.float32)


def _means(indices: NDArray[np.int32], stars: Stars, *, n: int) -> NDArray[np.float64]:
    counts = np.bincount(indices, minlength=n)
    sums = np.bincount(indices, weights=stars, minlength=n)
    overall = stars.mean(dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall)


def _require(model: object, attribute: str) -> None:
    if not hasattr(model, attribute):
        raise NotFittedError(f"{type(model).__name__} is not fitted", mend="Call fit first")
