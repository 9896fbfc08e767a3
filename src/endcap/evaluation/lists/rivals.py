"""Rankings that know nothing: what any model must beat, drawn at random and in closed form.

A constant score needs no class of its own. With ties broken at random, as `ties.py` does, every
order of the allowed items is equally likely under it, so its expected metrics are those of
`RandomRanking`: both are what `expected_metrics_of_random` returns.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.chance import draws
from endcap.evaluation.lists.checks import is_repeated
from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.metrics.accuracy import discounts
from endcap.evaluation.split import seen_pairs
from endcap.schema.dataset import Dataset
from endcap.schema.errors import NotFittedError
from endcap.schema.types import NO_ITEM, ItemIdx, TopK, UserIdx

RANDOM = "random"
"""What the random ranking is called in every table."""

_SPARE_DRAWS = 24
_SHUFFLE = 1 << 32  # counters from here on order whole catalogues; below, they draw single items


class RandomRanking:
    """A uniformly random order of the allowed items for each user; a `Recommender`.

    The list of a user depends on (seed, user, k, allowed, seen items) alone, not on who else is
    asked. Scores only say the order: 0, -1, -2, ...
    """

    seed_: int
    seen_: Pairs
    n_items_: int

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Remember who has seen what, and draw the seed."""
        self.seed_ = int(rng.integers(2**63))
        self.seen_ = seen_pairs(data)
        self.n_items_ = data.n_items
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return k distinct items of each user, every choice and order equally likely.

        Raises:
            NotFittedError: fit was not called.

        Cost: O(k) draws a user, each rejected if seen or drawn already; a user who has seen nearly
        all of the allowed items costs one sort of them.
        """
        if not hasattr(self, "seed_"):
            raise NotFittedError("RandomRanking is not fitted", mend="Call fit first")
        pool = np.arange(self.n_items_, dtype=np.int32) if allowed is None else np.unique(allowed)
        items = np.full((len(users), k), NO_ITEM, dtype=np.int32)
        if len(pool):
            n_draws = 2 * k + _SPARE_DRAWS
            drawn = pool[draws(self.seed_, users[:, None], np.arange(n_draws)) % len(pool)]
            is_free = ~self._is_seen(users[:, None], drawn, exclude_seen) & ~is_repeated(drawn)
            items = _first_free(drawn, is_free, k)
            for row in np.flatnonzero(is_free.sum(axis=1) < k):
                items[row] = self._shuffle(users[row : row + 1], pool, k, exclude_seen)
        order = np.broadcast_to(-np.arange(k, dtype=np.float32), items.shape)
        return TopK(items, np.where(items == NO_ITEM, -np.inf, order).astype(np.float32))

    def _is_seen(self, users: UserIdx, items: ItemIdx, exclude_seen: bool) -> NDArray[np.bool_]:
        if not exclude_seen:
            return np.zeros(np.broadcast_shapes(users.shape, items.shape), dtype=np.bool_)
        return self.seen_.contain(users, items)

    def _shuffle(self, user: UserIdx, pool: ItemIdx, k: int, exclude_seen: bool) -> ItemIdx:
        free = pool[~self._is_seen(user, pool, exclude_seen)]
        chosen = free[np.argsort(draws(self.seed_, user, free.astype(np.int64) + _SHUFFLE))[:k]]
        return np.concatenate([chosen, np.full(k - len(chosen), NO_ITEM, dtype=np.int32)])


def expected_metrics_of_random(
    n_relevant: NDArray[np.integer], n_candidates: NDArray[np.integer], *, k: int
) -> dict[str, NDArray[np.float64]]:
    """Return the expected metrics of a uniformly random list, also of a constant score, by name.

    With R relevant among N candidates each position holds a relevant item with probability R / N,
    which gives recall, precision and NDCG, as those are linear in hits. Given a hit at position j,
    from 0, each of the j before it is one with probability (R - 1) / (N - 1), which gives MAP. The
    first hit is at position j with probability prod_{i<j} (N - R - i) / (N - i) * R / (N - j),
    which gives the hit rate and MRR. A pair of candidates is in right order half of the time.

    Args:
        n_relevant: shape (n_users,), >= 1, all of them among the candidates.
        n_candidates: items that may be listed, shape (n_users,), >= n_relevant.
        k: list length.

    Returns:
        By name of `accuracy.MEASURES`, each of shape (n_users,); AUC is NaN where all candidates
        are relevant.
    """
    relevant = n_relevant.astype(np.float64)[:, None]
    candidates = n_candidates.astype(np.float64)[:, None]
    positions = np.arange(k)
    left = candidates - positions
    is_filled = left > 0
    p_hit = np.where(is_filled, relevant / candidates, 0.0)
    p_miss = np.clip((left - relevant) / np.where(is_filled, left, 1.0), 0.0, 1.0)
    p_none_before = np.cumprod(np.hstack([np.ones_like(relevant), p_miss[:, :-1]]), axis=1)
    p_first = p_none_before * np.where(is_filled, relevant / np.where(is_filled, left, 1.0), 0.0)
    p_first = np.minimum(p_first, p_none_before)
    n_hits_before = positions * (relevant - 1.0) / np.maximum(candidates - 1.0, 1.0)
    best = np.minimum(n_relevant, k)
    return {
        "recall": p_hit.sum(axis=1) / relevant[:, 0],
        "precision": p_hit.sum(axis=1) / k,
        "ndcg": p_hit @ discounts(k) / np.cumsum(discounts(k))[best - 1],
        "hit_rate": p_first.sum(axis=1),
        "map": (p_hit * (1.0 + n_hits_before)) @ (1.0 / (positions + 1.0)) / best,
        "mrr": p_first @ (1.0 / (positions + 1.0)),
        "auc": np.where(n_candidates > n_relevant, 0.5, np.nan),
    }


def _first_free(drawn: ItemIdx, is_free: NDArray[np.bool_], k: int) -> ItemIdx:
    order = np.argsort(~is_free, axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(drawn, order, axis=1)
    return np.where(np.take_along_axis(is_free, order, axis=1), chosen, np.int32(NO_ITEM))
