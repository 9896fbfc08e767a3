"""Lists that another system made, measured as those of a model are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs
from endcap.schema.errors import DataError
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx


@dataclass(frozen=True, slots=True)
class SavedLists:
    """Lists by user, best first; a `Ranker` that knows nothing else.

    A user without a list gets an empty one, which is a miss, and so is what a list lacks once
    seen items are left out.

    items: shape (n_users, width), -1 padded; the row is the user.
    scores: the same shape; equal ones are a tie, -inf under the padding.
    seen: what is left out where seen items are.
    """

    items: ItemIdx
    scores: Scores
    seen: Pairs

    @classmethod
    def of(
        cls,
        users: UserIdx,
        items: ItemIdx,
        scores: NDArray[np.floating],
        *,
        n_users: int,
        seen: Pairs,
    ) -> Self:
        """Return the lists that rows of (user, item, score) make, in any order.

        Args:
            users: of each row, shape (n,).
            items: of each row.
            scores: of each row, finite; a larger one is listed before.
            n_users: how many there are.
            seen: see the class.

        Raises:
            DataError: a list names an item twice, or a score is no number.
        """
        if not np.isfinite(scores).all():
            raise DataError("a score is not a finite number", mend="Give every row a rank or score")
        order = np.lexsort((items, -scores.astype(np.float64), users))
        users, items, scores = users[order], items[order], scores[order]
        key = np.sort(users.astype(np.int64) << 32 | items)
        if np.any(key[1:] == key[:-1]):
            raise DataError("a list names an item twice", mend="Name each item of a user once")
        n_each = np.bincount(users, minlength=n_users)
        starts = np.cumsum(n_each) - n_each
        columns = np.arange(len(users)) - starts[users]
        # float32 would make ties of large or of near scores, so only their order is kept.
        is_lower = np.ones(len(users), dtype=np.bool_)
        is_lower[1:] = (users[1:] != users[:-1]) | (scores[1:] != scores[:-1])
        step = np.cumsum(is_lower)
        scores = step[starts[users]] - step
        shape = (n_users, max(int(n_each.max(initial=0)), 1))
        listed = np.full(shape, NO_ITEM, dtype=np.int32)
        scored = np.full(shape, -np.inf, dtype=np.float32)
        listed[users, columns], scored[users, columns] = items, scores
        return cls(listed, scored, seen)

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the first k items of each user's list that may be shown, padded."""
        items, scores = self.items[users], self.scores[users]
        is_kept = items != NO_ITEM
        if allowed is not None:
            is_kept &= np.isin(items, allowed)
        if exclude_seen:
            is_kept &= ~self.seen.contain(users[:, None], items)
        order = np.argsort(~is_kept, axis=1, kind="stable")[:, :k]
        kept = np.take_along_axis(is_kept, order, axis=1)
        found = np.full((len(users), k), NO_ITEM, dtype=np.int32)
        best = np.full((len(users), k), -np.inf, dtype=np.float32)
        width = order.shape[1]
        found[:, :width] = np.where(kept, np.take_along_axis(items, order, axis=1), NO_ITEM)
        best[:, :width] = np.where(kept, np.take_along_axis(scores, order, axis=1), -np.inf)
        return TopK(found, best)
