"""Items that are taken by the same people, and what follows for each user.

Only the neighbours are learnt here; how they are added up is `features/neighbours.py`, which
serving uses too.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, UserHistory, history_of, seed_weights
from endcap.features.neighbours import score_neighbours
from endcap.features.popularity import decayed_counts
from endcap.models.cooccurrence import nearest_items
from endcap.models.histories import known_history
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import popular_reason, strongest_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx


class ItemKNNConfig(BaseModel):
    """Settings of `ItemKNN`; chosen on the validation window of Complete Journey."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_neighbours: int = Field(200, ge=1, le=2000, description="Neighbours kept of each item.")
    shrink: float = Field(
        25.0, ge=0, description="Added below the fraction: distrust of pairs that few people share."
    )
    popularity_power: float = Field(
        0.6,
        ge=0,
        le=1,
        description="How much a neighbour's own popularity counts against it; 0.5 is the cosine.",
    )
    pair_half_life_days: float = Field(
        60.0, gt=0, description="After how long somebody's taking the neighbour counts half."
    )
    min_users: int = Field(
        3, ge=1, description="An item that fewer people took has no neighbours and is none."
    )
    half_life_days: float = Field(
        30.0, gt=0, description="After how long an item of a history says half as much."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


class ItemKNN:
    """Ranks items by their similarity to what a user had, recent and frequent items foremost.

    neighbour_items_: int32, shape (n_items, n_neighbours), nearest first, -1 padded.
    neighbour_sims_: float32, the same shape, 0 under the padding.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: ItemKNNConfig | None = None) -> None:
        self.config = config or ItemKNNConfig()

    neighbour_items_: NDArray[np.int32]
    neighbour_sims_: NDArray[np.float32]
    history_: History
    now_us_: int
    beneath_: Scores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Find the neighbours; nothing is random, so `rng` is not used.

        Cost: the sum over users of the square of how many items they had; memory is bounded.
        """
        interactions = data.interactions
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        self.neighbour_items_, self.neighbour_sims_ = nearest_items(
            self.history_,
            data.n_items,
            n_neighbours=self.config.n_neighbours,
            shrink=self.config.shrink,
            popularity_power=self.config.popularity_power,
            half_life_days=self.config.pair_half_life_days,
            now_us=self.now_us_,
            min_users=self.config.min_users,
        )
        counts = decayed_counts(
            interactions.item_idx,
            interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items nearest to each user's history, filled up with popular ones.

        Scores above zero are sums of similarities; below zero they are places in the order of
        popularity.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "neighbour_items_")
        return rank_users(
            self._score,
            users,
            k,
            history=self.history_,
            n_items=len(self.neighbour_items_),
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k nearest neighbours of each item; at most `n_neighbours` are known."""
        require_fitted(self, "neighbour_items_")
        found = np.full((len(items), k), NO_ITEM, dtype=np.int32)
        sims = np.full((len(items), k), -np.inf, dtype=np.float32)
        depth = min(k, self.neighbour_items_.shape[1])
        found[:, :depth] = self.neighbour_items_[items, :depth]
        sims[:, :depth] = self.neighbour_sims_[items, :depth]
        sims[found == NO_ITEM] = -np.inf
        return TopK(found, sims)

    def with_history(self, data: Dataset) -> Self:
        """Return the same neighbours, for the users of `data`, seen from its end."""
        require_fitted(self, "neighbour_items_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.neighbour_items_))
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "neighbour_items_")
        return score_all(
            self._score, users, history=self.history_, n_items=len(self.neighbour_items_)
        )

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history that gives most of each score, and its share of it.

        For an item near to nothing the user had, the amount is its place in the order of
        popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "neighbour_items_")
        row = self.history_.row(user)
        near, sims = self.neighbour_items_[row.items], self.neighbour_sims_[row.items]
        amounts = sims * self._seed_weights(row)[:, np.newaxis]
        reasons = []
        for item in items.tolist():
            parts = np.where(near == item, amounts, 0).sum(axis=1)
            speaks = len(row) > 0 and parts.max() > 0
            reasons.append(
                strongest_reason(row.items, parts)
                if speaks
                else popular_reason(self.beneath_, item)
            )
        return reasons

    def save(self, folder: Path) -> None:
        """Write neighbours, histories and settings into the folder."""
        require_fitted(self, "neighbour_items_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "neighbour_items": self.neighbour_items_,
                "neighbour_sims": self.neighbour_sims_,
                "beneath": self.beneath_,
            },
            numbers={"now_us": self.now_us_},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=ItemKNNConfig)
        model = cls(config)
        model.neighbour_items_ = arrays["neighbour_items"]
        model.neighbour_sims_ = arrays["neighbour_sims"]
        model.beneath_ = arrays["beneath"]
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        return model

    def _score(self, asked: History, out: Scores) -> None:
        weights = self._seed_weights(asked)
        for row in range(asked.n_users):
            part = asked.part(row)
            near = score_neighbours(
                asked.items[part],
                weights[part],
                self.neighbour_items_,
                self.neighbour_sims_,
                out.shape[1],
            )
            out[row] = np.where(near > 0, near, self.beneath_)

    def _seed_weights(self, history: History | UserHistory) -> NDArray[np.float32]:
        return seed_weights(history, now_us=self.now_us_, half_life_days=self.config.half_life_days)
