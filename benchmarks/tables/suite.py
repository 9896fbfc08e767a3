"""DuckDB against Polars: raw reviews to 5-core, ids and Parquet, the same steps by the same hand.

For Linux, which tells how much memory a process holds itself. Polars is no dependency: without it
DuckDB is measured alone. To have both, install Polars into a folder of its own and name that:
`PYTHONPATH=FOLDER make bench NAME=tables`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.result import Target, write_result
from endcap.simulate.presets import preset
from endcap.simulate.spec import Format
from endcap.simulate.write import write_events

ROUNDS = 3
QUICK_SCALE = 0.05
K_CORE = 5
PRESET = "electronics-2014"
GB = 1e9
MAX_OWN_GB = 1.5
SAMPLE_S = 0.01
RIVALS = {"duckdb": "benchmarks.tables.with_duckdb", "polars": "benchmarks.tables.with_polars"}

# Rows that only one of the two has; both wrote user_idx, item_idx, value and ts.
DIFFERENCE = """
    SELECT count(*) FROM (
        (SELECT * FROM read_parquet(?) EXCEPT ALL SELECT * FROM read_parquet(?))
        UNION ALL (SELECT * FROM read_parquet(?) EXCEPT ALL SELECT * FROM read_parquet(?))
    ) AS different
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run in a process of its own, the start of Python left out.

    cpu_s: of all its threads; other programs on the machine change it little.
    own_bytes: the most memory that it held itself, by samples; a file that it maps is not in it,
        because the kernel can take that back.
    """

    took_s: float
    cpu_s: float
    own_bytes: int
    kept: int


def run(*, quick: bool) -> Path:
    """Measure both engines by turns and write `results/tables.json`.

    Args:
        quick: a twentieth of the rows and one round; written to a file of its own.
    """
    scale, rounds = (QUICK_SCALE, 1) if quick else (1.0, ROUNDS)
    engines = [name for name in RIVALS if importlib.util.find_spec(name)]
    if "polars" not in engines:
        print("Polars is not installed and is left out; DuckDB alone says nothing of the choice")
    rows: list[dict[str, Any]] = []
    peaks_gb: list[float] = []
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as name:
        folder = Path(name)
        for what, file in _files(folder, scale).items():
            runs = _by_turns(engines, file, folder, rounds=rounds)
            rows += _rows(what, file, runs)
            peaks_gb += [measured.own_bytes / GB for measured in runs["duckdb"]]
            if len(engines) == len(RIVALS):
                _require_same(folder)
                rows.append(_ratios(what, runs))
            file.unlink()
        rows += [_on_broken(engine, folder) for engine in engines]
    for row in rows:
        print(", ".join(f"{key} {_short(value)}" for key, value in row.items()))
    return write_result(
        "tables-quick" if quick else "tables",
        command=f"make bench NAME=tables{' QUICK=1' if quick else ''}",
        targets=[
            Target(
                "memory of DuckDB", max(peaks_gb), (min(peaks_gb), max(peaks_gb)),
                "<=", MAX_OWN_GB, "GB",
            )
        ],
        rows=rows,
        packages=tuple(engines),
    )  # fmt: skip


def _files(folder: Path, scale: float) -> dict[str, Path]:
    """Return as many reviews as Electronics 2014 has, with their texts and without.

    No least number for users and items, so that there is a 5-core to be found. Not packed: ingest
    unpacks by itself.
    """
    spec = replace(preset(PRESET).scaled(scale), min_per_user=1, min_per_item=0)
    with_texts, bare = folder / "reviews.json", folder / "ratings.csv"
    write_events(spec, with_texts, items_path=None)
    write_events(replace(spec, format=Format.CSV), bare, items_path=None)
    return {"JSON lines with texts": with_texts, "CSV without texts": bare}


def _by_turns(
    engines: list[str], file: Path, folder: Path, *, rounds: int
) -> dict[str, list[Measured]]:
    runs: dict[str, list[Measured]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name in engines:
            runs[name].append(_measure(name, file, folder / name))
    return runs


def _measure(engine: str, file: Path, out: Path) -> Measured:
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(_command(engine, file, out), stdout=said)
        own_bytes = 0
        while child.poll() is None:
            own_bytes = max(own_bytes, _own_bytes(child.pid))
            time.sleep(SAMPLE_S)
        if child.returncode:
            sys.exit(f"{engine} failed on {file.name}")
        said.seek(0)
        result = json.loads(said.read().splitlines()[-1])
    return Measured(result["took_s"], result["cpu_s"], own_bytes, result["kept"])


def _own_bytes(pid: int) -> int:
    """Return how much memory a process holds that is not a mapped file; 0 when it has ended."""
    try:
        found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _command(engine: str, file: Path, out: Path) -> list[str]:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return [sys.executable, "-m", RIVALS[engine], str(file), str(out), str(K_CORE)]


def _on_broken(engine: str, folder: Path) -> dict[str, Any]:
    """Return what an engine makes of good lines with one broken one among them.

    Each was told to go on behind errors.
    """
    file = folder / "broken.json"
    good = '{"reviewerID": "u", "asin": "a", "overall": 5.0, "unixReviewTime": 1}\n'
    file.write_text(good * 9 + "{broken\n" + good)
    done = subprocess.run(
        _command(engine, file, folder / engine), capture_output=True, text=True, check=False
    )
    said = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    return {
        "what": "one broken line among ten good ones",
        "engine": engine,
        "kept": said["kept"] if said else None,
        "error": done.stderr.strip().splitlines()[-1] if done.returncode else None,
    }


def _require_same(folder: Path) -> None:
    """Exit unless both engines wrote the same rows, with the same numbers for ids."""
    one, other = (str(folder / name / "interactions.parquet") for name in RIVALS)
    (n_different,) = duckdb.execute(DIFFERENCE, [one, other, other, one]).fetchall()[0]
    if n_different:
        sys.exit(f"the engines differ in {n_different:,} rows, so their times mean nothing")


def _rows(what: str, file: Path, runs: dict[str, list[Measured]]) -> list[dict[str, Any]]:
    return [
        {
            "what": what,
            "file_gb": file.stat().st_size / GB,
            "engine": engine,
            "round": nth,
            "took_s": measured.took_s,
            "cpu_s": measured.cpu_s,
            "own_gb": measured.own_bytes / GB,
            "kept": measured.kept,
        }
        for engine, measurements in runs.items()
        for nth, measured in enumerate(measurements)
    ]


def _ratios(what: str, runs: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return how DuckDB stands to Polars, each as the median of the ratios within rounds."""
    pairs = list(zip(runs["duckdb"], runs["polars"], strict=True))

    def middle(name: str) -> float:
        ratios = [getattr(mine, name) / getattr(other, name) for mine, other in pairs]
        return float(statistics.median(ratios))

    return {
        "what": f"DuckDB / Polars, {what}",
        "time": middle("took_s"),
        "cpu": middle("cpu_s"),
        "own_memory": middle("own_bytes"),
    }


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
