"""The histories that a fitted model is asked about: of all users of some data, or of a few.

What a history is, and how it is built, is `features/history.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, Refused, history_of
from endcap.features.weights import pair_keys
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import DAY_US, UserIdx

_ARRAYS = ("indptr", "items", "counts", "first_ts", "last_ts")


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


def places_from_end(history: History, interactions: Interactions) -> NDArray[np.int32]:
    """Return how many other items of the same user come after each entry, shape (nnz,).

    An item stands where its last interaction does. Those at the same time come in the order of
    the data, which a history alone does not know: keep the places with it. Where one item more is
    no matter, `features.visits.visits_after` needs the history only.

    Args:
        history: what was built of the interactions.
        interactions: more of them do no harm: what is not in the history takes no place.

    Cost: one sort of the entries.
    """
    users = entry_rows(history.indptr)
    rows, entry_of = known_rows(history, interactions)
    last_row = np.zeros(len(users), dtype=np.int64)
    np.maximum.at(last_row, entry_of, rows)
    order = np.lexsort((-last_row, users))  # by user, the latest first
    places = np.empty(len(users), dtype=np.int32)
    places[order] = np.arange(len(users)) - history.indptr[users]
    return places


def known_rows(
    history: History, interactions: Interactions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which interactions are in a history, ascending, and the entry that each is in."""
    entries, told = entry_keys(history), pair_keys(interactions)
    entry_of = np.searchsorted(entries, told)
    rows = np.flatnonzero(entry_of < len(entries))
    rows = rows[entries[entry_of[rows]] == told[rows]]
    return rows, entry_of[rows]


def arrays_of_history(history: History, *, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a history, refusals left out, to be saved under names of their own."""
    return {prefix + name: getattr(history, name) for name in _ARRAYS}


def history_among(arrays: Mapping[str, NDArray[Any]], *, prefix: str) -> History:
    """Return the history that was saved by `arrays_of_history`."""
    return History(**{name: arrays[prefix + name] for name in _ARRAYS}, refused=None)


def median_idle_days(history: History, *, now_us: int) -> float:
    """Return how long ago the users of a history were last seen, in days; 0 without any user."""
    begins = history.indptr[:-1][np.diff(history.indptr) > 0]
    if len(begins) == 0:
        return 0.0
    seen_us = np.maximum.reduceat(history.last_ts, begins)
    return float(np.median(now_us - seen_us)) / DAY_US


def has_baskets(interactions: Interactions) -> bool:
    """Return whether a moment of a user has two events or more, on average.

    Where it has fewer, events of one moment mostly are so by a coarse clock, as dates of reviews.
    """
    order = np.argsort(interactions.user_idx, kind="stable")  # in order of time within a user
    users, ts = interactions.user_idx[order], interactions.ts[order]
    n_moments = np.count_nonzero((users[1:] != users[:-1]) | (ts[1:] != ts[:-1])) + 1
    return bool(len(order) >= 2 * n_moments)


def entry_keys(history: History) -> NDArray[np.int64]:
    """Return one number for each entry, `features.weights.pair_keys`, ascending, shape (nnz,)."""
    return (entry_rows(history.indptr) << 32) | history.items


def entry_rows(indptr: NDArray[np.integer]) -> NDArray[np.int64]:
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
