"""What the visitors did since the bundle was made, in memory, ready for the next page.

Built by `LiveState.apply` alone, from the event log; it stores nothing itself.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from endcap.features import activity
from endcap.features.popularity import decay_weights
from endcap.features.sessions import SESSION_GAP_S, continues_session, gap_us_of
from endcap.features.unsettled import NO_EVENTS, UserEvents
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights
from endcap.feedback.undone import NEVER_US, PairCarts, Words, carts_of
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US, ItemId, UserId

MAX_RECENT = 200
MAX_SALES = 50
SESSION_GAP_US = gap_us_of(SESSION_GAP_S)
SALES = activity.SALES
ALWAYS_COUNTED = SALES | {Kind.LIKE}
COUNTED_IF_LEARNT = frozenset({Kind.VIEW, Kind.CART})
"""Whoever learnt from purchases alone would not know how many views make a purchase."""
NOTHING_FORGOTTEN = -(2**63)
ROUNDING = 1e-9
MAX_HALF_LIVES = 900.0  # beyond 1,000 the weight is no float64; such an event is not counted


class Recent(NamedTuple):
    """One thing that a visitor did; `ts` is data time, microseconds.

    weight: what it says of interest, before anything later undid it.
    """

    item_id: ItemId
    kind: Kind
    ts: int
    weight: float = 1.0


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
    weights: how much each kind counts, as in training.
    n_recent: how many events of a visitor are kept, the newest.
    n_sales: how many purchases and ratings are kept besides, so that much looking around does not
        push out what was bought.
    """

    decay_origin_us: int = 0
    trending_half_life_days: float = 7.0
    popular_half_life_days: float = 90.0
    counted: Collection[Kind] = ALWAYS_COUNTED
    weights: KindWeights = DEFAULT_WEIGHTS
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
    words: Words = field(default_factory=Words)


class LiveState:
    """Live events as the stages of serving want them.

    The state is a function of the *set* of applied events: neither their order nor a repetition
    matters, so a replay of the log gives the same state as the events did one by one.

    Args:
        item_index: dense index of every known item; events of other items are remembered under
            their visitor, but add to no count.
        config: see `LiveConfig`.
        learnt: the unsettled events of a user that the bundle counted in, which a removal now may
            take back.

    Cost: about 0.5 kB an event, of which the event id (kept for ever) is a fifth.
    """

    def __init__(
        self,
        item_index: Mapping[ItemId, int],
        config: LiveConfig | None = None,
        *,
        learnt: Callable[[UserId], UserEvents] | None = None,
    ) -> None:
        self._item_index = item_index
        self._config = config or LiveConfig()
        self._learnt = learnt or (lambda _: NO_EVENTS)
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
        if event.kind is Kind.IMPRESSION:  # which is the shop's act, not the visitor's
            return True
        visitor = self._visitors.setdefault(event.user_id, _Visitor())
        visitor.version += 1
        weight = self._config.weights.of(event.kind, event.value)
        recent = Recent(event.item_id, event.kind, data_ts_us, weight)
        entry = (data_ts_us, event.event_id, recent)
        visitor.recent.add(entry, self._config.n_recent)
        if event.kind in SALES:
            visitor.sales.add(entry, self._config.n_sales)
        if event.kind in (Kind.CART, Kind.REMOVE):
            self._count_cart(event, visitor, weight, data_ts_us)
        else:
            visitor.words.hear(event.item_id, weight, data_ts_us)
            self._count(event, weight, data_ts_us)
        self._remember_shopper(event, data_ts_us)
        return True

    def version(self, user_id: UserId) -> int:
        """Return how many things of this visitor were applied; 0 for a stranger."""
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
        events = self.recent(user_id)
        removed_us = {event.item_id: event.ts for event in events if event.kind is Kind.REMOVE}
        held: dict[ItemId, None] = {}
        for event in events:
            if event.kind is Kind.CART and event.ts > removed_us.get(event.item_id, NEVER_US):
                held[event.item_id] = None
            elif event.kind is Kind.PURCHASE:
                held.pop(event.item_id, None)
        return list(held)

    def refused(self, user_id: UserId) -> dict[ItemId, int]:
        """Return the items that the visitor refused and wanted no more since, and when; all ever.

        What was wanted later according to the bundle is not known here.
        """
        visitor = self._visitors.get(user_id)
        return visitor.words.refused() if visitor else {}

    def last_yes_us(self, user_id: UserId, item_id: ItemId) -> int:
        """Return when the visitor last showed interest in an item; -2**63 when never."""
        visitor = self._visitors.get(user_id)
        return visitor.words.last_yes_us(item_id) if visitor else NEVER_US

    def _remember_shopper(self, event: Event, data_ts_us: int) -> None:
        item = self._item_index.get(event.item_id)
        if item is None or event.kind not in self._config.counted or self._is_beyond(data_ts_us):
            return
        self._counts_version += 1
        shoppers = self.shoppers.setdefault(event.kind, {}).setdefault(item, {})
        shoppers[event.user_id] = max(data_ts_us, shoppers.get(event.user_id, data_ts_us))

    def _count(self, event: Event, weight: float, data_ts_us: int) -> None:
        item = self._item_index.get(event.item_id)
        if item is None or event.kind not in self._config.counted or weight <= 0:
            return
        trending, popular = self._decayed(data_ts_us, weight)
        self.trending_counts[item] += trending
        self.popular_counts[item] += popular

    def _count_cart(self, event: Event, visitor: _Visitor, weight: float, data_ts_us: int) -> None:
        """Count a cart in, or what a removal leaves of the carts before it."""
        item = self._item_index.get(event.item_id)
        carts = visitor.words.carts.get(event.item_id)
        if carts is None:
            learnt = PairCarts() if item is None else carts_of(self._learnt(event.user_id), item)
            carts = visitor.words.carts[event.item_id] = learnt
        before = self._total(carts)
        if weight:
            carts.add(data_ts_us, weight, is_removal=event.kind is Kind.REMOVE)
        after = self._total(carts)
        if item is None or Kind.CART not in self._config.counted or before == after:
            return
        self._counts_version += 1
        for counts, was, now in zip(
            (self.trending_counts, self.popular_counts), before, after, strict=True
        ):
            counts[item] += now - was
            if abs(counts[item]) < ROUNDING * was:  # else a rest of rounding would rank the item
                counts[item] = 0.0

    def _total(self, carts: PairCarts) -> tuple[float, float]:
        """Return what the carts add to the trending and to the popular count."""
        parts = [self._decayed(ts_us, rest) for ts_us, rest in carts.left()]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)

    def _decayed(self, ts_us: int, weight: float) -> tuple[float, float]:
        """Return what an event adds to the trending and to the popular count."""
        if self._is_beyond(ts_us):
            return 0.0, 0.0
        config = self._config
        trending, popular = (
            float(
                decay_weights(
                    np.array([ts_us]),
                    half_life_days=half_life_days,
                    origin_us=config.decay_origin_us,
                )[0]
            )
            for half_life_days in (config.trending_half_life_days, config.popular_half_life_days)
        )
        return weight * trending, weight * popular

    def _is_beyond(self, ts_us: int) -> bool:
        config = self._config
        shortest_days = min(config.trending_half_life_days, config.popular_half_life_days)
        return ts_us > config.decay_origin_us + MAX_HALF_LIVES * DAY_US * shortest_days
