"""Items by what is said of them, in the space of what is taken together: the answer to cold start.

This file is the model as others see it; what it knows of an item is `inputs.py`, and how
that is learnt from `network.py`.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, history_of
from endcap.features.places import place_weights, places_from_latest, weighted_sums
from endcap.features.popularity import decayed_counts
from endcap.models.content.inputs import item_inputs
from endcap.models.content.network import (
    ContentLearner,
    ContentNetwork,
    Neighbourhoods,
    build_neighbourhoods,
)
from endcap.models.histories import known_history, take_users
from endcap.models.learning.checkpoint import Checkpoint, training_key
from endcap.models.learning.devices import pick_device, torch_seed, torch_threads
from endcap.models.learning.loop import LoopConfig, train_network
from endcap.models.ranking import rank_beneath
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.vectors import VectorRanking, nearest, unit_rows
from endcap.schema.dataset import Dataset, Items
from endcap.schema.errors import DataError
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx


class ContentConfig(BaseModel):
    """Settings of `Content`; chosen on items of Amazon Scientific other than the measured ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(128, ge=1, le=1024, description="Numbers in a vector.")
    tau: float = Field(
        3.0, ge=0.1, description="After how many later items an item of a history says 1/e as much."
    )
    reach: int = Field(
        20, ge=1, description="How far around an item the history is looked at in training."
    )
    id_dropout: float = Field(
        0.5, ge=0, le=1, description="Share of the time that an item is told by its text alone."
    )
    input_dropout: float = Field(0.5, ge=0, lt=1, description="Share of the text left out.")
    batch_size: int = Field(1024, ge=1, description="Examples in a batch.")
    max_examples: int = Field(
        100_000, ge=1, description="Examples in an epoch; of more, others are drawn in each."
    )
    n_negatives: int = Field(8192, ge=1, description="Items that each example is told from.")
    update_epochs: int = Field(2, ge=0, description="Epochs over what is new in an update.")
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that a user without history is shown."
    )
    n_threads: int = Field(1, ge=1, description="CPU threads of the training.")
    device: str = Field("auto", description="auto, cpu or cuda.")
    loop: LoopConfig = Field(
        LoopConfig(n_epochs=4, learning_rate=3e-3, schedule="linear", warmup_steps=30),
        description="Of the training.",
    )


class Content:
    """Ranks items by the inner product of an item vector and a weighted sum of the history's.

    item_vectors_: float32, shape (n_items, d), of length one; zeros for an item of which nothing
        is known.
    projection_: float32, shape (d, n_inputs), from what is known of an item to its vector.
    ids_: float32, shape (n_items, d), what is added to that; zeros for items that nobody had.
    log_scale_: of the training.
    counts_: float64, the popularity of each item.
    history_: what each user had.
    beneath_: the order of all items by popularity, as scores below 0.
    losses_: the mean loss of each epoch.
    ranking_: what follows from the vectors.
    """

    def __init__(self, config: ContentConfig | None = None) -> None:
        self.config = config or ContentConfig()
        self._training: Path | None = None

    item_vectors_: NDArray[np.float32]
    projection_: NDArray[np.float32]
    ids_: NDArray[np.float32]
    log_scale_: float
    counts_: NDArray[np.float64]
    history_: History
    beneath_: Scores
    losses_: NDArray[np.float32]
    ranking_: VectorRanking

    def keep_training_in(self, folder: Path | None) -> Self:
        """Return the model, whose `fit` keeps its state in the folder and goes on from there."""
        self._training = folder
        return self

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Learn which inputs of items, `Items.text` or attributes, go together in histories.

        Cost: two operations for each number of a vector, for every example and negative.
        Source: Meehan, Pauwels 2026, of softmax over items by content alone; Volkovs, Yu, Poutanen
        2017, of items with a vector of their own beside those without.
        """
        self.history_ = history_of(data)
        inputs = item_inputs(data.items)
        told = build_neighbourhoods(self.history_)
        seed = int(rng.integers(2**31))
        with torch_seed(seed):
            network = ContentNetwork(
                data.n_items,
                inputs.shape[1],
                self.config.embedding_size,
                id_dropout=self.config.id_dropout,
            )
        had = np.bincount(told.items, minlength=data.n_items) > 0
        checkpoint = self._checkpoint(told, inputs, seed)
        self._train(network, told, inputs, had, self.config.loop, seed, checkpoint)
        self._learn(network, inputs, data)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model with the new items and users, taught what happened since.

        Raises:
            NotFittedError: fit was not called.
            DataError: items are told in other terms than at the fit.

        Cost: `update_epochs` over what is new, however much came before.
        """
        require_fitted(self, "item_vectors_")
        inputs = self._checked_inputs(data.items)
        other = copy(self)
        other.history_ = history_of(data)
        told = build_neighbourhoods(other.history_, since_us=since_us)
        seed = int(rng.integers(2**31))
        with torch_seed(seed):
            network = ContentNetwork(
                data.n_items,
                inputs.shape[1],
                self.config.embedding_size,
                id_dropout=self.config.id_dropout,
            )
        _go_on(network, self)
        had = np.bincount(told.items, minlength=data.n_items) > 0
        # What is new are few batches: a slow start would be all there is.
        few = {"n_epochs": self.config.update_epochs, "warmup_steps": 0}
        loop = self.config.loop.model_copy(update=few)
        other._train(network, told, inputs, had, loop, seed, None)
        other._learn(network, inputs, data)
        return other

    def with_items(self, items: Items) -> Self:
        """Return the model that also knows the items that come after those of the fit.

        What is learnt stays; nothing is trained. They are recommended, and similar to others, by
        what is said of them.

        Args:
            items: of the whole catalogue, the old ones first, told in the terms of the fit:
                `text` by the same encoder, or none.

        Raises:
            NotFittedError: fit was not called.
            DataError: items are told in other terms than at the fit, or some are missing.

        Cost: one product for the new items; a copy of the vectors.
        """
        require_fitted(self, "item_vectors_")
        n_known, inputs = len(self.item_vectors_), self._checked_inputs(items)
        n_new = len(items) - n_known
        other = copy(self)
        other.ids_ = np.pad(self.ids_, ((0, n_new), (0, 0)))
        other.counts_ = np.pad(self.counts_, (0, n_new))
        new = unit_rows(inputs[n_known:] @ self.projection_.T)
        other._prepare(np.concatenate([self.item_vectors_, new]))
        return other

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest inner product with each user's vector.

        Who has no history is shown what is popular; an item of which nothing is known comes last.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_vectors_")
        return self.ranking_.rank(
            self._user_vectors,
            users,
            k,
            history=self.history_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the weighted sum of each history, shape (n_users, d); zeros without history."""
        require_fitted(self, "item_vectors_")
        return self._user_vectors(take_users(self.history_, np.asarray(users, dtype=np.int32)))

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items whose vectors have the largest cosine with each item's."""
        require_fitted(self, "item_vectors_")
        return nearest(self.item_vectors_, items, k)

    def with_history(self, data: Dataset) -> Self:
        """Return the same item vectors, for the users of `data`."""
        require_fitted(self, "item_vectors_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.item_vectors_))
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the inner products of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "item_vectors_")
        return self.ranking_.score(self._user_vectors, users, history=self.history_)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history that each score would miss most, and by how much.

        Without it, whatever came before it stands one place nearer to the end and says more; that
        is counted. Without a history, or for an item of which nothing is known, the amount is its
        place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "item_vectors_")
        asked = take_users(self.history_, np.array([user], dtype=np.int32))
        order = np.argsort(places_from_latest(asked))  # the latest first
        seeds = asked.items[order]
        says = place_weights(asked, tau=self.config.tau)[order]
        parts = (self.item_vectors_[items] @ self.item_vectors_[seeds].T) * says
        earlier = parts[:, ::-1].cumsum(axis=1)[:, ::-1] - parts
        drops = parts - np.expm1(1 / self.config.tau) * earlier
        return [
            drop_reason(seeds, of_item) if of_item.any() else popular_reason(self.beneath_, item)
            for item, of_item in zip(items.tolist(), drops, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write vectors, what they are made from, histories and settings into the folder."""
        require_fitted(self, "item_vectors_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "item_vectors": self.item_vectors_,
                "projection": self.projection_,
                "ids": self.ids_,
                "log_scale": np.array(self.log_scale_),
                "counts": self.counts_,
                "losses": self.losses_,
            },
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; it can be updated, and told of new items."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=ContentConfig)
        model = cls(config)
        model.projection_, model.ids_ = arrays["projection"], arrays["ids"]
        model.log_scale_ = float(arrays["log_scale"])
        model.counts_, model.losses_ = arrays["counts"], arrays["losses"]
        model.history_ = saved_history(arrays)
        model._prepare(arrays["item_vectors"])
        return model

    def _user_vectors(self, asked: History) -> NDArray[np.float32]:
        says = place_weights(asked, tau=self.config.tau)
        return weighted_sums(asked, says, self.item_vectors_)

    def _train(
        self,
        network: ContentNetwork,
        told: Neighbourhoods,
        inputs: NDArray[np.float32],
        had: NDArray[np.bool_],
        loop: LoopConfig,
        seed: int,
        checkpoint: Checkpoint | None,
    ) -> None:
        config, device = self.config, pick_device(self.config.device)
        network.to(device)
        learner = ContentLearner(
            network=network,
            inputs=torch.from_numpy(np.array(inputs)).to(device),
            has_own=torch.from_numpy(had.astype(np.float32)).to(device),
            told=told,
            candidates=np.flatnonzero(had),
            batch_size=config.batch_size,
            max_examples=config.max_examples,
            n_negatives=config.n_negatives,
            reach=config.reach,
            tau=config.tau,
            input_dropout=config.input_dropout,
        )
        with torch_threads(config.n_threads):
            done = train_network(
                network,
                learner,
                config=loop,
                seed=seed,
                title="content",
                checkpoint=checkpoint,
                device=device,
            )
        self.losses_ = np.array(done.losses, dtype=np.float32)

    def _learn(self, network: ContentNetwork, inputs: NDArray[np.float32], data: Dataset) -> None:
        """Take over a trained network and what follows from the data."""
        told = data.interactions
        self.counts_ = decayed_counts(
            told.item_idx,
            told.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=told.weight,
        )
        had = np.bincount(self.history_.items, minlength=data.n_items) > 0
        self.projection_ = network.projection.detach().cpu().numpy()
        self.ids_ = network.ids.detach().cpu().numpy() * had[:, np.newaxis]
        self.log_scale_ = network.log_scale.item()
        self._prepare(unit_rows(inputs @ self.projection_.T + self.ids_))

    def _prepare(self, item_vectors: NDArray[np.float32]) -> None:
        """Keep the vectors, and what follows from them and the popularity."""
        self.item_vectors_ = item_vectors
        self.beneath_ = rank_beneath(self.counts_)
        self.ranking_ = VectorRanking(item_vectors, self.beneath_)

    def _checked_inputs(self, items: Items) -> NDArray[np.float32]:
        inputs, n_known = item_inputs(items), len(self.item_vectors_)
        if inputs.shape[1] != self.projection_.shape[1]:
            raise DataError(
                f"items are told by {inputs.shape[1]} numbers each, and by "
                f"{self.projection_.shape[1]} when content was fitted",
                mend="Encode their texts as then, or fit anew",
            )
        if len(items) < n_known:
            raise DataError(f"content knows {n_known} items, of which {len(items)} are told")
        return inputs

    def _checkpoint(
        self, told: Neighbourhoods, inputs: NDArray[np.float32], seed: int
    ) -> Checkpoint | None:
        if self._training is None:
            return None
        settings = self.config.model_dump_json()
        key = training_key(settings, seed, told.items, told.interest, told.first, inputs)
        return Checkpoint(self._training, key)


def _go_on(network: ContentNetwork, model: Content) -> None:
    """Give a new network what the model has learnt; items beyond it begin anew."""
    with torch.no_grad():
        network.projection.copy_(torch.from_numpy(model.projection_))
        network.log_scale.fill_(model.log_scale_)
        known = torch.from_numpy(model.ids_)
        network.ids[: len(known)] = torch.where(
            known.any(dim=1, keepdim=True), known, network.ids[: len(known)]
        )
