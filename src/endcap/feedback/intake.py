"""The one way in for events: durable first, then known to the next page, then acknowledged.

Where user ids are pseudonyms, it makes them here, so that the log never holds another id. Knows
nothing of HTTP; what a shop sent is checked in `arrivals.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from endcap.feedback.state import LiveState
from endcap.schema.errors import StoreError
from endcap.schema.events import Event
from endcap.schema.protocols import EventLog
from endcap.schema.pseudonym import KEEP, Door
from endcap.schema.types import UserId

_YIELD_EVERY = 2000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch; every id in it is durable now.

    accepted: events written by this call.
    duplicates: events whose id was known before, or came twice in the batch.
    event_ids: one an event, in the order they were sent.
    """

    accepted: int
    duplicates: int
    event_ids: tuple[str, ...]


class Intake:
    """Takes events in: idempotent by event id, also against posts that are still under way.

    The first event of an id counts; a later one with other content is a duplicate all the same.

    Args:
        log: where events become durable.
        state: told of each event after the log has it.
        clock_shift_us: wall time minus this is the time line of the bundle.
        door: what user ids pass on their way in; as they are when None.
    """

    def __init__(
        self,
        log: EventLog,
        state: LiveState,
        *,
        clock_shift_us: int = 0,
        door: Door | None = None,
    ) -> None:
        self._log = log
        self._state = state
        self._clock_shift_us = clock_shift_us
        self.door = door or Door()
        self._writing: dict[str, asyncio.Future[None]] = {}
        self._is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether the log was read to its end, so that a duplicate can be told."""
        return self._is_ready

    async def replay(self) -> int:
        """Rebuild the state from the log and return how many events it holds.

        Raises:
            StoreError: the log cannot be read.
            EventError: a record is of a version that this release does not know.
        """
        n_read = 0
        async for _, record in self._log.read():
            self._apply(self._logged(Event.decode(record)))
            n_read += 1
            if n_read % _YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a health probe must be answered meanwhile
        self._is_ready = True
        return n_read

    async def accept(self, events: Sequence[Event]) -> Receipt:
        """Return once every event is durable and part of the state; or raise.

        Their users are named as callers name them; the log and the state get the ids inside.

        After an error nothing is acknowledged. Events that became durable before it are part of
        the state; sending everything again is right, and counts them as duplicates.

        Raises:
            StoreError: the log cannot be written or is not replayed yet.
        """
        if not self._is_ready:
            raise StoreError("the event log is still being read", mend="Try again in a moment")
        # A caller that goes away must not part the log from the state.
        inside = [self._inside(event) for event in events]
        return await asyncio.shield(asyncio.ensure_future(self._accept(inside)))

    def _inside(self, event: Event) -> Event:
        if self.door.user_ids == KEEP:
            return event
        return replace(event, user_id=self.door.inside(event.user_id))

    def _logged(self, event: Event) -> Event:
        """Return an event of the log, which may be older than the key, under the id inside."""
        if self.door.user_ids == KEEP:
            return event
        return replace(event, user_id=self.door.from_log(event.user_id))

    async def _accept(self, events: Sequence[Event]) -> Receipt:
        accepted = 0
        pending: dict[str, Event] = {}
        for event in events:
            pending.setdefault(event.event_id, event)
        while pending:
            fresh = [event for event in pending.values() if not self._state.has(event.event_id)]
            mine = [event for event in fresh if event.event_id not in self._writing]
            others = [
                self._writing[event.event_id] for event in fresh if event.event_id in self._writing
            ]
            await self._write(mine)
            accepted += len(mine)
            if others:
                await asyncio.wait(others)  # theirs may have failed: then it is ours to write
            pending = {
                event.event_id: event for event in fresh if not self._state.has(event.event_id)
            }
        return Receipt(
            accepted=accepted,
            duplicates=len(events) - accepted,
            event_ids=tuple(event.event_id for event in events),
        )

    async def _write(self, events: Sequence[Event]) -> None:
        by_user: dict[UserId, list[Event]] = {}
        for event in events:
            by_user.setdefault(event.user_id, []).append(event)
        written = asyncio.get_running_loop().create_future()
        self._writing.update((event.event_id, written) for event in events)
        try:
            outcomes = await asyncio.gather(
                *(self._append(user_id, group) for user_id, group in by_user.items()),
                return_exceptions=True,
            )
        finally:
            for event in events:
                del self._writing[event.event_id]
            written.set_result(None)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _append(self, user_id: UserId, events: Sequence[Event]) -> None:
        await self._log.append([event.encode() for event in events], key=user_id)
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        self._state.apply(event, event.ts - self._clock_shift_us)
