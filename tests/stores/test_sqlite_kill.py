"""A real `kill -9` in the middle of appends: what was acknowledged is there, once, and whole."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from endcap.stores.events.sqlite import SqliteEventLog
from endcap.testing.events import read_all

SOURCE = Path(__file__).resolve().parents[2] / "src"
N_PARTS = 3

APPEND_FOREVER = f"""
import asyncio, os, sys
from pathlib import Path
from endcap.stores.events.sqlite import SqliteEventLog

log = SqliteEventLog(Path(sys.argv[1]))

async def post(user):
    for n in range(1_000_000):
        event_id = f"{{user}}-{{n}}"
        await log.append([f"{{event_id}} {{part}}".encode() for part in range({N_PARTS})], key=user)
        os.write(1, f"{{event_id}}\\n".encode())  # unbuffered: the acknowledgement

async def main():
    await asyncio.gather(*(post(f"user{{n}}") for n in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("n_before_kill", [1, 500, 2_000])
async def test_acknowledged_events_survive_kill_9(tmp_path, n_before_kill):
    path = tmp_path / "events.db"
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCE)},
    )
    try:
        acknowledged = [process.stdout.readline().decode().strip() for _ in range(n_before_kill)]
        # A second process reads while the first one appends, and sees all that it was told of.
        log = SqliteEventLog(path)
        seen = await read_all(log)
        await log.close()
        assert {event.split()[0].decode() for event in seen} >= set(acknowledged)
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    acknowledged += rest.decode().split()

    log = SqliteEventLog(path)
    found = [event.decode().split() for event in await read_all(log)]
    assert "" not in acknowledged
    assert len(acknowledged) >= n_before_kill
    parts = Counter(event_id for event_id, _ in found)
    assert set(acknowledged) <= set(parts), "an acknowledged event is lost"
    assert set(parts.values()) == {N_PARTS}, "an append is there in part, or twice"
    for user in range(16):
        mine = [
            int(event_id.split("-")[1])
            for event_id, _ in found[::N_PARTS]
            if event_id.startswith(f"user{user}-")
        ]
        assert mine == list(range(len(mine))), "order of a key"
    assert [part for _, part in found] == [str(n) for n in range(N_PARTS)] * len(parts)

    await log.append([b"after"], key="user")
    assert (await read_all(log))[-1] == b"after"
    await log.close()
