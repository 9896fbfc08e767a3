"""How many durable appends a second the SQLite event log takes, against the disk's own speed.

The rival is a plain file that is synced after every event: the bound of a log without groups.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import once, write_result
from endcap.stores.events.sqlite import SqliteEventLog

EVENT = b"x" * 200
"""About as long as an encoded event."""

N_SYNCS = 1_000
APPENDS = {1: 2_000, 32: 60_000, 256: 120_000}
"""Appends in all, by how many wait at a time."""

MIN_APPENDS_PER_S = 2_000


def run(*, quick: bool) -> Path:
    """Append to a fresh log in the folder of temporary files and write `results/events.json`.

    Args:
        quick: a tenth of the appends; written to a file of its own.
    """
    part = 10 if quick else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk = _measure_disk(folder / "plain", N_SYNCS // part)
        rows: list[dict[str, Any]] = [{"log": "plain file", "per_s": disk}]
        for n_callers, n_appends in APPENDS.items():
            log = SqliteEventLog(folder / f"{n_callers}.db")
            rows.append(asyncio.run(_measure_log(log, n_callers, n_appends // part)))
    rate = next(row["per_s"] for row in rows if row.get("callers") == 32)
    return write_result(
        "events-quick" if quick else "events",
        command=f"make bench NAME=events{' QUICK=1' if quick else ''}",
        targets=[
            once("durable appends with 32 callers", rate, ">=", MIN_APPENDS_PER_S, "appends/s")
        ],
        rows=rows,
    )


def _measure_disk(path: Path, n_events: int) -> float:
    with path.open("wb", buffering=0) as file:
        started_s = time.perf_counter()
        for _ in range(n_events):
            file.write(EVENT)
            os.fsync(file.fileno())
    return n_events / (time.perf_counter() - started_s)


async def _measure_log(log: SqliteEventLog, n_callers: int, n_appends: int) -> dict[str, Any]:
    took_ms: list[float] = []

    async def post() -> None:
        for _ in range(n_appends // n_callers):
            started_s = time.perf_counter()
            await log.append([EVENT], key="user")
            took_ms.append(1000 * (time.perf_counter() - started_s))

    started_s = time.perf_counter()
    await asyncio.gather(*(post() for _ in range(n_callers)))
    took_s = time.perf_counter() - started_s
    await log.close()
    p50_ms, p99_ms = np.percentile(took_ms, [50, 99]).tolist()
    return {
        "log": "sqlite",
        "callers": n_callers,
        "per_s": len(took_ms) / took_s,
        "appends_per_commit": len(took_ms) / log.n_commits,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
    }
