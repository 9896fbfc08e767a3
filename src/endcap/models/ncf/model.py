"""Neural collaborative filtering: a learnt function of user and item in place of a product.

A baseline by its name; its parts are the `ncf_*` files beside it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import (
    History,
    UserHistory,
    history_of,
    tower_weights,
    without_refused,
)
from endcap.features.popularity import decayed_counts
from endcap.models.histories import known_history
from endcap.models.learning.baskets import Baskets, build_baskets
from endcap.models.learning.checkpoint import Checkpoint, training_key
from endcap.models.learning.devices import pick_device, torch_seed, torch_threads
from endcap.models.learning.loop import LoopConfig, Trained, train_network
from endcap.models.ncf.network import NeuMFLearner, NeuMFNetwork
from endcap.models.ncf.scores import NeuMFScores, Weights
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.threads import N_CORES, one_blas_thread
from endcap.models.vectors import nearest
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

ROUNDING = 1e-5
"""Logits that differ by less are equal: how they are summed up depends on how many are asked."""


class NCFConfig(BaseModel):
    """Settings of `NCF`: the network of the paper at a usual size; only tried, not tuned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(32, ge=1, le=1024, description="Numbers in each kind of vector.")
    layers: tuple[int, ...] = Field(
        (32, 16), min_length=1, description="Widths of the hidden layers."
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of the first of them dropped.")
    max_history: int = Field(100, ge=1, le=1000, description="Latest distinct items of a history.")
    half_life_days: float = Field(
        60.0, gt=0, description="After how long an item of a history says half as much."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that a user without history is shown."
    )
    repeat_weight: float = Field(
        0.1, ge=0, description="Weight as a target of what the user had had before; 1 for the new."
    )
    n_targets: int = Field(2, ge=1, description="Items drawn from each basket of a batch.")
    n_negatives: int = Field(4, ge=1, description="Other items drawn for each of them.")
    batch_size: int = Field(512, ge=1, description="Baskets in a batch.")
    update_epochs: int = Field(2, ge=0, description="Epochs of an update on what is new.")
    n_threads: int = Field(
        1,
        ge=1,
        description="CPU threads of the training; several slow each other down on busy cores.",
    )
    device: str = Field("auto", description="auto, cpu or cuda.")
    loop: LoopConfig = LoopConfig(n_epochs=20, learning_rate=2e-3, schedule="linear")


class NCF:
    """Ranks items by NeuMF: the product of two vectors, and a network of two others, fused.

    The paper learns vectors of users by their numbers, and knows nobody else. Here the two vectors
    of a user are means, weighted by recency, of vectors of the items of the history, which are
    learnt beside those of the items to be ranked; so anybody with a history is served without a
    new training. How a user and an item are scored is the paper's.

    weights_: of the network, float32 arrays by name.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    trained_: how the training went.
    scores_: what follows from the weights.

    Source: He et al. 2017, "Neural Collaborative Filtering"; users as means of items as in FISM
    (Kabbur et al. 2013) and NAIS (He et al. 2018).
    """

    def __init__(self, config: NCFConfig | None = None) -> None:
        self.config = config or NCFConfig()
        self._training: Path | None = None

    weights_: Weights
    history_: History
    now_us_: int
    beneath_: Scores
    trained_: Trained
    scores_: NeuMFScores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train on every basket with what its user had had strictly before it.

        Cost: an epoch is `n_targets` x (1 + `n_negatives`) passes of the network a basket.
        """
        seed = int(rng.integers(2**31))
        with torch_threads(self.config.n_threads), torch_seed(seed):
            network = self._network(data.n_items)
            self.trained_ = self._train(network, data, seed=seed, loop=self.config.loop)
        self._learnt(network.weights(), data)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model trained on from where it was, on the baskets since then."""
        require_fitted(self, "weights_")
        seed = int(rng.integers(2**31))
        loop = self.config.loop.model_copy(
            update={"n_epochs": self.config.update_epochs, "schedule": "constant"}
        )
        other = copy(self)
        other._training = None
        with torch_threads(self.config.n_threads), torch_seed(seed):
            network = self._network(data.n_items)
            network.begin_with(self.weights_)
            other.trained_ = other._train(network, data, seed=seed, loop=loop, since_us=since_us)
        other._learnt(network.weights(), data)
        return other

    def keep_training_in(self, folder: Path | None) -> Self:
        """Return the model, whose `fit` keeps its state in the folder and goes on from there."""
        self._training = folder
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest logit for each user.

        Who has no history is shown what is popular.

        Raises:
            NotFittedError: fit was not called.

        Cost: the hidden layers for every pair of a user and an item, on all cores: about 4 ms a
        user for 12,000 items on two busy ones.
        """
        require_fitted(self, "weights_")
        return rank_users(
            self._score_users,
            users,
            k,
            history=self.history_,
            n_items=self.scores_.n_items,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items that the network sees most like each item, by the cosine."""
        require_fitted(self, "weights_")
        return nearest(self.scores_.item_vectors, items, k)

    def with_history(self, data: Dataset) -> Self:
        """Return the same network, for the users of `data`, seen from its end."""
        require_fitted(self, "weights_")
        other = copy(self)
        other.history_ = known_history(data, n_items=self.scores_.n_items)
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the logits of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "weights_")
        return score_all(
            self._score_users, users, history=self.history_, n_items=self.scores_.n_items
        )

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history without which each logit would fall most.

        The amount is by how much; `similar_taste` where no single item matters. Without a history
        the amount is the item's place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "weights_")
        latest = self.history_.row(user).latest(self.config.max_history)
        if not len(latest):
            return [popular_reason(self.beneath_, item) for item in items.tolist()]
        with one_blas_thread():
            whole = self.scores_.of_some(self._user_vector(latest), items)
            without = np.stack(
                [self._without(latest, place, items) for place in range(len(latest))], axis=1
            )
        drops = whole[:, np.newaxis] - without
        drops[drops < ROUNDING] = 0
        return [drop_reason(latest.items, of_item) for of_item in drops]

    def save(self, folder: Path) -> None:
        """Write weights, histories and settings into the folder."""
        require_fitted(self, "weights_")
        weights = {f"weights.{name}": value for name, value in self.weights_.items()}
        losses = np.array(self.trained_.losses, dtype=np.float64)
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={**weights, "beneath": self.beneath_, "losses": losses},
            numbers={"now_us": self.now_us_, "best_epoch": self.trained_.best_epoch},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=NCFConfig)
        model = cls(config)
        model.beneath_, model.now_us_ = arrays["beneath"], numbers["now_us"]
        model.history_ = saved_history(arrays)
        model.trained_ = Trained(arrays["losses"].tolist(), [], numbers["best_epoch"])
        model._use(
            {
                name.removeprefix("weights."): value
                for name, value in arrays.items()
                if name.startswith("weights.")
            }
        )
        return model

    def _network(self, n_items: int) -> NeuMFNetwork:
        return NeuMFNetwork(
            n_items,
            embedding_size=self.config.embedding_size,
            layers=self.config.layers,
            dropout=self.config.dropout,
        ).to(pick_device(self.config.device))

    def _train(
        self,
        network: NeuMFNetwork,
        data: Dataset,
        *,
        seed: int,
        loop: LoopConfig,
        since_us: int | None = None,
    ) -> Trained:
        config = self.config
        told = without_refused(data).interactions
        baskets = build_baskets(told, repeat_weight=config.repeat_weight)
        chosen = np.arange(len(baskets))
        if since_us is not None:
            chosen = chosen[baskets.ts[baskets.start] >= since_us]
        learner = NeuMFLearner(
            network,
            baskets,
            chosen=chosen,
            batch_size=config.batch_size,
            max_history=config.max_history,
            half_life_days=config.half_life_days,
            n_targets=config.n_targets,
            n_negatives=config.n_negatives,
        )
        return train_network(
            network,
            learner,
            config=loop if len(chosen) else loop.model_copy(update={"n_epochs": 0}),
            seed=seed,
            title="ncf",
            unit="baskets",
            checkpoint=self._checkpoint(baskets, data.n_items, seed),
            device=pick_device(config.device),
        )

    def _checkpoint(self, baskets: Baskets, n_items: int, seed: int) -> Checkpoint | None:
        if self._training is None:
            return None
        settings = f"{self.config.model_dump_json()} {n_items}"
        told = (baskets.item_idx, baskets.ts, baskets.start, baskets.weight_until)
        return Checkpoint(self._training, training_key(settings, seed, *told))

    def _learnt(self, weights: Weights, data: Dataset) -> None:
        """Take over the weights of a trained network and what follows from the data."""
        told = data.interactions
        counts = decayed_counts(
            told.item_idx,
            told.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=told.weight,
        )
        self.beneath_ = rank_beneath(counts)
        self.history_, self.now_us_ = history_of(data), data.end_us
        self._use(weights)

    def _use(self, weights: Weights) -> None:
        self.weights_, self.scores_ = weights, NeuMFScores(weights)

    def _score_users(self, asked: History, out: Scores) -> None:
        def score(row: int) -> None:
            latest = asked.row(row).latest(self.config.max_history)
            if len(latest):
                self.scores_.of_all(self._user_vector(latest), out[row])
            else:
                out[row] = self.beneath_

        # One by one, so that a user has the same scores alone as among others.
        with one_blas_thread(), ThreadPoolExecutor(N_CORES) as pool:
            for _ in pool.map(score, range(asked.n_users)):
                pass

    def _user_vector(self, latest: UserHistory) -> NDArray[np.float32]:
        """Return the mean of the vectors of a history, float32, shape (2d,)."""
        return self._mean(latest.items, self._history_weights(latest))

    def _without(self, latest: UserHistory, place: int, items: ItemIdx) -> Scores:
        """Return the logits of the items if the history did not have the one at that place."""
        others = np.delete(np.arange(len(latest)), place)
        if not len(others):
            return self.beneath_[items]
        weights = self._history_weights(latest)
        return self.scores_.of_some(self._mean(latest.items[others], weights[others]), items)

    def _mean(self, items: ItemIdx, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((weights / weights.sum()) @ self.weights_["history.weight"][items])

    def _history_weights(self, latest: UserHistory) -> NDArray[np.float32]:
        return tower_weights(latest, self.now_us_, self.config.half_life_days)
