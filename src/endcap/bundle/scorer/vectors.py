"""Rank items by the vector of a visitor: folded into ALS, or out of the user tower.

Both work for people that training never saw: a vector follows from the history alone.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from endcap.bundle.index.exact import ExactIndex
from endcap.bundle.scorer.positive import positive_part
from endcap.features.fold_in import als_confidence, als_user_vector, item_gram
from endcap.features.history import UserHistory, tower_weights
from endcap.features.tower_context import tower_context
from endcap.schema.types import ItemIdx, TopK

MAX_FOLD_IN = 1000


class FoldInScorer:
    """ALS with the visitor's half solved at request time.

    Args:
        item_factors: float32, shape (n_items, d).
        available: the items that may be ranked, ascending.
        reg, alpha, half_life_days: as the factors were trained.
    """

    def __init__(
        self,
        item_factors: NDArray[np.float32],
        *,
        available: ItemIdx,
        reg: float,
        alpha: float,
        half_life_days: float,
    ) -> None:
        self._factors = item_factors
        self._gram = item_gram(item_factors)
        self._index = ExactIndex(item_factors, items=available)
        self._reg, self._alpha, self._half_life_days = reg, alpha, half_life_days

    def user_vector(self, history: UserHistory, *, now_us: int) -> NDArray[np.float32]:
        """Return the vector of a history, shape (d,); at most its last 1,000 items count."""
        history = history.latest(MAX_FOLD_IN)
        confidence = als_confidence(
            history, now_us=now_us, alpha=self._alpha, half_life_days=self._half_life_days
        )
        return als_user_vector(self._factors[history.items], confidence, self._gram, self._reg)

    def rank(
        self, history: UserHistory, k: int, *, now_us: int, exclude: ItemIdx | None = None
    ) -> TopK:
        """Return the k best items of a history that is not empty, one row, unpadded."""
        vector = self.user_vector(history, now_us=now_us)
        return positive_part(self._index.search(vector[np.newaxis], k, exclude=exclude))

    def similar(self, item: int, k: int) -> TopK:
        """Return the k items whose vectors agree most with one item's, one row, unpadded."""
        own = np.array([item], dtype=np.int32)
        return positive_part(self._index.search(self._factors[own], k, exclude=own))


class TowerScorer:
    """The two-tower model: item vectors kept, the user's made by its network.

    Args:
        item_vectors: float32, shape (n_items, d), normalised.
        user_tower: the network; see `bundle.format.BundleParts`.
        available: the items that may be ranked, ascending.
        half_life_days: of the weights of the history.
        max_history: how many of its latest items are looked at, as in training.
        categories: code of each item's category, for a network that sees the context.
    """

    def __init__(
        self,
        item_vectors: NDArray[np.float32],
        user_tower: bytes,
        *,
        available: ItemIdx,
        half_life_days: float,
        max_history: int,
        categories: NDArray[np.int32],
    ) -> None:
        self._vectors, self._categories = item_vectors, categories
        self._index = ExactIndex(item_vectors, items=available)
        self._half_life_days, self._max_history = half_life_days, max_history
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(
            user_tower, options, providers=["CPUExecutionProvider"]
        )
        inputs = {one.name for one in self._network.get_inputs()}
        self._sees_context = "user_context" in inputs

    def user_vector(self, history: UserHistory, *, now_us: int) -> NDArray[np.float32]:
        """Return the vector of a history, shape (d,); its latest items count."""
        history = history.latest(self._max_history)
        weights = tower_weights(history, now_us, self._half_life_days)
        told = {
            "history_vectors": self._vectors[history.items][np.newaxis],
            "history_weights": weights[np.newaxis],
        }
        if self._sees_context:
            context = tower_context(history, now_us, categories=self._categories)
            told["user_context"] = context[np.newaxis]
        (vectors,) = self._network.run(["user_vector"], told)
        return cast("NDArray[np.float32]", vectors[0])

    def rank(
        self, history: UserHistory, k: int, *, now_us: int, exclude: ItemIdx | None = None
    ) -> TopK:
        """Return the k best items of a history that is not empty, one row, unpadded."""
        vector = self.user_vector(history, now_us=now_us)
        return positive_part(self._index.search(vector[np.newaxis], k, exclude=exclude))

    def similar(self, item: int, k: int) -> TopK:
        """Return the k items whose vectors agree most with one item's, one row, unpadded."""
        own = np.array([item], dtype=np.int32)
        return positive_part(self._index.search(self._vectors[own], k, exclude=own))
