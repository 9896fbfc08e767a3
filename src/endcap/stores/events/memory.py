"""An event log that ends with the process: for tests, and the reference for the other back ends.

Nothing is durable here; do not serve a shop from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Offset
from endcap.stores._codec import check_events, check_text, decode_offset
from endcap.stores.urls import check_bare


class MemoryEventLog:
    """An `EventLog` in a list."""

    def __init__(self) -> None:
        self._events: list[bytes] = []
        self._is_closed = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a new, empty log; every `memory://` is another one."""
        check_bare(url)
        return cls()

    async def append(self, events: Sequence[bytes], *, key: str) -> None:
        """Keep the events, in order, until the process ends.

        Raises:
            StoreError: an event is no bytes, or the log is closed.
        """
        check_text("key", [key])
        batch = tuple(events)
        check_events(batch)
        self._check_open()
        self._events.extend(batch)

    async def read(self, *, after: Offset | None = None) -> AsyncIterator[tuple[Offset, bytes]]:
        """Yield what is in the log now, from after the offset (or the start) to the end.

        Raises:
            StoreError: the offset is not of this log, or the log is closed.
        """
        self._check_open()
        end = len(self._events)
        for place in range(decode_offset(after, end=end), end):
            yield str(place + 1), self._events[place]

    async def close(self) -> None:
        """Forget the events; calling twice is harmless."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the event log is closed", where="memory://")
