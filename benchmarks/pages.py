"""How the demo's server keeps up: home pages at a fixed rate, timed from when each was due.

Open loop: a slow answer does not slow the questions down, so waiting is not hidden.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks.result import once, write_result
from endcap.bundle.read import read_bundle
from endcap.bundle.write import current

RATE_PER_S = 200
NEW_VISITORS = 0.1


def run(*, quick: bool) -> Path:
    """Ask the current bundle of `./var` for pages at 200 a second and write `results/pages.json`.

    Args:
        quick: 5 seconds instead of 30; written to a file of its own.
    """
    seconds = 5 if quick else 30
    bundle = read_bundle(current(Path("var/bundles")))
    rng = np.random.default_rng(0)
    drawn = rng.choice(bundle.n_users, size=RATE_PER_S * seconds)
    users = [
        f"stranger-{row}" if rng.random() < NEW_VISITORS else bundle.user_ids[user]
        for row, user in enumerate(drawn)
    ]
    with _server() as (url, pid):
        before_s = _cpu_s(pid)
        took_ms, failures = asyncio.run(_ask_all(url, users))
        cpu_s = _cpu_s(pid) - before_s
    p50, p99, largest = np.percentile(took_ms, [50, 99, 100]).tolist()
    row = {
        "rate_per_s": RATE_PER_S,
        "seconds": seconds,
        "n_items": bundle.n_items,
        "n_users": bundle.n_users,
        "new_visitors": NEW_VISITORS,
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": largest,
        "server_cpu_ms_per_page": 1000 * cpu_s / len(users),
        "failures": failures[:5],
    }
    return write_result(
        "pages-quick" if quick else "pages",
        command=f"make bench NAME=pages{' QUICK=1' if quick else ''}",
        targets=[once(f"errors in {len(users):,} pages", len(failures), "<=", 0, "errors")],
        rows=[row],
    )


async def _ask_all(url: str, users: list[str]) -> tuple[list[float], list[str]]:
    took_ms: list[float] = []
    failures: list[str] = []
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=10) as client:

        async def ask(user: str, due_s: float) -> None:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            try:
                answer = await client.get(f"/v1/home/{user}")
                if answer.status_code != 200 or not answer.json()["shelves"]:
                    failures.append(f"{answer.status_code}: {answer.text[:200]}")
            except httpx.HTTPError as error:
                failures.append(repr(error))
            took_ms.append((time.perf_counter() - due_s) * 1000)

        start_s = time.perf_counter() + 0.5
        await asyncio.gather(
            *(ask(user, start_s + row / RATE_PER_S) for row, user in enumerate(users))
        )
    return took_ms, failures


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """Yield the address and the process id of a server with stores of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ENDCAP_STORES__EVENTS": f"sqlite:///{folder}/events.db",
            "ENDCAP_STORES__ROWS": f"sqlite:///{folder}/rows.db",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "endcap", "serve", "--port", "0", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield json.loads(line)["url"], process.pid
        finally:
            process.terminate()
            process.wait(timeout=30)


def _cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used; 0 where there is no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
