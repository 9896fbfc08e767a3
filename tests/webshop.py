"""The app over the tiny shop with stores in memory, asked in process.

`import webshop` works in every test, because this folder holds the conftest.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
from fastapi import FastAPI

from endcap.bundle.read import Bundle
from endcap.feedback.impressions import Impressions
from endcap.feedback.intake import Intake
from endcap.feedback.state import LiveState
from endcap.schema.errors import StoreError
from endcap.serving.app import create_app
from endcap.serving.config import ServingConfig
from endcap.serving.engine import Engine
from endcap.serving.run import live_state
from endcap.stores.cache.memory import MemoryCache
from endcap.stores.events.memory import MemoryEventLog
from endcap.stores.rows.memory import MemoryStore
from shops import WALL_NOW_US


class BreakableLog(MemoryEventLog):
    """A log that refuses while `is_broken`."""

    is_broken = False

    async def append(self, events, *, key):
        if self.is_broken:
            raise StoreError("the disk is full", where="/secret/place/events.db")
        await super().append(events, key=key)

    async def ids(self) -> list[str]:
        import orjson

        return [orjson.loads(record)["event_id"] async for _, record in self.read()]


@dataclass
class Web:
    """An app, a client of it, and what lies behind."""

    app: FastAPI
    client: httpx.AsyncClient
    intake: Intake
    impressions: Impressions
    log: BreakableLog
    state: LiveState
    engine: Engine
    cache: MemoryCache
    clock: list[int] = field(default_factory=list)

    async def act(self, kind: str, user_id: str, item_id: str) -> httpx.Response:
        event = {"kind": kind, "user_id": user_id, "item_id": item_id}
        return await self.client.post("/v1/events", json=event)


@asynccontextmanager
async def open_web(
    bundle: Bundle, *, config: ServingConfig | None = None, is_replayed: bool = True
) -> AsyncIterator[Web]:
    """Yield the app; its clock stands at `WALL_NOW_US` until `web.clock[0]` is changed."""
    clock = [WALL_NOW_US]
    state, log, cache = live_state(bundle), BreakableLog(), MemoryCache()
    engine = Engine(bundle, state, lambda: clock[0])
    intake = Intake(log, state, clock_shift_us=bundle.clock_shift_us)
    impressions = Impressions(MemoryStore())
    app = create_app(
        engine,
        intake,
        impressions,
        cache,
        config=config or ServingConfig(),
        now_us=lambda: clock[0],
    )
    if is_replayed:
        await intake.replay()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield Web(app, client, intake, impressions, log, state, engine, cache, clock)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


class PageReader(HTMLParser):
    """Lists the elements of a page with their own text."""

    VOID = frozenset({"input", "img", "link", "meta", "br", "hr", "use", "path", "rect", "circle"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def all(self, tag: str, **wanted: str) -> list[Element]:
        wanted = {name.replace("_", "-").removesuffix("-"): value for name, value in wanted.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag
            and all(
                value in (element.attributes.get(name) or "").split()
                for name, value in wanted.items()
            )
        ]

    def shelves(self) -> dict[str, list[str]]:
        """Return the item ids on each shelf, by title."""
        found: dict[str, list[str]] = {}
        items: list[str] = []
        for element in self.elements:
            if element.tag == "h2" and (element.attributes.get("id") or "").startswith("title-"):
                items = found.setdefault(" ".join(element.text.split()), [])
            if element.tag == "li" and "data-item" in element.attributes:
                items.append(element.attributes["data-item"] or "")
        return found


def words(text: str) -> str:
    """Return the text with single spaces."""
    return re.sub(r"\s+", " ", text).strip()
