"""Matrix factorisation of who took what, by alternating least squares.

The training is the `implicit` library's; the vector of a user is `features/fold_in.py`, which
serving uses too.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from endcap.features.fold_in import als_confidence, als_user_vector, item_gram
from endcap.features.history import History, UserHistory, history_of
from endcap.features.popularity import decayed_counts
from endcap.models.histories import has_baskets, known_history, median_idle_days, take_users
from endcap.models.ranking import rank_beneath
from endcap.models.reasons import als_parts, popular_reason, strongest_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.threads import one_blas_thread
from endcap.models.vectors import VectorRanking, nearest
from endcap.schema.dataset import Dataset
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx
from endcap.telemetry import track


class ALSConfig(BaseModel):
    """Settings of `ALS`; chosen on the validation parts of Complete Journey and Amazon Beauty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(64, ge=1, le=1024, description="Numbers in a vector.")
    iterations: int = Field(15, ge=1, description="How often both sides are solved.")
    reg: float = Field(30.0, gt=0, description="Weight of the squared length of the vectors.")
    alpha: float | None = Field(
        None,
        ge=0,
        description="Confidence is 1 + alpha x recency x log(1 + count); what was not taken has 1. "
        "In the words of iALS the unobserved weight is 1 / alpha, and reg is divided by it too. "
        "None: 5 where users take two items or more at a time, 20 where they do not.",
    )
    half_life_days: float | None = Field(
        None,
        gt=0,
        description="After how long an item of a history says half as much; none: as long as half "
        "of the users have not been seen for, and 30 at least.",
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that a user without history is shown."
    )
    update_iterations: int = Field(
        3, ge=1, description="How often both sides are solved in an update."
    )
    n_threads: int = Field(0, ge=0, description="Threads of the training; 0 takes all cores.")


ALPHA_OF_BASKETS, ALPHA_OF_EVENTS = 5.0, 20.0
MIN_HALF_LIFE_DAYS = 30.0


class ALS:
    """Ranks items by the inner product of trained item factors with a folded-in user vector.

    config: as asked for; once fitted, with what follows from the data filled in.

    Users are always folded in, never looked up: a user who came a minute ago is served by the same
    rule as one of the training data, and offline numbers are those of serving.

    item_factors_: float32, shape (n_items, d); zeros for an item that nobody took.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    gram_, ranking_: what follows from the factors.
    """

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = self._wish = config or ALSConfig()

    item_factors_: NDArray[np.float32]
    history_: History
    now_us_: int
    beneath_: Scores
    gram_: NDArray[np.float64]
    ranking_: VectorRanking

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train the item factors.

        Source: Hu, Koren, Volinsky 2008, with the conjugate-gradient solver of Takacs et al. 2011.
        """
        self.config = self._wish
        confidence = self._look_at(data)
        self._prepare(self._train(confidence, seed=int(rng.integers(2**31))))
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return a model of all the data that starts from these factors; `since_us` is not used.

        Raises:
            NotFittedError: fit was not called.

        Cost: `update_iterations` of the `iterations` of `fit`.
        """
        require_fitted(self, "item_factors_")
        other = copy(self)
        confidence = other._look_at(data)
        n_new = data.n_items - len(self.item_factors_)
        # As small as the library's own start, and solved for in the first iteration.
        new = rng.random((n_new, self.item_factors_.shape[1]), dtype=np.float32) * np.float32(0.01)
        start = np.concatenate([self.item_factors_, new])
        again = self.config.model_copy(update={"iterations": self.config.update_iterations})
        seed = int(rng.integers(2**31))
        other._prepare(trained(confidence, again, seed=seed, start=start))
        return other

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest inner product with each user's vector.

        Who has no history is shown what is popular.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_factors_")
        return self.ranking_.rank(
            self._fold_in,
            users,
            k,
            history=self.history_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the folded-in vector of each user, shape (n_users, d); zeros without history."""
        require_fitted(self, "item_factors_")
        return self._fold_in(take_users(self.history_, np.asarray(users, dtype=np.int32)))

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items whose factors have the largest cosine with each item's."""
        require_fitted(self, "item_factors_")
        return nearest(self.item_factors_, items, k)

    def with_history(self, data: Dataset) -> Self:
        """Return the same item factors, for the users of `data`, seen from its end.

        Their vectors are folded in, as those of the fitted data are.
        """
        require_fitted(self, "item_factors_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.item_factors_))
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the inner products of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "item_factors_")
        return self.ranking_.score(self._fold_in, users, history=self.history_)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history that adds most to each score.

        The amount is its share of all that is added. Without a history, or for an item without
        factors, it is the item's place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.

        Source: Hu, Koren, Volinsky 2008, section 5.
        """
        require_fitted(self, "item_factors_")
        row = self.history_.row(user)
        parts = als_parts(
            self.item_factors_[items],
            self.item_factors_[row.items],
            self._confidence(row),
            self.gram_,
            self.config.reg,
        )
        return [
            strongest_reason(row.items, of_item)
            if of_item.any()
            else popular_reason(self.beneath_, item)
            for item, of_item in zip(items.tolist(), parts, strict=True)
        ]

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
        model.beneath_ = arrays["beneath"]
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        model._prepare(arrays["item_factors"])
        return model

    def _look_at(self, data: Dataset) -> sparse.csr_matrix:
        """Remember all that `fit` learns but the factors; return what those are trained on."""
        interactions = data.interactions
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        self.config = _settled(self.config, data, self.history_)
        counts = decayed_counts(
            interactions.item_idx,
            interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)
        return sparse.csr_matrix(
            (self._confidence(self.history_), self.history_.items, self.history_.indptr),
            shape=(data.n_users, data.n_items),
        )

    def _prepare(self, item_factors: NDArray[np.float32]) -> None:
        """Keep the factors, and what follows from them alone."""
        self.item_factors_ = item_factors
        with one_blas_thread():  # two that wait for each other on busy cores take 100 times as long
            self.gram_ = item_gram(item_factors)
        self.ranking_ = VectorRanking(item_factors, self.beneath_)

    def _fold_in(self, asked: History) -> NDArray[np.float32]:
        confidence = self._confidence(asked)
        vectors = np.zeros((asked.n_users, self.item_factors_.shape[1]), dtype=np.float32)
        with one_blas_thread():
            for row in range(asked.n_users):
                part = asked.part(row)
                if part.start < part.stop:
                    rows = self.item_factors_[asked.items[part]]
                    vectors[row] = als_user_vector(
                        rows, confidence[part], self.gram_, self.config.reg
                    )
        return vectors

    def _confidence(self, history: History | UserHistory) -> NDArray[np.float32]:
        alpha, half_life_days = self.config.alpha, self.config.half_life_days
        if alpha is None or half_life_days is None:  # only a fit knows what follows from the data
            raise NotFittedError("ALS is not fitted", mend="Call fit, or load a saved one")
        return als_confidence(
            history, now_us=self.now_us_, alpha=alpha, half_life_days=half_life_days
        )

    def _train(self, confidence: sparse.csr_matrix, *, seed: int) -> NDArray[np.float32]:
        return trained(confidence, self.config, seed=seed)


def _settled(config: ALSConfig, data: Dataset, history: History) -> ALSConfig:
    """Return the settings with what was left open as the data needs it."""
    alpha, half_life_days = config.alpha, config.half_life_days
    if alpha is None:
        alpha = ALPHA_OF_BASKETS if has_baskets(data.interactions) else ALPHA_OF_EVENTS
    if half_life_days is None:
        idle_days = median_idle_days(history, now_us=data.end_us)
        half_life_days = max(idle_days, MIN_HALF_LIFE_DAYS)
    return config.model_copy(update={"alpha": alpha, "half_life_days": half_life_days})


def trained(
    confidence: sparse.csr_matrix,
    config: ALSConfig,
    *,
    seed: int,
    start: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the item factors that the library trains, shape (n_items, d).

    Args:
        confidence: of each user in each item, shape (n_users, n_items).
        config: settings; `iterations` of them are run.
        seed: of the factors to start from.
        start: item factors to start from, the same shape; small random ones when None. Changed.
    """
    # The library's threads split the users; more of them inside BLAS only get in their way, and it
    # warns about them.
    with one_blas_thread(), track("als", config.iterations) as task:
        trainer = AlternatingLeastSquares(
            factors=config.embedding_size,
            regularization=config.reg,
            alpha=1.0,
            iterations=config.iterations,
            num_threads=config.n_threads,
            random_state=seed,
        )
        trainer.item_factors = start
        trainer.fit(confidence, show_progress=False, callback=lambda *_progress: task.advance())
    factors: NDArray[np.float32] = np.ascontiguousarray(trainer.item_factors, dtype=np.float32)
    return factors
