"""Ranking by the inner product of a user's vector with the items' vectors.

Where the vectors come from is `als.py`'s and `two_tower.py`'s affair; `nearest` compares items.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.models.histories import take_users
from endcap.models.ranking import (
    checked_users,
    concatenate,
    empty_lists,
    forbidden_items,
    hide,
    rows_at_a_time,
    score_all,
)
from endcap.models.threads import N_CORES, one_blas_thread
from endcap.schema.selection import contenders, ranked
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

UNKNOWN = np.float32(-1e4)
"""Far below any inner product: where items without a vector of their own are ranked."""

BLOCK_BYTES = 16 << 20  # of scores: larger ones leave the cache, smaller ones cost more calls
MIN_ROWS = 64  # a product of fewer spends its time on fetching the item vectors
_OWN_NUMBERS = 1 << 17  # of the vectors of finalists at a time
_ROUNDING = 2.0**-24  # of float32, relative

UserVectors: TypeAlias = Callable[[History], NDArray[np.float32]]
"""Gives the vector of each user of a history, float32, shape (n_users, d)."""


class VectorRanking:
    """Item vectors, and what to do for whom or what has none.

    Args:
        item_vectors: float32, shape (n_items, d); zeros for an item of which nothing is known.
        beneath: `ranking.rank_beneath`, shape (n_items,): the list of a user whose vector is zero,
            and the order of the items whose vector is zero, below all others.
    """

    def __init__(self, item_vectors: NDArray[np.float32], beneath: Scores) -> None:
        unknown = _is_zero(item_vectors)
        # One more number a vector puts the unknown items in their place within the product.
        shift = np.where(unknown, UNKNOWN + beneath, np.float32(0))[:, np.newaxis]
        self._vectors = np.concatenate([item_vectors, shift.astype(np.float32)], axis=1)
        self._beneath = beneath
        self._longest = float(np.linalg.norm(item_vectors, axis=1).max(initial=0))

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

        The best are found by a matrix product, whose rounding depends on who else is asked about,
        and scored anew one by one, so that a user gets the same list alone as among others.

        Cost: two operations a dimension for every pair of a user and an item, on all cores; 16 MiB
        of scores a core, or those of 64 users.
        """
        users = checked_users(users, k)
        asked, places = np.unique(users, return_inverse=True)
        terms = _Terms(
            users,
            user_vectors(take_users(history, asked))[places],
            k,
            history,
            exclude_seen,
            forbidden_items(allowed, len(self._vectors)),
        )
        n_rows = max(MIN_ROWS, BLOCK_BYTES // (4 * max(len(self._vectors), 1)))
        blocks = [slice(start, start + n_rows) for start in range(0, len(users), n_rows)]
        if len(blocks) < 2:
            return concatenate([empty_lists(k), *self._rank_blocks(blocks, terms)])
        n_workers = min(N_CORES, len(blocks))
        parts: list[TopK] = [empty_lists(k)] * len(blocks)
        with one_blas_thread(), ThreadPoolExecutor(n_workers) as pool:
            shares = [blocks[number::n_workers] for number in range(n_workers)]
            done = pool.map(lambda share: self._rank_blocks(share, terms), shares)
            for number, lists in enumerate(done):
                parts[number::n_workers] = lists
        return concatenate(parts)

    def score(self, user_vectors: UserVectors, users: UserIdx, *, history: History) -> Scores:
        """Return the inner products of all items, shape (n_users, n_items)."""

        def score_users(asked: History, out: Scores) -> None:
            self._multiply(user_vectors(asked), out)

        return score_all(score_users, users, history=history, n_items=len(self._vectors))

    def _rank_blocks(self, blocks: list[slice], terms: _Terms) -> list[TopK]:
        """Return the lists of some blocks of users, all in one buffer of scores."""
        n_rows = max((len(terms.users[block]) for block in blocks), default=0)
        buffer = np.empty((n_rows, len(self._vectors)), dtype=np.float32)
        return [self._rank_block(block, terms, buffer) for block in blocks]

    def _rank_block(self, block: slice, terms: _Terms, buffer: Scores) -> TopK:
        queries = terms.queries[block]
        scores = buffer[: len(queries)]
        self._multiply(queries, scores)
        asked = take_users(terms.history, terms.users[block])
        hide(scores, asked, exclude_seen=terms.exclude_seen, forbidden=terms.forbidden)
        finalists = contenders(scores, terms.k, slack=self._slack(queries))
        best = ranked(finalists, self._score_alone(queries, finalists), terms.k)
        return TopK(best.columns, best.scores)

    def _multiply(self, queries: NDArray[np.float32], out: Scores) -> None:
        np.matmul(_with_one(queries), self._vectors.T, out=out)
        out[_is_zero(queries)] = self._beneath

    def _slack(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far rounding can move what is best out of the best, shape (n_queries,).

        Either of two items may be rounded up or down, in the product and when scored alone.

        Source: Higham 2002, section 3.1, for a sum of d products in any order.
        """
        n_roundings = queries.shape[1] + 4
        length = np.linalg.norm(queries, axis=1) * np.float32(self._longest)
        return np.asarray(length * np.float32(4.1 * n_roundings * _ROUNDING), dtype=np.float32)

    def _score_alone(self, queries: NDArray[np.float32], finalists: ItemIdx) -> Scores:
        """Return the scores of each query's own finalists, shape (n_queries, n_finalists)."""
        scores = np.empty(finalists.shape, dtype=np.float32)
        extended = _with_one(queries)
        step = max(1, _OWN_NUMBERS // max(finalists.shape[1] * extended.shape[1], 1))
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            # Clipped, because checking the range costs as much as the copy; padding counts not.
            vectors = np.take(self._vectors, finalists[rows], axis=0, mode="clip")
            scores[rows] = own_products(extended[rows], vectors)
        is_zero = _is_zero(queries)
        scores[is_zero] = self._beneath[finalists[is_zero]]
        return scores


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is asked: for whom, with which vectors, how many, and of which items."""

    users: UserIdx
    queries: NDArray[np.float32]
    k: int
    history: History
    exclude_seen: bool
    forbidden: NDArray[np.bool_] | None


def own_products(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> Scores:
    """Return the inner products of query i with its own vectors i, shape (n_queries, n).

    One by one and without BLAS, so that they do not depend on the other rows, by no bit.

    Args:
        queries: shape (n_queries, d).
        vectors: shape (n_queries, n, d).
    """
    return np.asarray(np.einsum("qd,qnd->qn", queries, vectors, optimize=False))


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows at length one, float32; those of length zero as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(
        vectors, lengths, where=lengths > 0, out=np.zeros_like(vectors)
    )
    return scaled


def nearest(vectors: NDArray[np.float32], items: ItemIdx, k: int) -> TopK:
    """Return the k items with the largest cosine to each item, itself left out, padded.

    A vector of length zero is near to nothing: it is never an answer, and its own row is empty.
    """
    items = np.asarray(items, dtype=np.int32)
    norms = np.linalg.norm(vectors, axis=1)
    unknown = norms == 0
    unit = vectors / np.where(unknown, 1.0, norms).astype(np.float32)[:, np.newaxis]
    n_rows = rows_at_a_time(len(vectors))
    parts = [empty_lists(k)]
    for start in range(0, len(items), n_rows):
        block = items[start : start + n_rows]
        scores = unit[block] @ unit.T
        scores[:, unknown] = -np.inf
        scores[unknown[block]] = -np.inf
        scores[np.arange(len(block)), block] = -np.inf
        slack = np.full(len(block), 4.1 * (unit.shape[1] + 4) * _ROUNDING, dtype=np.float32)
        finalists = contenders(scores, k, slack=slack)
        best = ranked(finalists, own_products(unit[block], unit[finalists]), k)
        parts.append(TopK(best.columns, best.scores))
    return concatenate(parts)


def _with_one(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the queries with one more number, which meets the place of an unknown item."""
    return np.concatenate([queries, np.ones((len(queries), 1), dtype=np.float32)], axis=1)


def _is_zero(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which rows are all zero."""
    is_zero: NDArray[np.bool_] = np.all(vectors == 0, axis=1)
    return is_zero
