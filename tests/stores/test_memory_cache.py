"""What the cache in memory does beyond the laws of every cache: bounds, eviction, exact times."""

import tracemalloc

import pytest

from endcap.schema.errors import StoreError
from endcap.stores.cache.memory import DEFAULT_MAX_BYTES, ENTRY_BYTES, MemoryCache


def room_for(n_entries):
    """Return the bytes that hold n entries of a one-letter key and ten bytes."""
    return n_entries * (1 + 10 + ENTRY_BYTES)


async def test_the_least_recently_used_goes_first():
    cache = MemoryCache(max_bytes=room_for(3))
    await cache.set_many(dict.fromkeys("abc", b"0123456789"))
    await cache.get_many(["a"])
    await cache.set_many({"b": b"9876543210"})
    await cache.set_many({"d": b"0123456789"})
    assert [value is not None for value in await cache.get_many("abcd")] == [
        *(True, True, False, True)
    ]


async def test_bytes_are_bounded_and_counted():
    cache = MemoryCache(max_bytes=room_for(3))
    for n in range(10):
        await cache.set_many({str(n): b"0123456789"})
        assert cache.n_bytes == room_for(min(n + 1, 3))
    await cache.set_many({"9": b""})
    assert cache.n_bytes == room_for(3) - 10
    await cache.delete_many(["9"])
    assert cache.n_bytes == room_for(2)
    await cache.close()
    assert cache.n_bytes == 0


async def test_a_value_that_never_fits_is_not_kept_and_evicts_nobody():
    cache = MemoryCache(max_bytes=room_for(2))
    await cache.set_many({"a": b"1", "b": b"2"})
    await cache.set_many({"b": b"x" * room_for(2)})
    assert await cache.get_many(["a", "b"]) == [b"1", None]


async def test_a_value_lives_until_its_last_instant():
    now_s = [5.0]
    cache = MemoryCache(clock=lambda: now_s[0])
    await cache.set_many({"a": b"1"}, ttl_s=2.0)
    now_s[0] = 6.999
    assert await cache.get_many(["a"]) == [b"1"]
    now_s[0] = 7.0
    assert await cache.get_many(["a"]) == [None]
    assert cache.n_bytes == 0


async def test_memory_taken_is_what_was_counted():
    """The bound is one of real memory: small entries cost mostly their overhead."""
    n_entries = 5_000
    cache = MemoryCache()
    tracemalloc.start()
    try:
        for n in range(n_entries):
            await cache.set_many({f"user:{n}": b"%08d" % n}, ttl_s=60.0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 * cache.n_bytes < taken <= cache.n_bytes


async def test_the_url_sets_the_bound():
    cache = MemoryCache.from_url(f"memory://?max_bytes={room_for(1)}")
    await cache.set_many(dict.fromkeys("ab", b"0123456789"))
    assert await cache.get_many("ab") == [None, b"0123456789"]
    assert room_for(1000) < DEFAULT_MAX_BYTES
    await MemoryCache.from_url("memory://").close()


@pytest.mark.parametrize("bound", ["0", "-1", "1.5", "64MB", "", "9" * 30])
def test_a_bound_that_is_no_number_is_refused(bound):
    with pytest.raises(StoreError, match="max_bytes"):
        MemoryCache.from_url(f"memory://?max_bytes={bound}")
