"""What everybody takes: the rival that every other model has to beat, and what newcomers see.

The same list for all; `trending.py` is the same with a short memory.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, history_of
from endcap.features.popularity import decayed_counts
from endcap.models.histories import known_history
from endcap.models.ranking import counted, rank_by_counts, score_all
from endcap.models.reasons import NO_REASON
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason, ReasonKind
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx


class PopularConfig(BaseModel):
    """Settings of `Popular`.

    The half-life is a choice, not a result: a month is long enough to be calm. On Complete Journey
    a shorter one ranks better, which is what `Trending` is for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: float = Field(28.0, gt=0, description="After how long a purchase counts half.")


class Popular:
    """Ranks items by a slowly decayed sum of their interactions, the same for every user.

    counts_: forward-decayed sums of weights, float64, shape (n_items,); comparable as they stand.
    origin_us_: the time at which an interaction has weight one: the end of the data.
    history_: what each user had.
    """

    Config: type[PopularConfig] = PopularConfig
    reason: ReasonKind = "popular"

    def __init__(self, config: PopularConfig | None = None) -> None:
        self.config = config or self.Config()

    counts_: NDArray[np.float64]
    origin_us_: int
    history_: History

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Add up the interactions; nothing is random, so `rng` is not used."""
        self.origin_us_ = data.end_us
        self.counts_ = decayed_counts(
            data.interactions.item_idx,
            data.interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.half_life_days,
            origin_us=self.origin_us_,
            weights=data.interactions.weight,
        )
        self.history_ = history_of(data)
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model after what has happened since: exactly a fit on all of the data.

        What is taken back later changes what was counted before, so that everything is counted
        again, in one pass and one sort.
        Neither `since_us` nor `rng` is used.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "counts_")
        return copy(self).fit(data, rng=rng)

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of the largest counts, for each user without what that user had.

        Scores are interactions as seen from the end of the data, each counting its weight at most.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "counts_")
        return rank_by_counts(
            self.counts_,
            users,
            k,
            history=self.history_,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def with_history(self, data: Dataset) -> Self:
        """Return the same counts, from which the users of `data` are not shown what they had."""
        require_fitted(self, "counts_")
        other = copy(self)
        other.history_ = known_history(data, n_items=len(self.counts_))
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the counts, the same for every user, shape (n_users, n_items)."""
        require_fitted(self, "counts_")
        return score_all(
            counted(self.counts_), users, history=self.history_, n_items=len(self.counts_)
        )

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return that the items are taken; the amount is the decayed count, `none` where it is 0.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "counts_")
        amounts = self.counts_[items].tolist()
        return [Reason(self.reason, None, amount) if amount else NO_REASON for amount in amounts]

    def save(self, folder: Path) -> None:
        """Write counts, history and settings into the folder."""
        require_fitted(self, "counts_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={"counts": self.counts_},
            numbers={"origin_us": self.origin_us_},
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=cls.Config)
        model = cls(config)
        model.counts_ = arrays["counts"]
        model.origin_us_ = numbers["origin_us"]
        model.history_ = saved_history(arrays)
        return model
