"""Measures of ranked lists: one value a user for accuracy.

Means and intervals are taken elsewhere, as is what the lists do for the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.checks import check_distinct
from endcap.evaluation.lists.pairs import Pairs, pair_set
from endcap.schema.errors import RankingError
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK

Values: TypeAlias = NDArray[np.float64]

_SORT_FROM = 16  # so many passes over a row cost as much as sorting it

_MARKS = 1 << 21  # bytes


@dataclass(frozen=True, slots=True)
class Hits:
    """Where the relevant items stand in each list; every metric of accuracy follows from this.

    is_hit: bool, shape (n_users, k), best position first; padding is never a hit.
    n_relevant: how many items are relevant to each user, listed or not, shape (n_users,).
    n_candidates: how many items could have been listed for each user, the relevant ones among
        them, shape (n_users,); None where nobody said, and then there is no AUC.
    n_listed: the length of each list without its padding, shape (n_users,); None for full ones.
    """

    is_hit: NDArray[np.bool_]
    n_relevant: NDArray[np.int64]
    n_candidates: NDArray[np.int64] | None = None
    n_listed: NDArray[np.int64] | None = None

    def first(self, k: int) -> NDArray[np.bool_]:
        """Return the hits among the first k positions; a shorter list simply has no more."""
        return self.is_hit[:, :k]

    def length(self, k: int) -> NDArray[np.int64]:
        """Return how many items stand on the first k positions, shape (n_users,)."""
        n_listed = self.is_hit.shape[1] if self.n_listed is None else self.n_listed
        return np.broadcast_to(np.minimum(n_listed, k), len(self.is_hit))

    def each(self, k: int) -> EachHit:
        """Return the hits among the first k positions one by one."""
        users, positions = np.nonzero(self.first(k))
        n_hits = np.bincount(users, minlength=len(self.is_hit))
        n_before = np.repeat(np.cumsum(n_hits) - n_hits, n_hits)
        return EachHit(users, positions, np.arange(1, len(users) + 1) - n_before, n_hits)


@dataclass(frozen=True, slots=True)
class EachHit:
    """The hits of all lists, list by list, best position first; far fewer than positions.

    users: row of the list, ascending, shape (n_hits,).
    positions: from 0, shape (n_hits,).
    ordinals: which hit of its list it is, from 1, shape (n_hits,).
    n_hits: how many each list has, shape (n_users,).
    """

    users: NDArray[np.int64]
    positions: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    n_hits: NDArray[np.int64]

    def total(self, worth: NDArray[np.number]) -> Values:
        """Return the summed worth of each list's hits, shape (n_users,); `worth` is (n_hits,)."""
        total = np.bincount(self.users, weights=worth, minlength=len(self.n_hits))
        return total.astype(np.float64, copy=False)


def find_hits(
    ranked: TopK,
    relevant: Sequence[ItemIdx],
    *,
    n_candidates: NDArray[np.integer] | None = None,
) -> Hits:
    """Return where the relevant items stand in each list.

    Args:
        ranked: one list a user, no item twice in one.
        relevant: one array a user, in the same order; an item named twice counts once.
        n_candidates: how many items could have been listed for each user: the catalogue, or what
            was allowed, less what was forbidden. Only AUC asks.

    Raises:
        RankingError: a list holds an item twice, which would count one hit twice.
        ValueError: lists and relevant items are not of the same users, or there are fewer
            candidates than items that are listed or relevant.

    Cost: one sort of all relevant items and one look at a table of 2 MB for each listed item.
    """
    if len(ranked) != len(relevant):
        raise ValueError(f"{len(ranked)} lists, but relevant items of {len(relevant)} users")
    check_distinct(ranked)
    lengths = np.array([len(row) for row in relevant], dtype=np.int64)
    items = np.concatenate(relevant) if len(relevant) else np.empty(0, dtype=np.int32)
    stride = int(items.max(initial=0)) + 1
    pairs = pair_set(np.repeat(np.arange(len(lengths)), lengths), items, stride=stride)
    is_hit = _are_in(pairs, ranked.items)
    n_relevant = np.bincount(pairs.rows, minlength=len(ranked)).astype(np.int64)
    n_listed = (ranked.items != NO_ITEM).sum(axis=1)
    if n_candidates is None:
        return Hits(is_hit, n_relevant, n_listed=n_listed)
    if np.any(n_candidates < n_relevant + n_listed - is_hit.sum(axis=1)):
        raise ValueError("n_candidates is smaller than the items that are listed or relevant")
    return Hits(is_hit, n_relevant, n_candidates.astype(np.int64), n_listed)


def recall(hits: Hits, k: int) -> Values:
    """Return n_hits@k / n_relevant for each user; NaN where nothing is relevant.

    The denominator is all relevant items, also when there are more than k, so that a perfect list
    scores min(k, n_relevant) / n_relevant.
    """
    return hits.each(k).n_hits / _denominator(hits.n_relevant)


def precision(hits: Hits, k: int) -> Values:
    """Return n_hits@k / k for each user; NaN where nothing is relevant.

    The denominator is k, also when the list or the relevant items are fewer.
    """
    return _known(hits, hits.each(k).n_hits / k)


def ndcg(hits: Hits, k: int) -> Values:
    """Return DCG@k / ideal DCG@k for each user; NaN where nothing is relevant.

    Gains are binary: DCG@k = sum over hits of 1 / log2(position + 2), position from 0; the ideal
    list has hits on its first min(k, n_relevant) positions.

    Source: Jarvelin, Kekalainen 2002, with the discount of Burges et al. 2005.
    """
    found = hits.each(k)
    ideal = np.concatenate([[np.nan], np.cumsum(discounts(k))])
    dcg = found.total(discounts(k)[found.positions])
    return np.asarray(dcg / ideal[np.minimum(hits.n_relevant, k)])


def hit_rate(hits: Hits, k: int) -> Values:
    """Return 1 where any of the first k items is relevant, else 0; NaN where nothing is."""
    return _known(hits, hits.each(k).n_hits > 0)


def average_precision(hits: Hits, k: int) -> Values:
    """Return the precision at each hit, summed, over min(k, n_relevant); its mean is MAP@k.

    NaN where nothing is relevant. A relevant item that is not among the first k adds 0. The
    denominator is the number of hits that a list of length k can have, so that a perfect list
    scores 1 whatever the user's number of relevant items.

    Source: Buckley, Voorhees 2000 (average precision); the denominator under a cut-off as in the
    Million Song Dataset Challenge, McFee et al. 2012, section 4.
    """
    found = hits.each(k)
    summed = found.total(found.ordinals / (found.positions + 1.0))
    return np.asarray(summed / _denominator(np.minimum(hits.n_relevant, k)))


def mrr(hits: Hits, k: int) -> Values:
    """Return 1 / rank of the first hit, rank from 1, 0 without a hit in the first k.

    NaN where nothing is relevant.

    Source: Voorhees 1999 (reciprocal rank), cut off at k.
    """
    found = hits.each(k)
    return _known(hits, found.total((found.ordinals == 1) / (found.positions + 1.0)))


def auc(hits: Hits, k: int) -> Values:
    """Return the share of (relevant, other) pairs of candidates that the list has in right order.

    The candidates that are not among the first k count as tied behind those that are, as if in
    random order: a pair of them is half right. With k = n_candidates this is the area under the ROC
    curve; with a short list it is near 1/2 however good the list, and says little that recall does
    not. NaN where nothing or everything is relevant, or the number of candidates is not known.

    Source: Hanley, McNeil 1982 (the area as a share of pairs).
    """
    if hits.n_candidates is None:
        return np.full(len(hits.n_relevant), np.nan)
    found = hits.each(k)
    n_other = hits.n_candidates - hits.n_relevant
    n_other_before = found.positions - (found.ordinals - 1)
    n_right = found.total(n_other[found.users] - n_other_before)
    n_other_listed = hits.length(k) - found.n_hits
    n_tied = (hits.n_relevant - found.n_hits) * (n_other - n_other_listed)
    return np.asarray((n_right + n_tied / 2.0) / _denominator(hits.n_relevant * n_other))


def auc_of_scores(
    scores: Scores, targets: Sequence[ItemIdx], candidates: NDArray[np.bool_] | None = None
) -> Values:
    """Return the exact area under the ROC curve of each user, equal scores counting half.

    The share of (target, other candidate) pairs in which the target has the larger score. A target
    that is no candidate cannot be listed: it is behind every other. NaN for a user without targets
    or without other candidates.

    Args:
        scores: of all items, shape (n_users, n_items), no NaN.
        targets: one array a user, distinct.
        candidates: which items could be listed, shape (n_users, n_items); all of them when None.

    Raises:
        RankingError: a score is NaN, which is in no order.

    Cost: two passes over a user's scores for each target, or one sort where there are 16 targets
    or more; 4 bytes an item of memory.
    """
    found = np.full(len(scores), np.nan)
    for user, own in enumerate(targets):
        row, is_candidate = scores[user], None if candidates is None else candidates[user]
        if np.isnan(row).any():
            raise RankingError("a score is NaN", where=f"row {user}", mend="Return finite scores")
        found[user] = _auc_of_row(row, own, is_candidate)
    return found


def _auc_of_row(row: Scores, own: ItemIdx, is_candidate: NDArray[np.bool_] | None) -> float:
    if is_candidate is not None:
        row = np.where(is_candidate, row, np.float32(np.nan))  # neither below nor equal to any
    n_own = len(own) if is_candidate is None else np.count_nonzero(is_candidate[own])
    n_candidates = len(row) if is_candidate is None else np.count_nonzero(is_candidate)
    n_pairs = len(own) * (n_candidates - n_own)
    if n_pairs == 0:
        return float("nan")
    n_right = _count_below(row, row[own]) / 2
    # Among themselves the targets are half right, whatever their order, and each ties with itself.
    return float((n_right - n_own**2 / 2) / n_pairs)


def _count_below(row: Scores, some: Scores) -> int:
    """Return how many scores are below each of some, and once more how many are not above them."""
    if len(some) < _SORT_FROM:
        return sum(
            int(np.count_nonzero(row < one)) + int(np.count_nonzero(row <= one)) for one in some
        )
    known = np.sort(row[~np.isnan(row)])
    some = some[~np.isnan(some)]
    below, not_above = (np.searchsorted(known, some, side=side) for side in ("left", "right"))
    return int(below.sum() + not_above.sum())


def discounts(k: int) -> Values:
    """Return the weight of each position in a DCG: 1 / log2(position + 2), shape (k,)."""
    return np.asarray(1.0 / np.log2(np.arange(k) + 2.0))


Measure: TypeAlias = Callable[[Hits, int], Values]

MEASURES: Mapping[str, Measure] = {
    "recall": recall,
    "precision": precision,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "map": average_precision,
    "mrr": mrr,
    "auc": auc,
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


def _are_in(pairs: Pairs, items: ItemIdx) -> NDArray[np.bool_]:
    """Return which items of each row are in the pairs of that row; padding never is."""
    # As `pairs.contain`, ten times as fast: marks of some rows at a time stay in the cache.
    stride, is_in = pairs.stride, np.empty(items.shape, dtype=np.bool_)
    step = max(1, min(len(items), _MARKS // stride))
    marks = np.zeros(step * stride + 1, dtype=np.bool_)  # the last is that of no item
    for start in range(0, len(items), step):
        block = items[start : start + step]
        ends = np.array([start, start + step], dtype=np.int64) * stride
        own = pairs.keys[slice(*np.searchsorted(pairs.keys, ends))] - start * stride
        marks[own] = True
        places = block + np.arange(len(block))[:, None] * stride
        is_in[start : start + step] = marks[np.where((block >= 0) & (block < stride), places, -1)]
        marks[own] = False
    return is_in


def _denominator(amounts: NDArray[np.integer]) -> Values:
    return np.where(amounts > 0, amounts, np.nan)


def _known(hits: Hits, values: NDArray[Any]) -> Values:
    return np.where(hits.n_relevant > 0, values, np.nan)
