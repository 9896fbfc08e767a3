"""Items that are taken by the same people, and what follows for each user.

Only the neighbours are learnt here; how they are added up is `features/neighbours.py`, which
serving uses too.
"""

from __future__ import annotations

import math
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, UserHistory, history_of
from endcap.features.neighbours import neighbour_seed_weights, score_neighbours
from endcap.features.popularity import decayed_counts
from endcap.features.visits import visits_after
from endcap.models.histories import (
    arrays_of_history,
    history_among,
    known_history,
    median_idle_days,
)
from endcap.models.neighbours.cooccurrence import Nearness, Neighbours, nearest_items
from endcap.models.neighbours.update import Known, update_neighbours
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx

SPARE = 0.25
"""Neighbours kept beyond those that are used, as a share of them, so that updates stay cheap."""

EXACT = 0.25
"""The part of the neighbours of an item, the nearest, that an update finds as a fit would."""

HALF_LIVES_PER_IDLE = 12.0
MIN_PAIR_HALF_LIFE_DAYS = 7.0


class ItemKNNConfig(BaseModel):
    """Settings of `ItemKNN`.

    Chosen jointly on validation: Complete Journey by time, Amazon Grocery and Beauty by time and
    by leave-one-out, Amazon Scientific by leave-one-out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_neighbours: int = Field(200, ge=1, le=2000, description="Neighbours used of each item.")
    shrink: float = Field(
        30.0, ge=0, description="Added below the fraction: distrust of pairs that few people share."
    )
    popularity_power: float = Field(
        0.5,
        ge=0,
        le=1,
        description="How much a neighbour's own popularity counts against it; 0.5 is the cosine.",
    )
    user_power: float = Field(
        0.25,
        ge=0,
        le=1,
        description="How much less two items say of each other the more their user had: that "
        "number to this power.",
    )
    pair_half_life_days: float | None = Field(
        None,
        gt=0,
        description="After how long somebody's taking the neighbour counts half; none: "
        "12 times the median time since users were last seen, a week at least. Where people come "
        "every week, what is taken now matters; where they come once in years, all that was.",
    )
    min_users: int = Field(
        2, ge=1, description="An item that fewer people took has no neighbours and is none."
    )
    half_life_days: float = Field(
        60.0, gt=0, description="After how long an item of a history says half as much."
    )
    visit_power: float = Field(
        0.5,
        ge=0,
        description="How an item of a history fades from visit to visit: the visits since, and "
        "one, to this power; 0 by the calendar alone.",
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


class ItemKNN:
    """Ranks items by their similarity to what a user had, recent and frequent items foremost.

    neighbours_: of each item, a few more of them than are used.
    pair_half_life_days_: by which they were found.
    learnt_: what they were found from.
    history_: what each user had.
    now_us_: the end of the data, from which ages are counted.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: ItemKNNConfig | None = None) -> None:
        self.config = config or ItemKNNConfig()

    neighbours_: Neighbours
    pair_half_life_days_: float
    learnt_: Known
    history_: History
    now_us_: int
    beneath_: Scores

    @property
    def neighbour_items_(self) -> NDArray[np.int32]:
        """The neighbours used, int32, shape (n_items, n_neighbours), nearest first, -1 padded."""
        return self.neighbours_.items[:, : self.config.n_neighbours]

    @property
    def neighbour_sims_(self) -> NDArray[np.float32]:
        """How near they are, float32, the same shape, 0 under the padding."""
        return self.neighbours_.sims[:, : self.config.n_neighbours]

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Find the neighbours; nothing is random, so `rng` is not used.

        Cost: the sum over users of the square of how many items they had; memory is bounded.
        """
        self._remember(data)
        given = self.config.pair_half_life_days
        self.pair_half_life_days_ = given or max(
            HALF_LIVES_PER_IDLE * median_idle_days(self.history_, now_us=self.now_us_),
            MIN_PAIR_HALF_LIFE_DAYS,
        )
        used = self.config.n_neighbours
        self.neighbours_ = nearest_items(
            self.history_,
            data.n_items,
            n_kept=used + round(SPARE * used) + 1,
            nearness=self._nearness(),
            now_us=self.now_us_,
        )
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model after what has happened since, at the cost of that.

        It is what a fit on all of the data gives, with a `pair_half_life_days` that is given or
        was found by the fit, but for this:

        - Similarities differ by rounding, and so may the order of nearly equal ones.
        - Of an item that is near to more others than are kept, a quarter of `n_neighbours`, the
          nearest, is certain; of the rest, some may be missing that came nearer since.

        What is new is found by comparing histories; neither `since_us` nor `rng` is used.

        Raises:
            NotFittedError: fit was not called.

        Cost: see `update_neighbours`, and one sort of the interactions.
        """
        require_fitted(self, "neighbours_")
        other = copy(self)
        other._remember(data)
        other.neighbours_ = update_neighbours(
            self.neighbours_,
            self.learnt_,
            other.learnt_,
            n_items=data.n_items,
            n_exact=math.ceil(EXACT * self.config.n_neighbours),
            nearness=self._nearness(),
        )
        return other

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items nearest to each user's history, filled up with popular ones.

        Scores above zero are sums of similarities; below zero they are places in the order of
        popularity.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "neighbours_")
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
        require_fitted(self, "neighbours_")
        found = np.full((len(items), k), NO_ITEM, dtype=np.int32)
        sims = np.full((len(items), k), -np.inf, dtype=np.float32)
        depth = min(k, self.neighbour_items_.shape[1])
        found[:, :depth] = self.neighbour_items_[items, :depth]
        sims[:, :depth] = self.neighbour_sims_[items, :depth]
        sims[found == NO_ITEM] = -np.inf
        return TopK(found, sims)

    def with_history(self, data: Dataset) -> Self:
        """Return the same neighbours, for the users of `data`, seen from its end."""
        require_fitted(self, "neighbours_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.neighbour_items_))
        other.now_us_ = data.end_us
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "neighbours_")
        return score_all(
            self._score, users, history=self.history_, n_items=len(self.neighbour_items_)
        )

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history that each score would miss most, and its share of it.

        Without an item that was a visit of its own, earlier visits count more; that is allowed
        for. For an item near to nothing the user had, the amount is its place in the order of
        popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "neighbours_")
        row = self.history_.row(user)
        near, sims = self.neighbour_items_[row.items], self.neighbour_sims_[row.items]
        amounts = sims * self._seed_weights(row)[:, np.newaxis]
        parts = [np.where(near == item, amounts, 0).sum(axis=1) for item in items.tolist()]
        visits = visits_after(row)
        return [
            _reason(row.items, of_item, _drops(of_item, visits, self.config.visit_power))
            if of_item.sum() > 0
            else popular_reason(self.beneath_, item)
            for item, of_item in zip(items.tolist(), parts, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write neighbours, histories and settings into the folder."""
        require_fitted(self, "neighbours_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "neighbour_items": self.neighbours_.items,
                "neighbour_sims": self.neighbours_.sims,
                "beyond": self.neighbours_.beyond,
                "pair_half_life_days": np.array(self.pair_half_life_days_),
                "beneath": self.beneath_,
                **arrays_of_history(self.learnt_.history, prefix="learnt."),
            },
            numbers={"now_us": self.now_us_, "learnt_us": self.learnt_.now_us},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=ItemKNNConfig)
        model = cls(config)
        model.neighbours_ = Neighbours(
            arrays["neighbour_items"], arrays["neighbour_sims"], arrays["beyond"]
        )
        model.pair_half_life_days_ = float(arrays["pair_half_life_days"])
        model.learnt_ = Known(history_among(arrays, prefix="learnt."), numbers["learnt_us"])
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

    def _remember(self, data: Dataset) -> None:
        """Remember what everybody had, and what is popular."""
        self.now_us_ = data.end_us
        self.history_ = history_of(data)
        self.learnt_ = Known(self.history_, self.now_us_)
        counts = decayed_counts(
            data.interactions.item_idx,
            data.interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=data.interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)

    def _nearness(self) -> Nearness:
        return Nearness(
            shrink=self.config.shrink,
            popularity_power=self.config.popularity_power,
            user_power=self.config.user_power,
            half_life_days=self.pair_half_life_days_,
            min_users=self.config.min_users,
        )

    def _seed_weights(self, history: History | UserHistory) -> NDArray[np.float32]:
        return neighbour_seed_weights(
            history,
            now_us=self.now_us_,
            half_life_days=self.config.half_life_days,
            visit_power=self.config.visit_power,
        )


def _reason(seeds: ItemIdx, parts: NDArray[np.floating], drops: NDArray[np.float64]) -> Reason:
    """Return the seed without which a score falls most, and its share of the parts."""
    worst = int(drops.argmax())
    if not drops[worst] > 0:
        return Reason("similar_taste", None, 0.0)
    return Reason("because_of", int(seeds[worst]), float(parts[worst] / parts.sum()))


def _drops(
    parts: NDArray[np.floating], visits: NDArray[np.int32], visit_power: float
) -> NDArray[np.float64]:
    """Return by how much a score falls without each item of a history, shape (n_seeds,).

    Args:
        parts: what each adds to the score, shape (n_seeds,).
        visits: how many visits came after each, the same shape.
        visit_power: how an item fades from visit to visit.
    """
    is_alone = np.bincount(visits)[visits] == 1
    # What is a visit earlier would count as if it were one later.
    nearer = np.power((1.0 + visits) / np.maximum(visits, 1), visit_power) - 1
    by_visit = np.bincount(visits, weights=parts * nearer, minlength=visits.max(initial=0) + 2)
    from_visit_on = by_visit[::-1].cumsum()[::-1]
    return np.asarray(parts - is_alone * from_visit_on[visits + 1])
