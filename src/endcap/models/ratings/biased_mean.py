"""Ratings as a mean, how generous the user is and how good the item is: no interplay of the two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.evaluation.pointwise.ratings import Ratings, Stars, ratings_of
from endcap.models.state import load_state, require_fitted, save_state
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, UserIdx

NO_BIAS = 1e9  # ratings at the mean beside which what anybody rated is nothing


class BiasedMeanConfig(BaseModel):
    """Settings of `BiasedMean`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shrink_users: float | None = Field(
        None, ge=0, description="Ratings at the mean added to each user; none: as many as pays."
    )
    shrink_items: float | None = Field(
        None, ge=0, description="Ratings at the mean added to each item; none: as many as pays."
    )
    n_sweeps: int = Field(3, ge=1, description="How often both sides are solved.")


class BiasedMean:
    """Predicts mean + bias of the user + bias of the item; a bias nobody can know is 0.

    mean_: of all ratings.
    user_bias_, item_bias_: float64, shapes (n_users,) and (n_items,).

    Source: Koren 2010, "Factor in the Neighbors", section 2.1; solved in turn, not once, with
    the shrinkage that the ratings themselves call for.
    """

    def __init__(self, config: BiasedMeanConfig | None = None) -> None:
        self.config = config or BiasedMeanConfig()

    mean_: float
    user_bias_: NDArray[np.float64]
    item_bias_: NDArray[np.float64]

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Solve for the biases; nothing is random, so `rng` is not used.

        Cost: O(n) a sweep, about 20 ms a million ratings.
        """
        rows = ratings_of(data)
        self.mean_ = float(rows.stars.mean(dtype=np.float64))
        self.user_bias_, self.item_bias_ = np.zeros(data.n_users), np.zeros(data.n_items)
        centred = rows.stars - self.mean_
        to_users, to_items = self.config.shrink_users, self.config.shrink_items
        for _ in range(self.config.n_sweeps):
            left = centred - self.user_bias_[rows.users]
            if to_items is None:
                to_items = best_shrinkage(rows.items, left)
            self.item_bias_ = shrunk_means(rows.items, left, n=data.n_items, shrink=to_items)
            left = centred - self.item_bias_[rows.items]
            if to_users is None:
                to_users = best_shrinkage(rows.users, left)
            self.user_bias_ = shrunk_means(rows.users, left, n=data.n_users, shrink=to_users)
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return mean plus biases of each (user, item), not clipped to the scale.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_bias_")
        stars = self.mean_ + self.user_bias_[users] + self.item_bias_[items]
        return stars.astype(np.float32)

    def residuals(self, rows: Ratings) -> NDArray[np.float32]:
        """Return what the biases leave unexplained of each rating."""
        return rows.stars - self.predict(rows.users, rows.items)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return mean and biases by name, as `with_arrays` takes them."""
        return {
            "mean": np.array(self.mean_),
            "user_bias": self.user_bias_,
            "item_bias": self.item_bias_,
        }

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model with mean and biases of another one; further arrays are let be."""
        self.mean_ = float(arrays["mean"])
        self.user_bias_, self.item_bias_ = arrays["user_bias"], arrays["item_bias"]
        return self

    def save(self, folder: Path) -> None:
        """Write mean, biases and settings into the folder."""
        require_fitted(self, "item_bias_")
        save_state(folder, model=type(self).__name__, config=self.config, arrays=self.arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=BiasedMeanConfig)
        return cls(config).with_arrays(arrays)


def best_shrinkage(groups: NDArray[np.int32], values: NDArray[np.float64]) -> float:
    """Return how many values at the mean to add to each group for the least error to expect.

    It is the variance within groups over that of the groups' true means, both estimated; where
    these cannot be told to differ, or no group has two values, it is `NO_BIAS`.

    Args:
        groups: to which group each value belongs, shape (n,), n >= 1.
        values: shape (n,).

    Source: Efron, Morris 1975; the variances by the method of moments (Searle, Casella, McCulloch
    1992, section 3.6).
    """
    counts = np.bincount(groups)
    has_any = counts > 0
    n_groups, n = int(has_any.sum()), len(values)
    sums, squares = np.bincount(groups, weights=values), float(values @ values)
    of_groups = float(np.sum(sums[has_any] ** 2 / counts[has_any]))
    if n == n_groups or n_groups == 1:
        return NO_BIAS
    within = max(squares - of_groups, 0.0) / (n - n_groups)
    among = of_groups - values.sum() ** 2 / n - (n_groups - 1) * within
    among /= n - float(np.sum(counts.astype(np.float64) ** 2)) / n
    return min(within / among, NO_BIAS) if among > 0 else NO_BIAS


def shrunk_means(
    indices: NDArray[np.int32], values: NDArray[np.float64], *, n: int, shrink: float
) -> NDArray[np.float64]:
    """Return the mean of each group with so many zeros added to it, shape (n,); 0 for an empty one.

    Args:
        indices: to which group each value belongs, in [0, n), shape (n_values,).
        values: shape (n_values,).
        n: groups.
        shrink: zeros added to each, at least 0.
    """
    counts = np.bincount(indices, minlength=n) + shrink
    sums = np.bincount(indices, weights=values, minlength=n)
    shrunk = np.zeros(n)
    np.divide(sums, counts, out=shrunk, where=counts > 0)
    return shrunk
