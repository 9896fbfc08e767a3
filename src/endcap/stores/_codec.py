"""What back ends of one kind have in common: checks of what goes in, rows as JSON, offsets, tokens.

Not for anything that only one back end needs.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Offset, Row

MAX_OFFSET_DIGITS = 19  # a signed 64-bit count

# Left on, these would write a value that comes back as another type.
_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def check_text(name: str, values: Iterable[str]) -> None:
    """Raise `StoreError` unless every value is non-empty text that UTF-8 can hold."""
    for value in values:
        if not isinstance(value, str) or not value:
            raise StoreError(f"a {name} must be non-empty text, not {value!r}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StoreError(f"a {name} holds a character that UTF-8 lacks: {value!r}") from error


def check_events(events: Sequence[bytes]) -> None:
    """Raise `StoreError` unless every event is bytes."""
    for event in events:
        if not isinstance(event, bytes):
            raise StoreError(f"an event must be bytes, not {type(event).__name__}")


def check_limit(limit: int) -> None:
    """Raise `StoreError` unless a page may hold at least one row."""
    if limit < 1:
        raise StoreError(f"a page of {limit} rows is no page", mend="Ask for at least one")


def encode_rows(rows: Mapping[str, Row]) -> dict[str, bytes]:
    """Return the rows as JSON, before anything is written.

    Raises:
        StoreError: a key is not text, or a row holds something that JSON lacks, such as NaN.
    """
    check_text("key", rows)
    return {key: _encode_row(key, row) for key, row in rows.items()}


def decode_row(data: bytes) -> dict[str, Any]:
    """Return the row that `encode_rows` wrote; a fresh one, that the caller may change.

    Raises:
        StoreError: the bytes are no JSON object.
    """
    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StoreError(
            "a stored row is not JSON", mend="Restore the store from a copy"
        ) from error
    if not isinstance(row, dict):
        raise StoreError("a stored row is no JSON object", mend="Restore the store from a copy")
    return row


def decode_offset(offset: Offset | None, *, end: int) -> int:
    """Return after how many events a read starts, for logs whose offsets are counts.

    Raises:
        StoreError: it lies beyond the end, so it is of another log or of one begun anew.
    """
    if offset is None:
        return 0
    is_count = offset.isascii() and offset.isdecimal() and len(offset) <= MAX_OFFSET_DIGITS
    if not is_count or int(offset) > end:
        raise StoreError(
            f"{offset!r} is no offset of this log",
            mend="Read from the start, or give the offset of an event that this log returned",
        )
    return int(offset)


def encode_token(key: str) -> str:
    """Return the page token that goes on after the key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def decode_token(token: str | None) -> str:
    """Return the key after which a page starts; empty, which sorts first, for the first page.

    Raises:
        StoreError: no page has given this token.
    """
    if token is None:
        return ""
    try:
        key = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise StoreError(
            f"{token!r} is no page token", mend="Pass the token of the page before, unchanged"
        ) from error
    return key


def _encode_row(key: str, row: Row) -> bytes:
    try:
        data = orjson.dumps(dict(row), option=_STRICT)
        if b"null" in data:
            # orjson writes NaN and infinity as null, silently; the slow encoder refuses them.
            json.dumps(dict(row), allow_nan=False, default=str)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the row {key!r} cannot be kept as JSON: {error}",
            mend="Use text keys, text, finite numbers, true, false, None, lists and mappings",
        ) from error
    return data
