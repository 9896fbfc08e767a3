"""MLflow's own page over the book of runs, on this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from endcap.schema.errors import SettingsError
from endcap.stores.urls import redact
from endcap.telemetry import console
from endcap.training.tracking import FILES, LOCAL, OFF, prepare_environment, uri_of

HOST = "127.0.0.1"


def serve_page(where: str, *, var: Path, port: int) -> int:
    """Run MLflow's server over the book until it is stopped, and return its exit code.

    A book on a server has a page already; its address is printed.

    Args:
        where: see `open_book`.
        var: see `open_book`.
        port: to listen on.

    Raises:
        SettingsError: runs are not tracked.
    """
    if where == OFF:
        raise SettingsError("runs are not tracked", where="training.tracking", mend="Say local")
    if where.startswith(("http://", "https://")):
        console.print(f"  the page is at {redact(where)}", markup=False)
        return 0
    prepare_environment()
    console.print(f"  http://{HOST}:{port} in about half a minute; Ctrl-C stops it")
    command, environment = page_command(where, var=var, port=port), page_environment()
    server = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter
    try:
        return server.wait()
    except KeyboardInterrupt:
        # The terminal has sent it the same signal.
        return server.wait()


def page_command(where: str, *, var: Path, port: int) -> list[str]:
    """Return the command that serves the page."""
    files = ["--artifacts-destination", str((var / "runs" / FILES).resolve())]
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", uri_of(where, var=var)),
        *(files if where == LOCAL else []),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
    ]


def page_environment() -> Mapping[str, str]:
    """Return the environment of the server: no news to its makers, no queue of jobs."""
    return {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
