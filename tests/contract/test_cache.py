"""The laws of a cache, over every back end that we bring."""

import pytest

from endcap.stores.cache.memory import MemoryCache
from endcap.testing.cache import CacheContract


class TestMemoryCache(CacheContract):
    ttl_s = 60.0

    @pytest.fixture
    def clock(self):
        return [1000.0]

    @pytest.fixture
    def cache(self, clock):
        return MemoryCache(clock=lambda: clock[0])

    @pytest.fixture
    def advance(self, clock):
        async def advance(seconds):
            clock[0] += seconds

        return advance
