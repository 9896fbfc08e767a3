from __future__ import annotations

import asyncio
import time

import pytest

from endcap.feedback.impressions import TABLE, Impressions
from endcap.schema.errors import StoreError
from endcap.schema.request_id import new_request_id
from endcap.stores.rows.memory import MemoryStore


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


async def test_old_slates_are_deleted_and_young_ones_kept():
    store, now_s = MemoryStore(), 1_000_000.0
    impressions = Impressions(store, keep_s=3600, clock_s=lambda: now_s)
    ages_s = [3601, 7200, *(90_000 + number for number in range(450)), 3599, 0]
    ids = [new_request_id(round((now_s - age_s) * 1000)) for age_s in ages_s]
    await store.put_many(TABLE, {request_id: {} for request_id in ids})
    assert await impressions.prune() == 452
    rows, _ = await store.page(TABLE)
    assert [key for key, _ in rows] == ids[-2:]
    assert await impressions.prune() == 0


async def test_pruning_goes_on_beside_the_writing():
    store = MemoryStore()
    old = new_request_id(1)
    await store.put_many(TABLE, {old: {}})
    impressions = Impressions(store, linger_s=0, keep_s=60)
    impressions.start()
    young = new_request_id(time.time_ns() // 1_000_000)
    impressions.record(young, {"user_id": "ann"})
    for _ in range(200):
        await asyncio.sleep(0.005)
        if await store.get_many(TABLE, [old, young]) == [None, {"user_id": "ann"}]:
            break
    assert await store.get_many(TABLE, [old, young]) == [None, {"user_id": "ann"}]
    await impressions.close()


async def test_without_a_limit_all_slates_stay():
    store = MemoryStore()
    await store.put_many(TABLE, {new_request_id(1): {}})
    assert await Impressions(store).prune() == 0


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
