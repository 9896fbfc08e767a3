"""From scores of all items to ranked lists, the same way for every model.

Decides what may be shown, never what is good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.models.histories import entry_rows, take_users
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx, top_k

MAX_USERS = 256
MAX_BLOCK_BYTES = 128 << 20

ScoreUsers: TypeAlias = Callable[[History, Scores], None]
"""Writes the scores of all items, for each user of a history, into (n_users, n_items)."""


def rank_users(
    score_users: ScoreUsers,
    users: UserIdx,
    k: int,
    *,
    history: History,
    n_items: int,
    exclude_seen: bool,
    allowed: ItemIdx | None,
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

    Cost: 4 bytes a score, for at most 256 users and about 128 MiB at a time.
    """
    users = checked_users(users, k)
    forbidden = forbidden_items(allowed, n_items)
    parts = [empty_lists(k)]
    n_rows = rows_at_a_time(n_items)
    buffer = np.empty((min(n_rows, len(users)), n_items), dtype=np.float32)
    for start in range(0, len(users), n_rows):
        asked = take_users(history, users[start : start + n_rows])
        scores = buffer[: asked.n_users]
        score_users(asked, scores)
        hide(scores, asked, exclude_seen=exclude_seen, forbidden=forbidden)
        parts.append(top_k(scores, k))
    return concatenate(parts)


def score_all(score_users: ScoreUsers, users: UserIdx, *, history: History, n_items: int) -> Scores:
    """Return the scores of all items for each user, shape (n_users, n_items); hides nothing."""
    users = np.asarray(users, dtype=np.int32)
    scores = np.empty((len(users), n_items), dtype=np.float32)
    n_rows = rows_at_a_time(n_items)
    for start in range(0, len(users), n_rows):
        block = slice(start, start + n_rows)
        score_users(take_users(history, users[block]), scores[block])
    return scores


def hide(
    scores: Scores, asked: History, *, exclude_seen: bool, forbidden: NDArray[np.bool_] | None
) -> None:
    """Set the scores of what may not be shown to -inf.

    Args:
        scores: shape (n_users, n_items); changed in place.
        asked: the histories of these users. What a user refused is always hidden.
        exclude_seen: whether what a user had is hidden as well.
        forbidden: which items nobody may be shown, shape (n_items,).
    """
    if forbidden is not None:
        scores[:, forbidden] = -np.inf
    if exclude_seen:
        scores[entry_rows(asked.indptr), asked.items] = -np.inf
    if asked.refused is not None:
        scores[entry_rows(asked.refused.indptr), asked.refused.items] = -np.inf


def checked_users(users: UserIdx, k: int) -> UserIdx:
    """Return the users as int32; raise `ValueError` where no list could be long enough."""
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return np.asarray(users, dtype=np.int32)


def forbidden_items(allowed: ItemIdx | None, n_items: int) -> NDArray[np.bool_] | None:
    """Return which items may not be shown, shape (n_items,); None where all may."""
    if allowed is None:
        return None
    forbidden = np.ones(n_items, dtype=np.bool_)
    forbidden[allowed] = False
    return forbidden


def counted(counts: NDArray[np.float64]) -> ScoreUsers:
    """Return the scoring by which an item is worth its count, whoever asks."""
    scores = counts.astype(np.float32)

    def score_users(_asked: History, out: Scores) -> None:
        out[:] = scores

    return score_users


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
    return rank_users(
        counted(counts),
        users,
        k,
        history=history,
        n_items=len(counts),
        exclude_seen=exclude_seen,
        allowed=allowed,
    )


def rows_at_a_time(n_items: int) -> int:
    """Return for how many users the scores of all items fit into one block of memory."""
    return max(1, min(MAX_USERS, MAX_BLOCK_BYTES // (4 * max(n_items, 1))))


def empty_lists(k: int) -> TopK:
    """Return no lists, of length k."""
    return TopK(np.empty((0, k), dtype=np.int32), np.empty((0, k), dtype=np.float32))


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
