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
from endcap.features.tower_context import N_CONTEXT, tower_context
from endcap.models.histories import has_baskets, known_history, take_users
from endcap.models.learning.baskets import build_baskets
from endcap.models.learning.devices import torch_seed, torch_threads
from endcap.models.learning.loop import Trained
from endcap.models.ranking import rank_beneath
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.export import ServedUserTower, export_onnx
from endcap.models.two_tower.fitting import (
    FittedTowers,
    TowerData,
    fit_towers,
    saved_towers,
    towers_state,
    update_towers,
)
from endcap.models.two_tower.inputs import add_popularity, log_popularity, text_inputs
from endcap.models.vectors import VectorRanking, nearest
from endcap.schema.dataset import Dataset, Items
from endcap.schema.errors import DataError
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

NETWORKS = "towers.safetensors"


class TwoTower:
    """Ranks items by the cosine of an item vector and a user vector, both from networks.

    The last two of the `embedding_size` numbers carry an item's popularity at the end of the data,
    so that one inner product gives similarity and popularity in the wanted proportion; see
    `inputs.add_popularity`.

    config: the settings; once fitted, those that the data asked for where nothing was set.
    item_vectors_: float32, shape (n_items, d), of length one; less for an item of which nothing
        is known.
    user_tower_: the user's network with its popularity, ready to be exported.
    towers_: both networks as they were trained.
    trained_: how the training went.
    history_: what each user had.
    categories_: code of each item's category, int32, shape (n_items,).
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    ranking_: what follows from the vectors.
    """

    def __init__(self, config: TwoTowerConfig | None = None) -> None:
        self.config = self._wish = config or TwoTowerConfig()
        self._training: Path | None = None

    item_vectors_: NDArray[np.float32]
    user_tower_: ServedUserTower
    towers_: FittedTowers
    trained_: Trained
    history_: History
    categories_: NDArray[np.int32]
    now_us_: int
    beneath_: Scores
    ranking_: VectorRanking

    def keep_training_in(self, folder: Path | None) -> Self:
        """Return the model, whose `fit` keeps its state in the folder and goes on from there."""
        self._training = folder
        return self

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train both towers on every basket with what its user had had strictly before it.

        Where baskets are rare, each event is foreseen from all that the data has before it. What
        `Items.text` says is learnt from where the setting `texts` asks for it.

        Cost: per epoch, a product of each example with all items, or with the sampled ones;
            minutes for a million events, see `docs/guide/measured.md`.
        Source: Yi et al. 2019, Yang et al. 2020; the user as a mean of items as in Covington 2016.
        """
        seed = int(rng.integers(2**31))
        wanted = without_refused(data)
        self.config = self._settings(wanted)
        with torch_threads(self.config.n_threads), torch_seed(seed):
            text = text_inputs(data.items) if self.config.texts else None
            told = self._told(data, wanted, text)
            towers = fit_towers(told, self.config, seed=seed, folder=self._training)
        self._learnt(data, told, towers)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model trained on with what happened since; this one stays as it was.

        As many older baskets are learnt from again, drawn at random, so that little is forgotten.
        Popularity is that of the end of the new data.

        Raises:
            NotFittedError: fit was not called.
            DataError: the model was fitted with texts, and these items have none, or others.
        """
        require_fitted(self, "item_vectors_")
        other, seed = copy(self), int(rng.integers(2**31))
        with torch_threads(self.config.n_threads), torch_seed(seed):
            told = self._told(data, without_refused(data), self._known_text(data.items))
            towers = update_towers(self.towers_, told, self.config, since_us=since_us, seed=seed)
        other._learnt(data, told, towers)
        return other

    def _settings(self, wanted: Dataset) -> TwoTowerConfig:
        """Return what was wished for, and the rest as the data needs it."""
        examples = self._wish.examples
        if examples == "auto":
            examples = "baskets" if has_baskets(wanted.interactions) else "events"
        config = self._wish if examples == "baskets" else self._wish.for_events()
        return config.model_copy(update={"examples": examples})

    def _known_text(self, items: Items) -> NDArray[np.float32] | None:
        """Return the texts as the fitted tower reads them; None where it reads none."""
        reads = self.towers_.items.text
        if reads is None:
            return None
        text = text_inputs(items)
        n_told = 0 if text is None else text.shape[1]
        if n_told != reads.in_features:
            raise DataError(
                f"two_tower was fitted with texts of {reads.in_features} numbers, not {n_told}",
                where="Items.text",
                mend="Tell items as at the fit: the same settings training.texts; or train anew",
            )
        return text

    def _told(self, data: Dataset, wanted: Dataset, text: NDArray[np.float32] | None) -> TowerData:
        """Return what there is to learn from."""
        config = self.config
        one_by_one = config.examples == "events"
        return TowerData(
            wanted=wanted,
            baskets=build_baskets(
                wanted.interactions, repeat_weight=config.repeat_weight, one_by_one=one_by_one
            ),
            text=text,
            popularity=log_popularity(data, half_life_days=config.popularity_half_life_days),
        )

    def _learnt(self, data: Dataset, told: TowerData, towers: FittedTowers) -> None:
        """Keep the trained networks, and what follows from them."""
        self.history_, self.now_us_ = history_of(data), data.end_us
        self.categories_ = data.items.category
        self.towers_, self.trained_ = towers, towers.trained
        self.item_vectors_, pull = add_popularity(
            towers.vectors,
            told.popularity,
            weight=towers.popularity_weight,
            temperature=self.config.temperature,
        )
        self.user_tower_ = self._served(towers, pull=pull)
        self.beneath_ = rank_beneath(told.popularity.astype(np.float64))
        self.ranking_ = VectorRanking(self.item_vectors_, self.beneath_)

    def _served(self, towers: FittedTowers, *, pull: float) -> ServedUserTower:
        n_context = N_CONTEXT if self.config.context else 0
        return ServedUserTower(towers.users, pull=pull, n_context=n_context)

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
            context = self._context(latest)
            whole = self.user_tower_.vector(vectors, weights, context)
            without = self.user_tower_.vectors_without_one(vectors, weights, context)
        drops = self.item_vectors_[items] @ (whole - without).T
        return [drop_reason(latest.items, of_item) for of_item in drops]

    def export_user_tower(self, path: Path) -> None:
        """Write the user's network as ONNX.

        Inputs `history_vectors` float32 (batch, length, d), rows of `item_vectors_`, and
        `history_weights` float32 (batch, length), `features.history.tower_weights`, 0 for padding;
        where the settings say so, `user_context` float32 (batch, n_context),
        `features.tower_context`.
        Output `user_vector` float32 (batch, d), of length one.
        """
        require_fitted(self, "item_vectors_")
        export_onnx(self.user_tower_, path, embedding_size=self.config.embedding_size)

    def save(self, folder: Path) -> None:
        """Write vectors, networks, histories and settings into the folder."""
        require_fitted(self, "item_vectors_")
        tensors, arrays = towers_state(self.towers_)
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "item_vectors": self.item_vectors_,
                "beneath": self.beneath_,
                "categories": self.categories_,
                "pull": self.user_tower_.pull.numpy(),
                **arrays,
            },
            numbers={"now_us": self.now_us_},
            history=self.history_,
        )
        save_file(tensors, folder / NETWORKS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; it can be updated."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=TwoTowerConfig)
        model = cls(config)
        model.item_vectors_, model.beneath_ = arrays["item_vectors"], arrays["beneath"]
        model.categories_ = arrays["categories"]
        model.ranking_ = VectorRanking(model.item_vectors_, model.beneath_)
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        model.towers_ = saved_towers(load_file(folder / NETWORKS), arrays, config)
        model.trained_ = model.towers_.trained
        model.user_tower_ = model._served(model.towers_, pull=float(arrays["pull"][0]))
        return model

    def _embed(self, asked: History) -> NDArray[np.float32]:
        vectors = np.empty((asked.n_users, self.item_vectors_.shape[1]), dtype=np.float32)
        # One by one, so that a user has the same vector alone as among others; and thousands of
        # tiny networks are not worth waking a thread for.
        with torch_threads(1):
            for row in range(asked.n_users):
                latest = asked.row(row).latest(self.config.max_history)
                vectors[row] = self.user_tower_.vector(
                    self.item_vectors_[latest.items], self._weights(latest), self._context(latest)
                )
        return vectors

    def _weights(self, latest: UserHistory) -> NDArray[np.float32]:
        return tower_weights(latest, self.now_us_, self.config.half_life_days)

    def _context(self, latest: UserHistory) -> NDArray[np.float32] | None:
        if not self.config.context:
            return None
        return tower_context(latest, self.now_us_, categories=self.categories_)
