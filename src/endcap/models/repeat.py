"""What a user is due to take again: frequency x recency of that user's own items.

New items come last, by popularity: discovery is for the other models.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, history_of
from endcap.features.popularity import decayed_counts
from endcap.features.repeat import repeat_scores
from endcap.models.histories import entry_rows, known_history
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx


class RepeatConfig(BaseModel):
    """Settings of `Repeat`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: float = Field(
        60.0, gt=0, description="After how many days without a repeat an item counts half."
    )
    frequency_power: float = Field(
        1.0, ge=0, description="0 asks only when an item was last taken, 1 counts every time alike."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


class Repeat:
    """Ranks each user's own items by `features.repeat`, and beneath them the rest by popularity.

    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: RepeatConfig | None = None) -> None:
        self.config = config or RepeatConfig()

    history_: History
    now_us_: int
    beneath_: Scores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Gather the histories; nothing is random, so `rng` is not used."""
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        counts = decayed_counts(
            data.interactions.item_idx,
            data.interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=data.interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model after what has happened since: exactly a fit on all of the data.

        What is taken back later changes what was counted before, so that everything is counted
        again, in one pass and one sort.
        Neither `since_us` nor `rng` is used.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "history_")
        return copy(self).fit(data, rng=rng)

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return each user's own items that are due, filled up with popular ones.

        Scores above zero are `repeat_scores`; below zero they are places in the order of
        popularity.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "history_")
        return rank_users(
            self._score,
            users,
            k,
            history=self.history_,
            n_items=len(self.beneath_),
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def with_history(self, data: Dataset) -> Self:
        """Return the same rule, for the users of `data`, seen from its end."""
        require_fitted(self, "history_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.beneath_))
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "history_")
        return score_all(self._score, users, history=self.history_, n_items=len(self.beneath_))

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return how often the user had each item (the sum of the weights), or how popular it is.

        For an item the user never had the amount is its place in the order of popularity, in
        [0, 1).

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "history_")
        row = self.history_.row(user)
        had = dict(zip(row.items.tolist(), row.counts.tolist(), strict=True))
        return [
            Reason("had_before", item, had[item])
            if item in had
            else popular_reason(self.beneath_, item)
            for item in items.tolist()
        ]

    def save(self, folder: Path) -> None:
        """Write histories, popularity and settings into the folder."""
        require_fitted(self, "history_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={"beneath": self.beneath_},
            numbers={"now_us": self.now_us_},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=RepeatConfig)
        model = cls(config)
        model.beneath_ = arrays["beneath"]
        model.now_us_ = numbers["now_us"]
        model.history_ = saved_history(arrays)
        return model

    def _score(self, asked: History, out: Scores) -> None:
        out[:] = self.beneath_
        out[entry_rows(asked.indptr), asked.items] = repeat_scores(
            asked,
            now_us=self.now_us_,
            half_life_days=self.config.half_life_days,
            frequency_power=self.config.frequency_power,
        )
