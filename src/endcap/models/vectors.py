"""Ranking by the inner product of a user's vector with the items' vectors.

Where the vectors come from is `als.py`'s and `two_tower.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.models.ranking import concatenate, rank_finalists, rank_users, rows_at_a_time
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx, top_k

UNKNOWN = np.float32(-1e4)
"""Far below any inner product: where items without a vector of their own are ranked."""

UserVectors: TypeAlias = Callable[[UserIdx], NDArray[np.float32]]
"""Gives the vectors of some users, float32, shape (n_users, d)."""


@dataclass(frozen=True, slots=True)
class VectorRanking:
    """Item vectors, and what to do for whom or what has none.

    item_vectors: float32, shape (n_items, d); zeros for an item of which nothing is known.
    beneath: `ranking.rank_beneath`, shape (n_items,): the list of a user whose vector is zero, and
        the order of the items whose vector is zero, below all others.
    """

    item_vectors: NDArray[np.float32]
    beneath: Scores

    def rank(
        self,
        user_vectors: UserVectors,
        users: UserIdx,
        k: int,
        *,
        history: History,
        exclude_seen: bool,
        allowed: ItemIdx | None,
    ) -> TopK:
        """Return the k items of the largest inner product; the arguments are `rank_users`'s.

        Cost: two operations a dimension for every pair of a user and an item.
        """
        unknown = _is_zero(self.item_vectors)
        asked = np.unique(np.asarray(users, dtype=np.int32))
        vectors = user_vectors(asked)

        def score_users(block: UserIdx) -> Scores:
            queries = vectors[np.searchsorted(asked, block)]
            scores: Scores = queries @ self.item_vectors.T
            scores[:, unknown] = UNKNOWN + self.beneath[unknown]
            scores[_is_zero(queries)] = self.beneath
            return scores

        def score_pairs(block: UserIdx, items: ItemIdx) -> Scores:
            queries = vectors[np.searchsorted(asked, block)]
            scores = exact_products(queries, self.item_vectors[items])
            beneath = self.beneath[items]
            scores = np.where(unknown[items], UNKNOWN + beneath, scores)
            return np.where(_is_zero(queries)[:, np.newaxis], beneath, scores)

        return rank_users(
            score_users,
            users,
            k,
            history=history,
            n_items=len(self.item_vectors),
            exclude_seen=exclude_seen,
            allowed=allowed,
            score_pairs=score_pairs,
        )


def exact_products(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> Scores:
    """Return the inner products of query i with its own vectors i, shape (n_queries, n).

    In float64 and without BLAS, so that they do not depend on the other rows.
    """
    products: NDArray[np.float64] = np.einsum(
        "qd,qnd->qn", queries.astype(np.float64), vectors.astype(np.float64), optimize=False
    )
    return products.astype(np.float32)


def nearest(vectors: NDArray[np.float32], items: ItemIdx, k: int) -> TopK:
    """Return the k items with the largest cosine to each item, itself left out, padded.

    A vector of length zero is near to nothing: it is never an answer, and its own row is empty.
    """
    items = np.asarray(items, dtype=np.int32)
    norms = np.linalg.norm(vectors, axis=1)
    unknown = norms == 0
    unit = vectors / np.where(unknown, 1.0, norms).astype(np.float32)[:, np.newaxis]
    n_rows = rows_at_a_time(len(vectors))
    parts = [top_k(np.empty((0, len(vectors)), dtype=np.float32), k)]
    for start in range(0, len(items), n_rows):
        block = items[start : start + n_rows]
        scores = unit[block] @ unit.T
        scores[:, unknown] = -np.inf
        scores[unknown[block]] = -np.inf
        scores[np.arange(len(block)), block] = -np.inf
        finalists = top_k(scores, 2 * k + 50).items
        parts.append(rank_finalists(exact_products(unit[block], unit[finalists]), finalists, k))
    return concatenate(parts)


def _is_zero(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which rows are all zero."""
    is_zero: NDArray[np.bool_] = np.all(vectors == 0, axis=1)
    return is_zero
