"""Ratings as columns, and what it means to predict them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError, RankingError
from endcap.schema.types import ItemIdx, UserIdx

Stars: TypeAlias = NDArray[np.float32]
"""A rating each, as given or as predicted."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Who rated what, and how; one row a rating, all arrays of shape (n_rows,).

    A user who rated an item twice has two rows.
    """

    users: UserIdx
    items: ItemIdx
    stars: Stars

    def __len__(self) -> int:
        return len(self.stars)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Ratings:
        """Return the chosen rows, given as a mask or as positions."""
        return Ratings(self.users[rows], self.items[rows], self.stars[rows])


@runtime_checkable
class PredictsRatings(Protocol):
    """A model that says what rating a user would give an item."""

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Learn from the ratings of the data, whatever other kinds it holds."""
        ...

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return a finite rating for each (user, item), known or not, shape (n_rows,)."""
        ...


def ratings_of(data: Dataset) -> Ratings:
    """Return the ratings among the interactions, in time order.

    Raises:
        DataError: there is none.
    """
    rated = data.interactions.take(data.interactions.kind == KIND_CODES[Kind.RATING])
    if len(rated) == 0:
        raise DataError(
            "there are no ratings to predict",
            where=f"{len(data.interactions):,} interactions, none of kind rating",
            mend="Rank items instead, by another protocol, or ingest data with ratings",
        )
    return Ratings(rated.user_idx, rated.item_idx, rated.value)


def predicted(model: PredictsRatings, rows: Ratings, *, name: str) -> Stars:
    """Return what a model predicts for each row.

    Raises:
        RankingError: it predicts another number of ratings, or one that is no number.
    """
    stars = model.predict(rows.users, rows.items)
    if stars.shape != rows.stars.shape or not np.isfinite(stars).all():
        raise RankingError(
            f"{name} did not predict a number for each of {len(rows):,} ratings",
            where=f"shape {stars.shape}, {int(np.isnan(stars).sum()):,} not a number",
            mend="Predict a mean where nothing better is known; no row may be left out",
        )
    return stars
