"""What a shop tells Endcap about its visitors: one event, its checks and its bytes.

The bytes of `encode` are what the event log holds, so `decode` must read every version ever
written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from endcap.schema.columns import Kind
from endcap.schema.errors import EventError
from endcap.schema.types import ItemId, UserId

VERSION = 1
MAX_ID_LENGTH = 128
MAX_TS_US = 4_102_444_800_000_000  # 2100-01-01: a later time is a unit mistake, not a plan


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a visitor did with one item.

    event_id: chosen by the sender; the same id is counted once, however often it is sent.
    user_id: a known user, or any id that the shop makes up for an anonymous session.
    ts: UTC, microseconds.
    value: quantity for purchases, stars for ratings, 1 otherwise.
    request_id: the page on which it happened, if it happened on one of ours.
    """

    event_id: str
    kind: Kind
    user_id: UserId
    item_id: ItemId
    ts: int
    value: float = 1.0
    request_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("event_id", "user_id", "item_id"):
            check_id(name, getattr(self, name))
        if self.request_id is not None:
            check_id("request_id", self.request_id)
        if not 0 <= self.ts < MAX_TS_US:
            raise EventError(
                f"ts is {self.ts}, which is not between 1970 and 2100",
                where="ts",
                mend="Send UTC microseconds since 1970, or leave ts out",
            )
        if not math.isfinite(self.value):
            raise EventError("value is not a finite number", where="value")

    def encode(self) -> bytes:
        """Return the event as JSON bytes, one line without a line break."""
        record: dict[str, Any] = {
            "v": VERSION,
            "event_id": self.event_id,
            "kind": self.kind.value,
            "user_id": self.user_id,
            "item_id": self.item_id,
            "ts": self.ts,
            "value": self.value,
        }
        if self.request_id is not None:
            record["request_id"] = self.request_id
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()

    @staticmethod
    def decode(data: bytes) -> Event:
        """Return the event that `encode` wrote.

        Raises:
            EventError: the bytes are not an event of a version this release knows.
        """
        try:
            record = json.loads(data)
        except ValueError as error:
            raise EventError("the record is not JSON", where="event log") from error
        if not isinstance(record, dict) or record.get("v") != VERSION:
            raise EventError(
                "the record is not an event of a known version",
                where="event log",
                mend="Read it with a newer release",
            )
        return parse_event(record)


def parse_event(record: Mapping[str, Any]) -> Event:
    """Return the event that a mapping describes; unknown keys are ignored.

    Raises:
        EventError: a field is missing or wrong; `where` names it.
    """
    for name in ("event_id", "kind", "user_id", "item_id", "ts"):
        if name not in record:
            raise EventError(f"{name} is missing", where=name)
    try:
        kind = Kind(record["kind"])
    except ValueError:
        raise EventError(
            f"kind {record['kind']!r} is unknown", where="kind", mend=f"Known: {', '.join(Kind)}"
        ) from None
    ts, value = record["ts"], record.get("value", 1.0)
    if not isinstance(ts, int) or isinstance(ts, bool):
        raise EventError("ts is not a whole number", where="ts", mend="Send UTC microseconds")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise EventError("value is not a number", where="value")
    try:
        value = float(value)
    except OverflowError:  # JSON allows whole numbers of any length
        raise EventError("value is not a finite number", where="value") from None
    return Event(
        event_id=record["event_id"],
        kind=kind,
        user_id=record["user_id"],
        item_id=record["item_id"],
        ts=ts,
        value=value,
        request_id=record.get("request_id"),
    )


def check_id(name: str, value: object) -> None:
    """Raise `EventError` unless the value is printable text of 1 to 128 characters."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= MAX_ID_LENGTH
        or not value.isprintable()
    ):
        raise EventError(
            f"{name} must be printable text of 1 to {MAX_ID_LENGTH} characters", where=name
        )
