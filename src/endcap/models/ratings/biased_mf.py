"""Ratings as biases and an inner product: what a matrix factorisation of ratings should be."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.evaluation.pointwise.ratings import Stars, ratings_of
from endcap.models.ratings.biased_mean import BiasedMean, BiasedMeanConfig
from endcap.models.ratings.ridge import SparseRows, Vectors, solve_ridge, sparse_rows
from endcap.models.state import load_state, require_fitted, save_state
from endcap.models.threads import one_blas_thread
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, UserIdx
from endcap.telemetry import track


class BiasedMFConfig(BaseModel):
    """Settings of `BiasedMF`; the penalty is for users with about ten ratings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(20, ge=1, le=1024, description="Numbers in a vector.")
    reg: float = Field(
        20.0, gt=0, description="Weight of a squared length; many ratings a user bear less."
    )
    iterations: int = Field(8, ge=1, description="How often both sides are solved.")
    biases: BiasedMeanConfig = Field(BiasedMeanConfig(), description="Of what is solved first.")


class BiasedMF:
    """Predicts mean + biases + inner product of the factors, each 0 where nobody can know it.

    The biases are those of `BiasedMean`; the factors are fitted to what they leave.

    biases_: mean and biases.
    user_factors_, item_factors_: float32, shapes (n_users, rank) and (n_items, rank).

    Source: Koren, Bell, Volinsky 2009, equation 5, solved by alternating least squares on the
    residuals of the biases.
    """

    def __init__(self, config: BiasedMFConfig | None = None) -> None:
        self.config = config or BiasedMFConfig()

    biases_: BiasedMean
    user_factors_: Vectors
    item_factors_: Vectors

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Solve for the biases, then for the factors of both sides in turn."""
        rows = ratings_of(data)
        self.biases_ = BiasedMean(self.config.biases).fit(data, rng=rng)
        left = self.biases_.residuals(rows)
        by_user = sparse_rows(rows.users, rows.items, left, n_rows=data.n_users)
        by_item = sparse_rows(rows.items, rows.users, left, n_rows=data.n_items)
        start = rng.standard_normal((data.n_users, self.config.rank), dtype=np.float32)
        self.user_factors_ = start / np.float32(np.sqrt(self.config.rank))
        with one_blas_thread(), track("biased_mf", self.config.iterations) as task:
            for _ in range(self.config.iterations):
                self.item_factors_ = self._half_sweep(by_item, self.user_factors_)
                self.user_factors_ = self._half_sweep(by_user, self.item_factors_)
                task.advance()
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return the predicted rating of each (user, item), not clipped to the scale.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_factors_")
        stars = self.biases_.predict(users, items)
        stars += np.einsum("nd,nd->n", self.user_factors_[users], self.item_factors_[items])
        return stars

    def save(self, folder: Path) -> None:
        """Write biases, factors and settings into the folder."""
        require_fitted(self, "item_factors_")
        arrays: dict[str, NDArray[np.floating]] = {
            **self.biases_.arrays(),
            "user_factors": self.user_factors_,
            "item_factors": self.item_factors_,
        }
        save_state(folder, model=type(self).__name__, config=self.config, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=BiasedMFConfig)
        model = cls(config)
        model.biases_ = BiasedMean(config.biases).with_arrays(arrays)
        model.user_factors_, model.item_factors_ = arrays["user_factors"], arrays["item_factors"]
        return model

    def _half_sweep(self, rows: SparseRows, vectors: Vectors) -> Vectors:
        penalties = np.full(len(rows), self.config.reg, dtype=np.float32)
        return solve_ridge(rows, rows.values, vectors, penalties=penalties)
