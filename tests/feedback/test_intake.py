from __future__ import annotations

import asyncio

import pytest

from endcap.feedback.intake import Intake
from endcap.feedback.state import LiveState
from endcap.schema.columns import Kind
from endcap.schema.errors import EventError, StoreError
from endcap.schema.events import Event


class GatedLog:
    """A log whose appends wait for `gate` and fail while `is_broken`."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.keys: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_broken = False
        self.broken_keys: set[str] = set()

    async def append(self, events, *, key):
        await self.gate.wait()
        if self.is_broken or key in self.broken_keys:
            raise StoreError("the disk is full", where="events")
        self.records.extend(events)
        self.keys.append(key)

    async def read(self, *, after=None):
        for number, record in enumerate(self.records):
            yield str(number), record

    async def close(self):
        pass

    def ids(self) -> list[str]:
        return [Event.decode(record).event_id for record in self.records]


def event(event_id, *, user="ann", ts=1_000):
    return Event(event_id=event_id, kind=Kind.PURCHASE, user_id=user, item_id="milk", ts=ts)


@pytest.fixture
def log():
    return GatedLog()


@pytest.fixture
def state():
    return LiveState({"milk": 0})


@pytest.fixture
async def intake(log, state):
    intake = Intake(log, state, clock_shift_us=400)
    await intake.replay()
    return intake


async def test_an_event_is_in_the_log_and_in_the_state_when_it_is_acknowledged(intake, log, state):
    receipt = await intake.accept([event("e1"), event("e2")])
    assert (receipt.accepted, receipt.duplicates) == (2, 0)
    assert receipt.event_ids == ("e1", "e2")
    assert log.ids() == ["e1", "e2"]
    assert state.version("ann") == 2


async def test_the_state_lives_in_the_time_of_the_data(intake, state):
    await intake.accept([event("e1", ts=1_000)])
    assert state.recent("ann")[0].ts == 600


async def test_a_repeated_event_is_acknowledged_and_not_written_again(intake, log, state):
    await intake.accept([event("e1")])
    receipt = await intake.accept([event("e1"), event("e2")])
    assert (receipt.accepted, receipt.duplicates) == (1, 1)
    assert receipt.event_ids == ("e1", "e2")
    assert log.ids() == ["e1", "e2"]


async def test_a_batch_may_repeat_itself(intake, log):
    receipt = await intake.accept([event("e1"), event("e1"), event("e2")])
    assert (receipt.accepted, receipt.duplicates) == (2, 1)
    assert log.ids() == ["e1", "e2"]


async def test_each_visitor_is_a_key_of_the_log(intake, log):
    await intake.accept([event("e1"), event("e2", user="bob"), event("e3")])
    assert sorted(log.keys) == ["ann", "bob"]
    ann = [number for number, one in enumerate(log.ids()) if one in {"e1", "e3"}]
    assert log.ids()[ann[0]] == "e1"


async def test_the_same_event_from_many_connections_at_once_is_written_once(intake, log):
    log.gate.clear()
    posts = [asyncio.create_task(intake.accept([event("e1")])) for _ in range(20)]
    await asyncio.sleep(0)
    assert not any(post.done() for post in posts)
    log.gate.set()
    receipts = await asyncio.gather(*posts)
    assert log.ids() == ["e1"]
    assert sum(receipt.accepted for receipt in receipts) == 1
    assert sum(receipt.duplicates for receipt in receipts) == 19


async def test_nothing_is_acknowledged_before_it_is_durable(intake, log, state):
    log.gate.clear()
    post = asyncio.create_task(intake.accept([event("e1")]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not post.done()
    assert state.version("ann") == 0
    log.gate.set()
    await post


async def test_a_log_that_fails_acknowledges_nothing(intake, log, state):
    log.is_broken = True
    with pytest.raises(StoreError):
        await intake.accept([event("e1")])
    assert len(state) == 0
    log.is_broken = False
    receipt = await intake.accept([event("e1")])
    assert receipt.accepted == 1
    assert log.ids() == ["e1"]


async def test_a_waiting_post_takes_over_when_the_first_one_fails(intake, log):
    log.gate.clear()
    log.is_broken = True
    first = asyncio.create_task(intake.accept([event("e1")]))
    for _ in range(3):
        await asyncio.sleep(0)
    second = asyncio.create_task(intake.accept([event("e1"), event("e2")]))
    for _ in range(3):
        await asyncio.sleep(0)
    log.gate.set()
    with pytest.raises(StoreError):
        await first
    log.is_broken = False
    outcome = (await asyncio.gather(second, return_exceptions=True))[0]
    if isinstance(
        outcome, StoreError
    ):  # its own part failed with the log: it retries as a shop does
        outcome = await intake.accept([event("e1"), event("e2")])
    assert outcome.accepted == 2
    assert sorted(log.ids()) == ["e1", "e2"]


async def test_when_half_a_batch_fails_a_retry_writes_only_the_other_half(intake, log, state):
    log.broken_keys = {"bob"}
    batch = [event("e1"), event("e2", user="bob")]
    with pytest.raises(StoreError):
        await intake.accept(batch)
    assert state.version("ann") == 1
    log.broken_keys = set()
    receipt = await intake.accept(batch)
    assert (receipt.accepted, receipt.duplicates) == (1, 1)
    assert sorted(log.ids()) == ["e1", "e2"]


async def test_a_caller_that_goes_away_does_not_part_the_log_from_the_state(intake, log, state):
    log.gate.clear()
    post = asyncio.create_task(intake.accept([event("e1")]))
    for _ in range(3):
        await asyncio.sleep(0)
    post.cancel()
    with pytest.raises(asyncio.CancelledError):
        await post
    log.gate.set()
    receipt = await intake.accept([event("e1")])
    assert receipt.duplicates == 1
    assert log.ids() == ["e1"]
    assert state.version("ann") == 1


async def test_replay_rebuilds_the_state_and_its_duplicates(log, state):
    log.records = [event("e1").encode(), event("e2").encode(), event("e1").encode()]
    intake = Intake(log, state)
    assert not intake.is_ready
    assert await intake.replay() == 3
    assert intake.is_ready
    assert state.version("ann") == 2
    assert (await intake.accept([event("e2")])).duplicates == 1


async def test_before_the_replay_nothing_is_taken(log, state):
    with pytest.raises(StoreError, match="still being read"):
        await Intake(log, state).accept([event("e1")])
    assert log.records == []


async def test_a_record_of_a_newer_release_stops_the_replay(log, state):
    log.records = [b'{"v": 99}']
    intake = Intake(log, state)
    with pytest.raises(EventError, match="known version"):
        await intake.replay()
    assert not intake.is_ready
