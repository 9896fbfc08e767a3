"""Real data sets by mapping, with the counts that their PROVENANCE.md states."""

from __future__ import annotations

from pathlib import Path

import pytest

from endcap.ingest.run import ingest
from endcap.ingest.snapshot import Snapshot


def read(folder: Path, file: str, root: Path, mapping: dict[str, str]) -> Snapshot:
    path = folder / file
    if not path.is_file():
        pytest.skip(f"no {file} in the shared data")
    return ingest(str(path), root=root, mapping=mapping)


def test_amazon_ratings(shared_data: Path, tmp_path: Path) -> None:
    snapshot = read(
        shared_data,
        "amazon_electronics_ratings_head_2014/ratings.parquet",
        tmp_path,
        {"user_id": "user"},
    )
    counts = snapshot.manifest.counts
    assert (counts.rows_in, counts.users, counts.items) == (50_009, 46_562, 3_446)
    assert snapshot.manifest.config.readings[0].mapping["kind"] == "rating"
    assert snapshot.manifest.time_span.first.startswith("1998-12-04")


def test_yoochoose_clicks(shared_data: Path, tmp_path: Path) -> None:
    mapping = {"user_id": "SessionId"}
    snapshot = read(shared_data, "yoochoose_100k_clicks_timed/clicks.parquet", tmp_path, mapping)
    counts = snapshot.manifest.counts
    assert (counts.rows_in, counts.kept) == (83_846, 83_846)
    assert (counts.users, counts.items) == (21_210, 2_933)
    assert snapshot.manifest.config.readings[0].mapping["kind"] == "view"
    assert snapshot.manifest.time_span.last.startswith("2014-04-0")


@pytest.mark.slow
def test_online_retail_with_its_cancellations_and_unknown_customers(
    shared_data: Path, tmp_path: Path
) -> None:
    snapshot = read(shared_data, "online_retail_ii/online_retail_ii.parquet", tmp_path, {})
    counts = snapshot.manifest.counts
    assert counts.rows_in == 1_034_613
    assert counts.quarantined_by_reason["user_id is missing"] == 233_660
    assert counts.quarantined_by_reason["no quantity sold"] > 0
    assert counts.users <= 5_942


def test_amazon_fashion_repeats_its_reviews(shared_data: Path, tmp_path: Path) -> None:
    snapshot = read(
        shared_data, "amazon_fashion_5core_2018_raw/reviews.parquet", tmp_path, {"user_id": "user"}
    )
    counts = snapshot.manifest.counts
    assert (counts.rows_in, counts.users, counts.items) == (3_176, 406, 31)
    assert counts.quarantined_by_reason == {"repeats an earlier row": counts.quarantined}
    assert counts.quarantined > 0
