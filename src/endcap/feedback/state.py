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

from endcap.features.popularity import decay_weights
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US, SECOND_US, ItemId, UserId

MAX_RECENT = 200
SESSION_GAP_US = 30 * 60 * SECOND_US
SALES = frozenset({Kind.PURCHASE, Kind.RATING})
MAX_HALF_LIVES = 900.0  # beyond 1,000 the weight is no float64; such an event is not counted


class Recent(NamedTuple):
    """One thing that a visitor did; `ts` is data time, microseconds."""

    item_id: ItemId
    kind: Kind
    ts: int


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """How live events add to the counts of a bundle.

    counted: the kinds that count as an interaction, as in the data the bundle learnt from.
    """

    decay_origin_us: int = 0
    trending_half_life_days: float = 7.0
    popular_half_life_days: float = 90.0
    counted: Collection[Kind] = SALES


@dataclass(slots=True)
class _Visitor:
    version: int = 0
    events: list[tuple[int, str, Recent]] = field(default_factory=list)  # by (ts, event_id)


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
        recent = Recent(event.item_id, event.kind, data_ts_us)
        insort(visitor.events, (data_ts_us, event.event_id, recent))
        del visitor.events[:-MAX_RECENT]
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
        """Return the last 200 things the visitor did, oldest first."""
        visitor = self._visitors.get(user_id)
        return [recent for _, _, recent in visitor.events] if visitor else []

    def session(self, user_id: UserId, *, now_us: int) -> list[Recent]:
        """Return what the visitor did in the visit under way, oldest first.

        A visit ends after 30 minutes without an event; `now_us` is data time.
        """
        events = self.recent(user_id)
        start, later_us = len(events), now_us
        while start and later_us - events[start - 1].ts <= SESSION_GAP_US:
            start -= 1
            later_us = events[start].ts
        return events[start:]

    def cart(self, user_id: UserId) -> list[ItemId]:
        """Return what the visitor put into the cart and did not buy since, oldest first."""
        held: dict[ItemId, None] = {}
        for item_id, kind, _ in self.recent(user_id):
            if kind is Kind.CART:
                held[item_id] = None
            elif kind is Kind.PURCHASE:
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
