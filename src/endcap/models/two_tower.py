"""Two networks that put users and items into one space, the user's from the history alone.

This file is the model as others see it; its parts are the `tower_*` files beside it.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from endcap.features.history import (
    History,
    UserHistory,
    history_of,
    tower_weights,
    without_refused,
)
from endcap.models.histories import known_history, take_users
from endcap.models.ranking import rank_beneath
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.tower_config import TwoTowerConfig
from endcap.models.tower_examples import build_baskets
from endcap.models.tower_export import ServedUserTower, export_onnx
from endcap.models.tower_inputs import add_popularity, build_inputs, log_popularity
from endcap.models.tower_network import ItemTower, UserTower
from endcap.models.tower_training import TowerTrainer, pick_device, torch_seed, torch_threads
from endcap.models.vectors import VectorRanking, nearest
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

WEIGHTS = "user_tower.safetensors"


class TwoTower:
    """Ranks items by the cosine of an item vector and a user vector, both from networks.

    The last two of the `embedding_size` numbers carry an item's popularity at the end of the data,
    so that one inner product gives similarity and popularity in the wanted proportion; see
    `tower_inputs.add_popularity`.

    item_vectors_: float32, shape (n_items, d), of length one.
    user_tower_: the user's network with its popularity, ready to be exported.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    losses_: the training loss of each step.
    ranking_: what follows from the vectors.
    """

    def __init__(self, config: TwoTowerConfig | None = None) -> None:
        self.config = config or TwoTowerConfig()

    item_vectors_: NDArray[np.float32]
    user_tower_: ServedUserTower
    history_: History
    now_us_: int
    beneath_: Scores
    losses_: NDArray[np.float32]
    ranking_: VectorRanking

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train both towers on every basket with what its user had had strictly before it.

        Source: Yi et al. 2019, Yang et al. 2020; the user as a mean of items as in Covington 2016.
        """
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        wanted = without_refused(data)
        baskets = build_baskets(wanted.interactions, repeat_weight=self.config.repeat_weight)
        target_weight = baskets.target_weight(data.n_items)
        inputs = build_inputs(wanted, self.config, target_weight=target_weight)
        with torch_threads(self.config.n_threads), torch_seed(int(rng.integers(2**31))):
            size, hidden = self.config.embedding_size - 2, self.config.hidden
            items = ItemTower(
                n_ids=int(inputs.ids.max(initial=0)),
                n_codes=[int(n) + 1 for n in inputs.codes.max(axis=0, initial=0)],
                embedding_size=size,
            )
            users = UserTower(embedding_size=size, hidden=hidden, dropout=self.config.dropout)
            trainer = TowerTrainer(items, users, inputs, device=pick_device(self.config.device))
            losses = trainer.train(baskets, self.config, rng=rng)
            vectors = trainer.item_vectors()
        self.losses_ = np.array(losses, dtype=np.float32)
        popularity = log_popularity(data, half_life_days=self.config.popularity_half_life_days)
        self.item_vectors_, pull = add_popularity(
            vectors,
            popularity,
            weight=self.config.popularity_weight,
            temperature=self.config.temperature,
        )
        self.user_tower_ = ServedUserTower(users.cpu(), pull=pull)
        self.beneath_ = rank_beneath(popularity.astype(np.float64))
        self.ranking_ = VectorRanking(self.item_vectors_, self.beneath_)
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest cosine with each user's vector.

        Who has no history has the default vector, which leans on popularity.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_vectors_")
        return self.ranking_.rank(
            self._embed,
            users,
            k,
            history=self.history_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the vector of each user, float32, shape (n_users, d), of length one."""
        require_fitted(self, "item_vectors_")
        return self._embed(take_users(self.history_, np.asarray(users, dtype=np.int32)))

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items whose vectors have the largest cosine with each item's."""
        require_fitted(self, "item_vectors_")
        return nearest(self.item_vectors_, items, k)

    def with_history(self, data: Dataset) -> Self:
        """Return the same networks and item vectors, for the users of `data`, seen from its end."""
        require_fitted(self, "item_vectors_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.item_vectors_))
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the cosines of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "item_vectors_")
        return self.ranking_.score(self._embed, users, history=self.history_)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history without which each score would fall most.

        The amount is by how much the cosine would fall, the popularity of the item included;
        `similar_taste` where no single item matters. Without a history the amount is the item's
        place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.

        Cost: one pass of the user's network for each of the latest `max_history` items.
        """
        require_fitted(self, "item_vectors_")
        latest = self.history_.row(user).latest(self.config.max_history)
        if not len(latest):
            return [popular_reason(self.beneath_, item) for item in items.tolist()]
        vectors = self.item_vectors_[latest.items]
        weights = self._weights(latest)
        with torch_threads(1):
            whole = self.user_tower_.vector(vectors, weights)
            without = self.user_tower_.vectors_without_one(vectors, weights)
        drops = self.item_vectors_[items] @ (whole - without).T
        return [drop_reason(latest.items, of_item) for of_item in drops]

    def export_user_tower(self, path: Path) -> None:
        """Write the user's network as ONNX.

        Inputs `history_vectors` float32 (batch, length, d), rows of `item_vectors_`, and
        `history_weights` float32 (batch, length), `features.history.tower_weights`, 0 for padding.
        Output `user_vector` float32 (batch, d), of length one.
        """
        require_fitted(self, "item_vectors_")
        export_onnx(self.user_tower_, path, embedding_size=self.config.embedding_size)

    def save(self, folder: Path) -> None:
        """Write vectors, the user's network, histories and settings into the folder."""
        require_fitted(self, "item_vectors_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "item_vectors": self.item_vectors_,
                "beneath": self.beneath_,
                "losses": self.losses_,
            },
            numbers={"now_us": self.now_us_},
            history=self.history_,
        )
        save_file(self.user_tower_.state_dict(), folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; it can recommend, but not be trained further."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=TwoTowerConfig)
        model = cls(config)
        model.item_vectors_ = arrays["item_vectors"]
        model.beneath_, model.losses_ = arrays["beneath"], arrays["losses"]
        model.ranking_ = VectorRanking(model.item_vectors_, model.beneath_)
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        network = UserTower(
            embedding_size=config.embedding_size - 2, hidden=config.hidden, dropout=config.dropout
        )
        model.user_tower_ = ServedUserTower(network, pull=0.0)
        model.user_tower_.load_state_dict(load_file(folder / WEIGHTS))
        return model

    def _embed(self, asked: History) -> NDArray[np.float32]:
        vectors = np.empty((asked.n_users, self.item_vectors_.shape[1]), dtype=np.float32)
        # One by one, so that a user has the same vector alone as among others; and thousands of
        # tiny networks are not worth waking a thread for.
        with torch_threads(1):
            for row in range(asked.n_users):
                latest = asked.row(row).latest(self.config.max_history)
                vectors[row] = self.user_tower_.vector(
                    self.item_vectors_[latest.items], self._weights(latest)
                )
        return vectors

    def _weights(self, latest: UserHistory) -> NDArray[np.float32]:
        return tower_weights(latest, self.now_us_, self.config.half_life_days)
