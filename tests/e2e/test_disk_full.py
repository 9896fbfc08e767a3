"""What becomes of an ingest when the disk is full or the process is killed in the middle."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import ingest
from endcap.ingest.scratch import scratch_in
from endcap.ingest.snapshot import load_dataset, open_snapshot

KEEP = PrivacyConfig(user_id="keep")
SOURCES = Path(__file__).resolve().parents[2] / "src"
# The command line, with a limit to the size of files, or a kill -9 when a function is called.
DRIVER = """
import importlib, os, resource, signal, sys

limit, die_at, n_calls = sys.argv[1:4]
if limit != "-":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
if die_at != "-":
    left = int(n_calls)
    module, name = die_at.split(":")
    holder = importlib.import_module(module)
    *path, name = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    real = getattr(holder, name)

    def die(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(holder, name, die)
from endcap.cli.root import main

sys.argv = ["endcap", *sys.argv[4:]]
main()
"""


def endcap(
    var: Path, *arguments: str, limit: int | str = "-", die_at: str = "-", after: int = 0
) -> tuple[int, str]:
    """Run the command line in a process of its own; return its exit code and what it complained."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(limit), die_at, str(after), *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCES), "ENDCAP_VAR": str(var), "COLUMNS": "300"},
        cwd=var.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().split("\n")[-1]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a small snapshot in `var`, and a larger file to be ingested."""
    (tmp_path / "small.csv").write_text("user_id,item_id,ts\nu,i,1500000000\n")
    rng = random.Random(0)
    rows = [f"u{rng.randrange(9000)},i{n},{1_500_000_000 + n}" for n in range(30_000)]
    (tmp_path / "big.csv").write_text("\n".join(["user_id,item_id,ts", *rows]) + "\n")
    ingest(str(tmp_path / "small.csv"), root=tmp_path / "var" / "snapshots", privacy=KEEP)
    return tmp_path


def names_in(var: Path) -> set[str]:
    return {path.name for folder in (var, var / "snapshots") for path in folder.iterdir()}


def latest(var: Path) -> str:
    found = open_snapshot(var / "snapshots")
    load_dataset(found.path)  # which checks the hash of every file
    return found.snapshot_id


def ingest_big(shop: Path, **options: int | str) -> tuple[int, str]:
    return endcap(shop / "var", "ingest", "big.csv", "--user-ids", "keep", **options)


@pytest.mark.parametrize(
    "limit", [90_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 1000, 400_000))]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(shop: Path, limit: int) -> None:
    var = shop / "var"
    before, there = latest(var), names_in(var)
    code, complaint = ingest_big(shop, limit=limit)
    assert code == 1
    if limit:
        assert complaint.startswith("error File too large")
        assert "Free some space, or set var to another disk" in complaint
    else:
        assert complaint.startswith("error No usable temporary directory found")
    assert names_in(var) == there
    assert latest(var) == before


@pytest.mark.slow
@pytest.mark.parametrize("kib", [80, 200, 600])
def test_a_disk_without_room_is_one_line_and_leaves_nothing(shop: Path, kib: int) -> None:
    """On a real file system that is too small."""
    disk = shop / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        var = disk / "var"
        assert endcap(var, "ingest", str(shop / "small.csv"), "--user-ids", "keep")[0] == 0
        before, there = latest(var), names_in(var)
        code, complaint = endcap(var, "ingest", str(shop / "big.csv"), "--user-ids", "keep")
        assert code == 1
        assert complaint.startswith("error No space left on device")
        assert names_in(var) == there
        assert latest(var) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("die_at", "after"),
    [
        pytest.param("endcap.ingest.pipeline:read_arrivals", 0, marks=pytest.mark.slow),
        pytest.param("endcap.ingest.write:file_entry", 0, marks=pytest.mark.slow),
        pytest.param("endcap.ingest.write:file_entry", 4, marks=pytest.mark.slow),
        pytest.param("endcap.ingest.write:publish_folder", 0, marks=pytest.mark.slow),
        ("endcap.schema.artefacts:write_atomically", 0),  # moved to its place, not pointed to
    ],
)
def test_after_a_kill_the_latest_stands_and_the_next_run_cleans_up(
    shop: Path, die_at: str, after: int
) -> None:
    var = shop / "var"
    before = latest(var)
    code, _ = ingest_big(shop, die_at=die_at, after=after)
    assert code == -signal.SIGKILL
    assert any(name.startswith(".ingest-") for name in names_in(var))
    assert latest(var) == before
    assert ingest_big(shop)[0] == 0
    now = latest(var)
    assert now != before
    assert {name for name in names_in(var) if name.startswith(".")} == set()


def test_the_folder_of_a_run_that_is_under_way_stays(tmp_path: Path) -> None:
    with scratch_in(tmp_path, ".ingest-") as mine:
        (tmp_path / ".ingest-dead").mkdir()
        (tmp_path / ".ingest-dead" / "half").write_text("x")
        (tmp_path / ".other").mkdir()
        with scratch_in(tmp_path, ".ingest-") as second:
            assert mine.is_dir()
            assert second != mine
            assert not (tmp_path / ".ingest-dead").exists()
            assert (tmp_path / ".other").is_dir()
        assert mine.is_dir()
        assert not second.exists()
    assert not mine.exists()


def test_a_root_that_was_only_looked_at_is_not_left(tmp_path: Path) -> None:
    root = tmp_path / "var" / "snapshots"
    with scratch_in(root, ".preview-", keep_root=False) as folder:
        (folder / "x").write_text("x")
    assert not (tmp_path / "var").exists()
    (tmp_path / "var").mkdir()
    with scratch_in(root, ".preview-", keep_root=False):
        pass
    assert list((tmp_path / "var").iterdir()) == []
    shutil.rmtree(tmp_path / "var")
    with scratch_in(root, ".ingest-"):
        pass
    assert root.is_dir()
