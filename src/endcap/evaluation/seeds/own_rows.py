"""Lists made of nothing but a user's own held-out rows: what both published systems ranked.

The candidates are what the user is known to have rated, so a list of ten holds all of them for
almost everybody, in whatever order. A shop has to choose among everything it sells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.metrics.accuracy import discounts
from endcap.schema.types import UserIdx

K = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OwnLists:
    """Every row at its place in the list of its user.

    rows: positions of the rows, those of one user together, best first, shape (n_rows,).
    user_of: number of the user of each of them, 0 to n_users - 1, ascending users.
    rank: place in the list, 0 is the first.
    n_rows: how many rows each user has, shape (n_users,).
    """

    rows: NDArray[np.int64]
    user_of: NDArray[np.int64]
    rank: NDArray[np.int64]
    n_rows: NDArray[np.int64]

    def sums(self, values: Floats, *, k: int | None = None) -> Floats:
        """Return the sum over each user's first k rows, or over all, shape (n_users,).

        Args:
            values: of each row of the list, in the order of `rows`.
            k: length of the list.
        """
        chosen = slice(None) if k is None else self.rank < k
        added = np.bincount(
            self.user_of[chosen], weights=values[chosen], minlength=len(self.n_rows)
        )
        return added.astype(np.float64)


def own_lists(
    users: UserIdx, scores: NDArray[np.floating], *, rng: np.random.Generator
) -> OwnLists:
    """Return each user's rows by descending score, equal scores in random order.

    Args:
        users: of each row, shape (n_rows,).
        scores: of each row, shape (n_rows,).
        rng: where the order of equal scores comes from.

    Cost: one sort of the rows.
    """
    chance = rng.random(len(users))
    rows = np.lexsort((chance, -scores, users))
    _, user_of, n_rows = np.unique(users[rows], return_inverse=True, return_counts=True)
    starts = np.cumsum(n_rows) - n_rows
    rank = np.arange(len(rows)) - starts[user_of]
    return OwnLists(rows, user_of, rank, n_rows)


def precision_over_k(lists: OwnLists, is_relevant: NDArray[np.bool_], *, k: int = K) -> Floats:
    """Return hits among the first k divided by k, however few rows there are: seed-1's precision.

    Args:
        lists: see `own_lists`.
        is_relevant: of each row, as they were given, shape (n_rows,).
        k: length of the list and denominator.
    """
    return lists.sums(is_relevant[lists.rows].astype(np.float64), k=k) / k


def precision_over_present(
    lists: OwnLists, is_relevant: NDArray[np.bool_], *, k: int = K
) -> Floats:
    """Return hits among the first k divided by the rows there are, at most k: seed-2's precision.

    Of at most k rows it is their share of relevant ones, whatever the order.
    """
    hits = lists.sums(is_relevant[lists.rows].astype(np.float64), k=k)
    return hits / np.minimum(lists.n_rows, k)


def ndcg_of_own_rows(lists: OwnLists, is_relevant: NDArray[np.bool_], *, k: int = K) -> Floats:
    """Return binary NDCG against the best order of the same rows; 0 without a relevant row."""
    gains = is_relevant[lists.rows].astype(np.float64)
    n_relevant = lists.sums(gains).astype(np.int64)
    discount = discounts(k)
    weights = discount[np.minimum(lists.rank, k - 1)]
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(n_relevant, k)]
    dcg = lists.sums(gains * weights, k=k)
    ndcg = np.zeros(len(dcg))
    np.divide(dcg, ideal, out=ndcg, where=ideal > 0)
    return ndcg
