"""A real server in a process of its own, over any bundle, on a free loopback port.

`import server_process` works in every test, because this folder holds the conftest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SOURCE = """
import sys
from pathlib import Path
from endcap.serving.config import ServingConfig
from endcap.serving.run import serve
from endcap.stores.config import StoresConfig

bundle, var = map(Path, sys.argv[1:3])
serve(
    bundle,
    config=ServingConfig(port=0),
    stores=StoresConfig(
        events=f"sqlite:///{var}/events.db", rows=f"sqlite:///{var}/rows.db", cache="memory://"
    ),
    on_ready=lambda address: print(address, flush=True),
)
print("stopped", flush=True)
"""
SOURCES = Path(__file__).resolve().parent.parent / "src"


@dataclass
class ServerProcess:
    """Use as a context: stopped at the end, by force if it does not go."""

    bundle: Path
    var: Path

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SOURCE, str(self.bundle), str(self.var)],
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()
        if not self.address.startswith("http://"):
            _, complaint = self.process.communicate(timeout=10)
            raise RuntimeError(f"the server did not start: {complaint}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def kill(self) -> None:
        """End it without warning, as a power cut does."""
        self.process.kill()
        self.process.communicate(timeout=10)

    def stop(self) -> tuple[str, str]:
        """Ask it to stop and return what it said, on standard output and standard error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
