"""The cache in memory against a plain dictionary with a clock."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from endcap.stores.cache.memory import ENTRY_BYTES, MemoryCache

KEYS = st.sampled_from("abcdef")
VALUES = st.binary(max_size=60)


class CacheAgainstDict(RuleBasedStateMachine):
    """The model knows every value with its end, and the order of use; eviction included."""

    @initialize(max_bytes=st.integers(0, 6 * (ENTRY_BYTES + 61)))
    def open(self, max_bytes):
        self.now_s = 0.0
        self.max_bytes = max_bytes
        self.cache = MemoryCache(max_bytes=max_bytes, clock=lambda: self.now_s)
        self.model = {}  # key -> (value, end), least recently used first

    def size(self):
        return sum(1 + len(value) + ENTRY_BYTES for value, _ in self.model.values())

    @rule(items=st.dictionaries(KEYS, VALUES, max_size=3), ttl_s=st.none() | st.integers(1, 20))
    def set_many(self, items, ttl_s):
        asyncio.run(self.cache.set_many(items, ttl_s=ttl_s))
        for key, value in items.items():
            self.model.pop(key, None)
            if 1 + len(value) + ENTRY_BYTES <= self.max_bytes:
                end = float("inf") if ttl_s is None else self.now_s + ttl_s
                self.model[key] = (value, end)
        while self.size() > self.max_bytes:
            del self.model[next(iter(self.model))]

    @rule(keys=st.lists(KEYS, max_size=4))
    def get_many(self, keys):
        expected = []
        for key in keys:
            value, end = self.model.pop(key, (None, 0.0))
            if self.now_s < end:
                self.model[key] = (value, end)
                expected.append(value)
            else:
                expected.append(None)
        assert asyncio.run(self.cache.get_many(keys)) == expected

    @rule(keys=st.lists(KEYS, max_size=3))
    def delete_many(self, keys):
        asyncio.run(self.cache.delete_many(keys))
        for key in keys:
            self.model.pop(key, None)

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds):
        self.now_s += seconds

    @invariant()
    def is_bounded(self):
        assert self.cache.n_bytes == self.size()
        assert self.cache.n_bytes <= self.max_bytes


CacheAgainstDict.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestCacheAgainstDict = CacheAgainstDict.TestCase
