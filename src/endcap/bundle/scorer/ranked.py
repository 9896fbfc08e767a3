"""Rank items for everybody: popular, trending, new, and popular in one department.

What one visitor likes plays no part here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.positive import positive_part
from endcap.bundle.scorer.shoppers import LiveShoppers, Shoppers
from endcap.features.popularity import NEVER, as_of
from endcap.schema.types import DAY_US, ItemIdx, TopK, top_k

DEPTH = 120
WEEK_US = 7 * DAY_US
NEW_US = 28 * DAY_US
MIN_WEEK_SHOPPERS = 2
ROUNDING = 1e-9


class ShopRanker:
    """Ranks the whole shop; made once a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        known = bundle.is_available & (bundle.department >= 0)
        self._members = [
            np.flatnonzero(known & (bundle.department == code)).astype(np.int32)
            for code in range(len(bundle.department_names))
        ]
        self._unavailable = np.flatnonzero(~bundle.is_available)
        totals = np.array([bundle.popular_counts[items].sum() for items in self._members])
        self._departments = tuple(
            int(code) for code in np.argsort(-totals, kind="stable") if totals[code] > 0
        )
        first = bundle.first_seen_us
        seen = first[first != NEVER] if first is not None else np.empty(0, dtype=np.int64)
        # In its first weeks the data cannot tell a new item from one that was always there.
        self._tells_new_from_us = int(seen.min()) + NEW_US if len(seen) else None

    def at(
        self,
        *,
        now_us: int,
        live_popular: NDArray[np.float64],
        live_trending: NDArray[np.float64],
        live_shoppers: LiveShoppers,
    ) -> ShopRanks:
        """Return the rankings of one moment.

        Args:
            now_us: data time.
            live_popular: forward-decayed counts of what happened since the bundle was made, on its
                half-life and origin, shape (n_items,).
            live_trending: the same with the half-life of trending.
            live_shoppers: who did what with which item since; see `Shoppers`.

        Cost: a few passes over all items; keep the result until a count changes.
        """
        bundle = self._bundle
        popular = as_of(
            _sum(bundle.popular_counts, live_popular),
            now_us=now_us,
            origin_us=bundle.decay_origin_us,
            half_life_days=bundle.popular_half_life_days,
        )
        trending = None
        if bundle.trending_counts is not None:
            trending = as_of(
                _sum(bundle.trending_counts, live_trending),
                now_us=now_us,
                origin_us=bundle.decay_origin_us,
                half_life_days=bundle.trending_half_life_days,
            )
        shoppers = Shoppers(bundle, live_shoppers)
        return ShopRanks(
            shoppers=shoppers,
            popular=self._best(popular),
            trending=self._trending(trending, popular, shoppers, now_us=now_us),
            newest=self._newest(popular if trending is None else trending, now_us=now_us),
            popular_counts=popular,
            members=self._members,
            departments=self._departments,
        )

    def _best(self, scores: NDArray[np.float64]) -> TopK:
        shown = scores.astype(np.float32)
        shown[self._unavailable] = -np.inf
        return positive_part(top_k(shown[np.newaxis], DEPTH))

    def _trending(
        self,
        trending: NDArray[np.float64] | None,
        popular: NDArray[np.float64],
        shoppers: Shoppers,
        *,
        now_us: int,
    ) -> TopK:
        """Return what sells more than it usually does, and to several people this week.

        Ranked by how many standard deviations of a Poisson count the recent count lies above what
        the long-term rate lets expect; by the count itself there is no telling it from popular.
        """
        if trending is None:
            return _empty()
        bundle = self._bundle
        expected = popular * (bundle.trending_half_life_days / bundle.popular_half_life_days)
        best = self._best((trending - expected) / np.sqrt(expected + 1.0))
        since_us = now_us - WEEK_US
        kept = [
            place
            for place, item in enumerate(best.items[0].tolist())
            if shoppers.n_active_since(item, since_us) >= MIN_WEEK_SHOPPERS
        ]
        return TopK(best.items[:, kept], best.scores[:, kept])

    def _newest(self, counts: NDArray[np.float64], *, now_us: int) -> TopK:
        first = self._bundle.first_seen_us
        if first is None or self._tells_new_from_us is None:
            return _empty()
        since_us = max(now_us - NEW_US, self._tells_new_from_us)
        members = np.flatnonzero((first >= since_us) & (first <= now_us)).astype(np.int32)
        return _best_of(members[self._bundle.is_available[members]], counts)


class ShopRanks:
    """What is popular, trending and new in the shop at one moment; one row each, unpadded.

    departments: codes of all departments with an item to show, the busiest first.
    """

    def __init__(
        self,
        *,
        shoppers: Shoppers,
        popular: TopK,
        trending: TopK,
        newest: TopK,
        popular_counts: NDArray[np.float64],
        members: Sequence[ItemIdx],
        departments: tuple[int, ...],
    ) -> None:
        self.shoppers = shoppers
        self.popular, self.trending, self.newest = popular, trending, newest
        self._counts, self._members = popular_counts, members
        self.departments = departments
        self._by_department: dict[int, TopK] = {}

    def department(self, code: int) -> TopK:
        """Return the popular items of one department, one row, unpadded."""
        ranked = self._by_department.get(code)
        if ranked is None:
            ranked = self._by_department[code] = _best_of(self._members[code], self._counts)
        return ranked


def _sum(learnt: NDArray[np.float64], live: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the counts together; 0 where what was learnt has been taken back, but for rounding."""
    total = learnt + live
    return np.where(total > ROUNDING * learnt, total, 0.0)


def _best_of(members: ItemIdx, scores: NDArray[np.float64]) -> TopK:
    best = positive_part(top_k(scores[members].astype(np.float32)[np.newaxis], DEPTH))
    return TopK(members[best.items], best.scores)


def _empty() -> TopK:
    return TopK(np.empty((1, 0), dtype=np.int32), np.empty((1, 0), dtype=np.float32))
