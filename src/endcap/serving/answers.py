"""From a question to an answer that may go out: chosen or cached, counted, and noted as shown.

Knows nothing of HTTP or HTML; what stands on a page is decided by `engine.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from endcap.feedback.impressions import Impressions
from endcap.schema.errors import StoreError
from endcap.schema.protocols import Cache
from endcap.schema.types import ItemId, UserId
from endcap.serving.engine import Engine
from endcap.serving.metrics import ServingMetrics
from endcap.serving.page import Page, Shelf, Slot

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long an answer that is the same for many is reused, in seconds."""

    page_s: float = 1.0
    similar_s: float = 60.0


class Answers:
    """The pages and lists that go out.

    Args:
        engine: chooses.
        cache: holds what many ask for; losing it costs time only.
        impressions: told of every page.
        metrics: counts every page.
        now_us: the wall clock, UTC microseconds.
        lifetimes: see `Lifetimes`.
    """

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        *,
        impressions: Impressions,
        metrics: ServingMetrics,
        now_us: Callable[[], int],
        lifetimes: Lifetimes,
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._impressions = impressions
        self._metrics = metrics
        self._now_us = now_us
        self._lifetimes = lifetimes

    async def home(self, user_id: UserId, *, request_id: str) -> Page:
        """Return the home page of any visitor; it is noted under its request id."""
        started_s = time.perf_counter()
        page = await self._chosen(user_id, request_id)
        self._metrics.observe_page(
            visitor=page.visitor,
            fills=[(shelf.shelf_id, len(shelf.slots)) for shelf in page.shelves],
            seconds=time.perf_counter() - started_s,
        )
        self._impressions.record(request_id, slate_of(page, ts_us=self._now_us()))
        return page

    async def similar(self, item_id: ItemId, *, k: int) -> tuple[Slot, ...]:
        """Return up to k items that go with this one, best first.

        Raises:
            UnknownItemError: the catalogue has no such item.
        """
        key = f"similar:{self._engine.bundle.bundle_id}:{k}:{item_id}"
        cached = await self._cached(key)
        if cached is not None:
            return tuple(Slot(**slot) for slot in cached)
        slots = tuple(self._engine.similar(item_id, k))
        await self._keep(key, slots, ttl_s=self._lifetimes.similar_s)
        return slots

    async def _chosen(self, user_id: UserId, request_id: str) -> Page:
        engine = self._engine
        if user_id in engine.bundle.user_index or engine.state.version(user_id):
            return engine.home(user_id, request_id=request_id)
        # All visitors without any history see the same, so a crowd of them costs one page.
        key = f"page:{engine.bundle.bundle_id}"
        cached = await self._cached(key)
        if cached is not None:
            return Page(
                request_id=request_id,
                user_id=user_id,
                visitor="new",
                bundle_id=engine.bundle.bundle_id,
                shelves=tuple(_shelf(shelf) for shelf in cached),
            )
        page = engine.home(user_id, request_id=request_id)
        await self._keep(key, page.shelves, ttl_s=self._lifetimes.page_s)
        return page

    async def _cached(self, key: str) -> list[dict[str, Any]] | None:
        try:
            (data,) = await self._cache.get_many([key])
        except StoreError as error:
            self._do_without_cache(error)
            return None
        return None if data is None else orjson.loads(data)

    async def _keep(self, key: str, answer: object, *, ttl_s: float) -> None:
        data = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        try:
            await self._cache.set_many({key: data}, ttl_s=ttl_s)
        except StoreError as error:
            self._do_without_cache(error)

    def _do_without_cache(self, error: StoreError) -> None:
        # A cache costs time when it fails, never an answer.
        self._metrics.count_cache_error()
        logger.warning("the cache fails, answers are worked out instead: %s", error)


def slate_of(page: Page, *, ts_us: int) -> dict[str, Any]:
    """Return the row that is kept of a page: what was shown where, by what score, and why."""
    return {
        "request_id": page.request_id,
        "user_id": page.user_id,
        "visitor": page.visitor,
        "ts": ts_us,
        "bundle_id": page.bundle_id,
        "shelves": [
            {
                "shelf": shelf.shelf_id,
                "title": shelf.title,
                "items": [
                    {
                        "item_id": slot.item_id,
                        "position": slot.position,
                        "score": slot.score,
                        "source": slot.source,
                        "reason": slot.reason,
                        "propensity": slot.propensity,
                    }
                    for slot in shelf.slots
                ],
            }
            for shelf in page.shelves
        ],
    }


def _shelf(record: dict[str, Any]) -> Shelf:
    return Shelf(
        shelf_id=record["shelf_id"],
        title=record["title"],
        slots=tuple(Slot(**slot) for slot in record["slots"]),
    )
