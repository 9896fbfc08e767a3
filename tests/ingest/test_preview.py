from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest import preview as preview_module
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest, preview
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import is_pseudonym

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEADER = "user_id,item_id,ts,event"
T = 1_500_000_000
ROWS = [f"u{n % 3},i{n % 5},{T + n},view" for n in range(12)]
OBJECTS = [json.dumps(dict(zip(HEADER.split(","), row.split(","), strict=True))) for row in ROWS]
KEEP = PrivacyConfig(user_id="keep")

Look = Callable[..., preview_module.Preview]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def run(*sources: Path | str, privacy: PrivacyConfig = KEEP, **said: Any) -> Any:
        return preview(
            [str(source) for source in sources],
            root=tmp_path / "var" / "snapshots",
            given=Given(**said),
            privacy=privacy,
            clock=lambda: 1.78e9,
        )

    return run


def write(folder: Path, name: str) -> Path:
    """Write the same rows in the form that the name tells."""
    path = folder / name
    text = "\n".join(OBJECTS if ".jsonl" in name else [HEADER, *ROWS]) + "\n"
    if ".tsv" in name:
        text = text.replace(",", "\t")
    if name.endswith(".parquet"):
        (folder / "made.csv").write_text(text)
        with duckdb.connect() as db:
            db.execute(f"COPY (FROM '{folder}/made.csv') TO '{path}' (FORMAT parquet)")
        (folder / "made.csv").unlink()
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zst"):
        path.write_bytes(zstd.compress(text.encode()))
    elif "utf-16" in name:
        path.write_bytes(text.encode("utf-16"))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["a.tsv", "a.csv.gz", "a.jsonl.zst", "a.parquet", "utf-16.csv"])
def test_the_head_of_any_form_is_read_as_in_earnest(
    tmp_path: Path, look: Look, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module.heads, "__defaults__", (7,))
    path = write(tmp_path, name)
    said: dict[str, Any] = {}
    if "utf-16" in name:
        said["mapping"] = GivenMapping.model_validate({"file": {"encoding": "utf-16"}})
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    shown = look(path, **said)
    assert shown.counts.rows_in == shown.counts.kept == 7
    assert [(row["user_id"], row["item_id"], row["kind"]) for row in shown.rows] == [
        (f"u{n % 3}", f"i{n % 5}", "view") for n in range(7)
    ]
    assert [row["ts"] for row in shown.rows] == [(T + n) * 1_000_000 for n in range(7)]
    assert shown.readings[0].mapping["user_id"] == "user_id"
    assert shown.explanation[0].startswith(name)
    assert shown.profile.kinds == {"view": 7}
    # Nothing is kept: no folder, no key, no map.
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_no_more_than_a_few_rows_are_shown(tmp_path: Path, look: Look) -> None:
    shown = look(write(tmp_path, "a.csv"))
    assert shown.counts.rows_in == 12
    assert len(shown.rows) == preview_module.SHOWN_ROWS


def test_ids_are_hidden_under_a_key_that_is_thrown_away(tmp_path: Path, look: Look) -> None:
    path = write(tmp_path, "a.csv")
    hidden = PrivacyConfig()
    first, second = (look(path, privacy=hidden) for _ in range(2))
    assert all(is_pseudonym(row["user_id"]) for row in first.rows)
    assert {row["user_id"] for row in first.rows}.isdisjoint(row["user_id"] for row in second.rows)
    assert not (tmp_path / "var").exists()


def test_a_look_changes_nothing_of_what_is_there(tmp_path: Path, look: Look) -> None:
    path = write(tmp_path, "a.csv")
    root = tmp_path / "var" / "snapshots"
    made = ingest(str(path), root=root, privacy=KEEP, clock=lambda: 1.78e9)
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    look(path)
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before
    assert made.path in before


def test_standard_input_and_folders_can_be_looked_at(
    tmp_path: Path, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(OBJECTS).encode())))
    assert look("-").counts.kept == 12
    drop = tmp_path / "drop"
    drop.mkdir()
    write(drop, "1.csv")
    (drop / "2.csv").write_text(f"{HEADER}\nv,i9,{T},cart\n,,,\n")
    (drop / "shelf.csv").write_text("item_id,title\ni0,Iron\n")
    (drop / "notes.md").write_text("words")
    shown = look(drop)
    assert (shown.counts.rows_in, shown.counts.kept) == (14, 13)
    assert shown.rows[0]["name"] == "Iron"
    assert [line for line in shown.explanation if not line.startswith(" ")] == [
        "1.csv: csv",
        "2.csv: csv",
    ]
    assert any("catalogue: shelf.csv" in line for line in shown.explanation)
    assert shown.counts.quarantined_by_reason["user_id is missing"] == 1


def test_a_table_that_is_derived_is_looked_at_as_well(tmp_path: Path, look: Look) -> None:
    """A format whose rows are brought into shape first, such as baskets of a list each."""
    path = tmp_path / "ml.csv"
    path.write_text("userId,movieId,rating,timestamp\n1,10,4.5,1500000000\n2,10,3,1500000001\n")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n10,Heat (1995),Crime|Drama\n")
    shown = look(tmp_path / "ml.csv", items=tmp_path / "movies.csv")
    assert shown.rows[0]["name"].startswith("Heat")
    said = {"item.name": "what"}
    own = tmp_path / "own.csv"
    own.write_text(f"user_id,item_id,ts,what\nu,a,{T},Axe\nv,a,{T},Axe\nw,a,{T},Ax\n")
    assert look(own, mapping=said).rows[0]["name"] == "Axe"


def test_what_cannot_be_used_is_named_by_what_was_given(tmp_path: Path, look: Look) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("user_id,item_id,ts\nu,i,x\n")
    with pytest.raises(DataError, match=r"none of 1 rows can be used: ts is not a time") as caught:
        look(bad)
    assert caught.value.where == str(bad)
    assert "ts = ts, user_id = user_id" in caught.value.mend
    shelf = tmp_path / "shelf.csv"
    shelf.write_text("name\nx\n")
    with pytest.raises(DataError, match="no column is known to be item_id") as of_items:
        look(write(tmp_path, "a.csv"), items=shelf)
    assert of_items.value.where == str(shelf)
    with pytest.raises(SettingsError, match="no event log is known"):
        look("events")
    assert not (tmp_path / "var").exists()


def test_a_preview_is_what_the_ingest_makes_of_a_short_file(tmp_path: Path, look: Look) -> None:
    path = write(tmp_path, "a.csv")
    with path.open("a") as file:
        file.write(f",i1,{T},view\nu,i1,{T},sneeze\n")
    shown = look(path)
    made = ingest(str(path), root=tmp_path / "s", privacy=KEEP, clock=lambda: 1.78e9)
    assert shown.counts == made.manifest.counts
    assert shown.readings == made.manifest.config.readings
