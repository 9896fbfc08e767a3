"""What earlier visits that resemble the present one went on to hold: nearest sessions.

Nothing is trained: the past is kept as sessions, by `session_index.py`. Where one session ends and
the next begins is `features/sessions.py`'s affair.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, UserHistory, history_of, without_refused
from endcap.features.popularity import decayed_counts
from endcap.features.sessions import session_ids
from endcap.models.histories import entry_rows, known_history, known_rows
from endcap.models.neighbours.session_index import (
    SessionIndex,
    SessionKNNConfig,
    behind,
    build_index,
    score_session,
)
from endcap.models.ranking import rank_beneath, rank_users, score_all
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

NO_PLACE = 0
"""Of an item that is not in the current session; those in it are counted from 1, the last one."""


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

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model after what has happened since: exactly a fit on all of the data.

        Nothing is trained, so that everything is arranged again, by a few sorts.
        Neither `since_us` nor `rng` is used.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "index_")
        return copy(self).fit(data, rng=rng)

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
    rows, entry_of = known_rows(history, told)
    session_of = session_ids(told.user_idx[rows], told.ts[rows], gap_s=gap_s)
    of_user = np.zeros(history.n_users, dtype=np.int64)
    np.maximum.at(of_user, told.user_idx[rows], session_of)
    last = np.zeros(len(users), dtype=np.int64)
    np.maximum.at(last, entry_of, np.arange(len(rows)))
    places = np.full(len(users), NO_PLACE, dtype=np.float32)
    if len(rows):
        current = np.flatnonzero(session_of[last] == of_user[users])
        current = current[np.lexsort((last[current], users[current]))]
        places[current] = behind(users[current]) + 1
    return places


def latest_first(row: UserHistory) -> ItemIdx:
    """Return the items of the current session, the last one first.

    Args:
        row: a history with `current_places` in the place of its counts.
    """
    current = np.flatnonzero(row.counts != NO_PLACE)
    return row.items[current[np.argsort(row.counts[current])]]
