"""One Apache Spark session, set up so that it computes what the local engine does.

Nothing here knows of tables; `spark` does.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endcap.ingest.compute.translation.functions import definitions
from endcap.schema.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MIN_JAVA = 17
PATIENCE_S = 30.0
LOOPBACK = "127.0.0.1"
LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
"""
_MASTERS = re.compile(
    r"^(?:spark://(?P<host>\[[0-9a-fA-F:]+\]|[^:/,]+):(?P<port>\d+)"
    r"|local(?:\[(?:\d+|\*)\])?|local-cluster\[\d+,\d+,\d+\])$"
)
_SEMANTICS = {
    # An overflow or a bad cast is an error, and NULL through TRY_CAST only, as in the local engine.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # the only way to read such times at all
}


def is_spark_master(url: str) -> bool:
    """Return whether the text names a Spark master: spark://host:port, local[2], local-cluster."""
    return _MASTERS.match(url) is not None


@contextmanager
def spark_session(master: str, *, scratch: Path, memory_gb: float) -> Iterator[SparkSession]:
    """Yield a session of its own on the master; what it started ends with it.

    If this process runs that Spark already, the session is a further one there.

    Args:
        master: see `is_spark_master`.
        scratch: a folder that all workers see at the same place.
        memory_gb: of the driver, and of each worker's process.

    Raises:
        SettingsError: the master has no such form, or this process runs another Spark.
        StoreError: Java is missing, the master cannot be reached, or no worker came.

    Cost: ten seconds on one machine, and 240 MB for the driver.
    """
    session, is_own = _start(master, scratch=scratch, memory_gb=memory_gb)
    try:
        for statement in definitions():
            session.sql(statement)
        yield session
    finally:
        if is_own:
            _end(session)


def _start(master: str, *, scratch: Path, memory_gb: float) -> tuple[SparkSession, bool]:
    found = _MASTERS.match(master)
    if found is None:
        raise SettingsError(
            "this is no Spark master",
            where=master,
            mend="Such as spark://host:7077, local[*] or local-cluster[2,1,1024]",
        )
    from pyspark import SparkContext

    _silence()
    running: Any = SparkContext._active_spark_context
    if running is not None:
        return _further(running, master), False
    _check_java(master)
    if found["host"]:
        _check_reachable(master, found["host"].strip("[]"), int(found["port"]))
    started = _launch(master, scratch=scratch, memory_gb=memory_gb, host=found["host"])
    if not master.startswith("local["):
        _await_workers(started, master)
    return started, True


def _silence() -> None:
    """Keep pyspark from warning of a pandas that is not used here, and from logging our errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import_module("pyspark.testing")  # what pyspark does itself with the first list it is given
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)


def _further(running: Any, master: str) -> SparkSession:
    from pyspark.sql import SparkSession

    if running.master != master:
        raise SettingsError(
            f"this process already runs Spark on {running.master}",
            where=master,
            mend="Use one master in a process",
        )
    session = SparkSession(running).newSession()
    for name, value in _SEMANTICS.items():
        session.conf.set(name, value)
    return session


def _launch(master: str, *, scratch: Path, memory_gb: float, host: str | None) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    launch: Any = import_module("pyspark.java_gateway").launch_gateway
    quiet = scratch / "log4j2.properties"
    quiet.write_text(LOGGING, encoding="utf-8")
    conf = SparkConf().setMaster(master).setAppName("endcap")
    for name, value in _settings(scratch, quiet, memory_gb=memory_gb).items():
        conf.set(name, value)
    if host is None or host in {LOOPBACK, "localhost"}:
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
        conf.set("spark.driver.host", LOOPBACK).set("spark.driver.bindAddress", LOOPBACK)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    noise = scratch / "spark-start.txt"
    try:
        with noise.open("wb") as out:
            used: Any = SparkContext  # a session that ended may have left its Java program
            gateway = used._gateway or launch(conf, popen_kwargs={"stderr": out, "stdout": out})
        context = SparkContext(conf=conf, gateway=gateway)
    except PySparkException as error:
        said = noise.read_text(errors="replace").strip().splitlines()
        raise StoreError(
            f"Spark does not start: {said[-1] if said else error}", where=master
        ) from error
    return SparkSession(context)


def _end(session: SparkSession) -> None:
    """Stop Spark, and the Java program under it, which pyspark would leave to the last."""
    from pyspark import SparkContext

    context: Any = SparkContext
    gateway = context._gateway
    session.stop()
    context._gateway = context._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()


def _settings(scratch: Path, log_rules: Path, *, memory_gb: float) -> dict[str, str]:
    memory = f"{max(512, round(memory_gb * 1024))}m"
    quiet = f"-Dlog4j2.configurationFile={log_rules.resolve().as_uri()}"
    return {
        **_SEMANTICS,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        "spark.driver.maxResultSize": "0",
        "spark.driver.extraJavaOptions": quiet,
        "spark.local.dir": str(scratch / "spark"),
        "spark.sql.warehouse.dir": (scratch / "warehouse").resolve().as_uri(),
        # Adaptive execution joins what is small; too few partitions are never split.
        "spark.sql.shuffle.partitions": "16",
        "spark.sql.files.maxPartitionBytes": str(32 * 2**20),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }


def _check_java(master: str) -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = _java_version(java) if java else None
    if version is None or version < MIN_JAVA:
        has = f"Java {version} is too old" if version else "Java is missing"
        raise StoreError(
            f"{has}: Spark needs Java {MIN_JAVA} or newer",
            where=master,
            mend="Install it (Debian: apt install openjdk-17-jre-headless) or set JAVA_HOME",
        )


def _java_version(java: str) -> int | None:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else None


def _check_reachable(master: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S / 3).close()
    except OSError as error:
        raise StoreError(
            f"the Spark master cannot be reached: {error}",
            where=master,
            mend="Is it running there, and is the port open?",
        ) from error


def _await_workers(session: SparkSession, master: str) -> None:
    """Wait until a worker has started a process for us; the driver itself is in the list too."""
    context: Any = session.sparkContext
    deadline = time.monotonic() + PATIENCE_S
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:
        if time.monotonic() > deadline:
            _end(session)
            raise StoreError(
                f"no worker of the Spark master was free within {PATIENCE_S:.0f} s",
                where=master,
                mend="Start workers, or let them have the memory_gb that is asked for",
            )
        time.sleep(0.1)
