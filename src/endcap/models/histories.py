"""The histories that a fitted model is asked about: of all users of some data, or of a few.

What a history is, and how it is built, is `features/history.py`'s affair.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, Refused, history_of
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import UserIdx


def known_history(data: Dataset, *, n_items: int) -> History:
    """Return what each user of the data had and refused among the first `n_items` items."""
    if data.n_items <= n_items:
        return history_of(data)
    refusals = data.refusals
    return history_of(
        replace(
            data,
            interactions=_of_known_items(data.interactions, n_items),
            refusals=None if refusals is None else _of_known_items(refusals, n_items),
        )
    )


def take_users(history: History, users: UserIdx) -> History:
    """Return the histories of some users, in their order; an empty one for whom it does not know.

    Args:
        history: of everybody.
        users: indices, shape (n_users,); may repeat, and may be unknown (-1).

    Cost: one copy of the entries taken.
    """
    indptr, places = _entries(history.indptr, users)
    refused = history.refused
    if refused is not None:
        refused_indptr, refused_places = _entries(refused.indptr, users)
        refused = Refused(refused_indptr, refused.items[refused_places])
    return History(
        indptr=indptr,
        items=history.items[places],
        counts=history.counts[places],
        first_ts=history.first_ts[places],
        last_ts=history.last_ts[places],
        refused=refused,
    )


def entry_rows(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row that each entry belongs to, ascending, shape (nnz,)."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def _entries(
    indptr: NDArray[np.int64], users: UserIdx
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each user's entries begin in the result, and their places in the original."""
    last = len(indptr) - 1
    known = np.where((users >= 0) & (users < last), users, last)
    starts, ends = indptr[known], indptr[np.minimum(known + 1, last)]
    lengths = ends - starts
    taken = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(lengths, out=taken[1:])
    places = np.arange(taken[-1]) + np.repeat(starts - taken[:-1], lengths)
    return taken, places


def _of_known_items(interactions: Interactions, n_items: int) -> Interactions:
    return interactions.take(interactions.item_idx < n_items)
