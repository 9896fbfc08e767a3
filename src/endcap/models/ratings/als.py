"""Ratings as bare inner products, as Spark's explicit ALS learns them: a rival, not a proposal.

Without biases, the regularisation pulls every prediction towards 0, not towards the mean, and most
where little is known. On ratings that are mostly four and five stars of people who rated five
things, that costs more than the factors gain, and a constant is nearer to the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.evaluation.pointwise.ratings import Stars, ratings_of
from endcap.models.ratings.ridge import SparseRows, Vectors, solve_ridge, sparse_rows
from endcap.models.state import load_state, require_fitted, save_state
from endcap.models.threads import one_blas_thread
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, UserIdx
from endcap.telemetry import track


class RatingALSConfig(BaseModel):
    """Settings of `RatingALS`; the defaults are Spark's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(10, ge=1, le=1024, description="Numbers in a vector.")
    reg: float = Field(0.1, gt=0, description="Weight of a squared length, for each rating of it.")
    iterations: int = Field(10, ge=1, description="How often both sides are solved.")


class RatingALS:
    """Predicts the inner product of a user's and an item's factors; the mean if one is unknown.

    user_factors_, item_factors_: float32, shapes (n_users, rank) and (n_items, rank).
    is_known_user_, is_known_item_: whether they had a rating to learn from.
    mean_: of all ratings.

    Source: Zhou et al. 2008, "Large-scale parallel collaborative filtering for the Netflix Prize"
    (regularisation scaled by counts), with the start and the order of steps of Spark MLlib's ALS.
    """

    def __init__(self, config: RatingALSConfig | None = None) -> None:
        self.config = config or RatingALSConfig()

    user_factors_: Vectors
    item_factors_: Vectors
    is_known_user_: NDArray[np.bool_]
    is_known_item_: NDArray[np.bool_]
    mean_: float

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Solve for the factors of both sides in turn, items first."""
        rows = ratings_of(data)
        by_user = sparse_rows(rows.users, rows.items, rows.stars, n_rows=data.n_users)
        by_item = sparse_rows(rows.items, rows.users, rows.stars, n_rows=data.n_items)
        self.mean_ = float(rows.stars.mean(dtype=np.float64))
        self.is_known_user_, self.is_known_item_ = by_user.lengths > 0, by_item.lengths > 0
        self.user_factors_ = _unit_vectors(data.n_users, self.config.rank, rng)
        with one_blas_thread(), track("rating_als", self.config.iterations) as task:
            for _ in range(self.config.iterations):
                self.item_factors_ = self._half_sweep(by_item, self.user_factors_)
                self.user_factors_ = self._half_sweep(by_user, self.item_factors_)
                task.advance()
        return self

    def predict(self, users: UserIdx, items: ItemIdx) -> Stars:
        """Return the inner products of each (user, item), not clipped to the scale.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_factors_")
        products = np.einsum("nd,nd->n", self.user_factors_[users], self.item_factors_[items])
        is_known = self.is_known_user_[users] & self.is_known_item_[items]
        return np.where(is_known, products, np.float32(self.mean_)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write factors and settings into the folder."""
        require_fitted(self, "item_factors_")
        names = ("user_factors", "item_factors", "is_known_user", "is_known_item")
        arrays = {name: getattr(self, f"{name}_") for name in names}
        arrays["mean"] = np.array(self.mean_)
        save_state(folder, model=type(self).__name__, config=self.config, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=RatingALSConfig)
        model = cls(config)
        model.user_factors_, model.item_factors_ = arrays["user_factors"], arrays["item_factors"]
        model.is_known_user_ = arrays["is_known_user"]
        model.is_known_item_ = arrays["is_known_item"]
        model.mean_ = float(arrays["mean"])
        return model

    def _half_sweep(self, rows: SparseRows, vectors: Vectors) -> Vectors:
        penalties = (self.config.reg * rows.lengths).astype(np.float32)
        return solve_ridge(rows, rows.values, vectors, penalties=penalties)


def _unit_vectors(n: int, d: int, rng: np.random.Generator) -> Vectors:
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
