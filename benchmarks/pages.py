"""How the demo's server keeps up: home pages at a fixed rate, timed from when each was due.

Open loop: a slow answer does not slow the questions down, so waiting is not hidden.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import once, write_result
from endcap.bundle.read import read_bundle
from endcap.bundle.write import current

RATE_PER_S = 200
NEW_VISITORS = 0.1
N_CONNECTIONS = 32


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
    once_each = [bundle.user_ids[user] for user in rng.permutation(bundle.n_users)]
    if quick:
        once_each = once_each[: RATE_PER_S * seconds]
    rows = [_measure("visitors at random", users), _measure("every shopper once", once_each)]
    return write_result(
        "pages-quick" if quick else "pages",
        command=f"make bench NAME=pages{' QUICK=1' if quick else ''}",
        targets=[once(f"errors, {row['who']}", row["n_errors"], "<=", 0, "errors") for row in rows],
        rows=[{**row, "n_items": bundle.n_items, "n_users": bundle.n_users} for row in rows],
    )


def _measure(who: str, users: list[str]) -> dict[str, Any]:
    """Return what a fresh server, with nothing kept from before, does with these visitors."""
    with _server() as (url, pid):
        before_s = _cpu_s(pid)
        took_ms, failures = asyncio.run(_ask_all(url, users))
        cpu_s = _cpu_s(pid) - before_s
    p50, p99, largest = np.percentile(took_ms, [50, 99, 100]).tolist()
    return {
        "who": who,
        "rate_per_s": RATE_PER_S,
        "n_pages": len(users),
        # A shopper's page is kept for the rest of its minute, so these may cost next to nothing.
        "asked_before": 1 - len(set(users)) / len(users),
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": largest,
        "server_cpu_ms_per_page": 1000 * cpu_s / len(users),
        "n_errors": len(failures),
        "first_errors": failures[:5],
    }


async def _ask_all(url: str, users: list[str]) -> tuple[list[float], list[str]]:
    """Ask for each page when it is due; return how long each took in ms, and what went wrong."""
    took_ms: list[float] = []
    failures: list[str] = []
    waiting: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    host, port = url.removeprefix("http://").split(":")

    async def ask_when_due() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while True:
            user, due_s = await waiting.get()
            try:
                status, body = await _get(reader, writer, f"/v1/home/{user}")
                if status != 200 or not json.loads(body)["shelves"]:
                    failures.append(f"{status}: {body[:200]!r}")
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                failures.append(repr(error))
                writer.close()
                reader, writer = await asyncio.open_connection(host, int(port))
            took_ms.append((time.perf_counter() - due_s) * 1000)
            waiting.task_done()

    connections = [asyncio.create_task(ask_when_due()) for _ in range(N_CONNECTIONS)]
    start_s = time.perf_counter() + 0.5
    for row, user in enumerate(users):
        due_s = start_s + row / RATE_PER_S
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        waiting.put_nowait((user, due_s))
    await asyncio.wait_for(waiting.join(), timeout=60)
    for connection in connections:
        connection.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    return took_ms, failures


async def _get(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
) -> tuple[int, bytes]:
    # By hand, because a full HTTP client costs more of the shared cores than the server does.
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    if length is None:
        raise ValueError("an answer without a length")
    return int(head.split(maxsplit=2)[1]), await reader.readexactly(int(length[1]))


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
