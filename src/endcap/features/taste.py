"""What each user's history is made of: shares of departments or categories.

One rule for all users at once and for a single visitor; who likes what else is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, seed_weights


@dataclass(frozen=True, slots=True)
class Taste:
    """The largest shares of each user, one user after another, largest first.

    indptr: int64, shape (n_users + 1,); user u owns the entries indptr[u]:indptr[u + 1].
    code: department or category of each entry, int32, shape (n_entries,).
    share: its part of the user's whole taste, in (0, 1], float32. Shares of a user add up to 1, or
        to less when there were more than are kept.
    """

    indptr: NDArray[np.int64]
    code: NDArray[np.int32]
    share: NDArray[np.float32]

    @property
    def user(self) -> NDArray[np.int64]:
        """The user of each entry, ascending, shape (n_entries,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


def taste_of(
    history: History,
    code_of_item: NDArray[np.int32],
    *,
    at_us: int,
    half_life_days: float,
    n_tastes: int,
) -> Taste:
    """Return what the items of each user are, weighted by how much each says about its user now.

    share(code) = sum of `seed_weights` over the user's items with that code / the same sum over
    all items whose code is known: a decayed, damped count. Equal shares go to the smaller code.

    Args:
        history: of all users; only what came before `at_us`.
        code_of_item: department or category of each item, -1 where unknown, shape (n_items,).
        at_us: the moment from which ages count, microseconds.
        half_life_days: after how long an item counts half.
        n_tastes: how many shares of a user are kept, the largest.

    Cost: one sort of the pairs of user and item.
    """
    weights = seed_weights(history, now_us=at_us, half_life_days=half_life_days)
    code = code_of_item[history.items]
    user = np.repeat(np.arange(history.n_users), np.diff(history.indptr))
    # An item so old that its weight vanishes says nothing, not even of a share.
    said = (code >= 0) & (weights > 0)
    key = (user[said] << 32) | code[said]
    order = np.argsort(key, kind="stable")
    key = key[order]
    is_first = np.ones(len(key), dtype=np.bool_)
    is_first[1:] = key[1:] != key[:-1]
    keys, entry_of = key[is_first], np.cumsum(is_first) - 1
    # bincount adds in the order of the items: a user's sums do not depend on who else is there.
    amounts = np.bincount(entry_of, weights=weights[said][order], minlength=len(keys))
    entry_user, entry_code = keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32)
    totals = np.bincount(entry_user, weights=amounts, minlength=history.n_users)
    share = (amounts / totals[entry_user]).astype(np.float32)
    # Entries stand by user, then code, and the sort is stable: equal shares stay by code.
    best_first = np.lexsort((-share, entry_user))
    n_entries = np.bincount(entry_user, minlength=history.n_users)
    place = np.arange(len(keys)) - (np.cumsum(n_entries) - n_entries)[entry_user]
    kept = best_first[place < n_tastes]
    indptr = np.zeros(history.n_users + 1, dtype=np.int64)
    np.cumsum(np.minimum(n_entries, n_tastes), out=indptr[1:])
    return Taste(indptr=indptr, code=entry_code[kept], share=share[kept])
