"""Ratings as a mean and biases, where an item is what it was lately: goods and their makers change.

It foresees what comes next. For ratings held out from the midst of the past it is no better than
`BiasedMean`, which weighs all times alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.evaluation.pointwise.ratings import Stars, ratings_of
from endcap.models.ratings.biased_mean import (
    BiasedMean,
    BiasedMeanConfig,
    best_shrinkage,
    shrunk_means,
)
from endcap.models.state import load_state, require_fitted, save_state
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US, ItemIdx, UserIdx


class DriftingMeanConfig(BaseModel):
    """Settings of `DriftingMean`; the windows were chosen by time, on real ratings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows_days: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (365.0, 90.0),
        description="Last stretches of the ratings; in each an item may differ from what it was.",
    )
    biases: BiasedMeanConfig = Field(BiasedMeanConfig(), description="Of what is solved first.")


class DriftingMean:
    """Predicts mean + bias of the user + bias of the item as it was lately.

    Each window in turn moves an item by what its ratings there are off the prediction so far, on
    the mean, shrunk as much as these ratings call for.

    biases_: mean and biases, those of the items as they were lately.

    Source: time bins of items as in Koren 2010, "Collaborative filtering with temporal dynamics",
    section 3.1, of which the last is what the future is told by.
    """

    def __init__(self, config: DriftingMeanConfig | None = None) -> None:
        self.config = config or DriftingMeanConfig()

    biases_: BiasedMean

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Solve for the biases, then move the items; nothing is random, so `rng` is not used."""
        rows = ratings_of(data)
        self.biases_ = BiasedMean(self.config.biases).fit(data, rng=rng)
        age_us = _ages_us(data)
        for window_days in self.config.windows_days:
            late = rows.take(age_us < window_days * DAY_US)
            off = self.biases_.residuals(late).astype(np.float64)
            shrink = best_shrinkage(late.items, off)
            moved = shrunk_means(late.items, off, n=data.n_items, shrink=shrink)
            self.biases_.item_bias_ = self.biases_.item_bias_ + moved
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return mean plus biases of each (user, item), not clipped to the scale.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "biases_")
        return self.biases_.predict(users, items)

    def save(self, folder: Path) -> None:
        """Write mean, biases and settings into the folder."""
        require_fitted(self, "biases_")
        arrays = self.biases_.arrays()
        save_state(folder, model=type(self).__name__, config=self.config, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=DriftingMeanConfig)
        model = cls(config)
        model.biases_ = BiasedMean(config.biases).with_arrays(arrays)
        return model


def _ages_us(data: Dataset) -> NDArray[np.int64]:
    """Return how long before the last rating each one was given, shape (n,), as `ratings_of`."""
    ts = data.interactions.ts[data.interactions.kind == KIND_CODES[Kind.RATING]]
    ages: NDArray[np.int64] = ts.max() - ts
    return ages
