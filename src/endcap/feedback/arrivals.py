"""From what a shop sent to checked events; a batch is taken whole or not at all.

Makes up the event id and the time where the shop left them out. Stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from endcap.schema.errors import EventError
from endcap.schema.events import Event, parse_event
from endcap.schema.types import SECOND_US


@dataclass(frozen=True, slots=True)
class BadField:
    """One thing that is wrong with what was sent; `index` counts from 0."""

    index: int
    field: str
    reason: str


class BadEventsError(EventError):
    """What was sent is refused as a whole; `fields` says for each bad entry why."""

    def __init__(self, fields: Sequence[BadField]) -> None:
        self.fields = tuple(fields)
        first = self.fields[0]
        super().__init__(f"event {first.index}: {first.reason}", where=first.field)


@dataclass(frozen=True, slots=True)
class ArrivalRules:
    """Limits on what is taken.

    max_ahead_s: a time further ahead of our clock is a unit mistake or a wrong clock, and would
        outweigh every honest event in the time-decayed counts.
    min_ts_us: 2000-01-01; an earlier time is seconds or milliseconds, and the event would be
        acknowledged and then be part of no page.
    """

    max_batch: int = 1000
    max_ahead_s: float = 300.0
    min_ts_us: int = 946_684_800_000_000


def read_events(
    body: object, *, now_us: int, new_id: Callable[[], str], rules: ArrivalRules
) -> list[Event]:
    """Return the events of a decoded request body, in its order.

    Args:
        body: one event as a mapping, a list of them, or a mapping with such a list under `events`.
        now_us: UTC, microseconds; the time of events without one.
        new_id: makes the id of an event without one.
        rules: see `ArrivalRules`.

    Raises:
        BadEventsError: the shape is wrong, or at least one entry is; every bad entry is named.
    """
    entries = _entries(body)
    if not entries:
        raise BadEventsError([BadField(0, "events", "there is no event")])
    if len(entries) > rules.max_batch:
        reason = f"{len(entries)} events are more than {rules.max_batch} in one request"
        raise BadEventsError([BadField(rules.max_batch, "events", reason)])
    events: list[Event] = []
    bad: list[BadField] = []
    latest_us = now_us + int(rules.max_ahead_s * SECOND_US)
    for index, entry in enumerate(entries):
        try:
            events.append(_event(entry, now_us=now_us, new_id=new_id))
            _check_time(events[-1].ts, earliest_us=rules.min_ts_us, latest_us=latest_us)
        except EventError as error:
            bad.append(BadField(index, error.where, _reason(error)))
    if bad:
        raise BadEventsError(bad)
    return events


def _entries(body: object) -> Sequence[object]:
    if isinstance(body, Mapping):
        inner = body.get("events", [body])
        if isinstance(inner, list):
            return inner
    elif isinstance(body, list):
        return body
    reason = 'send one event, a list of events, or {"events": [...]}'
    raise BadEventsError([BadField(0, "events", reason)])


def _event(entry: object, *, now_us: int, new_id: Callable[[], str]) -> Event:
    if not isinstance(entry, Mapping):
        raise EventError("an event is an object with named fields", where="events")
    record: dict[str, Any] = {name: value for name, value in entry.items() if value is not None}
    record.setdefault("ts", now_us)
    if "event_id" not in record:
        record["event_id"] = new_id()
    return parse_event(record)


def _check_time(ts: int, *, earliest_us: int, latest_us: int) -> None:
    if earliest_us <= ts <= latest_us:
        return
    what = "ts lies in the future" if ts > latest_us else "ts lies before the year 2000"
    raise EventError(what, where="ts", mend="Send UTC microseconds, or leave ts out")


def _reason(error: EventError) -> str:
    return f"{error.what}. {error.mend}" if error.mend else error.what
