"""The event log as a source: what shoppers did on the page becomes rows like any others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from endcap.ingest.sources import Recipe
from endcap.schema.columns import Kind
from endcap.stores.registry import open_events
from endcap.stores.urls import redact
from endcap.telemetry import step

SOURCE = "events"
EVENTS_FILE = "events.jsonl"
MAPPING = {
    "user_id": "user_id",
    "item_id": "item_id",
    "kind": "kind",
    "value": "value",
    "ts": "ts",
}


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of the event log, copied to a file.

    offset: where the next part begins; None while the log is empty.
    """

    recipe: Recipe
    n_events: int
    offset: str | None


def copy_events(url: str, folder: Path, *, after: str | None) -> LogPart:
    """Return the events behind an offset as JSON lines with a recipe to read them.

    Args:
        url: of the event log.
        folder: where the copy goes, as `events.jsonl`.
        after: the offset of an earlier part; None for the start.

    Raises:
        StoreError: the log cannot be read, or the offset is not of this log.
    """
    file = folder / EVENTS_FILE
    with step(f"Copying the event log {redact(url)}"):
        n_events, offset = asyncio.run(_copy(url, file, after))
    recipe = Recipe(
        name=SOURCE,
        interactions=file,
        items=None,
        mapping=MAPPING,
        ts_unit="microseconds",
        kinds={kind.value: kind for kind in Kind},
    )
    return LogPart(recipe, n_events, offset or after)


async def _copy(url: str, file: Path, after: str | None) -> tuple[int, str | None]:
    log = open_events(url)
    n_events, last = 0, None
    try:
        with file.open("wb") as out:
            async for offset, event in log.read(after=after):
                out.write(event + b"\n")
                n_events, last = n_events + 1, offset
    finally:
        await log.close()
    return n_events, last
