from __future__ import annotations

import asyncio

import pytest

from endcap.feedback.impressions import TABLE, Impressions
from endcap.schema.errors import StoreError


class FragileStore:
    def __init__(self) -> None:
        self.rows: dict[str, dict] = {}
        self.n_calls = 0
        self.is_broken = False
        self.wrote = asyncio.Event()

    async def get_many(self, table, keys):
        assert table == TABLE
        return [self.rows.get(key) for key in keys]

    async def put_many(self, table, rows):
        assert table == TABLE
        self.n_calls += 1
        if self.is_broken:
            raise StoreError("unreachable")
        self.rows.update(rows)
        self.wrote.set()


@pytest.fixture
def store():
    return FragileStore()


async def test_a_slate_is_found_before_and_after_it_is_written(store):
    impressions = Impressions(store)
    impressions.record("r1", {"user_id": "ann"})
    assert await impressions.find("r1") == {"user_id": "ann"}
    await impressions.flush()
    assert store.rows == {"r1": {"user_id": "ann"}}
    assert await impressions.find("r1") == {"user_id": "ann"}
    assert await impressions.find("r2") is None


async def test_slates_are_written_behind_in_batches(store):
    impressions = Impressions(store)
    impressions.start()
    for number in range(100):
        impressions.record(f"r{number}", {})
    await asyncio.wait_for(store.wrote.wait(), 5)
    await impressions.close()
    assert len(store.rows) == 100
    assert store.n_calls == 1
    assert impressions.n_written == 100


async def test_pages_a_moment_apart_share_one_write(store):
    impressions = Impressions(store, linger_s=0.02)
    impressions.start()
    impressions.record("r1", {})
    await asyncio.sleep(0.005)
    impressions.record("r2", {})
    await store.wrote.wait()
    assert set(store.rows) == {"r1", "r2"}
    assert store.n_calls == 1
    await impressions.close()


async def test_a_full_queue_drops_and_counts(store):
    impressions = Impressions(store, max_waiting=2)
    assert [impressions.record(f"r{number}", {}) for number in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert impressions.n_dropped == 2
    await impressions.flush()
    assert impressions.record("r5", {})


async def test_a_store_that_comes_back_gets_what_waited(store):
    store.is_broken = True
    impressions = Impressions(store, retry_s=0)
    impressions.start()
    impressions.record("r1", {})
    while store.n_calls < 2:
        await asyncio.sleep(0)
    store.is_broken = False
    await asyncio.wait_for(store.wrote.wait(), 5)
    assert "r1" in store.rows
    assert impressions.n_dropped == 0
    await impressions.close()


async def test_close_writes_what_waits_and_may_be_called_twice(store):
    impressions = Impressions(store)
    impressions.start()
    impressions.record("r1", {})
    await impressions.close()
    await impressions.close()
    assert "r1" in store.rows


async def test_close_counts_what_the_store_refuses(store):
    store.is_broken = True
    impressions = Impressions(store, retry_s=0)
    impressions.record("r1", {})
    await impressions.close()
    assert impressions.n_dropped == 1
    assert len(impressions) == 0


async def test_a_slate_recorded_again_while_it_is_written_is_not_lost(store):
    impressions = Impressions(store)
    impressions.record("r1", {"n": 1})
    inner = store.put_many

    async def put_many(table, rows):
        if not store.rows:
            impressions.record("r1", {"n": 2})
        await inner(table, rows)

    store.put_many = put_many
    await impressions.flush()
    assert store.rows["r1"] == {"n": 2}
