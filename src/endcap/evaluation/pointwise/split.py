"""Ratings before a point in time to learn from, those after it to predict; none is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.pointwise.ratings import Ratings, ratings_of
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US


@dataclass(frozen=True, slots=True)
class RatingCounts:
    """Where every rating went.

    n_train + n_rows + n_after is the number of ratings in the data. New is who, or what, has no
    rating in the training part; such rows are predicted and measured like all others.
    """

    n_train: int
    n_rows: int
    n_after: int
    n_users: int
    n_items: int
    n_new_users: int
    n_new_items: int
    n_rows_of_new_users: int
    n_rows_of_new_items: int
    n_known_rows: int


@dataclass(frozen=True, slots=True)
class RatingSplit:
    """What may be learnt from, and the ratings to predict.

    train: only ratings, all strictly before `cut_us`; still knows every user and item.
    test: the ratings in cut_us <= ts < end_us.
    is_new_user, is_new_item: of each row of `test`, whether nobody can know the user or the item.
    """

    train: Dataset
    test: Ratings
    is_new_user: NDArray[np.bool_]
    is_new_item: NDArray[np.bool_]
    cut_us: int
    end_us: int
    counts: RatingCounts

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether both user and item of a row have a rating to learn from, shape (n_rows,)."""
        return ~self.is_new_user & ~self.is_new_item


def split_ratings(data: Dataset, *, cut_us: int, end_us: int | None = None) -> RatingSplit:
    """Return the ratings before one cut in time, and those between it and the end.

    Args:
        data: interactions of any kinds; only ratings count.
        cut_us: the first moment of the future.
        end_us: where the window ends; the end of the data when None.

    Raises:
        DataError: there are no ratings before the cut, or none in the window.

    Cost: O(n).
    """
    end_us = data.end_us if end_us is None else end_us
    n_all = len(ratings_of(data))
    train = only_ratings(data.between(None, cut_us))
    window = only_ratings(data.between(cut_us, end_us))
    if len(train.interactions) == 0 or len(window.interactions) == 0:
        part = "before the cut" if len(train.interactions) == 0 else "between the cut and the end"
        raise DataError(
            f"there is no rating {part}",
            where=f"a window of {(end_us - cut_us) / DAY_US:.1f} days; {n_all:,} ratings in all",
            mend="Choose another window: setting training.test_days",
        )
    known, test = ratings_of(train), ratings_of(window)
    is_new_user = ~_named(known.users, data.n_users)[test.users]
    is_new_item = ~_named(known.items, data.n_items)[test.items]
    counts = RatingCounts(
        n_train=len(known),
        n_rows=len(test),
        n_after=n_all - len(known) - len(test),
        n_users=len(np.unique(test.users)),
        n_items=len(np.unique(test.items)),
        n_new_users=len(np.unique(test.users[is_new_user])),
        n_new_items=len(np.unique(test.items[is_new_item])),
        n_rows_of_new_users=int(is_new_user.sum()),
        n_rows_of_new_items=int(is_new_item.sum()),
        n_known_rows=int((~is_new_user & ~is_new_item).sum()),
    )
    return RatingSplit(train, test, is_new_user, is_new_item, cut_us, end_us, counts)


def only_ratings(data: Dataset) -> Dataset:
    """Return the same users and items with the interactions that are ratings, and no refusals."""
    is_rating = data.interactions.kind == KIND_CODES[Kind.RATING]
    return replace(data, interactions=data.interactions.take(is_rating), refusals=None)


def _named(indices: NDArray[np.int32], n: int) -> NDArray[np.bool_]:
    named = np.zeros(n, dtype=np.bool_)
    named[indices] = True
    return named
