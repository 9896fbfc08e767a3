"""What the visitors did since the bundle was made, in memory, ready for the next page.

Built by `LiveState.apply` alone, from the event log; it stores nothing itself.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from endcap.features import activity
from endcap.features.popularity import decay_weights
from endcap.features.sessions import SESSION_GAP_S, continues_session, gap_us_of
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US, ItemId, UserId

MAX_RECENT = 200
MAX_SALES = 50
SESSION_GAP_US = gap_us_of(SESSION_GAP_S)
SALES = activity.SALES
NOTHING_FORGOTTEN = -(2**63)
MAX_HALF_LIVES = 900.0  # beyond 1,000 the weight is no float64; such an event is not counted


class Recent(NamedTuple):
    """One thing that a visitor did; `ts` is data time, microseconds."""

    item_id: ItemId
    kind: Kind
    ts: int


class Remembered(NamedTuple):
    """What is still known of a visitor's live events, oldest first.

    events: the last things the visitor did, and sales from before them.
    forgotten_until_us: data time of the newest event that is in no list any more, or may not be;
        `NOTHING_FORGOTTEN` when all are kept.
    sales_forgotten_until_us: the same for sales.
    """

    events: list[Recent]
    forgotten_until_us: int
    sales_forgotten_until_us: int


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """How live events add to the counts of a bundle, and how many are kept of a visitor.

    counted: the kinds that count as an interaction, as in the data the bundle learnt from.
    n_recent: how many events of a visitor are kept, the newest.
    n_sales: how many purchases and ratings are kept besides, so that much looking around does not
        push out what was bought.
    """

    decay_origin_us: int = 0
    trending_half_life_days: float = 7.0
    popular_half_life_days: float = 90.0
    counted: Collection[Kind] = SALES
    n_recent: int = MAX_RECENT
    n_sales: int = MAX_SALES


@dataclass(slots=True)
class _Newest:
    """The newest entries of all that were ever added, whatever their order."""

    entries: list[tuple[int, str, Recent]] = field(default_factory=list)  # by (ts, event_id)
    forgotten_until_us: int = NOTHING_FORGOTTEN

    def add(self, entry: tuple[int, str, Recent], limit: int) -> None:
        insort(self.entries, entry)
        if len(self.entries) > limit:
            self.forgotten_until_us = max(self.forgotten_until_us, self.entries.pop(0)[0])


@dataclass(slots=True)
class _Visitor:
    version: int = 0
    recent: _Newest = field(default_factory=_Newest)
    sales: _Newest = field(default_factory=_Newest)


class LiveState:
    """Live events as the stages of serving want them.

    The state is a function of the *set* of applied events: neither their order nor a repetition
    matters, so a replay of the log gives the same state as the events did one by one.

    Args:
        item_index: dense index of every known item; events of other items are remembered under
            their visitor, but add to no count.
        config: see `LiveConfig`.

    Cost: about 0.4 kB an event, of which the event id (kept for ever) is a quarter.
    """

    def __init__(self, item_index: Mapping[ItemId, int], config: LiveConfig | None = None) -> None:
        self._item_index = item_index
        self._config = config or LiveConfig()
        self._seen: set[str] = set()
        self._visitors: dict[UserId, _Visitor] = {}
        self._counts_version = 0
        self.trending_counts: NDArray[np.float64] = np.zeros(len(item_index))
        self.popular_counts: NDArray[np.float64] = np.zeros(len(item_index))
        self.shoppers: dict[Kind, dict[int, dict[UserId, int]]] = {}
        """For each counted kind, for each item by index: who did it, and when last (data time)."""

    def __len__(self) -> int:
        return len(self._seen)

    def has(self, event_id: str) -> bool:
        """Say whether the event was applied already."""
        return event_id in self._seen

    def apply(self, event: Event, data_ts_us: int) -> bool:
        """Count the event in; False when its id was counted before.

        Args:
            event: as it stands in the log.
            data_ts_us: its time on the timeline of the bundle (wall time minus the clock shift).
        """
        if event.event_id in self._seen:
            return False
        self._seen.add(event.event_id)
        visitor = self._visitors.setdefault(event.user_id, _Visitor())
        visitor.version += 1
        entry = (data_ts_us, event.event_id, Recent(event.item_id, event.kind, data_ts_us))
        if event.kind is not Kind.IMPRESSION:  # which is the shop's act, not the visitor's
            visitor.recent.add(entry, self._config.n_recent)
        if event.kind in SALES:
            visitor.sales.add(entry, self._config.n_sales)
        self._count(event, data_ts_us)
        return True

    def version(self, user_id: UserId) -> int:
        """Return how many events of this visitor were applied; 0 for a stranger."""
        visitor = self._visitors.get(user_id)
        return visitor.version if visitor else 0

    @property
    def counts_version(self) -> int:
        """How many events changed `trending_counts` and `popular_counts`."""
        return self._counts_version

    def recent(self, user_id: UserId) -> list[Recent]:
        """Return the last 200 things the visitor did, oldest first; impressions are none."""
        visitor = self._visitors.get(user_id)
        return [recent for _, _, recent in visitor.recent.entries] if visitor else []

    def remembered(self, user_id: UserId) -> Remembered:
        """Return all that is still known of the visitor's live events, and what may be missing."""
        visitor = self._visitors.get(user_id)
        if visitor is None:
            return Remembered([], NOTHING_FORGOTTEN, NOTHING_FORGOTTEN)
        recent, sales = visitor.recent, visitor.sales
        older = [entry for entry in sales.entries if entry < recent.entries[0]]
        return Remembered(
            [kept for _, _, kept in (*older, *recent.entries)],
            recent.forgotten_until_us,
            sales.forgotten_until_us,
        )

    def session(self, user_id: UserId, *, now_us: int) -> list[Recent]:
        """Return what the visitor did in the visit under way, oldest first.

        A visit ends after 30 minutes without an event; `now_us` is data time.
        """
        events = self.recent(user_id)
        start, later_us = len(events), now_us
        while start and continues_session(events[start - 1].ts, later_us, gap_us=SESSION_GAP_US):
            start -= 1
            later_us = events[start].ts
        return events[start:]

    def cart(self, user_id: UserId) -> list[ItemId]:
        """Return what the visitor put into the cart and has not bought or removed since."""
        held: dict[ItemId, None] = {}
        for item_id, kind, _ in self.recent(user_id):
            if kind is Kind.CART:
                held[item_id] = None
            elif kind in (Kind.PURCHASE, Kind.REMOVE):
                held.pop(item_id, None)
        return list(held)

    def _count(self, event: Event, data_ts_us: int) -> None:
        item = self._item_index.get(event.item_id)
        config = self._config
        horizon_us = config.decay_origin_us + MAX_HALF_LIVES * DAY_US * min(
            config.trending_half_life_days, config.popular_half_life_days
        )
        if item is None or event.kind not in config.counted or data_ts_us > horizon_us:
            return
        self._counts_version += 1
        shoppers = self.shoppers.setdefault(event.kind, {}).setdefault(item, {})
        shoppers[event.user_id] = max(data_ts_us, shoppers.get(event.user_id, data_ts_us))
        self.trending_counts[item] += self._weight(data_ts_us, config.trending_half_life_days)
        self.popular_counts[item] += self._weight(data_ts_us, config.popular_half_life_days)

    def _weight(self, ts_us: int, half_life_days: float) -> float:
        weights = decay_weights(
            np.array([ts_us]), half_life_days=half_life_days, origin_us=self._config.decay_origin_us
        )
        return float(weights[0])
