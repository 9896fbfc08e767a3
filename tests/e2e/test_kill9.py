"""The promise of `POST /v1/events`: what was acknowledged survives a kill -9, exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import orjson
import pytest

from endcap.bundle.write import current
from endcap.stores.events.sqlite import SqliteEventLog
from server_process import ServerProcess

N_EVENTS = 2000
N_CONNECTIONS = 8
KILL_AFTER = 900
KINDS = ("view", "cart", "purchase")


def event(number: int) -> dict:
    return {
        "event_id": f"kill-{number}",
        "kind": KINDS[number % 3],
        "user_id": f"user-{number % 40:02d}",
        "item_id": f"item-{number % 300:03d}",
    }


async def ids_in_log(path: Path) -> Counter[str]:
    log = SqliteEventLog(path)
    try:
        return Counter([orjson.loads(record)["event_id"] async for _, record in log.read()])
    finally:
        await log.close()


async def post_until_it_dies(server: ServerProcess) -> set[str]:
    """Return the ids that were acknowledged; kills the server after `KILL_AFTER` of them."""
    acknowledged: set[str] = set()

    async def post(numbers: range) -> None:
        async with httpx.AsyncClient(base_url=server.address) as client:
            for number in numbers:
                try:
                    response = await client.post("/v1/events", json=event(number))
                except httpx.TransportError:
                    return
                assert response.status_code == 200, response.text
                acknowledged.update(response.json()["event_ids"])
                if len(acknowledged) == KILL_AFTER:
                    server.process.kill()

    await asyncio.gather(
        *(post(range(start, N_EVENTS, N_CONNECTIONS)) for start in range(N_CONNECTIONS))
    )
    return acknowledged


async def post_all(server: ServerProcess) -> Counter[str]:
    outcome: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=server.address) as client:
        for start in range(0, N_EVENTS, 500):
            batch = [event(number) for number in range(start, start + 500)]
            receipt = (await client.post("/v1/events", json={"events": batch})).json()
            outcome.update(accepted=receipt["accepted"], duplicates=receipt["duplicates"])
    return outcome


@pytest.mark.slow
async def test_every_acknowledged_event_survives_a_kill_exactly_once(bundle_root, tmp_path):
    folder, log_path = current(bundle_root), tmp_path / "events.db"
    with ServerProcess(folder, tmp_path) as server:
        acknowledged = await post_until_it_dies(server)
        server.kill()
    assert KILL_AFTER <= len(acknowledged) < N_EVENTS

    survived = await ids_in_log(log_path)
    assert set(survived) >= acknowledged
    assert max(survived.values()) == 1

    with ServerProcess(folder, tmp_path) as server:
        async with httpx.AsyncClient(base_url=server.address) as client:
            ready = (await client.get("/readyz")).json()
            assert ready["live_events"] == len(survived)
        outcome = await post_all(server)
        assert outcome == {"accepted": N_EVENTS - len(survived), "duplicates": len(survived)}
        again = await post_all(server)
        assert again == {"accepted": 0, "duplicates": N_EVENTS}
        said, complaint = server.stop()
    assert "stopped" in said
    assert server.process.returncode == 0, complaint

    final = await ids_in_log(log_path)
    assert final == Counter(f"kill-{number}" for number in range(N_EVENTS))
