"""How far the categories of a list are from those of its user's history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.metrics.ground import Counts, Taste
from endcap.schema.types import ItemIdx, UserIdx

Values: TypeAlias = NDArray[np.float64]
Divergence: TypeAlias = Literal["kl", "js"]

STECK_ALPHA = 0.01
"""How much of the history is mixed into the list, so that a missing category costs a finite sum."""


def calibration(
    items: ItemIdx, users: UserIdx, taste: Taste | None, *, divergence: Divergence = "kl"
) -> Values:
    """Return how far each list's categories are from those of the history, in bits, 0 the same.

    p is the share of each category in the history, each item once; q that in the list, whatever
    the position, as the items of a history have none. `kl` is Steck's: sum p log2(p / q') with
    q' = 0.99 q + 0.01 p, 0 to 6.64; a category of the history that the list lacks costs most, one
    that only the list has costs what it takes from the others. `js` is the Jensen-Shannon
    divergence, 0 to 1, the same both ways. NaN where no item of the history or of the list has a
    known category, and everywhere when taste is None.

    Args:
        items: shape (n_users, k), padded.
        users: whose list each is: rows of the history that the taste was made of.
        taste: of `Ground`.
        divergence: which of the two.

    Source: Steck 2018, without weights of age and position.
    """
    if taste is None:
        return np.full(len(items), np.nan)
    told, listed = _shares_of_history(users, taste), _shares_of_lists(items, taste)
    p, q = told.shares, listed.at(told.keys)
    if divergence == "kl":
        terms = p * np.log2(p / ((1.0 - STECK_ALPHA) * q + STECK_ALPHA * p))
        found = told.sum_rows(terms)
    else:
        middle = (p + q) / 2.0
        # A share of 0 adds nothing, and 0 log 0 is to be no warning.
        of_q = np.where(q > 0, q * np.log2(np.where(q > 0, q, 1.0) / middle), 0.0)
        elsewhere = 1.0 - told.sum_rows(q)
        found = (told.sum_rows(p * np.log2(p / middle) + of_q) + elsewhere) / 2.0
    return np.where(told.has_any() & listed.has_any(), np.maximum(found, 0.0), np.nan)


@dataclass(frozen=True, slots=True)
class _Shares:
    """Shares by (row, group): keys are row * n_groups + group, ascending."""

    keys: Counts
    shares: Values
    n_rows: int
    n_groups: int

    def at(self, keys: Counts) -> Values:
        """Return the share of each key, 0 where there is none."""
        if len(self.keys) == 0:
            return np.zeros(len(keys))
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.shares[place], 0.0)

    def sum_rows(self, terms: Values) -> Values:
        """Return the sum of each row's terms, one term a key."""
        sums = np.bincount(self.keys // self.n_groups, weights=terms, minlength=self.n_rows)
        return sums.astype(np.float64, copy=False)  # without a key they are whole numbers

    def has_any(self) -> NDArray[np.bool_]:
        """Return which rows have a share at all."""
        return np.bincount(self.keys // self.n_groups, minlength=self.n_rows) > 0


def _shares_of_history(users: UserIdx, taste: Taste) -> _Shares:
    lengths = taste.indptr[users + 1] - taste.indptr[users]
    rows = np.repeat(np.arange(len(users)), lengths)
    ends = np.cumsum(lengths)
    entries = np.arange(len(rows)) + np.repeat(taste.indptr[users] - (ends - lengths), lengths)
    keys = rows * taste.n_groups + taste.codes[entries]
    return _Shares(keys, taste.shares[entries], len(users), taste.n_groups)


def _shares_of_lists(items: ItemIdx, taste: Taste) -> _Shares:
    codes = np.append(taste.of_items, np.int32(-1))[items].astype(np.int64)
    is_known = codes >= 0
    keys = (np.arange(len(items))[:, None] * taste.n_groups + codes)[is_known]
    distinct, n_each = np.unique(keys, return_counts=True)
    n_known = is_known.sum(axis=1)
    shares = n_each / n_known[distinct // taste.n_groups]
    return _Shares(distinct, shares, len(items), taste.n_groups)
