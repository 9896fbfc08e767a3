"""The measurements of the ingest: ratios within one round, growth with size, cost of a day more.

Every measured run is a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ingest.files import day_files, reviews
from benchmarks.result import Target, once, write_result

ROUNDS = 3
QUICK_SCALE = 0.05
GB = 1e9


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: wall time of the work, start of the engine left out, and peak memory."""

    took_s: float
    peak_bytes: int
    said: dict[str, Any]


def run(*, quick: bool) -> Path:
    """Generate the files, measure, and write `results/ingest.json`.

    Args:
        quick: a twentieth of the sizes and one round; written to a file of its own.
    """
    if importlib.util.find_spec("pyspark") is None:
        sys.exit("this benchmark needs Spark: make install SET=spark, and Java 17")
    scale, rounds = (QUICK_SCALE, 1) if quick else (1.0, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as name:
        folder = Path(name)
        targets, rows = _against_rivals(folder, scale=scale, rounds=rounds)
        for more_targets, more_rows in (
            _growth(folder, scale=scale),
            _increment(folder, scale=scale, rounds=rounds),
        ):
            targets += more_targets
            rows += more_rows
    return write_result(
        "ingest-quick" if quick else "ingest",
        command=f"make bench NAME=ingest{' QUICK=1' if quick else ''}",
        targets=targets,
        rows=rows,
        packages=("duckdb", "isal", "numpy", "pandas", "pyarrow", "pyspark"),
    )


def _against_rivals(
    folder: Path, *, scale: float, rounds: int
) -> tuple[list[Target], list[dict[str, Any]]]:
    """Measure the steps from the raw file to 5-core, ids, counts and Parquet, engine by engine."""
    file = reviews(folder, "electronics-2014", scale=scale)
    rows: list[dict[str, Any]] = []
    times: dict[str, list[Measured]] = {"endcap": [], "pandas": [], "spark": []}
    for nth in range(rounds):
        for engine, runs in times.items():
            measured = _child(engine, file, folder / "out")
            runs.append(measured)
            rows.append({"what": "rivals", "engine": engine, "round": nth, **_row(measured)})
    own = _child("endcap-on-spark", file, folder / "out")
    rows.append({"what": "rivals", "engine": "endcap on local[2]", "round": 0, **_row(own)})
    ratios = {
        engine: [
            theirs.took_s / mine.took_s for mine, theirs in zip(times["endcap"], runs, strict=True)
        ]
        for engine, runs in times.items()
    }
    peak_gb = [measured.peak_bytes / GB for measured in times["endcap"]]
    targets = [
        _median("Spark local[2], start left out / Endcap, Electronics 2014", ratios["spark"], 10),
        _median("pandas in chunks / Endcap, Electronics 2014", ratios["pandas"], 8),
        Target(
            "peak memory, Electronics 2014", max(peak_gb), (min(peak_gb), max(peak_gb)),
            "<=", 1.5, "GB",
        ),
    ]  # fmt: skip
    return targets, rows


def _growth(folder: Path, *, scale: float) -> tuple[list[Target], list[dict[str, Any]]]:
    """Measure one shape of reviews at four sizes; the exponent says how time grows with rows."""
    sizes = {0.4e6: 0.2368, 1.7e6: 1.0, 20e6: 11.84}
    rows, took, n_rows, peak_gb = [], {}, {}, {}
    for size, part in sizes.items():
        file = reviews(folder, "electronics-2014", scale=part * scale)
        took[size], n_rows[size], peak_gb[size] = _sized(file, folder, rows, size)
    file = reviews(folder, "electronics-2018", scale=scale)
    took[6.7e6], n_rows[6.7e6], peak_gb[6.7e6] = _sized(file, folder, rows, 6.7e6)
    order = sorted(took)
    logs = np.log([n_rows[size] for size in order]), np.log([took[size] for size in order])
    exponent = float(np.polyfit(*logs, 1)[0])
    rows.append({"what": "growth", "exponent": exponent})
    targets = [
        once(
            "Electronics 2018 / Electronics 2014, time",
            took[6.7e6] / took[1.7e6],
            "<=",
            4.4,
            "ratio",
        ),
        once("peak memory, Electronics 2018", peak_gb[6.7e6], "<=", 6.0, "GB"),
        once("peak memory, 20 M rows", peak_gb[20e6], "<=", 8.0, "GB"),
    ]
    return targets, rows


def _sized(
    file: Path, folder: Path, rows: list[dict[str, Any]], size: float
) -> tuple[float, int, float]:
    runs = [_child("endcap", file, folder / "out") for _ in range(3 if size < 2e6 else 1)]
    middle = statistics.median(run.took_s for run in runs)
    peak_bytes = max(run.peak_bytes for run in runs)
    n_rows = int(runs[0].said["rows_in"])
    rows.append(
        {
            "what": "growth",
            "n_rows": n_rows,
            "file_bytes": file.stat().st_size,
            "took_s": middle,
            "peak_gb": peak_bytes / GB,
            "runs": len(runs),
        }
    )
    file.unlink()
    return middle, n_rows, peak_bytes / GB


def _increment(
    folder: Path, *, scale: float, rounds: int
) -> tuple[list[Target], list[dict[str, Any]]]:
    """Measure a day on top of a quarter and of a year: it should cost the same."""
    rows: list[dict[str, Any]] = []
    took: dict[int, list[float]] = {}
    full_s: dict[int, float] = {}
    for n_days in (90, 360):
        days = day_files(folder / str(n_days), n_days=n_days, per_day=int(20_000 * scale))
        base = _child("days", days[0], folder / f"base-{n_days}")
        full_s[n_days] = base.took_s
        took[n_days] = []
        for nth in range(max(rounds, 3)):
            copy = folder / f"copy-{nth}"
            shutil.copytree(folder / f"base-{n_days}", copy)
            measured = _child("day", days[1], copy)
            took[n_days].append(measured.took_s)
            rows.append(
                {"what": "increment", "days_before": n_days, "round": nth, **_row(measured)}
            )
            shutil.rmtree(copy)
        rows.append({"what": "increment", "days_before": n_days, "full_s": base.took_s})
    ratios = [year / quarter for quarter, year in zip(took[90], took[360], strict=True)]
    targets = [
        Target(
            "a day on a year / a day on a quarter, time",
            statistics.median(ratios), (min(ratios), max(ratios)), "<=", 1.5, "ratio",
        ),
        once(
            "a year anew / a day on a year, time",
            full_s[360] / statistics.median(took[360]), ">=", 5.0, "ratio",
        ),
    ]  # fmt: skip
    return targets, rows


def _child(engine: str, file: Path, out: Path) -> Measured:
    """Run one engine on one file in a process of its own."""
    if engine not in {"days", "day"}:
        shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.ingest.once", engine, str(file), str(out)]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=said, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors.seek(0)
        if child.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{errors.read().decode()[-4000:]}")
        result = json.loads(said.read().splitlines()[-1])
    time.sleep(0.5)  # let the disk settle between runs
    return Measured(result["took_s"], usage.ru_maxrss * 1024, result)


def _row(measured: Measured) -> dict[str, Any]:
    return {"peak_gb": measured.peak_bytes / GB, **measured.said}


def _median(name: str, ratios: list[float], limit: float) -> Target:
    return Target(name, statistics.median(ratios), (min(ratios), max(ratios)), ">=", limit, "ratio")
