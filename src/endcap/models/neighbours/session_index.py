"""Past sessions as arrays, and which of them are most like a present one.

What a user's present session is, and what a list is made of, is `session_knn.py`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.sessions import SESSION_GAP_S, session_ids
from endcap.schema.dataset import Interactions
from endcap.schema.types import ItemIdx


class SessionKNNConfig(BaseModel):
    """Settings of `SessionKNN`; chosen on the validation day of a small extract of YooChoose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int = Field(300, ge=1, le=10_000, description="Nearest sessions that a list is made of.")
    sample_size: int = Field(
        1000, ge=1, le=100_000, description="Sessions kept of each item, those that ended last."
    )
    session_gap_s: float = Field(
        SESSION_GAP_S, gt=0, description="A longer silence of a user ends a session, in seconds."
    )
    decay: Literal["linear", "exponential"] = Field(
        "exponential",
        description="How what an item says falls with how many items away it is: in a straight "
        "line to 0 at `reach`, or by a factor e every `reach`.",
    )
    reach: float = Field(2.0, gt=0, description="See `decay`; a number of items.")
    max_session_items: int = Field(
        50, ge=2, le=1000, description="Items of a session that count, its latest ones."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


@dataclass(frozen=True, slots=True)
class SessionIndex:
    """Past sessions, by the time of their ends, and which of them hold each item.

    indptr: int64, shape (n_sessions + 1,); session s owns items[indptr[s]:indptr[s + 1]].
    items: its distinct items in the order in which they were last touched, int32.
    item_indptr: int64, shape (n_items + 1,), in the same way of the items and `sessions`.
    sessions: those kept of each item, ascending, int32.
    """

    indptr: NDArray[np.int64]
    items: ItemIdx
    item_indptr: NDArray[np.int64]
    sessions: NDArray[np.int32]

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.item_indptr) - 1


def build_index(told: Interactions, n_items: int, *, config: SessionKNNConfig) -> SessionIndex:
    """Return the past as sessions, with the most recent ones of each item.

    A session of a single item says nothing about what goes with it and is left out, as is one that
    is not among the most recent ones of any of its items. Recent is what ended late; of sessions
    that ended at the same time, the one that ends later in the data.

    Args:
        told: interactions, sorted by time.
        n_items: size of the catalogue.
        config: says how much of sessions is kept, and how many of them.

    Cost: a few sorts of the interactions.
    """
    session_of = session_ids(told.user_idx, told.ts, gap_s=config.session_gap_s)
    keys = (session_of << 32) | told.item_idx
    order = np.argsort(keys, kind="stable")
    rows = order[behind(keys[order]) == 0]  # where each item of a session is touched last
    ends = np.zeros(len(told), dtype=np.int64)
    np.maximum.at(ends, session_of, np.arange(len(told)))
    rows = rows[np.lexsort((rows, ends[session_of[rows]]))]
    items, sessions = told.item_idx[rows], _numbers(session_of[rows])
    is_kept = np.bincount(sessions)[sessions] >= 2
    is_kept &= behind(sessions) < config.max_session_items
    items, sessions = items[is_kept], _numbers(sessions[is_kept])
    by_item = np.argsort(items, kind="stable")  # and of each item by the ends of the sessions
    by_item = by_item[behind(items[by_item]) < config.sample_size]
    is_sampled = np.isin(sessions, sessions[by_item])
    number = np.zeros(len(sessions), dtype=np.int64)  # of the session of each entry
    number[is_sampled] = _numbers(sessions[is_sampled])
    return SessionIndex(
        indptr=_indptr(np.unique(number[is_sampled], return_counts=True)[1]),
        items=items[is_sampled],
        item_indptr=_indptr(np.bincount(items[by_item], minlength=n_items)),
        sessions=number[by_item].astype(np.int32),
    )


def score_session(
    session: ItemIdx, index: SessionIndex, *, config: SessionKNNConfig
) -> NDArray[np.float64]:
    """Return how much the sessions nearest to one speak for each item, shape (n_items,).

    An item gains from each of the k nearest sessions that hold it

        similarity * fall(place) * fall(distance),

    place being how many items come after the latest shared item in the session asked about, and
    distance how many steps the item is from that one in the session of the past.

    Args:
        session: distinct items, the last one first, shape (n,); only the first
            `max_session_items` count.
        index: the past sessions.
        config: says how many sessions speak, and how `fall` goes.

    Source: Ludewig, Jannach 2018 (V-SKNN): places; Garg et al. 2019 (STAN): distances.
    """
    session = session[: config.max_session_items]
    place_of = np.full(index.n_items, len(session), dtype=np.int64)
    place_of[session] = np.arange(len(session))
    sessions, sims = nearest_sessions(session, place_of, index, config=config)
    entries, owners = _ranges(index.indptr, sessions)
    if len(entries) == 0:
        return np.zeros(index.n_items)
    items = index.items[entries]
    places = place_of[items]
    starts = np.searchsorted(owners, np.arange(len(sessions)))
    latest = np.minimum.reduceat(places, starts)
    shared = np.flatnonzero(places == latest[owners])  # one a session, as its items are distinct
    distance = np.abs(np.arange(len(entries)) - shared[owners])
    amounts = (sims * _fall(latest, config))[owners] * _fall(distance, config)
    scores = np.zeros(index.n_items)
    np.add.at(scores, items, amounts)
    return scores


def nearest_sessions(
    session: ItemIdx, place_of: NDArray[np.int64], index: SessionIndex, *, config: SessionKNNConfig
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k past sessions most like one, nearest first, and their similarities.

    The similarity is the sum of fall(place) over shared items, divided by the square root of the
    length of the past session; of equals the more recent one comes first. Asked are the sessions
    kept of each item.

    Args:
        session: distinct items, the last one first, shape (n,).
        place_of: the place of each item in it from 0 on, n for the others, shape (n_items,).
        index: the past sessions.
        config: says how many are wanted, and how `fall` goes.
    """
    holders, _ = _ranges(index.item_indptr, session)
    found = np.unique(index.sessions[holders]).astype(np.int64)[::-1]  # the most recent first
    if len(found) == 0:
        return found, np.zeros(0)
    entries, owners = _ranges(index.indptr, found)
    weights = np.append(_fall(np.arange(len(session)), config), 0)
    shared = weights[place_of[index.items[entries]]]
    overlap = np.bincount(owners, weights=shared, minlength=len(found))
    sims = overlap / np.sqrt(np.diff(index.indptr)[found])
    nearest = np.argsort(-sims, kind="stable")[: config.k]
    return found[nearest], sims[nearest]


def _fall(steps: NDArray[np.int64], config: SessionKNNConfig) -> NDArray[np.float64]:
    """Return the weight of what lies so many items away, in [0, 1], 1 for none."""
    if config.decay == "linear":
        return np.maximum(1 - steps / config.reach, 0)
    return np.exp(-steps / config.reach)


def _ranges(
    indptr: NDArray[np.int64], rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the entries of some rows are, one row after another, and whose they are."""
    starts = indptr[rows]
    lengths = indptr[rows + 1] - starts
    owners = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) + (starts - before)[owners], owners


def behind(sorted_keys: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many entries of the same key come after each."""
    ends = np.searchsorted(sorted_keys, sorted_keys, side="right")
    return ends - np.arange(len(sorted_keys)) - 1


def _numbers(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number from 0 of the run of equal keys that each entry is in."""
    return np.cumsum(np.diff(keys, prepend=keys[:1]) != 0)


def _indptr(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each row begins, and the last one ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
