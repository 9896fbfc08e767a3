from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.serving.lru import Lru


def test_forgets_what_was_not_used_for_longest():
    cache = Lru[str, int](2)
    cache["a"], cache["b"] = 1, 2
    assert cache["a"] == 1
    cache["c"] = 3
    assert sorted(cache) == ["a", "c"]
    with pytest.raises(KeyError):
        cache["b"]


def test_is_a_mapping():
    cache = Lru[str, int](2)
    cache["a"] = 1
    cache["a"] = 2
    assert dict(cache) == {"a": 2}
    del cache["a"]
    assert len(cache) == 0
    assert cache.get("a") is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5))), st.integers(1, 4))
def test_holds_the_last_used(steps, size):
    cache: Lru[int, int] = Lru(size)
    used: list[int] = []
    for writes, key in steps:
        if writes:
            cache[key] = key
        elif key not in cache:
            continue
        else:
            cache[key]
        used = [*(one for one in used if one != key), key][-size:]
    assert list(cache) == used
