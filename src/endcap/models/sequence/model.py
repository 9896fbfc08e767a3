"""What comes next, from the order in which a user had things: a transformer of items.

This file is the model as others see it; its parts are the `sequence_*` files beside it.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from endcap.features.history import History, UserHistory, history_of, without_refused
from endcap.features.popularity import decayed_counts
from endcap.models.histories import known_history, take_users
from endcap.models.learning.checkpoint import Checkpoint, training_key
from endcap.models.learning.devices import pick_device, torch_seed, torch_threads
from endcap.models.learning.loop import LoopConfig, Trained, train_network
from endcap.models.ranking import rank_beneath
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.sequence.config import SequenceConfig
from endcap.models.sequence.examples import (
    Examples,
    Order,
    build_examples,
    order_in,
    placed,
)
from endcap.models.sequence.export import export_onnx
from endcap.models.sequence.network import SequenceEncoder
from endcap.models.sequence.training import (
    SequenceLearner,
    choose_held_out,
    singular_vectors,
    weigh_repeats,
)
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.models.vectors import VectorRanking, nearest
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

WEIGHTS = "network.safetensors"
POPULARITY_HALF_LIFE_DAYS = 28.0


class Sequence:
    """Ranks items by the inner product of their embeddings with what a transformer expects next.

    network_: the transformer, in evaluation mode, on the processor.
    item_vectors_: its embeddings, float32, shape (n_items, d); zeros for an item that nobody took.
    history_: what each user had.
    placed_: the events of each user with their places from the end in the place of counts.
    order_: how events follow each other.
    beneath_: the order of all items by popularity, as scores below 0.
    trained_: how the training went.
    ranking_: what follows from the vectors.
    """

    def __init__(self, config: SequenceConfig | None = None) -> None:
        self.config = config or SequenceConfig()
        self._training: Path | None = None

    network_: SequenceEncoder
    item_vectors_: NDArray[np.float32]
    history_: History
    placed_: History
    order_: Order
    beneath_: Scores
    trained_: Trained
    ranking_: VectorRanking

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train on every event with what its user had had before it.

        Cost: an epoch is a pass of the network and a product with the catalogue an event; minutes
        for a hundred thousand events, see `docs/guide/measured.md`.
        """
        seed = int(rng.integers(2**31))
        history = history_of(data)
        with torch_threads(self.config.n_threads), torch_seed(seed):
            network = SequenceEncoder(data.n_items, self.config)
            if self.config.warm_start:
                vectors = singular_vectors(
                    history, data.n_items, size=self.config.embedding_size, seed=seed
                )
                network.items.weight.data[1:] = torch.from_numpy(vectors)
            self.trained_ = self._train(network, data, seed=seed, loop=self.config.loop)
        self._learnt(network, data, history)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model trained on from where it was, on what happened since.

        Embeddings of new items begin small, as those of a network that is fitted anew.
        """
        require_fitted(self, "network_")
        seed = int(rng.integers(2**31))
        other = copy(self)
        with torch_threads(self.config.n_threads), torch_seed(seed):
            network = SequenceEncoder(data.n_items, self.config)
            state = self.network_.state_dict()
            old = state.pop("items.weight")
            network.load_state_dict(state, strict=False)
            network.items.weight.data[: len(old)] = old
            loop = self.config.loop.model_copy(
                update={"n_epochs": self.config.update_epochs, "schedule": "constant"}
            )
            other.trained_ = other._train(network, data, seed=seed, loop=loop, since_us=since_us)
        other._learnt(network, data, history_of(data))
        return other

    def keep_training_in(self, folder: Path | None) -> Self:
        """Return the model, whose `fit` keeps its state in the folder and goes on from there."""
        self._training = folder
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest inner product with what is expected of each user.

        Who has no history is shown what is popular.

        Raises:
            NotFittedError: fit was not called.

        Cost: a pass of the network a user, and a product with the catalogue.
        """
        require_fitted(self, "network_")
        return self.ranking_.rank(
            self._embed,
            users,
            k,
            history=self.placed_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the vector of each user, float32, shape (n_users, d); zeros without a history."""
        require_fitted(self, "network_")
        return self._embed(take_users(self.placed_, np.asarray(users, dtype=np.int32)))

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items whose embeddings have the largest cosine with each item's."""
        require_fitted(self, "network_")
        return nearest(self.item_vectors_, items, k)

    def with_history(self, data: Dataset) -> Self:
        """Return the same network, for the users of `data` and the order of what they had."""
        require_fitted(self, "network_")
        other = copy(self)
        other._remember(known_history(data, n_items=len(self.item_vectors_)), data.interactions)
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the inner products of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "network_")
        return self.ranking_.score(self._embed, users, history=self.placed_)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history without which each score would fall most.

        The amount is by how much; `similar_taste` where no single item matters. Without a history
        the amount is the item's place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.

        Cost: one pass of the network for each of the latest `max_length` items.
        """
        require_fitted(self, "network_")
        known = self._sequence(self.placed_.row(user))
        if not len(known):
            return [popular_reason(self.beneath_, item) for item in items.tolist()]
        whole = self._expected(known)
        distinct = np.unique(known)
        without = np.stack([self._expected(known[known != item]) for item in distinct])
        drops = self.item_vectors_[items] @ (whole - without).T
        seeds = (distinct - 1).astype(np.int32)
        return [drop_reason(seeds, of_item) for of_item in drops]

    def export_encoder(self, path: Path) -> None:
        """Write the network as ONNX.

        Input `items` int64 (batch, length), i + 1 for item i, the latest at the end, 0 before those
        of a shorter sequence; at least one item each and `max_length` at most. Output `query`
        float32 (batch, d), to be multiplied with rows of `item_vectors_`.

        Cost: seconds the first time in a process.
        """
        require_fitted(self, "network_")
        export_onnx(self.network_, path, max_length=self.config.max_length)

    def save(self, folder: Path) -> None:
        """Write the network, histories and settings into the folder."""
        require_fitted(self, "network_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "placed.indptr": self.placed_.indptr,
                "placed.items": self.placed_.items,
                "placed.counts": self.placed_.counts,
                "beneath": self.beneath_,
                "known": self._is_known,
                "losses": np.array(self.trained_.losses),
                "qualities": np.array(self.trained_.qualities),
            },
            numbers={
                "best_epoch": self.trained_.best_epoch,
                "in_order": int(self.order_.in_order),
                "distinct": int(self.order_.distinct),
            },
            history=self.history_,
        )
        save_file(self.network_.state_dict(), folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=SequenceConfig)
        model = cls(config)
        model.beneath_ = arrays["beneath"]
        network = SequenceEncoder(len(model.beneath_), config)
        network.load_state_dict(load_file(folder / WEIGHTS), strict=False)
        model.trained_ = Trained(
            arrays["losses"].tolist(), arrays["qualities"].tolist(), numbers["best_epoch"]
        )
        model._use(network, arrays["known"])
        model.order_ = Order(bool(numbers["in_order"]), bool(numbers["distinct"]))
        model.history_ = saved_history(arrays)
        indptr, items, counts = (arrays[f"placed.{name}"] for name in ("indptr", "items", "counts"))
        never = np.zeros(len(items), dtype=np.int64)
        model.placed_ = History(indptr, items, counts, never, never, model.history_.refused)
        return model

    def _train(
        self,
        network: SequenceEncoder,
        data: Dataset,
        *,
        seed: int,
        loop: LoopConfig,
        since_us: int | None = None,
    ) -> Trained:
        told = without_refused(data).interactions
        if since_us is None:
            self.order_ = self._order(told)
        examples = build_examples(told, self.order_)
        draw = np.random.default_rng([seed, 0])
        held_out = choose_held_out(examples, self.config, draw)
        chosen = np.setdiff1d(examples.numbers(), held_out, assume_unique=True)
        if since_us is not None:
            chosen, held_out = chosen[examples.ts[chosen] >= since_us], held_out[:0]
        chosen = weigh_repeats(examples, chosen, self.config.repeat_weight, draw)
        device = pick_device(self.config.device)
        learner = SequenceLearner(
            network.to(device), examples, chosen=chosen, held_out=held_out, config=self.config
        )
        n_batches = max(len(learner.batches(draw)), 1)
        n_epochs = min(loop.n_epochs, max(1, self.config.max_steps // n_batches))
        return train_network(
            network,
            learner,
            config=loop.model_copy(update={"n_epochs": n_epochs if len(chosen) else 0}),
            seed=seed,
            title="sequence",
            unit="events",
            checkpoint=self._checkpoint(examples, seed) if since_us is None else None,
            device=device,
        )

    def _order(self, told: Interactions) -> Order:
        found, wished = order_in(told), self.config
        return Order(
            in_order=found.in_order if wished.in_order is None else wished.in_order,
            distinct=found.distinct if wished.distinct is None else wished.distinct,
        )

    def _checkpoint(self, examples: Examples, seed: int) -> Checkpoint | None:
        if self._training is None:
            return None
        settings = self.config.model_dump_json()
        key = training_key(settings, seed, examples.item_idx, examples.ts, examples.known_from)
        return Checkpoint(self._training, key)

    def _learnt(self, network: SequenceEncoder, data: Dataset, history: History) -> None:
        """Take over a trained network and what follows from the data."""
        told = data.interactions
        counts = decayed_counts(
            told.item_idx,
            told.ts,
            n_items=data.n_items,
            half_life_days=POPULARITY_HALF_LIFE_DAYS,
            origin_us=data.end_us,
            weights=told.weight,
        )
        self.beneath_ = rank_beneath(counts)
        self._use(network.cpu(), np.bincount(history.items, minlength=data.n_items) > 0)
        self._remember(history, told)

    def _use(self, network: SequenceEncoder, known: NDArray[np.bool_]) -> None:
        self.network_ = network.eval().requires_grad_(requires_grad=False)
        vectors = network.items.weight.detach().numpy()[1:].copy()
        vectors[~known] = 0
        self._is_known = known
        self.item_vectors_ = vectors
        self.ranking_ = VectorRanking(vectors, self.beneath_)

    def _remember(self, history: History, told: Interactions) -> None:
        self.history_ = history
        self.placed_ = placed(history, told, distinct=self.order_.distinct)

    def _embed(self, asked: History) -> NDArray[np.float32]:
        vectors = np.zeros((asked.n_users, self.item_vectors_.shape[1]), dtype=np.float32)
        # One by one, so that a user has the same vector alone as among others.
        with torch_threads(1):
            for row in range(asked.n_users):
                sequence = self._sequence(asked.row(row))
                if len(sequence):
                    vectors[row] = self._expected(sequence)
        return vectors

    def _sequence(self, row: UserHistory) -> NDArray[np.int64]:
        """Return the latest items that the network knows, the last one at the end, each plus one.

        Args:
            row: of `placed_`.
        """
        known = np.flatnonzero(self._is_known[row.items])
        latest = known[np.argsort(-row.counts[known])][-self.config.max_length :]
        return row.items[latest].astype(np.int64) + 1

    def _expected(self, sequence: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vector of what comes after a sequence; zeros after none."""
        if not len(sequence):
            return np.zeros(self.item_vectors_.shape[1], dtype=np.float32)
        with torch.inference_mode():
            made: NDArray[np.float32] = self.network_.encode_whole(
                torch.from_numpy(sequence)[None]
            )[0].numpy()
        return made
