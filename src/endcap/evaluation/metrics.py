"""Measures of ranked lists: one value a user for accuracy, one value in all for exposure.

Means and intervals are taken elsewhere; sampled negatives are not offered, because they turn the
order of models round (Krichene, Rendle 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists import check_distinct
from endcap.evaluation.pairs import pair_set
from endcap.schema.types import ItemIdx, TopK

Values: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hits:
    """Where the relevant items stand in each list; every metric follows from this.

    is_hit: bool, shape (n_users, k), best position first; padding is never a hit.
    n_relevant: how many items are relevant to each user, listed or not, shape (n_users,).
    """

    is_hit: NDArray[np.bool_]
    n_relevant: NDArray[np.int64]

    def first(self, k: int) -> NDArray[np.bool_]:
        """Return the hits among the first k positions; a shorter list simply has no more."""
        return self.is_hit[:, :k]


def find_hits(ranked: TopK, relevant: Sequence[ItemIdx]) -> Hits:
    """Return where the relevant items stand in each list.

    Args:
        ranked: one list a user, no item twice in one.
        relevant: one array a user, in the same order; an item named twice counts once.

    Raises:
        RankingError: a list holds an item twice, which would count one hit twice.

    Cost: one sort of all relevant items and one binary search for each listed item.
    """
    if len(ranked) != len(relevant):
        raise ValueError(f"{len(ranked)} lists, but relevant items of {len(relevant)} users")
    check_distinct(ranked)
    lengths = np.array([len(row) for row in relevant], dtype=np.int64)
    items = np.concatenate(relevant) if len(relevant) else np.empty(0, dtype=np.int32)
    stride = int(items.max(initial=0)) + 1
    pairs = pair_set(np.repeat(np.arange(len(lengths)), lengths), items, stride=stride)
    is_hit = pairs.contain(np.arange(len(ranked))[:, None], ranked.items)
    return Hits(is_hit, np.bincount(pairs.rows, minlength=len(ranked)).astype(np.int64))


def recall(hits: Hits, k: int) -> Values:
    """Return n_hits@k / n_relevant for each user; NaN where nothing is relevant.

    The denominator is all relevant items, also when there are more than k, so that a perfect list
    scores min(k, n_relevant) / n_relevant.
    """
    return _over_relevant(hits, hits.first(k).sum(axis=1))


def precision(hits: Hits, k: int) -> Values:
    """Return n_hits@k / k for each user; NaN where nothing is relevant.

    The denominator is k, also when the list or the relevant items are fewer.
    """
    return _known(hits, hits.first(k).sum(axis=1) / k)


def ndcg(hits: Hits, k: int) -> Values:
    """Return DCG@k / ideal DCG@k for each user; NaN where nothing is relevant.

    Gains are binary: DCG@k = sum over hits of 1 / log2(position + 2), position from 0; the ideal
    list has hits on its first min(k, n_relevant) positions.

    Source: Jarvelin, Kekalainen 2002, with the discount of Burges et al. 2005.
    """
    found = hits.first(k)
    dcg = found @ discounts(found.shape[1])
    ideal = np.concatenate([[np.nan], np.cumsum(discounts(k))])
    return np.asarray(dcg / ideal[np.minimum(hits.n_relevant, k)])


def hit_rate(hits: Hits, k: int) -> Values:
    """Return 1 where any of the first k items is relevant, else 0; NaN where nothing is."""
    return _known(hits, np.asarray(hits.first(k).any(axis=1), dtype=np.float64))


def mrr(hits: Hits, k: int) -> Values:
    """Return 1 / rank of the first hit, rank from 1, 0 without a hit in the first k.

    NaN where nothing is relevant.

    Source: Voorhees 1999 (reciprocal rank), cut off at k.
    """
    found = hits.first(k)
    if found.shape[1] == 0:
        return _known(hits, np.zeros(len(found)))
    return _known(hits, np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1.0), 0.0))


def discounts(k: int) -> Values:
    """Return the weight of each position in a DCG: 1 / log2(position + 2), shape (k,)."""
    return np.asarray(1.0 / np.log2(np.arange(k) + 2.0))


Measure: TypeAlias = Callable[[Hits, int], Values]

MEASURES: Mapping[str, Measure] = {
    "recall": recall,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "mrr": mrr,
}
"""The measures of the report, in the order of its columns."""


@dataclass(frozen=True, slots=True)
class AtK:
    """A measure at a fixed list length; a `Metric`."""

    measure: Measure
    k: int

    def __call__(self, ranked: TopK, relevant: Sequence[ItemIdx]) -> Values:
        """Return one value a user, shape (n_users,); NaN where nothing is relevant."""
        return self.measure(find_hits(ranked, relevant), self.k)


def measure_all(hits: Hits, k: int) -> Values:
    """Return every one of `MEASURES`, shape (n_users, n_measures)."""
    return np.stack([measure(hits, k) for measure in MEASURES.values()], axis=1)


def exposure(items: ItemIdx, *, n_items: int) -> NDArray[np.int64]:
    """Return how many lists each item of the catalogue is in, shape (n_items,).

    Args:
        items: lists, shape (n_users, k), padding included; cut them to the k that is meant.
        n_items: the size of the full catalogue.
    """
    return np.bincount(items[items >= 0], minlength=n_items).astype(np.int64)


def coverage(shown: NDArray[np.int64]) -> float:
    """Return the share of the catalogue that is in at least one list; `shown` from `exposure`."""
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else float("nan")


def gini(shown: NDArray[np.int64]) -> float:
    """Return the Gini coefficient of exposure over the full catalogue; NaN if nothing is shown.

    0 when every item is shown equally often, 1 - 1 / n_items when one item has it all:
    sum over items, ascending, of (2 i - n - 1) x_i / (n sum x), i from 1. Few lists over a large
    catalogue cannot come near 0, not even random ones: compare with those.

    Source: Gini 1912 in the form of Damgaard, Weiner 2000, without their n / (n - 1).
    """
    n_items, total = len(shown), int(shown.sum())
    if total == 0:
        return float("nan")
    ranks = np.arange(1, n_items + 1)
    return float((2.0 * ranks - n_items - 1) @ np.sort(shown) / (n_items * total))


def _over_relevant(hits: Hits, amounts: NDArray[np.integer]) -> Values:
    return amounts / np.where(hits.n_relevant > 0, hits.n_relevant, np.nan)


def _known(hits: Hits, values: Values) -> Values:
    return np.where(hits.n_relevant > 0, values, np.nan)
