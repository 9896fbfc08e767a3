"""The one form of every benchmark result: targets with their limits, rows, machine, versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from endcap.schema.artefacts import commit_hash

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("duckdb", "fastapi", "implicit", "numpy", "onnxruntime", "torch", "uvicorn")


@dataclass(frozen=True, slots=True)
class Target:
    """One number with its limit; a missed target stays in the file as missed.

    spread: smallest and largest of the repeats; both equal to value when measured once.
    op: ">=" or "<=".
    """

    name: str
    value: float
    spread: tuple[float, float]
    op: str
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the value keeps within its limit."""
        return self.value >= self.limit if self.op == ">=" else self.value <= self.limit


def once(name: str, value: float, op: str, limit: float, unit: str) -> Target:
    """Return a target that was measured one time."""
    return Target(name, value, (value, value), op, limit, unit)


def write_result(
    name: str,
    *,
    command: str,
    targets: Sequence[Target],
    rows: Sequence[dict[str, Any]],
    packages: Sequence[str] = PACKAGES,
) -> Path:
    """Write `results/<name>.json` and return its path.

    Args:
        name: of the benchmark.
        command: that makes it again.
        targets: what was to be reached.
        rows: whatever else was measured.
        packages: whose versions matter.
    """
    record = {
        "name": name,
        "commit": commit_hash(),
        "command": command,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "memory_gb": _memory_gb()},
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "targets": [{**asdict(target), "met": target.met} for target in targets],
        "rows": list(rows),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
