"""What earlier visits that resemble the present one went on to hold: nearest sessions.

Nothing is trained: the past is kept as sessions and as which of them hold each item. Where one
session ends and the next begins is `features/sessions.py`'s affair.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.features.history import History, UserHistory, history_of, without_refused
from endcap.features.popularity import decayed_counts
from endcap.features.sessions import SESSION_GAP_S, session_ids
from endcap.features.weights import pair_keys
from endcap.models.histories import entry_rows, known_history
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

NO_PLACE = 0
"""Of an item that is not in the current session; those in it are counted from 1, the last one."""


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


class SessionKNN:
    """Ranks items by the earlier sessions that are most like a user's current one.

    index_: the past sessions.
    history_: what each user had.
    places_: the place of each entry of history_ in the current session of its user, float32,
        shape (nnz,): 1 is the last item, 2 the one before; 0 for an item of older sessions alone.
    current_: history_, with the places instead of the counts.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: SessionKNNConfig | None = None) -> None:
        self.config = config or SessionKNNConfig()

    index_: SessionIndex
    history_: History
    places_: NDArray[np.float32]
    current_: History
    beneath_: Scores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Gather the past sessions; nothing is random, so `rng` is not used.

        Every interaction is part of a session, whatever its weight; popularity heeds weights.

        Cost: a few sorts of the interactions; at most `sample_size` sessions an item are kept.
        """
        told = data.interactions
        counts = decayed_counts(
            told.item_idx,
            told.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=told.weight,
        )
        self.beneath_ = rank_beneath(counts)
        self.index_ = build_index(
            without_refused(data).interactions, data.n_items, config=self.config
        )
        self._remember(history_of(data), told)
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items that the nearest sessions speak for, filled up with popular ones.

        Scores above zero are sums over sessions, `score_session`; below zero they are places in
        the order of popularity. A user without a history gets popular items alone.

        Raises:
            NotFittedError: fit was not called.

        Cost: a user, at most max_session_items ** 2 * sample_size entries of the index.
        """
        require_fitted(self, "index_")
        return rank_users(
            self._score,
            users,
            k,
            history=self.current_,
            n_items=self.index_.n_items,
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def with_history(self, data: Dataset) -> Self:
        """Return the same past sessions, for the users of `data` and their current ones."""
        require_fitted(self, "index_")
        other = copy(self)
        other._remember(known_history(data, n_items=self.index_.n_items), data.interactions)
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "index_")
        return score_all(self._score, users, history=self.current_, n_items=self.index_.n_items)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the current session that each score would miss most, and how much.

        Each is left out in turn, the others moving up. For an item that no near session holds, the
        amount is its place in the order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.

        Cost: as many queries as the current session has items, and one more.
        """
        require_fitted(self, "index_")
        session = latest_first(self.current_.row(user))
        whole = score_session(session, self.index_, config=self.config)[items]
        drops = np.empty((len(session), len(items)))
        for place in range(len(session)):
            others = np.delete(session, place)
            drops[place] = whole - score_session(others, self.index_, config=self.config)[items]
        return [
            drop_reason(session, drops[:, column])
            if whole[column] > 0
            else popular_reason(self.beneath_, item)
            for column, item in enumerate(items.tolist())
        ]

    def save(self, folder: Path) -> None:
        """Write sessions, histories and settings into the folder."""
        require_fitted(self, "index_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "session_indptr": self.index_.indptr,
                "session_items": self.index_.items,
                "item_indptr": self.index_.item_indptr,
                "item_sessions": self.index_.sessions,
                "places": self.places_,
                "beneath": self.beneath_,
            },
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=SessionKNNConfig)
        model = cls(config)
        model.index_ = SessionIndex(
            indptr=arrays["session_indptr"],
            items=arrays["session_items"],
            item_indptr=arrays["item_indptr"],
            sessions=arrays["item_sessions"],
        )
        model.beneath_ = arrays["beneath"]
        model.history_, model.places_ = saved_history(arrays), arrays["places"]
        model.current_ = replace(model.history_, counts=model.places_)
        return model

    def _remember(self, history: History, told: Interactions) -> None:
        """Remember what users had, and what of it is in their current session."""
        self.history_ = history
        self.places_ = current_places(history, told, gap_s=self.config.session_gap_s)
        self.current_ = replace(history, counts=self.places_)

    def _score(self, asked: History, out: Scores) -> None:
        for row in range(asked.n_users):
            session = latest_first(asked.row(row))
            near = score_session(session, self.index_, config=self.config)
            out[row] = np.where(near > 0, near, self.beneath_)


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
    rows = order[_behind(keys[order]) == 0]  # where each item of a session is touched last
    ends = np.zeros(len(told), dtype=np.int64)
    np.maximum.at(ends, session_of, np.arange(len(told)))
    rows = rows[np.lexsort((rows, ends[session_of[rows]]))]
    items, sessions = told.item_idx[rows], _numbers(session_of[rows])
    is_kept = np.bincount(sessions)[sessions] >= 2
    is_kept &= _behind(sessions) < config.max_session_items
    items, sessions = items[is_kept], _numbers(sessions[is_kept])
    by_item = np.argsort(items, kind="stable")  # and of each item by the ends of the sessions
    by_item = by_item[_behind(items[by_item]) < config.sample_size]
    is_sampled = np.isin(sessions, sessions[by_item])
    number = np.zeros(len(sessions), dtype=np.int64)  # of the session of each entry
    number[is_sampled] = _numbers(sessions[is_sampled])
    return SessionIndex(
        indptr=_indptr(np.unique(number[is_sampled], return_counts=True)[1]),
        items=items[is_sampled],
        item_indptr=_indptr(np.bincount(items[by_item], minlength=n_items)),
        sessions=number[by_item].astype(np.int32),
    )


def current_places(history: History, told: Interactions, *, gap_s: float) -> NDArray[np.float32]:
    """Return the place of each entry in the current session of its user, shape (nnz,).

    1 is the item touched last, 2 the one before it; 0 is an item of older sessions alone. The
    current session is the last one, however long ago; those at the same time come in the order of
    the data.

    Args:
        history: what was built of the interactions.
        told: interactions, sorted by time; those of what is not in the history play no part.
        gap_s: the longest silence within a session, in seconds.

    Cost: two sorts of the interactions.
    """
    users = entry_rows(history.indptr)
    entries = (users << 32) | history.items
    keys = pair_keys(told)
    entry_of = np.searchsorted(entries, keys)
    rows = np.flatnonzero(entry_of < len(entries))
    rows = rows[entries[entry_of[rows]] == keys[rows]]
    session_of = session_ids(told.user_idx[rows], told.ts[rows], gap_s=gap_s)
    of_user = np.zeros(history.n_users, dtype=np.int64)
    np.maximum.at(of_user, told.user_idx[rows], session_of)
    last = np.zeros(len(entries), dtype=np.int64)
    np.maximum.at(last, entry_of[rows], np.arange(len(rows)))
    places = np.full(len(entries), NO_PLACE, dtype=np.float32)
    if len(rows):
        current = np.flatnonzero(session_of[last] == of_user[users])
        current = current[np.lexsort((last[current], users[current]))]
        places[current] = _behind(users[current]) + 1
    return places


def latest_first(row: UserHistory) -> ItemIdx:
    """Return the items of the current session, the last one first.

    Args:
        row: a history with `current_places` in the place of its counts.
    """
    current = np.flatnonzero(row.counts != NO_PLACE)
    return row.items[current[np.argsort(row.counts[current])]]


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


def _behind(sorted_keys: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many entries of the same key come after each."""
    ends = np.searchsorted(sorted_keys, sorted_keys, side="right")
    return ends - np.arange(len(sorted_keys)) - 1


def _numbers(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number from 0 of the run of equal keys that each entry is in."""
    return np.cumsum(np.diff(keys, prepend=keys[:1]) != 0)


def _indptr(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each row begins, and the last one ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
