"""Matrix factorisation of who took what, by alternating least squares.

The training is the `implicit` library's; the vector of a user is `features/fold_in.py`, which
serving uses too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from endcap.features.fold_in import als_confidence, als_user_vector, item_gram
from endcap.features.history import History, history_of
from endcap.features.popularity import decayed_counts
from endcap.models.ranking import rank_beneath
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.vectors import VectorRanking, nearest
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx
from endcap.telemetry import track


class ALSConfig(BaseModel):
    """Settings of `ALS`; chosen on the validation window of Complete Journey."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(64, ge=1, le=1024, description="Numbers in a vector.")
    iterations: int = Field(15, ge=1, description="How often both sides are solved.")
    reg: float = Field(30.0, gt=0, description="Weight of the squared length of the vectors.")
    alpha: float = Field(
        5.0, ge=0, description="Confidence is 1 + alpha x recency x log(1 + count)."
    )
    half_life_days: float = Field(
        30.0, gt=0, description="After how long an item of a history says half as much."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that a user without history is shown."
    )
    n_threads: int = Field(0, ge=0, description="Threads of the training; 0 takes all cores.")


class ALS:
    """Ranks items by the inner product of trained item factors with a folded-in user vector.

    Users are always folded in, never looked up: a user who came a minute ago is served by the same
    rule as one of the training data, and offline numbers are those of serving.

    item_factors_: float32, shape (n_items, d); zeros for an item that nobody took.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = config or ALSConfig()

    item_factors_: NDArray[np.float32]
    history_: History
    now_us_: int
    beneath_: Scores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train the item factors.

        Source: Hu, Koren, Volinsky 2008, with the conjugate-gradient solver of Takacs et al. 2011.
        """
        interactions = data.interactions
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        counts = decayed_counts(
            interactions.item_idx,
            interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)
        confidence = sparse.csr_matrix(
            (self._confidence(self.history_), self.history_.items, self.history_.indptr),
            shape=(data.n_users, data.n_items),
        )
        self.item_factors_ = self._train(confidence, seed=int(rng.integers(2**31)))
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest inner product with each user's vector.

        Who has no history is shown what is popular.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_factors_")
        return VectorRanking(self.item_factors_, self.beneath_).rank(
            self.user_vectors,
            users,
            k,
            history=self.history_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the folded-in vector of each user, shape (n_users, d); zeros without history."""
        require_fitted(self, "item_factors_")
        gram = item_gram(self.item_factors_)
        confidence = self._confidence(self.history_)
        vectors = np.zeros((len(users), self.item_factors_.shape[1]), dtype=np.float32)
        # Thousands of tiny systems: waking threads for each costs ten times what it saves.
        with threadpool_limits(1, "blas"):
            for row, user in enumerate(users.tolist()):
                part = self.history_.part(user)
                if part.start < part.stop:
                    rows = self.item_factors_[self.history_.items[part]]
                    vectors[row] = als_user_vector(rows, confidence[part], gram, self.config.reg)
        return vectors

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items whose factors have the largest cosine with each item's."""
        require_fitted(self, "item_factors_")
        return nearest(self.item_factors_, items, k)

    def save(self, folder: Path) -> None:
        """Write factors, histories and settings into the folder."""
        require_fitted(self, "item_factors_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={"item_factors": self.item_factors_, "beneath": self.beneath_},
            numbers={"now_us": self.now_us_},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=ALSConfig)
        model = cls(config)
        model.item_factors_ = arrays["item_factors"]
        model.beneath_ = arrays["beneath"]
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        return model

    def _confidence(self, history: History) -> NDArray[np.float32]:
        return als_confidence(
            history,
            now_us=self.now_us_,
            alpha=self.config.alpha,
            half_life_days=self.config.half_life_days,
        )

    def _train(self, confidence: sparse.csr_matrix, *, seed: int) -> NDArray[np.float32]:
        # The library's threads split the users; more of them inside BLAS only get in their way,
        # and it warns about them.
        with threadpool_limits(1, "blas"), track("als", self.config.iterations) as task:
            trainer = AlternatingLeastSquares(
                factors=self.config.embedding_size,
                regularization=self.config.reg,
                alpha=1.0,
                iterations=self.config.iterations,
                num_threads=self.config.n_threads,
                random_state=seed,
            )
            trainer.fit(confidence, show_progress=False, callback=lambda *_progress: task.advance())
        factors: NDArray[np.float32] = np.ascontiguousarray(trainer.item_factors, dtype=np.float32)
        return factors
