"""What a learned ranker knows of items and of the users it is asked about.

Items are known from the data that was learnt from, users from the history that is told; what is
made of both for one candidate is `features.py`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, history_of
from endcap.features.popularity import NEVER, decayed_counts, first_seen, last_price
from endcap.models.histories import entry_rows, known_history, places_from_end, take_users
from endcap.models.ranker.tables import near_items_of, next_items_of
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US, NO_ITEM, SECOND_US, ItemIdx, UserIdx

HALF_LIVES_DAYS = (7.0, 28.0, 90.0, 365.0)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of each item at the end of the data that was learnt from.

    popularity: log2 of 1 + decayed events, a row for each of `HALF_LIVES_DAYS`, float32.
    n_users: how many different users had it. repeat_share: which part of them more than once.
    age_days, silence_days: since its first and last event; NaN without one.
    price: what it lately cost; NaN where unknown. codes: category, department and brand, a row
        each, int32, -1 where unknown.
    near_items, near_sims: the items that the same people had, shape (n_items, n_near), padded.
    next_items, next_sims: the items that came soon after it, in the same way.
    born_us: the time of its first event. moments: `_moment` of all events, ascending.
    """

    popularity: NDArray[np.float32]
    n_users: NDArray[np.float32]
    repeat_share: NDArray[np.float32]
    age_days: NDArray[np.float32]
    silence_days: NDArray[np.float32]
    price: NDArray[np.float32]
    codes: NDArray[np.int32]
    near_items: ItemIdx
    near_sims: NDArray[np.float32]
    next_items: ItemIdx
    next_sims: NDArray[np.float32]
    born_us: NDArray[np.int64]
    moments: NDArray[np.int64]

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.n_users)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all of it by name, as it is saved."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def n_events_until(
        self, items: NDArray[np.integer], ts: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return how many events each item had up to a time, with a constant of its own added.

        Only the difference of two such numbers of the same item says something.
        """
        return np.searchsorted(self.moments, _moment(items, ts), side="right")


@dataclass(frozen=True, slots=True)
class UserFacts:
    """What some users did, seen from the end of the data that is told.

    history: one row a user. places: how many other items of its user came after each entry.
    now_us: the end of the data.
    """

    history: History
    places: NDArray[np.int32]
    now_us: int

    @staticmethod
    def of(data: Dataset, *, n_items: int) -> UserFacts:
        """Return what all users of the data did with items that are known."""
        history = known_history(data, n_items=n_items)
        return UserFacts(history, places_from_end(history, data.interactions), data.end_us)

    def take(self, users: UserIdx) -> UserFacts:
        """Return the facts of some users, in their order; strangers did nothing."""
        asked = take_users(self.history, users)
        numbered = History(
            self.history.indptr,
            self.history.items,
            self.places.astype(np.float32),
            self.history.first_ts,
            self.history.last_ts,
        )
        return UserFacts(asked, take_users(numbered, users).counts.astype(np.int32), self.now_us)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The user of each entry."""
        return entry_rows(self.history.indptr)

    @property
    def n_had(self) -> NDArray[np.int64]:
        """How many items each user had."""
        return np.diff(self.history.indptr)

    def latest(self, depth: int) -> ItemIdx:
        """Return the last items of each user, the latest first, shape (n_users, depth), padded."""
        found = np.full((self.history.n_users, depth), NO_ITEM, dtype=np.int32)
        kept = self.places < depth
        found[self.rows[kept], self.places[kept]] = self.history.items[kept]
        return found


def item_facts(data: Dataset) -> ItemFacts:
    """Return what is known of each item at the end of the data.

    Cost: that of fitting item-kNN once, and some sorts of the interactions.
    """
    told, history, n_items = data.interactions, history_of(data), data.n_items
    n_users = np.bincount(history.items, minlength=n_items)
    again = np.bincount(history.items[history.last_ts > history.first_ts], minlength=n_items)
    born = first_seen(told.item_idx, told.ts, n_items)
    last = np.full(n_items, NEVER, dtype=np.int64)
    np.maximum.at(last, told.item_idx, told.ts)
    places = places_from_end(history, told)
    near_items, near_sims = near_items_of(history, places, n_items)
    next_items, next_sims = next_items_of(history, places, n_items)
    return ItemFacts(
        popularity=_popularity(data),
        n_users=n_users.astype(np.float32),
        repeat_share=(again / np.maximum(n_users, 1)).astype(np.float32),
        age_days=_days_since(born, data.end_us),
        silence_days=_days_since(last, data.end_us),
        price=last_price(told, n_items),
        codes=np.stack([data.items.category, data.items.department, data.items.brand]),
        near_items=near_items,
        near_sims=near_sims,
        next_items=next_items,
        next_sims=next_sims,
        born_us=born,
        moments=np.sort(_moment(told.item_idx, told.ts)),
    )


def _popularity(data: Dataset) -> NDArray[np.float32]:
    told = data.interactions
    counts = [
        decayed_counts(
            told.item_idx,
            told.ts,
            n_items=data.n_items,
            half_life_days=half_life_days,
            origin_us=data.end_us,
            weights=told.weight,
        )
        for half_life_days in HALF_LIVES_DAYS
    ]
    return np.log2(1 + np.stack(counts)).astype(np.float32)


def _days_since(ts: NDArray[np.int64], now_us: int) -> NDArray[np.float32]:
    days = ((now_us - ts) / DAY_US).astype(np.float32)
    days[ts == NEVER] = np.nan
    return days


def _moment(items: NDArray[np.integer], ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number that orders by item, then by time in whole seconds after 1970."""
    seconds = np.clip(ts // SECOND_US, 0, 2**32 - 1)
    return (items.astype(np.int64) << 32) | seconds
