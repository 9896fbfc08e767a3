"""The cache of one process: bounded by bytes, the least recently used entry goes first.

For one event loop, not for threads; several servers share nothing through it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from endcap.schema.errors import StoreError
from endcap.stores.urls import options_of, redact

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
ENTRY_BYTES = 320
"""What an entry costs beside its key and value; measured with `tracemalloc`, rounded up."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_s: float
    n_bytes: int


class MemoryCache:
    """A `Cache` in the memory of this process.

    Args:
        max_bytes: bound of keys, values and `ENTRY_BYTES` each together; a value that exceeds it
            alone is not kept.
        clock: seconds that never go back.

    Attributes:
        n_bytes: what the entries take now, those included whose time is over but which nobody has
            asked for since.
    """

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.n_bytes = 0
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a new, empty cache; `memory://?max_bytes=1000000` bounds it.

        Raises:
            StoreError: the bound is no whole number above zero.
        """
        text = options_of(url, known=("max_bytes",)).get("max_bytes", str(DEFAULT_MAX_BYTES))
        if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
            raise StoreError("max_bytes is no whole number above zero", where=redact(url))
        return cls(max_bytes=int(text))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the live values under the keys, in their order; None where there is none."""
        now_s = self._clock()
        return [self._get(key, now_s) for key in keys]

    async def set_many(self, items: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        """Keep the values for ttl_s seconds; until evicted when None.

        Raises:
            StoreError: ttl_s is not above zero.
        """
        if ttl_s is not None and not ttl_s > 0:
            raise StoreError(f"a time to live of {ttl_s} s is not above zero")
        expires_s = float("inf") if ttl_s is None else self._clock() + ttl_s
        for key, value in items.items():
            self._drop(key)
            n_bytes = len(key.encode()) + len(value) + ENTRY_BYTES
            if n_bytes > self._max_bytes:
                continue
            self._entries[key] = _Entry(value, expires_s, n_bytes)
            self.n_bytes += n_bytes
        while self.n_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Forget the keys; a missing one is no error."""
        for key in keys:
            self._drop(key)

    async def close(self) -> None:
        """Forget everything; calling twice is harmless."""
        self._entries.clear()
        self.n_bytes = 0

    def _get(self, key: str, now_s: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now_s >= entry.expires_s:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.n_bytes -= entry.n_bytes
