"""From scores of all items to ranked lists, the same way for every model.

Decides what may be shown, never what is good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx, top_k

MAX_USERS = 256
MAX_BLOCK_BYTES = 128 << 20

ScoreUsers: TypeAlias = Callable[[UserIdx], Scores]
"""Scores all items for some users: a new float32 array of shape (n_users, n_items)."""

ScorePairs: TypeAlias = Callable[[UserIdx, ItemIdx], Scores]
"""Scores a few items, shape (n_users, n), for each of some users; under a -1 anything will do."""


def rank_users(
    score_users: ScoreUsers,
    users: UserIdx,
    k: int,
    *,
    history: History,
    n_items: int,
    exclude_seen: bool,
    allowed: ItemIdx | None,
    score_pairs: ScorePairs | None = None,
) -> TopK:
    """Return the k best items of each user, shape (n_users, k), padded.

    Args:
        score_users: asked for a few users at a time, so that memory stays bounded.
        users: dense indices, shape (n_users,); may repeat, and may be unknown (-1).
        k: list length, >= 1.
        history: what each user had; taken out when `exclude_seen`. What a user refused always is.
        n_items: size of the catalogue.
        exclude_seen: whether items of the history are left out.
        allowed: the items that may be shown; all when None.
        score_pairs: scores the finalists anew where `score_users` depends, by rounding, on which
            users are asked for together, as a matrix product does. A user then gets the same list
            alone as among others.

    Cost: 4 bytes a score, for at most 256 users and about 128 MiB at a time.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    users = np.asarray(users, dtype=np.int32)
    forbidden = None
    if allowed is not None:
        forbidden = np.ones(n_items, dtype=np.bool_)
        forbidden[allowed] = False
    parts = [top_k(np.empty((0, n_items), dtype=np.float32), k)]
    n_rows = rows_at_a_time(n_items)
    for start in range(0, len(users), n_rows):
        block = users[start : start + n_rows]
        scores = score_users(block)
        if forbidden is not None:
            scores[:, forbidden] = -np.inf
        hidden_from = history.seen_by if exclude_seen else history.refused_by
        if exclude_seen or history.refused is not None:
            for row, user in enumerate(block.tolist()):
                scores[row, hidden_from(user)] = -np.inf
        if score_pairs is None:
            parts.append(top_k(scores, k))
        else:
            finalists = top_k(scores, 2 * k + 50).items
            parts.append(rank_finalists(score_pairs(block, finalists), finalists, k))
    return concatenate(parts)


def rank_by_counts(
    counts: NDArray[np.float64],
    users: UserIdx,
    k: int,
    *,
    history: History,
    exclude_seen: bool,
    allowed: ItemIdx | None,
) -> TopK:
    """Return the k items of the largest count, for each user without what that user had.

    The score of an item is its count, from an array of shape (n_items,); the other arguments are
    those of `rank_users`.
    """
    scores = counts.astype(np.float32)

    def score_users(block: UserIdx) -> Scores:
        return np.tile(scores, (len(block), 1))

    return rank_users(
        score_users,
        users,
        k,
        history=history,
        n_items=len(scores),
        exclude_seen=exclude_seen,
        allowed=allowed,
    )


def rank_finalists(scores: Scores, finalists: ItemIdx, k: int) -> TopK:
    """Return the k best of a few items a row by their scores; ties go to the smaller item.

    Args:
        scores: shape (n_rows, n_finalists).
        finalists: the same shape, -1 padded.
        k: list length, at most n_finalists.
    """
    scores = np.where(finalists == NO_ITEM, np.float32(-np.inf), scores)
    order = np.lexsort((finalists, -scores), axis=1)[:, :k]
    return TopK(
        np.take_along_axis(finalists, order, axis=1), np.take_along_axis(scores, order, axis=1)
    )


def rows_at_a_time(n_items: int) -> int:
    """Return for how many users the scores of all items fit into one block of memory."""
    return max(1, min(MAX_USERS, MAX_BLOCK_BYTES // (4 * max(n_items, 1))))


def concatenate(parts: list[TopK]) -> TopK:
    """Return lists of the same length one after another."""
    return TopK(
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def rank_beneath(counts: NDArray[np.float64]) -> Scores:
    """Return the order of items by popularity as scores from -1 up to below 0, shape (n_items,).

    A model whose own scores are at least 0 fills its short lists with it. Equal counts get equal
    scores.
    """
    levels, level = np.unique(counts, return_inverse=True)
    # float32 tells 2**24 numbers in [-1, 0) apart: more than there are levels of popularity.
    return ((level + 0.5) / max(len(levels), 1) - 1.0).astype(np.float32)
