"""A real Spark: a standalone master with two workers on loopback, once a test run."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from endcap.ingest.compute import cluster

LOOPBACK = "127.0.0.1"
READY_S = 60.0
WORKER_MEMORY = "1g"


class Cluster:
    """The processes of a master and its workers.

    url: of the master.
    """

    def __init__(self, n_workers: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="spark-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        port = _free_port()
        self.url = f"spark://{LOOPBACK}:{port}"
        deploy = "org.apache.spark.deploy"
        self._run(
            f"{deploy}.master.Master",
            *("--host", LOOPBACK, "--port", str(port), "--webui-port", "0"),
        )
        _await_port(port)
        for n in range(n_workers):
            self._run(
                f"{deploy}.worker.Worker",
                *("--host", LOOPBACK, "--webui-port", "0", "-c", "1", "-m", WORKER_MEMORY),
                *("-d", str(self._folder / f"worker-{n}"), self.url),
            )

    def _run(self, *arguments: str) -> None:
        home = Path(importlib.util.find_spec("pyspark").submodule_search_locations[0])
        environment = os.environ | {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": LOOPBACK,
            "SPARK_DAEMON_MEMORY": "256m",
        }
        log = (self._folder / f"log-{len(self._processes)}.txt").open("wb")
        with log:
            self._processes.append(
                subprocess.Popen(
                    [str(home / "bin" / "spark-class"), *arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def stop(self) -> None:
        """End the processes that were started here."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def need_spark() -> None:
    """Skip, or fail where everything must be there, without pyspark and Java."""
    missing = None
    if importlib.util.find_spec("pyspark") is None:
        missing = "pyspark is not installed: pip install 'endcap[spark]'"
    else:
        java = shutil.which("java")
        version = cluster._java_version(java) if java else None
        if version is None or version < cluster.MIN_JAVA:
            missing = f"Spark needs Java {cluster.MIN_JAVA}, and there is {version or 'none'}"
    if missing:
        (pytest.fail if os.environ.get("ENDCAP_REQUIRE_SERVICES") else pytest.skip)(missing)


@functools.cache
def shared_cluster() -> Cluster:
    """Return the cluster of this test run, started by the first who asks."""
    return Cluster(n_workers=2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail(f"the Spark master did not listen within {READY_S:.0f} s")
