"""Choose what stands on a page: gather, then the stages, one after the other.

Synchronous and without I/O; HTTP, rendering and the record of what was shown are the app's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from typing import TypeAlias

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers, open_scorers
from endcap.bundle.scorer.ranked import ShopRanks
from endcap.feedback.state import LiveState
from endcap.schema.types import ItemId, UserId
from endcap.serving.candidates import Candidates, join
from endcap.serving.gather import STEP_US, Context, gather, minute_end
from endcap.serving.lru import Lru
from endcap.serving.page import Page, Shelf, Slot, UnknownItemError, Visitor
from endcap.serving.similar import similar_items
from endcap.serving.stages.filter import filter_candidates
from endcap.serving.stages.lay_out import lay_out
from endcap.serving.stages.retrieve import retrieve_personal, retrieve_shop

N_CACHED = 4096

Chosen: TypeAlias = tuple[Visitor, tuple[Shelf, ...]]


class Engine:
    """Home pages and similar items from one bundle and the live state.

    The same state, moment and request give the same page, whatever is in the cache.

    Args:
        bundle: what training learnt.
        state: what happened since; read, never changed.
        clock: returns the wall time in microseconds since 1970, UTC.
        cache: keeps what was worked out for single visitors; 4,096 of them when None.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: LiveState,
        clock: Callable[[], int],
        *,
        cache: MutableMapping[Hashable, Candidates] | None = None,
    ) -> None:
        self.bundle, self.state = bundle, state
        self._clock = clock
        self._cache = Lru[Hashable, Candidates](N_CACHED) if cache is None else cache
        self._pages = Lru[Hashable, Chosen](N_CACHED)
        self._scorers: Scorers = open_scorers(bundle)
        self._ranks: tuple[tuple[int, int], ShopRanks] | None = None

    def home(self, user_id: UserId, *, request_id: str) -> Page:
        """Return the page for a visitor; somebody unknown gets one too.

        Cost: about six scans of the item vectors, 3 ms of one core for 92,000 items of 64 numbers;
        a third of it when only the shop changed since this visitor's last page, and next to
        nothing when nothing did within the minute.
        """
        now_us = self.bundle.data_time(self._clock())
        key = (
            user_id,
            self.state.version(user_id),
            self.state.counts_version,
            minute_end(now_us),
            len(self.state.session(user_id, now_us=now_us)),  # a visit ends by time alone
        )
        chosen = self._pages.get(key)
        if chosen is None:
            chosen = self._pages[key] = self._choose(user_id, now_us)
        visitor, shelves = chosen
        return Page(
            request_id=request_id,
            user_id=user_id,
            visitor=visitor,
            bundle_id=self.bundle.bundle_id,
            shelves=shelves,
        )

    def similar(self, item_id: ItemId, k: int) -> list[Slot]:
        """Return up to k items that go with one, best first; none of them twice by name.

        Raises:
            UnknownItemError: the catalogue has no such item.
        """
        item = self.bundle.item_index.get(item_id)
        if item is None:
            raise UnknownItemError(f"no item {item_id!r}", mend="Ask for an id of the catalogue")
        now_us = self.bundle.data_time(self._clock())
        ranks = self._ranks_at(now_us - now_us % STEP_US)
        return similar_items(self.bundle, self._scorers, ranks, item, k=k)

    def _choose(self, user_id: UserId, now_us: int) -> Chosen:
        context = gather(
            self.bundle,
            self.state,
            user_id,
            now_us,
            scorers=self._scorers,
            ranks=self._ranks_at(now_us - now_us % STEP_US),
        )
        candidates = join([self._personal(context), retrieve_shop(context)])
        shelves = lay_out(context, filter_candidates(context, candidates), self._scorers)
        return context.visitor, shelves

    def _personal(self, context: Context) -> Candidates:
        key = (
            self.bundle.bundle_id,
            context.user_id,
            self.state.version(context.user_id),
            context.step_us,
            len(context.session_items),  # a visit ends by time alone
        )
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = retrieve_personal(context, self._scorers)
        return found

    def _ranks_at(self, step_us: int) -> ShopRanks:
        key = (self.state.counts_version, step_us)
        if self._ranks is None or self._ranks[0] != key:
            ranks = self._scorers.shop.at(
                now_us=step_us,
                live_popular=self.state.popular_counts,
                live_trending=self.state.trending_counts,
                live_shoppers=self.state.shoppers,
            )
            self._ranks = (key, ranks)
        return self._ranks[1]
