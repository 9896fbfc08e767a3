"""What the SQLite rows do beyond the laws of every store: durability's failures, and damage."""

import asyncio
import sqlite3

import pytest

from endcap.schema.errors import StoreError
from endcap.stores.rows.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.db"


async def test_a_locked_file_refuses_and_recovers(path):
    store = SqliteStore(path, busy_timeout_s=0.0)
    await store.put_many("users", {"ann": {"n": 1}})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process"):
        await store.put_many("users", {"ann": {"n": 2}, "bob": {"n": 2}})
    with pytest.raises(StoreError, match="another process"):
        await store.delete_many("users", ["ann"])
    assert await store.get_many("users", ["ann", "bob"]) == [{"n": 1}, None]
    other.execute("ROLLBACK")
    other.close()
    await store.put_many("users", {"ann": {"n": 3}})
    assert await store.get_many("users", ["ann"]) == [{"n": 3}]
    await store.close()


async def test_a_batch_is_one_transaction(path):
    """The disk fills up half-way: not even the first row of the batch is kept."""
    store = SqliteStore(path)
    store._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="disk is full, nothing was written"):
        await store.put_many("users", {str(n): {"text": "x" * 1_000} for n in range(200)})
    assert await store.page("users") == ([], None)
    await store.close()


async def test_closing_finishes_what_was_begun(path):
    store = SqliteStore(path)
    write = asyncio.ensure_future(store.put_many("users", {"ann": {"n": 1}}))
    await asyncio.sleep(0)
    await store.close()
    await write
    again = SqliteStore.from_url(f"sqlite:///{path}")
    assert await again.get_many("users", ["ann"]) == [{"n": 1}]
    await again.close()


@pytest.mark.parametrize("data", [b"not json", b"[1]", b"\xff"])
async def test_a_damaged_row_is_named(path, data):
    store = SqliteStore(path)
    await store.put_many("users", {"ann": {"n": 1}})
    store._connection.execute("UPDATE records SET row = ?", (data,))
    with pytest.raises(StoreError, match="stored row is no"):
        await store.get_many("users", ["ann"])
    await store.close()


async def test_the_last_page_is_known_as_the_last(path):
    """A full page that ends the table has no token, so nobody asks for an empty one."""
    store = SqliteStore(path)
    await store.put_many("users", {key: {} for key in "abcd"})
    page, token = await store.page("users", limit=2)
    page, token = await store.page("users", token=token, limit=2)
    assert [key for key, _ in page] == ["c", "d"]
    assert token is None
    await store.close()
