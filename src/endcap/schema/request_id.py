"""Ids of requests: their text order is their order in time, so old ones are found without a scan.

Not a secret, and not the id of an event: those are the sender's.
"""

from __future__ import annotations

import secrets

_TIME_DIGITS = 12  # 48 bits of milliseconds, until the year 10889
_RANDOM_BYTES = 10


def new_request_id(now_ms: int) -> str:
    """Return a fresh id, 32 hex digits: the time in milliseconds since 1970, then chance."""
    return f"{now_ms:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_BYTES)}"


def first_request_id(time_ms: int) -> str:
    """Return a text that sorts before every id of this moment or later, after all earlier ones."""
    return f"{max(time_ms, 0):0{_TIME_DIGITS}x}"
