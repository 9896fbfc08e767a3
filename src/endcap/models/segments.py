"""What is popular, or trending, on one shelf or in one region: "popular in Dairy", "in the North".

A region is whatever a caller knows of users; the data says nothing of it. The whole shop is
`popular.py`'s and `trending.py`'s affair.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.popularity import decayed_counts
from endcap.models.state import load_state, require_fitted, save_state
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import ItemIdx, TopK, top_k

NO_SEGMENT = -1
"""The region of a user, or the category of an item, of which nothing is known."""


class SegmentsConfig(BaseModel):
    """Settings of `Segments`: those of `Popular`; a half-life of a week makes them trends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: float = Field(28.0, gt=0, description="After how long a purchase counts half.")
    prior: float = Field(
        50.0,
        ge=0,
        description="A region is believed as far as it has more interactions than this, decayed; "
        "with fewer its lists are nearly those of the whole shop.",
    )


class Segments:
    """Ranks the items of a category by what people of a region take.

    The share of an item among all that a region takes is

        (count in the region + prior * share in the shop) / (count of the region + prior),

    counts being time-decayed: a region with little data has the order of the whole shop, one with
    much its own. Within a category the order is that of the same shares; where nobody in the
    region took anything of it, that of the shop.

    counts_: of the whole shop and of each region, forward-decayed sums of weights, float64, shape
        (1 + n_regions, n_items); comparable within a row.
    category_: of each item, int32, shape (n_items,), -1 where unknown.
    """

    def __init__(self, config: SegmentsConfig | None = None) -> None:
        self.config = config or SegmentsConfig()

    counts_: NDArray[np.float64]
    category_: NDArray[np.int32]

    def fit(self, data: Dataset, *, regions: NDArray[np.int32] | None = None) -> Self:
        """Add up the interactions of each region.

        Args:
            data: prepared, as for any model.
            regions: of each user, shape (n_users,), numbered from 0, -1 where unknown; one of
                nobody when None.

        Raises:
            ValueError: there are more or fewer regions than users.

        Cost: one pass; 8 bytes a region and item.
        """
        if regions is not None and len(regions) != data.n_users:
            raise ValueError(f"{data.n_users} users, but regions of {len(regions)}")
        told = data.interactions
        whole = self._count(told, data, n_regions=1, of_row=np.zeros(len(told), dtype=np.int64))
        local = np.empty((0, data.n_items))
        if regions is not None:
            of_row = regions[told.user_idx].astype(np.int64)
            local = self._count(
                told, data, n_regions=int(regions.max(initial=-1)) + 1, of_row=of_row
            )
        self.counts_ = np.concatenate([whole, local])
        self.category_ = data.items.category
        return self

    def update(self, data: Dataset, *, regions: NDArray[np.int32] | None = None) -> Self:
        """Return what a fit on all of the data gives; this one stays as it was."""
        require_fitted(self, "counts_")
        return copy(self).fit(data, regions=regions)

    def best_of(
        self,
        k: int,
        *,
        category: int | None = None,
        region: int | None = None,
        allowed: ItemIdx | None = None,
    ) -> TopK:
        """Return the k items that are taken most, shape (1, k), padded; scores are shares.

        An item that nobody ever took is listed last, with a share of 0; of equals the smaller one
        comes first.

        Args:
            k: length of the list.
            category: a code of `Items.category`; items of any category when None.
            region: as in `fit`; the whole shop when None, unknown, or seen by nobody.
            allowed: items that may be listed; all when None.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "counts_")
        shares = self.shares(region).astype(np.float32)
        is_shown = np.ones(len(shares), dtype=np.bool_)
        if category is not None:
            is_shown &= self.category_ == category
        if allowed is not None:
            is_shown &= np.isin(np.arange(len(shares)), allowed)
        return top_k(np.where(is_shown, shares, np.float32(-np.inf))[np.newaxis], k)

    def shares(self, region: int | None = None) -> NDArray[np.float64]:
        """Return the share of each item among all that a region takes, shape (n_items,).

        They sum to 1, or are all 0 where nobody took anything.
        """
        require_fitted(self, "counts_")
        counts, prior = self.counts_, self.config.prior
        shop = np.asarray(counts[0] / max(counts[0].sum(), np.finfo(np.float64).tiny))
        if region is None or not 0 <= region < len(counts) - 1 or counts[1 + region].sum() == 0:
            return shop
        local = counts[1 + region]
        return np.asarray((local + prior * shop) / (local.sum() + prior))

    def n_effective(self, *, category: int | None = None, region: int | None = None) -> float:
        """Return how many interactions a list rests on, decayed: whether a shelf is worth showing.

        Those of the region alone, where one is named and known.
        """
        require_fitted(self, "counts_")
        row = 1 + region if region is not None and 0 <= region < len(self.counts_) - 1 else 0
        counts = self.counts_[row]
        return float((counts if category is None else counts[self.category_ == category]).sum())

    def save(self, folder: Path) -> None:
        """Write counts, categories and settings into the folder."""
        require_fitted(self, "counts_")
        save_state(
            folder,
            model="Segments",
            config=self.config,
            arrays={"counts": self.counts_, "category": self.category_},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return what `save` wrote."""
        config, arrays, _ = load_state(folder, model="Segments", config=SegmentsConfig)
        found = cls(config)
        found.counts_, found.category_ = arrays["counts"], arrays["category"]
        return found

    def _count(
        self, told: Interactions, data: Dataset, *, n_regions: int, of_row: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the decayed count of each item in each region, shape (n_regions, n_items)."""
        known = of_row != NO_SEGMENT
        counts = decayed_counts(
            of_row[known] * data.n_items + told.item_idx[known],
            told.ts[known],
            n_items=n_regions * data.n_items,
            half_life_days=self.config.half_life_days,
            origin_us=data.end_us,
            weights=told.weights[known],
        )
        return counts.reshape(n_regions, data.n_items)
