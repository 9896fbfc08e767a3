"""The laws of an `EventLog`, for any back end: subclass, override one fixture, run.

Says nothing about speed, nor about crashes: a crash is each back end's own test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from endcap.schema.errors import StoreError
from endcap.schema.protocols import EventLog, Offset

N_MANY = 2_500
"""More events than a page of any back end here."""


async def read_all(log: EventLog, *, after: Offset | None = None) -> list[bytes]:
    """Return the events from after the offset to the end."""
    return [event async for _, event in log.read(after=after)]


@pytest.mark.asyncio
class EventLogContract:
    """What every event log must do. Override `log`; the suite closes what it returns."""

    @pytest.fixture
    def log(self) -> EventLog:
        """Override: return an empty log."""
        raise NotImplementedError("override the fixture `log`")

    @pytest_asyncio.fixture(autouse=True)
    async def close_log(self, log: EventLog) -> AsyncIterator[None]:
        """Close the log after each test."""
        yield
        await log.close()

    async def test_new_log_is_empty(self, log: EventLog) -> None:
        """Nothing appended, nothing read."""
        assert await read_all(log) == []

    async def test_bytes_come_back_as_they_were(self, log: EventLog) -> None:
        """No byte is changed, whatever it is."""
        events = [b"", b"\x00", b"two\nlines\r\n", bytes(range(256)), b"x" * 100_000]
        await log.append(events, key="user")
        assert await read_all(log) == events

    async def test_events_of_a_key_keep_their_order(self, log: EventLog) -> None:
        """Events of one key are read in the order of their appends, and within an append."""
        for turn in range(10):
            for key in ("ann", "bob"):
                await log.append([f"{key} {turn} {part}".encode() for part in range(3)], key=key)
        found = await read_all(log)
        for name in (b"ann", b"bob"):
            assert [event for event in found if event.startswith(name)] == [
                b"%s %d %d" % (name, turn, part) for turn in range(10) for part in range(3)
            ]

    async def test_reading_consumes_nothing(self, log: EventLog) -> None:
        """Two reads see the same offsets and events."""
        await log.append([b"1", b"2", b"3"], key="user")
        first = [pair async for pair in log.read()]
        assert [pair async for pair in log.read()] == first
        assert len(first) == 3

    async def test_reading_goes_on_after_any_offset(self, log: EventLog) -> None:
        """Reading after an offset yields exactly what follows it."""
        events = [b"%d" % n for n in range(7)]
        await log.append(events, key="user")
        offsets = [offset async for offset, _ in log.read()]
        assert all(isinstance(offset, str) for offset in offsets)
        assert len(set(offsets)) == 7
        for place, offset in enumerate(offsets):
            assert await read_all(log, after=offset) == events[place + 1 :]

    async def test_offset_of_the_end_finds_what_comes_later(self, log: EventLog) -> None:
        """A reader that was at the end sees only what is appended from then on."""
        await log.append([b"old"], key="user")
        (end,) = [offset async for offset, _ in log.read()]
        await log.append([b"new"], key="user")
        assert await read_all(log, after=end) == [b"new"]

    @pytest.mark.parametrize("offset", ["", "no offset", "-1", "1.5", "٣", "9" * 18, "9" * 40])
    async def test_foreign_offset_is_refused(self, log: EventLog, offset: str) -> None:
        """An offset that the log never gave raises, instead of skipping events silently."""
        await log.append([b"1"], key="user")
        with pytest.raises(StoreError):
            await read_all(log, after=offset)

    async def test_many_events_are_read_whole(self, log: EventLog) -> None:
        """Events beyond one page are all read, once, in order."""
        events = [b"%d" % n for n in range(N_MANY)]
        await log.append(events, key="user")
        assert await read_all(log) == events

    async def test_read_ends_although_appends_go_on(self, log: EventLog) -> None:
        """A read yields what was there when it began, so it ends."""
        events = [b"%d" % n for n in range(20)]
        await log.append(events, key="user")
        seen = []
        async for _, event in log.read():
            seen.append(event)
            await log.append([b"later"], key="user")
            assert len(seen) <= 20
        assert seen == events
        assert await read_all(log) == events + [b"later"] * 20

    async def test_abandoned_read_blocks_nothing(self, log: EventLog) -> None:
        """A reader that stops half-way holds up neither appends nor other reads."""
        await log.append([b"1", b"2"], key="user")
        reader = log.read()
        await anext(reader)
        await log.append([b"3"], key="user")
        assert await read_all(log) == [b"1", b"2", b"3"]

    async def test_empty_append_is_nothing(self, log: EventLog) -> None:
        """Appending no events returns, and leaves no trace."""
        await log.append([], key="user")
        assert await read_all(log) == []

    async def test_append_is_all_or_nothing(self, log: EventLog) -> None:
        """One event that is no bytes, and none of the append is kept."""
        with pytest.raises(StoreError):
            await log.append([b"good", "text"], key="user")  # type: ignore[list-item]  # the point
        with pytest.raises(StoreError):
            await log.append([b"good"], key="")
        assert await read_all(log) == []

    async def test_concurrent_appends_all_arrive_once(self, log: EventLog) -> None:
        """Many appends at once: each event is there once, each append in its order."""
        appends = [[b"%d %d" % (n, part) for part in range(3)] for n in range(100)]
        await asyncio.gather(
            *(log.append(events, key=f"user {n}") for n, events in enumerate(appends))
        )
        found = await read_all(log)
        assert sorted(found) == sorted(event for events in appends for event in events)
        for n, events in enumerate(appends):
            assert [event for event in found if event.startswith(b"%d " % n)] == events

    async def test_caller_may_reuse_its_list(self, log: EventLog) -> None:
        """Changing the list while the append waits changes nothing in the log."""
        events = [b"1", b"2"]
        append = asyncio.ensure_future(log.append(events, key="user"))
        await asyncio.sleep(0)
        events.clear()
        await append
        assert await read_all(log) == [b"1", b"2"]

    async def test_cancelled_append_harms_no_other(self, log: EventLog) -> None:
        """A caller that gives up takes nobody else's events along."""
        doomed = asyncio.ensure_future(log.append([b"doomed"], key="ann"))
        other = asyncio.ensure_future(log.append([b"other"], key="bob"))
        await asyncio.sleep(0)
        doomed.cancel()
        await other
        await asyncio.gather(doomed, return_exceptions=True)
        await log.append([b"next"], key="bob")
        found = await read_all(log)
        assert [event for event in found if event != b"doomed"] == [b"other", b"next"]
        assert found.count(b"doomed") <= 1

    async def test_closed_log_says_so(self, log: EventLog) -> None:
        """Closing twice is harmless; using the log afterwards raises."""
        await log.append([b"1"], key="user")
        await log.close()
        await log.close()
        with pytest.raises(StoreError):
            await log.append([b"2"], key="user")
        with pytest.raises(StoreError):
            await read_all(log)


class DurableEventLogContract(EventLogContract):
    """What a log that outlives its process must do. Override `open_log` instead of `log`."""

    @pytest.fixture
    def open_log(self) -> Callable[[], EventLog]:
        """Override: return a function that opens the log, always the same, empty at first."""
        raise NotImplementedError("override the fixture `open_log`")

    @pytest.fixture
    def log(self, open_log: Callable[[], EventLog]) -> EventLog:
        """The log, opened once."""
        return open_log()

    async def test_events_and_offsets_outlive_the_log(
        self, log: EventLog, open_log: Callable[[], EventLog]
    ) -> None:
        """Closed and opened again, the log has the same events under the same offsets."""
        await log.append([b"1", b"2", b"3"], key="user")
        before = [pair async for pair in log.read()]
        await log.close()
        again = open_log()
        try:
            assert [pair async for pair in again.read()] == before
            await again.append([b"4"], key="user")
            assert await read_all(again, after=before[1][0]) == [b"3", b"4"]
        finally:
            await again.close()

    async def test_second_reader_sees_what_was_acknowledged(
        self, log: EventLog, open_log: Callable[[], EventLog]
    ) -> None:
        """Another one who has the log open sees each event as soon as its append returned."""
        second = open_log()
        try:
            for n in range(5):
                await log.append([b"%d" % n], key="user")
                assert await read_all(second) == [b"%d" % m for m in range(n + 1)]
        finally:
            await second.close()

    async def test_closing_keeps_what_waits(
        self, log: EventLog, open_log: Callable[[], EventLog]
    ) -> None:
        """Appends under way when the log closes are kept, or raise; never acknowledged and lost."""
        appends = [asyncio.ensure_future(log.append([b"%d" % n], key="user")) for n in range(50)]
        await asyncio.sleep(0)
        await log.close()
        results = await asyncio.gather(*appends, return_exceptions=True)
        again = open_log()
        try:
            kept = set(await read_all(again))
        finally:
            await again.close()
        assert {b"%d" % n for n, result in enumerate(results) if result is None} <= kept
        assert all(result is None or isinstance(result, StoreError) for result in results)
