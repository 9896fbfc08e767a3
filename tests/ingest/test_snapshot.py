from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.manifest import Counts, content_id, read_manifest
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import (
    Snapshot,
    load_dataset,
    open_snapshot,
    read_catalogue,
    read_ids,
    read_user_attributes,
)
from endcap.schema import artefacts
from endcap.schema.errors import DataError
from written_snapshot import START_US, write_snapshot
from written_snapshot import Rows as WrittenRows

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
KEEP = PrivacyConfig(user_id="keep")
LINES = [
    "user_id,item_id,ts,rating",
    "u2,b,1500000100,4",
    "u10,a,1500000100,5",
    "u1,b,1500000000,3",
    "bad,,1500000000,3",
]


def names_in(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_rows_are_in_time_order_and_ties_in_that_of_the_source(
    ingest_file: Ingest, rows_of: Rows
) -> None:
    snapshot = ingest_file("r.csv", LINES)
    assert rows_of(snapshot, "users") == [
        {"user_idx": 0, "user_id": "u2"},
        {"user_idx": 1, "user_id": "u10"},
        {"user_idx": 2, "user_id": "u1"},
    ]
    data = load_dataset(snapshot.path)
    assert data.interactions.user_idx.tolist() == [2, 0, 1]
    assert data.interactions.item_idx.tolist() == [0, 0, 1]
    assert data.interactions.value.tolist() == [3, 4, 5]
    assert (data.n_users, data.n_items) == (3, 2)
    interactions = data.interactions
    assert [interactions.user_idx.dtype, interactions.kind.dtype, interactions.price.dtype] == [
        "int32", "uint8", "float32",
    ]  # fmt: skip
    assert interactions.ts.dtype == "int64"


def test_the_same_input_has_the_same_name_whenever_and_wherever(
    ingest_file: Ingest, tmp_path: Path
) -> None:
    first = ingest_file("r.csv", LINES)
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    (elsewhere / "r.csv").write_text("\n".join(LINES) + "\n")
    second = ingest(str(elsewhere / "r.csv"), root=elsewhere, privacy=KEEP, clock=lambda: 1.79e9)
    assert second.snapshot_id == first.snapshot_id
    assert second.manifest.created_at != first.manifest.created_at


def test_another_content_or_reading_has_another_name(ingest_file: Ingest) -> None:
    first = ingest_file("r.csv", LINES)
    assert ingest_file("r.csv", LINES[:-2]).snapshot_id != first.snapshot_id
    mapping = {"kind": "purchase"}
    assert ingest_file("r.csv", LINES, mapping=mapping).snapshot_id != first.snapshot_id
    assert ingest_file("r.csv", LINES, min_per_user=1).snapshot_id != first.snapshot_id


def test_the_name_is_the_hash_of_what_is_there(ingest_file: Ingest) -> None:
    snapshot = ingest_file("r.csv", LINES)
    manifest = snapshot.manifest
    assert snapshot.path.name == manifest.snapshot_id == content_id(manifest.files, manifest.config)


def test_the_manifest_says_where_it_all_came_from(ingest_file: Ingest, tmp_path: Path) -> None:
    manifest = ingest_file("r.csv", LINES).manifest
    assert manifest.source == "r.csv"
    assert manifest.source_files[0].path == str(tmp_path / "r.csv")
    assert manifest.config.readings[0].mapping["value"] == "rating"
    assert manifest.config.readings[0].mapping["kind"] == "rating"
    assert manifest.tables["interactions"]["ts"] == "BIGINT"
    assert manifest.time_span.first == "2017-07-14T02:40:00+00:00"
    assert manifest.created_at == "2026-05-28T20:26:40+00:00"
    assert manifest.counts.quarantined_by_reason == {"item_id is missing": 1}


def test_data_is_history_after_a_month(ingest_file: Ingest) -> None:
    assert ingest_file("r.csv", LINES).manifest.historical
    fresh = ingest_file("f.csv", [LINES[0], "u,i,1779900000,5"])
    assert not fresh.manifest.historical


def test_only_whole_snapshots_are_left_behind(ingest_file: Ingest, tmp_path: Path) -> None:
    snapshot = ingest_file("r.csv", LINES)
    with pytest.raises(DataError):
        ingest_file("bad.csv", ["user_id,item_id,ts", "u,i,x"])
    assert names_in(tmp_path / "snapshots") == {snapshot.snapshot_id, "latest"}
    assert names_in(snapshot.path) == {
        "manifest.json", "interactions", "users.parquet", "items.parquet", "quarantine",
        "quarantine_items.parquet", "flags.parquet", "user_stats.parquet", "popularity.parquet",
        "recent_sales.parquet", "relations.parquet",
    }  # fmt: skip


def test_a_run_that_dies_while_writing_changes_nothing(
    ingest_file: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ingest_file("r.csv", LINES)

    def die(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts, "_flush", die)
    with pytest.raises(OSError, match="No space left"):
        ingest_file("r.csv", LINES[:-1])
    assert open_snapshot(tmp_path / "snapshots").snapshot_id == first.snapshot_id
    assert names_in(tmp_path / "snapshots") == {first.snapshot_id, "latest"}


def test_ingesting_again_keeps_a_whole_snapshot_and_mends_a_broken_one(
    ingest_file: Ingest,
) -> None:
    snapshot = ingest_file("r.csv", LINES)
    before = (snapshot.path / "manifest.json").stat().st_ino
    ingest_file("r.csv", LINES)
    assert (snapshot.path / "manifest.json").stat().st_ino == before
    (snapshot.path / "users.parquet").write_bytes(b"broken")
    ingest_file("r.csv", LINES)
    assert len(read_ids(snapshot.path).users) == 3


def test_a_snapshot_is_found_by_name_path_or_as_the_latest(
    ingest_file: Ingest, tmp_path: Path
) -> None:
    root = tmp_path / "snapshots"
    first, second = ingest_file("r.csv", LINES), ingest_file("r.csv", LINES[:-2])
    assert open_snapshot(root).path == second.path
    ingest_file("r.csv", LINES)
    assert open_snapshot(root, "latest").path == first.path
    assert open_snapshot(root, second.snapshot_id[:9]).path == second.path
    assert open_snapshot(root, second.path).path == second.path
    assert open_snapshot(root, str(second.path)).path == second.path


def test_what_is_not_found_is_said_with_what_there_is(ingest_file: Ingest, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing has been ingested yet"):
        open_snapshot(tmp_path)
    snapshot = ingest_file("r.csv", LINES)
    for name in ("zzz", ""):
        with pytest.raises(DataError, match="no snapshot is called") as caught:
            open_snapshot(tmp_path / "snapshots", name)
        assert snapshot.snapshot_id in caught.value.mend
    with pytest.raises(DataError, match="no manifest"):
        open_snapshot(tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["interactions/000000.parquet", "items.parquet", "users.parquet"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_file_is_named(ingest_file: Ingest, name: str, damage: str) -> None:
    snapshot = ingest_file("r.csv", LINES)
    path = snapshot.path / name
    if damage == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[10] ^= 1
        path.write_bytes(bytes(data))
    read = read_ids if name == "users.parquet" else load_dataset
    with pytest.raises(DataError, match="a file of the snapshot") as caught:
        read(snapshot.path)
    assert caught.value.where == str(path)
    if name == "items.parquet":
        with pytest.raises(DataError):
            read_catalogue(snapshot.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(format=1), "has format 1, this release reads 2"),
        (lambda manifest: manifest["counts"].update(kept=5), "manifest is damaged"),
        (lambda manifest: manifest.pop("files"), "manifest is damaged"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(
    ingest_file: Ingest, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    snapshot = ingest_file("r.csv", LINES)
    path = snapshot.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message) as caught:
        read_manifest(snapshot.path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_is_none_is_refused(ingest_file: Ingest, text: str) -> None:
    snapshot = ingest_file("r.csv", LINES)
    (snapshot.path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="manifest is damaged"):
        load_dataset(snapshot.path)


def test_counts_that_do_not_add_up_cannot_be_made() -> None:
    fine = dict.fromkeys(Counts.model_fields, 0) | {
        "flagged": {},
        "quarantined_by_reason": {},
        "catalogue_quarantined_by_reason": {},
    }
    Counts(**fine | {"rows_in": 4, "kept": 1, "quarantined": 2, "removed_by_k_core": 1})
    with pytest.raises(ValueError, match="4 rows came in, but 1 were kept and 2 put aside"):
        Counts(**fine | {"rows_in": 4, "kept": 1, "quarantined": 2})


def test_attributes_of_users_come_as_text_in_the_order_of_the_indices(tmp_path: Path) -> None:
    known = {"ann": {"device": "phone", "age": "30"}, "bob": {"device": None, "age": "9"}}
    rows = WrittenRows([("eve", "tea", 0, 1.0, None, START_US)], users=known)
    path = write_snapshot(tmp_path, rows).path
    assert read_ids(path).users.ids == ("ann", "bob", "eve")
    assert read_user_attributes(path) == {
        "age": ["30", "9", None],
        "device": ["phone", None, None],
    }


def test_users_of_whom_nothing_is_known_have_no_attributes(tmp_path: Path) -> None:
    rows = WrittenRows([("eve", "tea", 0, 1.0, None, START_US)])
    assert read_user_attributes(write_snapshot(tmp_path, rows).path) == {}
