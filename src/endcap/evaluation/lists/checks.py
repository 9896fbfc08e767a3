"""What a ranked list must satisfy before it is measured; a list that does not is refused.

A metric over a broken list is a number all the same, and often a better one: hence no repair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs
from endcap.schema.errors import RankingError
from endcap.schema.types import NO_ITEM, ItemIdx, TopK, UserIdx


def check_lists(
    ranked: TopK, *, name: str, users: UserIdx, k: int, n_items: int, forbidden: Pairs | None
) -> None:
    """Raise `RankingError` unless the lists are what `Recommender.recommend` promises.

    Args:
        ranked: one list a user.
        name: the model, for the message.
        users: who the lists are for, shape (n_users,).
        k: the length asked for; rows are padded to it.
        n_items: items are 0 <= item < n_items, or `NO_ITEM` at the end of a row.
        forbidden: (user, item) pairs that may not be listed; None allows all.
    """
    shape = (len(users), k)
    if ranked.items.shape != shape or ranked.scores.shape != shape:
        raise RankingError(
            f"{name} returned items {ranked.items.shape} and scores {ranked.scores.shape} "
            f"where both must have shape {shape}",
            mend="Pad short rows with -1 and a score of -inf",
        )
    items, scores = ranked.items, ranked.scores
    is_listed = items != NO_ITEM
    _refuse(is_listed & ((items < 0) | (items >= n_items)), ranked, users, name, "unknown")
    _refuse(is_listed[:, 1:] & ~is_listed[:, :-1], ranked, users, name, "behind the padding")
    ascending = np.sort(items, axis=1)
    if _hold_repeats(ascending).any():
        _refuse(is_repeated(items), ranked, users, name, "listed twice")
    _refuse(is_listed & ~(scores > -np.inf), ranked, users, name, "scored NaN or -inf")
    is_rising = is_listed[:, 1:] & (scores[:, 1:] > scores[:, :-1])
    _refuse(is_rising, ranked, users, name, "scored above the one before it")
    if forbidden is None or len(users) == 0:
        return
    forbidden = _of_users(forbidden, users)
    # Ascending items are found several times as fast as ranked ones.
    if forbidden.contain(users[:, None], ascending).any():
        is_seen = forbidden.contain(users[:, None], items)
        _refuse(is_seen, ranked, users, name, "seen before, and seen items were to be left out")


def check_distinct(ranked: TopK) -> None:
    """Raise `RankingError` when a list holds an item twice."""
    if not _hold_repeats(np.sort(ranked.items, axis=1)).any():
        return
    rows = np.arange(len(ranked), dtype=np.int32)
    _refuse(is_repeated(ranked.items), ranked, rows, "the ranking", "listed twice")


def is_repeated(items: ItemIdx) -> NDArray[np.bool_]:
    """Return which entries name an item that stands further to the left in their row already.

    Padding never does. Shape (n_rows, k) as the argument.
    """
    order = np.argsort(items, axis=1, kind="stable")
    ascending = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, dtype=np.bool_)
    again[:, 1:] = _hold_repeats(ascending)
    result = np.empty_like(again)
    np.put_along_axis(result, order, again, axis=1)
    return result


def _hold_repeats(ascending: ItemIdx) -> NDArray[np.bool_]:
    """Return which items of ascending rows are the one before them, shape (n_rows, k - 1)."""
    is_same = ascending[:, 1:] == ascending[:, :-1]
    return np.asarray(is_same & (ascending[:, 1:] != NO_ITEM))


def _of_users(pairs: Pairs, users: UserIdx) -> Pairs:
    """Return the pairs of the users and of those between them: few, so that they are near."""
    ends = np.array([users.min(), users.max() + 1], dtype=np.int64) * pairs.stride
    first, last = np.searchsorted(pairs.keys, ends)
    return Pairs(pairs.keys[first:last], pairs.stride)


def _refuse(
    is_wrong: NDArray[np.bool_], ranked: TopK, users: UserIdx, name: str, fault: str
) -> None:
    if not is_wrong.any():
        return
    row, column = (int(index) for index in np.argwhere(is_wrong)[0])
    # Checks of neighbours are one column narrower and speak of the right-hand one.
    column += ranked.items.shape[1] - is_wrong.shape[1]
    raise RankingError(
        f"{name} returned lists that cannot be measured: "
        f"item {ranked.items[row, column]} is {fault}",
        where=f"user {users[row]}, position {column}; {int(is_wrong.any(axis=1).sum())} of "
        f"{len(users)} lists are wrong",
        mend="Mend the model's recommend; nothing was measured",
    )
