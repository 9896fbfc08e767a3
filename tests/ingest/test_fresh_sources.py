from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot
from endcap.schema.errors import DataError

Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts"
T = 1_500_000_000


def add(
    root: Path, *sources: Path | str, attributes: tuple[str, ...] = (), **said: Any
) -> Snapshot:
    return ingest(
        [str(source) for source in sources],
        root=root,
        given=Given(**said),
        privacy=PrivacyConfig(user_id="keep", columns=dict.fromkeys(attributes, "keep")),
        clock=lambda: 1.78e9,
    )


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_another_content_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", f"u,a,{T}")
    first = add(tmp_path / "s", log)
    write(log, f"u,b,{T}")
    os.utime(log, ns=(1, first.manifest.source_files[0].modified_ns or 0))
    assert add(tmp_path / "s", log, since="last").snapshot_id == first.snapshot_id  # not looked at
    os.utime(log)
    with pytest.raises(DataError, match="the file has changed since it was read"):
        add(tmp_path / "s", log, since="last")
    write(log, f"u,a,{T}")
    assert add(tmp_path / "s", log, since="last").snapshot_id == first.snapshot_id


def test_a_file_is_known_from_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "log.csv", f"{name},a,{T}")
    monkeypatch.chdir(tmp_path / "one")
    first = add(tmp_path / "s", "log.csv")
    assert first.manifest.source_files[0].path == str(tmp_path / "one" / "log.csv")
    monkeypatch.chdir(tmp_path / "other")
    second = add(tmp_path / "s", "log.csv", since="last")
    assert second.manifest.counts.rows_in == 2
    write(tmp_path / "one" / "log.csv", f"one,a,{T}", f"one,b,{T}")
    with pytest.raises(DataError, match="has changed") as caught:
        add(tmp_path / "s", "../one/log.csv", tmp_path / "one" / "log.csv", since="last")
    assert caught.value.where.endswith("one/log.csv")


def test_a_file_called_like_the_event_log_is_a_file(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text(f'{{"user_id": "u", "item_id": "a", "ts": {T}}}\n')
    first = add(tmp_path / "s", log)
    assert first.manifest.source_files[0].path == str(log)
    with log.open("a") as file:
        file.write(f'{{"user_id": "v", "item_id": "a", "ts": {T}}}\n')
    with pytest.raises(DataError, match="has changed since it was read"):
        add(tmp_path / "s", log, since="last")


def test_what_has_no_place_of_its_own_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pipe(*rows: str) -> None:
        text = io.BytesIO("\n".join([HEADER, *rows]).encode())
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(text))

    pipe(f"u,a,{T}")
    first = add(tmp_path / "s", "-")
    assert first.manifest.source_files[0].path == "stdin.csv"
    pipe(f"u,a,{T}")
    assert add(tmp_path / "s", "-", since="last").snapshot_id == first.snapshot_id
    pipe(f"u,b,{T}", f"u,c,{T}")
    assert add(tmp_path / "s", "-", since="last").manifest.counts.rows_in == 3
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as packed:
        packed.writestr("deep/log.csv", f"{HEADER}\nz,a,{T}\n")
    last = add(tmp_path / "s", tmp_path / "log.zip", since="last")
    assert last.manifest.source_files[-1].path == "log/deep/log.csv"
    assert add(tmp_path / "s", tmp_path / "log.zip", since="last").snapshot_id == last.snapshot_id


def test_a_catalogue_is_read_with_the_first_file_that_is_new(tmp_path: Path, rows_of: Rows) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    items, people = tmp_path / "shelf.csv", tmp_path / "people.csv"
    write(items, "a,Axe", header="item_id,title")
    write(people, "u,UK", header="user_id,country")
    write(drop / "1.csv", f"u,a,{T}")
    add(tmp_path / "s", drop, items=items, users=people, attributes=("country",))
    write(drop / "2.csv", f"v,b,{T + 1}")
    write(items, "a,Axes", "b,Bolt", header="item_id,title")
    write(people, "u,UK", "v,FR", header="user_id,country")
    second = add(
        tmp_path / "s", drop, items=items, users=people, since="last", attributes=("country",)
    )
    assert {row["item_id"]: row["name"] for row in rows_of(second, "items")} == {
        "a": "Axes",
        "b": "Bolt",
    }
    assert {row["user_id"]: row["country"] for row in rows_of(second, "users")} == {
        "u": "UK",
        "v": "FR",
    }


def test_what_rows_say_of_items_is_read_from_the_new_files(tmp_path: Path, rows_of: Rows) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    said = {"item.name": "what", "user.country": "land"}
    head = f"{HEADER},what,land"
    write(drop / "1.csv", f"u,a,{T},Axe,UK", header=head)
    add(tmp_path / "s", drop, mapping=said, attributes=("country",))
    write(drop / "2.csv", f"v,b,{T + 1},Bolt,FR", f"v,a,{T + 2},Axes,FR", header=head)
    second = add(tmp_path / "s", drop, mapping=said, since="last", attributes=("country",))
    assert {row["item_id"]: row["name"] for row in rows_of(second, "items")} == {
        "a": "Axes",
        "b": "Bolt",
    }
    assert {row["user_id"]: row["country"] for row in rows_of(second, "users")} == {
        "u": "UK",
        "v": "FR",
    }


def test_rows_of_before_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    rows = [f"u{n % 90},i{n % 30},{T + n}" for n in range(20_000)]
    first = add(tmp_path / "s", write(tmp_path / "1.csv", *rows))
    chunk = first.path / "interactions" / "000000.parquet"
    data = bytearray(chunk.read_bytes())
    for at in range(1000, len(data) - 5000, 2000):
        data[at : at + 200] = bytes(200)
    chunk.write_bytes(bytes(data))
    with pytest.raises(DataError, match="the file cannot be read") as caught:
        add(tmp_path / "s", write(tmp_path / "2.csv", *rows[::100]), since="last")
    assert caught.value.where == str(chunk)
    assert "without --since" in caught.value.mend


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    from endcap.ingest import pipeline
    from endcap.schema.errors import SettingsError

    def want_more(*_: object) -> None:
        raise duckdb.OutOfMemoryException("failed to allocate 3.0 GiB")

    monkeypatch.setattr(pipeline, "_number", want_more)
    with pytest.raises(SettingsError, match="needs more memory") as caught:
        add(tmp_path / "s", write(tmp_path / "1.csv", f"u,a,{T}"))
    assert caught.value.where == "ingest.memory_gb"
    assert list((tmp_path / "s").iterdir()) == []


def test_a_pointer_to_nothing_is_no_obstacle(tmp_path: Path) -> None:
    log = write(tmp_path / "1.csv", f"u,a,{T}")
    made = add(tmp_path / "s", log)
    for damage in (b"", b"gone\n", b"\xff\xfe\x00"):
        (tmp_path / "s" / "latest").write_bytes(damage)
        with pytest.raises(DataError):
            add(tmp_path / "s", log, since="last")
        assert add(tmp_path / "s", log).snapshot_id == made.snapshot_id
        assert (tmp_path / "s" / "latest").read_text() == made.snapshot_id + "\n"
