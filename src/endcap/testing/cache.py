"""The laws of a `Cache`, for any back end: subclass, override the fixtures, run.

Says nothing about what is evicted when: a cache may forget, but it may not invent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest
import pytest_asyncio

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Cache

Advance: TypeAlias = Callable[[float], Awaitable[None]]


@pytest.mark.asyncio
class CacheContract:
    """What every cache must do. Override `cache`; the suite closes what it returns.

    A cache whose clock can be set also overrides `advance`; others really wait `ttl_s` a few times.
    """

    ttl_s = 0.05

    @pytest.fixture
    def cache(self) -> Cache:
        """Override: return an empty cache with room for a megabyte."""
        raise NotImplementedError("override the fixture `cache`")

    @pytest.fixture
    def advance(self) -> Advance:
        """Return what lets the cache's time pass, in seconds."""
        return asyncio.sleep

    @pytest_asyncio.fixture(autouse=True)
    async def close_cache(self, cache: Cache) -> AsyncIterator[None]:
        """Close the cache after each test."""
        yield
        await cache.close()

    async def test_missing_value_is_none(self, cache: Cache) -> None:
        """A key that was never set has no value."""
        assert await cache.get_many(["a"]) == [None]
        assert await cache.get_many([]) == []

    async def test_values_come_in_the_order_of_the_keys(self, cache: Cache) -> None:
        """Answers stand where their keys stand, also for repeated and missing keys."""
        await cache.set_many({"a": b"1", "b": b"2"})
        assert await cache.get_many(["b", "x", "a", "b"]) == [b"2", None, b"1", b"2"]

    @pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), b"x" * 100_000])
    async def test_bytes_come_back_as_they_were(self, cache: Cache, value: bytes) -> None:
        """No byte is changed; an empty value is a value."""
        await cache.set_many({"ä \U0001f600": value})
        assert await cache.get_many(["ä \U0001f600"]) == [value]

    async def test_value_is_replaced(self, cache: Cache) -> None:
        """The last value set is the one that counts."""
        await cache.set_many({"a": b"old"})
        await cache.set_many({"a": b"new"})
        assert await cache.get_many(["a"]) == [b"new"]

    async def test_deleting_is_idempotent(self, cache: Cache) -> None:
        """A removed key is gone; removing it again, or one that never was, is no error."""
        await cache.set_many({"a": b"1", "b": b"2"})
        for _ in range(2):
            await cache.delete_many(["a", "x"])
        await cache.delete_many([])
        await cache.set_many({})
        assert await cache.get_many(["a", "b"]) == [None, b"2"]

    async def test_value_dies_with_its_time(self, cache: Cache, advance: Advance) -> None:
        """After its time to live a value is gone; without one it stays."""
        await cache.set_many({"a": b"1", "b": b"2"}, ttl_s=self.ttl_s)
        await cache.set_many({"c": b"3"})
        assert await cache.get_many(["a", "b", "c"]) == [b"1", b"2", b"3"]
        await advance(1.1 * self.ttl_s)
        assert await cache.get_many(["a", "b", "c"]) == [None, None, b"3"]

    async def test_setting_again_sets_the_time_again(self, cache: Cache, advance: Advance) -> None:
        """The time to live is that of the last set, whether it lengthens or shortens."""
        await cache.set_many({"longer": b"1"}, ttl_s=self.ttl_s)
        await cache.set_many({"longer": b"2"})
        await cache.set_many({"shorter": b"1"})
        await cache.set_many({"shorter": b"2"}, ttl_s=self.ttl_s)
        await advance(1.1 * self.ttl_s)
        assert await cache.get_many(["longer", "shorter"]) == [b"2", None]

    async def test_reading_does_not_prolong(self, cache: Cache, advance: Advance) -> None:
        """A value that is read again and again still dies in time."""
        await cache.set_many({"a": b"1"}, ttl_s=self.ttl_s)
        for _ in range(3):
            await advance(0.4 * self.ttl_s)
            found = await cache.get_many(["a"])
        assert found == [None]

    @pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("nan")])
    async def test_time_to_live_is_above_zero(self, cache: Cache, ttl_s: float) -> None:
        """A value that may not live at all is a mistake of the caller."""
        with pytest.raises(StoreError):
            await cache.set_many({"a": b"1"}, ttl_s=ttl_s)

    async def test_closing_twice_is_harmless(self, cache: Cache) -> None:
        """The second close does nothing."""
        await cache.set_many({"a": b"1"})
        await cache.close()
        await cache.close()
