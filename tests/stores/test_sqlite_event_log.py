"""What the SQLite event log does beyond the laws of every log: group commit, and each failure."""

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest

from endcap.schema.errors import StoreError
from endcap.stores.events import sqlite as module
from endcap.stores.events.sqlite import SqliteEventLog
from endcap.stores.rows.sqlite import SqliteStore
from endcap.testing.events import read_all


@asynccontextmanager
async def opened(path, **options):
    log = SqliteEventLog(path, **options)
    try:
        yield log
    finally:
        await log.close()


@contextmanager
def locked(path):
    """Hold the write lock as another process would."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


async def test_an_append_alone_is_one_commit(path):
    async with opened(path) as log:
        for n in range(3):
            await log.append([b"a", b"b"], key="user")
            assert log.n_commits == n + 1


async def test_appends_that_wait_for_the_disk_share_a_commit(path):
    """The lock stands for a slow disk: the first group waits, all the others become the second."""
    async with opened(path) as log:
        with locked(path):
            appends = [
                asyncio.ensure_future(log.append([b"%d" % n], key="user")) for n in range(200)
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*appends)
        assert 1 <= log.n_commits <= 2
        assert await read_all(log) == [b"%d" % n for n in range(200)]


async def test_concurrent_appends_need_fewer_commits(path):
    async def post(user):
        for n in range(20):
            await log.append([b"%d %d" % (user, n)], key=str(user))

    async with opened(path) as log:
        await asyncio.gather(*(post(user) for user in range(32)))
        assert log.n_commits < 32 * 20 / 4
        assert len(set(await read_all(log))) == 32 * 20


async def test_a_group_is_bounded(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUP_APPENDS", 10)
    async with opened(path) as log:
        with locked(path):
            appends = [
                asyncio.ensure_future(log.append([b"%d" % n], key="user")) for n in range(95)
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*appends)
        assert log.n_commits >= 10
        assert await read_all(log) == [b"%d" % n for n in range(95)]


async def test_nothing_is_acknowledged_before_it_is_committed(path):
    async with opened(path) as log:
        with locked(path):
            append = asyncio.ensure_future(log.append([b"1"], key="user"))
            # Reading goes through threads, so the writer has had its time too.
            for _ in range(5):
                assert await read_all(log) == []
            assert not append.done()
        await append
        assert await read_all(log) == [b"1"]


async def test_a_locked_log_refuses_and_recovers(path):
    async with opened(path, busy_timeout_s=0.0) as log:
        await log.append([b"before"], key="user")
        with locked(path):
            results = await asyncio.gather(
                *(log.append([b"%d" % n], key="user") for n in range(5)), return_exceptions=True
            )
        assert [type(result) for result in results] == [StoreError] * 5
        assert "another process" in str(results[0])
        assert "try again" in results[0].mend
        await log.append([b"after"], key="user")
        assert await read_all(log) == [b"before", b"after"]


async def test_a_failed_group_leaves_nothing(path, monkeypatch):
    """The disk fills up in the middle of a group: nobody in it is acknowledged, nothing is kept."""

    def insert_half(connection, rows):
        real_insert(connection, rows[: len(rows) // 2])
        connection.execute("PRAGMA max_page_count = 1")
        real_insert(connection, [(key, b"x" * 100_000) for key, _ in rows])

    real_insert = module._insert
    async with opened(path) as log:
        await log.append([b"before"], key="user")
        monkeypatch.setattr(module, "_insert", insert_half)
        with pytest.raises(StoreError, match="disk is full, nothing was written"):
            await log.append([b"1", b"2"], key="user")
        assert await read_all(log) == [b"before"]


async def test_a_fault_of_any_kind_reaches_the_caller_and_spares_the_writer(path, monkeypatch):
    def fail(connection, rows):
        raise ZeroDivisionError("planted")

    real_insert = module._insert
    async with opened(path) as log:
        monkeypatch.setattr(module, "_insert", fail)
        with pytest.raises(ZeroDivisionError, match="planted"):
            await log.append([b"1"], key="user")
        monkeypatch.setattr(module, "_insert", real_insert)
        await log.append([b"2"], key="user")
        assert await read_all(log) == [b"2"]


async def test_one_append_of_many_events_is_one_commit(path):
    events = [b"%d" % n for n in range(3 * module._MAX_ROWS_PER_INSERT + 1)]
    async with opened(path) as log:
        await log.append(events, key="user")
        assert log.n_commits == 1
        assert await read_all(log) == events


async def test_pages_are_bounded_by_events_and_by_bytes(path, monkeypatch):
    pages = []
    real_page = SqliteEventLog._read_page

    def read_page(self, place, end):
        pages.append(real_page(self, place, end))
        return pages[-1]

    monkeypatch.setattr(SqliteEventLog, "_read_page", read_page)
    monkeypatch.setattr(module, "MAX_PAGE_EVENTS", 4)
    monkeypatch.setattr(module, "MAX_PAGE_BYTES", 100)
    events = [b"small"] * 9 + [b"x" * 99, b"y" * 200, b"z"]
    async with opened(path) as log:
        await log.append(events, key="user")
        assert await read_all(log) == events
    assert [len(page) for page in pages] == [4, 4, 2, 1, 1]


async def test_an_event_beyond_the_limit_spoils_no_group(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 10)
    async with opened(path) as log:
        results = await asyncio.gather(
            log.append([b"good"], key="user"),
            log.append([b"x" * 11], key="user"),
            return_exceptions=True,
        )
        assert results[0] is None
        assert isinstance(results[1], StoreError)
        assert await read_all(log) == [b"good"]


async def test_numbers_are_never_given_twice(path):
    """A saved offset stays true even if somebody deletes the newest events by hand."""
    async with opened(path) as log:
        await log.append([b"1", b"2"], key="user")
        *_, end = [offset async for offset, _ in log.read()]
        with sqlite3.connect(path) as other:
            other.execute("DELETE FROM events")
        other.close()
        assert await read_all(log) == []
        await log.append([b"3"], key="user")
        assert await read_all(log, after=end) == [b"3"]


async def test_the_log_serves_several_event_loops(path):
    """A test, or a tool in a thread, may use the log from a loop of its own."""
    async with opened(path) as log:
        await log.append([b"here"], key="user")
        await asyncio.to_thread(asyncio.run, log.append([b"there"], key="user"))
        assert await read_all(log) == [b"here", b"there"]


def test_a_caller_whose_loop_has_ended_holds_up_nobody(path):
    log = SqliteEventLog(path)

    async def begin():
        append = log.append([b"nobody waits"], key="user")
        append.send(None)
        append.close()

    async def go_on():
        await log.append([b"next"], key="user")
        found = await read_all(log)
        await log.close()
        return found

    with locked(path):
        asyncio.run(begin())
    assert asyncio.run(go_on()) == [b"nobody waits", b"next"]


async def test_giving_up_during_the_commit_harms_no_other_of_the_group(path, monkeypatch):
    """Two appends are one group, because the writer is busy; one of them is cancelled inside."""
    loop = asyncio.get_running_loop()
    has_begun, are_queued, is_cancelled = (threading.Event() for _ in range(3))
    appends = []
    real_insert = module._insert

    def cancel():
        appends[0].cancel()
        is_cancelled.set()

    def insert(connection, rows):
        if rows == [("user", b"first")]:
            has_begun.set()
            assert are_queued.wait(10)
        else:
            loop.call_soon_threadsafe(cancel)
            assert is_cancelled.wait(10)
        real_insert(connection, rows)

    monkeypatch.setattr(module, "_insert", insert)
    async with opened(path) as log:
        first = asyncio.ensure_future(log.append([b"first"], key="user"))
        assert await asyncio.to_thread(has_begun.wait, 10)
        appends += [asyncio.ensure_future(log.append([b"%d" % n], key="user")) for n in range(2)]
        await asyncio.sleep(0)
        are_queued.set()
        await first
        await appends[1]
        assert log.n_commits == 2
        assert appends[0].cancelled()
        assert await read_all(log) == [b"first", b"0", b"1"]


async def test_closing_commits_all_that_waits(path):
    log = SqliteEventLog(path)
    with locked(path):
        appends = [asyncio.ensure_future(log.append([b"%d" % n], key="user")) for n in range(50)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(log.close())
        await asyncio.sleep(0)
    await closing
    assert await asyncio.gather(*appends) == [None] * 50
    async with opened(path) as again:
        assert await read_all(again) == [b"%d" % n for n in range(50)]


async def test_a_read_of_several_pages_ends_where_the_log_ended(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PAGE_EVENTS", 4)
    async with opened(path) as log:
        await log.append([b"%d" % n for n in range(10)], key="user")
        seen = []
        async for _, event in log.read():
            seen.append(event)
            await log.append([b"later"], key="user")
        assert seen == [b"%d" % n for n in range(10)]


async def test_damage_is_refused_while_reading(path):
    async with opened(path) as log:
        await log.append([b"x" * 2_000 for _ in range(100)], key="user")
    data = bytearray(path.read_bytes())
    data[40_960:81_920] = b"\xff" * 40_960
    path.write_bytes(data)
    async with opened(path) as log:
        with pytest.raises(StoreError, match="damaged"):
            await read_all(log)


async def test_rows_and_events_do_not_share_a_file(path):
    async with opened(path) as log:
        await log.append([b"1"], key="user")
        with pytest.raises(StoreError, match="a file of its own"):
            SqliteStore(path)


async def test_an_unused_log_starts_no_thread_and_closes(path):
    log = SqliteEventLog.from_url(f"sqlite:///{path}")
    assert await read_all(log) == []
    assert log._writer is None
    await log.close()
