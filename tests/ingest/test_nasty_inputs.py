from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest import packing
from endcap.ingest.compute import local_json
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import Snapshot
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.errors import DataError, EndcapError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts"
T = 1_500_000_000


def line(user: object, item: object = "i", ts: object = T, **more: object) -> str:
    """Return a line of JSON in which text that begins with = stands as it is."""
    parts = {"user_id": user, "item_id": item, "ts": ts, **more}
    return "{" + ",".join(f'"{name}":{_json(value)}' for name, value in parts.items()) + "}"


def _json(value: object) -> str:
    raw = isinstance(value, str) and value.startswith("=")
    return str(value)[1:] if raw else json.dumps(value, ensure_ascii=False)


def users(snapshot: Snapshot, rows_of: Rows) -> list[str]:
    return [row["user_id"] for row in rows_of(snapshot, "users")]


def why(snapshot: Snapshot, rows_of: Rows) -> list[tuple[int, str]]:
    return [(r["row_number"], "; ".join(r["reasons"])) for r in rows_of(snapshot, "quarantine")]


def in_encoding(name: str) -> GivenMapping:
    return GivenMapping.model_validate({"file": {"encoding": name}})


# Damaged archives


def packed(how: str, text: bytes) -> bytes:
    if how == "gz":
        return gzip.compress(text, mtime=0)
    checksum = {zstd.CompressionParameter.checksum_flag: 1}
    return zstd.compress(text, options=checksum)


@pytest.mark.parametrize(
    ("how", "form"),
    [
        ("gz", "jsonl"),
        ("zst", "csv"),
        pytest.param("gz", "csv", marks=pytest.mark.slow),
        pytest.param("zst", "jsonl", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("damage", ["half", "last block", "checksum cut", "checksum wrong", "tail"])
def test_a_damaged_archive_never_becomes_a_snapshot(
    tmp_path: Path, how: str, form: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 20_000)  # so that the damage lies in a late part
    monkeypatch.setattr(packing, "CHUNK_BYTES", 5_000)
    records = [line(f"u{n}", ts=T + n) for n in range(3000)]
    if form == "csv":
        records = [HEADER, *(f"u{n},i,{T + n}" for n in range(3000))]
    whole = packed(how, ("\n".join(records) + "\n").encode())
    broken = {
        "half": whole[: len(whole) // 2],
        "last block": whole[:-12],
        "checksum cut": whole[:-3],
        "checksum wrong": whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:],
        "tail": whole + b"no archive",
    }[damage]
    if (how, damage) == ("zst", "checksum wrong"):
        broken = whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]
    path = tmp_path / f"log.{form}.{how}"
    path.write_bytes(broken)
    with pytest.raises(DataError, match="is cut off or damaged") as caught:
        ingest(str(path), root=tmp_path / "s", privacy=PrivacyConfig(user_id="keep"))
    assert caught.value.where == str(path)
    assert list((tmp_path / "s").iterdir()) == []
    if damage == "tail":
        path.write_bytes(whole)
        snapshot = ingest(str(path), root=tmp_path / "s", privacy=PrivacyConfig(user_id="keep"))
        assert snapshot.manifest.counts.kept == 3000


@pytest.mark.parametrize(
    ("name", "content", "message", "mend"),
    [
        (
            "a.csv",
            gzip.compress(b"a\n", mtime=0),
            "packed with gzip, and its name",
            "Name it a.csv.gz",
        ),
        ("a.jsonl", zstd.compress(b"{}"), "packed with zstd, and its name", "a.jsonl.zst"),
        ("a.csv", b"PK\x03\x04 zip", "packed with zip, and its name", "a.csv.zip"),
        ("a.csv.zst", b"user_id\n", "cut off or damaged", "take the .zst from its name"),
        ("a.jsonl", b"\n \n\t\n", "the file is empty", ""),
        ("a.jsonl.zst", zstd.compress(b""), "the file is empty", ""),
        ("a.jsonl", b'{"a":1}\r{"a":2}\r{"a":3', "none of the first", "tr '\\r' '\\n'"),
        ("a.json", b'{\n "a": 1\n}\n{\n "a": 2\n}\n', "none of the first", "jq -c ."),
        ("a.csv", b"\xff\xfea\0b\0", "not UTF-8 text", 'encoding = "utf-16"'),
        ("a.jsonl", "{}\n".encode("utf-16-be"), "not UTF-8 text", "iconv"),
    ],
)
def test_what_is_wrong_with_the_bytes_is_said(
    tmp_path: Path, name: str, content: bytes, message: str, mend: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        ingest(str(tmp_path / name), root=tmp_path / "s")
    assert mend in caught.value.mend
    assert caught.value.where == str(tmp_path / name)


# Encodings and line ends


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        *(("utf-16", "t.csv"), ("utf-16-le", "t.jsonl.gz"), ("cp1252", "t.csv.gz")),
        *(("utf-8-sig", "t.jsonl"), ("gb18030", "t.csv")),
    ],
)
def test_any_encoding_can_be_named(
    ingest_file: Ingest, rows_of: Rows, encoding: str, name: str
) -> None:
    ids = ["José", "u2", "b€"]
    table = [HEADER, *(f"{user},i,{T}" for user in ids)]
    lines = table if "csv" in name else [line(user) for user in ids]
    text = "\r\n".join(lines).encode(encoding)
    snapshot = ingest_file(name, text, mapping=in_encoding(encoding))
    assert users(snapshot, rows_of) == ids
    assert snapshot.manifest.warnings == []


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_lines_may_end_now_so_now_so(ingest_file: Ingest, rows_of: Rows, name: str) -> None:
    text = (
        f"{HEADER},note\n"
        f"u1,i,{T},a\rb\n"  # a stray return in somebody's text
        f'u2,i,{T},"two\r\nlines"\r\n'
        f"u\r3,i,{T},\r\r\n"
        f"short\r\n"
        f"u4,i,{T},x\r"
    )
    snapshot = ingest_file(name, text)
    assert users(snapshot, rows_of) == ["u1", "u2", "u4"]
    assert why(snapshot, rows_of) == [
        (4, "user_id has unprintable characters"),
        (5, "not as many columns as the header"),
    ]


def test_line_ends_are_settled_across_pieces(
    ingest_file: Ingest, rows_of: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from endcap.ingest import staging

    rows = [f"u{n},i,{T}" for n in range(50)]
    text = f"{HEADER}\n" + "\r\n".join(rows)
    for size in range(30, 60):  # somewhere a pair is cut in two
        ends = staging._LineEnds()
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        settled = "".join(map(ends.settle, pieces)) + ends.last()
        assert settled == text.replace("\r\n", "\n")
    monkeypatch.setattr(packing, "CHUNK_BYTES", len(HEADER) + 2 + len(rows[0]))
    assert len(users(ingest_file("t.csv", text), rows_of)) == 50


@pytest.mark.parametrize("name", ["n.csv", "n.jsonl"])
def test_a_stray_zero_byte_spoils_its_row_alone(
    ingest_file: Ingest, rows_of: Rows, name: str
) -> None:
    if name == "n.csv":
        rows = [HEADER, *(f"u{n},i,{T}" for n in range(20)), f"u\0x,i,{T}", "\0" * 40, f"v,i,{T}"]
        expected = [(22, "user_id has unprintable characters")]
        expected.append((23, "not as many columns as the header"))
    else:
        rows = [*(line(f"u{n}") for n in range(20)), line('="u\0x"'), "\0" * 40, line("v")]
        expected = [(21, "not JSON"), (22, "not JSON")]
    snapshot = ingest_file(name, rows)
    assert why(snapshot, rows_of) == expected
    assert users(snapshot, rows_of)[-1] == "v"


def test_lines_of_json_that_are_not_utf8_are_put_aside(ingest_file: Ingest, rows_of: Rows) -> None:
    lines = [line("u"), line("José"), line("v", note="très")]
    snapshot = ingest_file("l.jsonl", "\n".join(lines).encode("latin-1"))
    assert why(snapshot, rows_of) == [(2, "not UTF-8"), (3, "not UTF-8")]
    assert users(snapshot, rows_of) == ["u"]


# Ids and numbers


BIG = ["9007199254740993", "18446744073709551617", "123456789012345678901234567890"]


def test_no_digit_of_a_large_id_is_lost(ingest_file: Ingest, rows_of: Rows, tmp_path: Path) -> None:
    assert users(ingest_file("b.csv", [HEADER, *(f"{n},i,{T}" for n in BIG)]), rows_of) == BIG
    lines = [line(f"={n}") for n in BIG]
    assert users(ingest_file("b.jsonl", lines), rows_of) == BIG
    assert users(ingest_file("b.jsonl.gz", lines), rows_of) == BIG
    path = tmp_path / "made.parquet"
    typed = {"BIGINT": BIG[0], "UBIGINT": "18446744073709551615", "DECIMAL(38,0)": BIG[2]}
    for kind, number in typed.items():
        with duckdb.connect() as db:
            db.execute(
                f"COPY (SELECT {number}::{kind} AS user_id, 'i' AS item_id, {T} AS ts) "
                f"TO '{path}' (FORMAT parquet)"
            )
        assert users(ingest_file("b.parquet", path.read_bytes()), rows_of) == [number]


def test_ids_of_json_may_be_of_any_type(ingest_file: Ingest, rows_of: Rows) -> None:
    ids = {
        "=1": "1",
        "=007": None,
        "007": "007",
        "=true": "true",
        "=null": None,
        "=NaN": None,
        "NaN": None,
        " x ": "x",
        '=["a", 1]': '["a",1]',
        '={"a": 1}': '{"a":1}',
        "it's": "it's",
        'a"b': 'a"b',
        "a\nb": None,
        "😀": "😀",
        '="\\ud83d\\ude00!"': "😀!",
        '="half \\ud83d"': None,
        "=" + "[" * 3000 + "]" * 3000: None,
        "=" + "9" * 129: None,
    }
    snapshot = ingest_file("ids.jsonl", [line(one) for one in ids])
    assert users(snapshot, rows_of) == [text for text in ids.values() if text is not None]
    reasons = dict(why(snapshot, rows_of))
    assert list(reasons) == [n for n, text in enumerate(ids.values(), start=1) if text is None]
    assert reasons[2] == reasons[16] == "not JSON"
    assert reasons[17] == reasons[18] == "user_id is longer than 128 characters"


def test_a_key_that_occurs_twice_counts_the_first_time(
    ingest_file: Ingest, rows_of: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else is in the file: a line that the engine cannot bear changes no other."""
    twice = [line("a")[:-1] + ',"user_id":"b"}', line("=1.50"), line("=1e400"), "", "no"]
    deep = line("deep", text="=" + "[" * 1000 + "]" * 1000)
    snapshot = ingest_file("d.jsonl", [*twice, deep])
    real = local_json._read_part

    def fail(db: object, own: str, part: Path, *more: Any) -> None:
        if part.name != "mended.jsonl":
            raise duckdb.InvalidInputException("a line is too much")
        real(db, own, part, *more)

    monkeypatch.setattr(local_json, "_read_part", fail)
    again = ingest_file("d.jsonl", [*twice, deep])
    for one in (snapshot, again):
        assert users(one, rows_of) == ["a", "1.5", "1e400", "deep"]
        assert why(one, rows_of) == [(4, "not JSON")]
    assert again.snapshot_id == snapshot.snapshot_id


def test_numbers_that_are_none_are_no_values(ingest_file: Ingest, rows_of: Rows) -> None:
    rows = [
        ("=5", "=1.5e9", ""),
        ("5", str(T), ""),
        ("=NaN", T, "value is missing"),
        ("=Infinity", T, "value is not a number"),
        ("=true", T, "value is not a number"),
        ("=[5]", T, "value is not a number"),
        ("=5", "=-Infinity", "ts is not a time"),
        ("=5", "=false", "ts is not a time"),
        ("=5", "=0", "ts is before 1990"),
        ("=5", "=1e10", "ts is in the future"),
    ]
    lines = [line(f"u{n}", ts=ts, rating=value) for n, (value, ts, _) in enumerate(rows)]
    snapshot = ingest_file("n.jsonl", lines)
    found = dict(why(snapshot, rows_of))
    assert [found.get(n, "") for n in range(1, len(rows) + 1)] == [reason for *_, reason in rows]


def test_a_price_beyond_belief_is_said_not_dropped(ingest_file: Ingest, rows_of: Rows) -> None:
    rows = ["1,1e12", "1,1e13", "1,1e39", "1,1e308"]
    head = f"{HEADER},quantity,price"
    snapshot = ingest_file("p.csv", [head, *(f"u,i,{T},{row}" for row in rows)])
    assert why(snapshot, rows_of) == [(n, "price is beyond belief") for n in (3, 4, 5)]


# Shapes of files


ODD_NAMES = (
    *("select", "from", 'a"b', "a'b", "a,b", "a;drop", "$x", "x.y", "*", "why", "broken", "raw"),
    *("file_row", "position", "c0", "nothing", "line", "attribute_0", "ünï", "😀", "user_idx"),
)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_column_may_have_any_name(ingest_file: Ingest, rows_of: Rows, form: str) -> None:
    roles = ("user_id", "item_id", "ts", "kind", "value", "price", "total")
    for at in range(0, len(ODD_NAMES), len(roles)):
        names = ODD_NAMES[at : at + len(roles)]
        records = [("u", "i", T, "purchase", 2, 3, 6), ("", "i", T, "purchase", 2, 3, 6)]
        if form == "csv":
            text = io.StringIO()
            csv.writer(text).writerows([names, *records])
            content: str | list[str] = text.getvalue()
        else:
            content = [json.dumps(dict(zip(names, record, strict=True))) for record in records]
        mapping = dict(zip(roles, names, strict=True))
        snapshot = ingest_file(f"c.{form}", content, mapping=mapping)
        assert users(snapshot, rows_of) == ["u"]
        (row,) = rows_of(snapshot, "quarantine")
        assert tuple(json.loads(row["raw"])) == names


def test_headers_that_repeat_are_told_apart(ingest_file: Ingest, rows_of: Rows) -> None:
    rows = ["user_id,user_id,User_Id,item_id,ts", f"a,b,c,i,{T}"]
    assert users(ingest_file("h.csv", rows), rows_of) == ["a"]
    second = {"user_id": "user_id_2"}
    assert users(ingest_file("h.csv", rows, mapping=second), rows_of) == ["b"]


@pytest.mark.parametrize("content", [HEADER, f"{HEADER}\n", f"{HEADER}\r\n\r\n"])
def test_a_header_alone_is_no_data(ingest_file: Ingest, content: str) -> None:
    with pytest.raises(DataError, match="there are none") as caught:
        ingest_file("h.csv", content)
    assert "mapping" not in caught.value.mend


def test_a_header_may_not_come_late(ingest_file: Ingest) -> None:
    with pytest.raises(DataError, match="the first line is empty") as caught:
        ingest_file("h.csv", f"\n\n{HEADER}\nu,i,{T}\n")
    assert "Remove" in caught.value.mend


def test_five_thousand_columns_are_a_table(ingest_file: Ingest, rows_of: Rows) -> None:
    head = [HEADER, *(f"c{n}" for n in range(5000))]
    rows = [",".join([user, "i", str(T), *["x"] * 5000]) for user in ("u", "")]
    snapshot = ingest_file("wide.csv", [",".join(head), *rows, "short"])
    assert users(snapshot, rows_of) == ["u"]
    found = rows_of(snapshot, "quarantine")
    assert len(json.loads(found[0]["raw"])) == 5003
    assert found[1]["reasons"] == ["not as many columns as the header"]


@pytest.mark.parametrize("depth", [3000, 100_000])
def test_deep_nesting_is_no_danger(ingest_file: Ingest, rows_of: Rows, depth: int) -> None:
    deep = ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth]
    lines = [line(f"u{n}", text=f"={text}") for n, text in enumerate(deep)]
    lines += [line("v"), "[" * depth, line("w", text="=" + "[" * depth)]
    snapshot = ingest_file("deep.jsonl", lines)
    assert users(snapshot, rows_of) == ["u0", "u1", "v"]
    assert [number for number, _ in why(snapshot, rows_of)] == [4, 5]


@pytest.mark.slow
def test_a_long_row_of_csv_is_a_row_up_to_the_limit(ingest_file: Ingest, rows_of: Rows) -> None:
    head = f"{HEADER},text"
    rows = [f"u,i,{T},", f"v,i,{T}," + "x" * 10_000_000, f"w,i,{T}," + "x" * 34_000_000]
    quoted = f'q,i,{T},"' + "x\n" * 1_000_000 + '"'
    snapshot = ingest_file("long.csv", [head, *rows, quoted, f",i,{T},"])
    assert users(snapshot, rows_of) == ["u", "v", "q"]
    assert why(snapshot, rows_of) == [(4, "longer than 32 MiB"), (6, "user_id is missing")]


@pytest.mark.slow
def test_a_million_unknown_keys_take_bounded_memory(ingest_file: Ingest) -> None:
    lines = [
        line(f"u{n % 99}", ts=T + n, **{f"key {n} {k}": k for k in range(10)})
        for n in range(100_000)
    ]
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ingest_file("keys.jsonl", lines).manifest.counts.kept == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 500_000
    one = line("u", **{f"key {k}": k for k in range(200_000)})
    assert ingest_file("keys.jsonl", [one]).manifest.counts.kept == 1


# Kinds of sources


def of(sources: str | Sequence[str], root: Path) -> Snapshot:
    return ingest(
        sources, root=root, privacy=PrivacyConfig(user_id="keep"), clock=lambda: 1_780_000_000.0
    )


@pytest.mark.parametrize("name", ["it's.csv", 'a "b";c.csv', "[x]*?.csv", "-ü 😀.csv"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(f"{HEADER}\nu,i,{T}\n,i,{T}\n")
    snapshot = of(str(path), tmp_path / "it's [a] root")
    assert snapshot.manifest.counts.kept == 1
    with duckdb.connect() as db:
        file = str(snapshot.path / "quarantine" / "000000.parquet").replace("[", "[[]")
        ((source,),) = db.execute("SELECT source FROM read_parquet(?)", [file]).fetchall()
    assert source == name


def test_links_are_followed_and_dead_ones_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\nu,i,{T}\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "dead.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert of(str(tmp_path / "link.csv"), tmp_path / "s").manifest.counts.kept == 1
    for name in ("dead.csv", "loop.csv", "none.csv"):
        with pytest.raises(DataError, match=f"{name}' is neither a file nor a data set"):
            of(str(tmp_path / name), tmp_path / "s")


def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    (tmp_path / "a.csv").write_text(f"{HEADER}\nu,i,{T}\n")
    found: list[EndcapError | Snapshot] = []

    def run(source: Path) -> None:
        try:
            found.append(of(str(source), tmp_path / "s"))
        except EndcapError as error:
            found.append(error)

    for source in (pipe, tmp_path):  # named, and lying in a folder
        thread = threading.Thread(target=run, args=(source,), daemon=True)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()
    error, snapshot = found
    assert isinstance(error, DataError)
    assert "a pipe or a device is not a data file" in str(error)
    assert "endcap ingest - <" in error.mend
    assert isinstance(snapshot, Snapshot)
    assert snapshot.manifest.source_files[0].path == str(tmp_path / "a.csv")


@pytest.mark.parametrize("source", ["", "  "])
def test_a_source_without_a_name_is_not_the_folder_one_is_in(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\nu,i,{T}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EndcapError, match="source has no name"):
        of(source, tmp_path / "s")


def test_a_folder_is_what_its_files_hold(tmp_path: Path, rows_of: Rows) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "1.csv").write_text(f"{HEADER}\nu,i,{T}\nx\n")
    (folder / "2.jsonl.gz").write_bytes(gzip.compress((line("v", "j") + "\n{\n").encode()))
    (folder / "shelf.csv").write_text("item_id,title\ni,Iron\n")
    (folder / "notes.txt").write_text("not a table\n")
    (folder / "README.md").write_text("words")
    (folder / ".hidden.csv").write_text(f"{HEADER}\nh,i,{T}\n")
    (folder / "empty.csv").write_text("")
    (folder / "deeper").mkdir()
    snapshot = of(str(folder), tmp_path / "s")
    assert users(snapshot, rows_of) == ["u", "v"]
    assert [(r["source"], r["row_number"]) for r in rows_of(snapshot, "quarantine")] == [
        ("1.csv", 3),
        ("2.jsonl.gz", 2),
    ]
    names = {row["item_id"]: row["name"] for row in rows_of(snapshot, "items")}
    assert names == {"i": "Iron", "j": None}


@pytest.mark.parametrize(
    "end", ["\n", *(pytest.param(end, marks=pytest.mark.slow) for end in ("\r\n", "\r"))]
)
def test_a_row_without_end_is_named_before_it_fills_the_memory(
    ingest_file: Ingest, rows_of: Rows, end: str
) -> None:
    cells = "x," * 2_000_000
    rows = [f"{HEADER},text", f"u,i,{T},", f'v,i,{T},"{cells}"', f"w,i,{T},"]
    assert users(ingest_file("rows.csv", end.join(rows)), rows_of) == ["u", "v", "w"]
    rows.insert(2, cells)
    with pytest.raises(DataError, match=r"row 3 has 2,000,001 cells, and the header has 4") as bad:
        ingest_file("rows.csv", end.join(rows))
    assert bad.value.where.endswith("rows.csv")
    assert "quotes" in bad.value.mend


# Whatever comes


BITS = (
    *(b'"', b"\0", b"\n", b"\r", b"\r\n", b",", b"{", b"}", b"[", b"\\", b"\xff", b"\xed\xa0\x80"),
    *(
        b"'",
        b"\t",
        b";",
        b"$",
        b"1e999",
        b"NaN",
        b"\xef\xbb\xbf",
        b'""',
        b"null",
        b"\x1a",
        b"9" * 400,
    ),
)


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a few of them changed, put in or taken out."""
    text = bytearray(data)
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(text) + 1)
        how = rng.randrange(4)
        if how == 0:
            text[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            text[at:at] = rng.choice(BITS) * rng.choice([1, 1, 3])
        elif how == 2:
            del text[at : at + rng.randrange(1, 20)]
        else:
            text[at:at] = text[: rng.randrange(100)]
    return bytes(text)


def whole(form: str, n: int, folder: Path) -> bytes:
    if form == "jsonl":
        lines = [line(f"u{k % 9}", k % 7, T + k, rating=4.5, note={"a": ["é"]}) for k in range(n)]
        return "\n".join(lines).encode()
    if form == "parquet":
        path = folder / "whole.parquet"
        with duckdb.connect() as db:
            db.execute(
                f"COPY (SELECT 'u' || n % 9 AS user_id, n % 7 AS item_id, {T} + n AS ts, 'é' note"
                f" FROM range({n}) t(n)) TO '{path}' (FORMAT parquet)"
            )
        return path.read_bytes()
    rows = [f'u{k % 9},i{k % 7},{T + k},"n{k}, é"' for k in range(n)]
    return "\n".join([f"{HEADER},note", *rows]).encode()


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 12))]
)
def test_a_spoilt_file_is_an_error_or_a_snapshot_that_adds_up(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for n in range(8):
        form = ("csv", "jsonl", "parquet", "csv.gz", "jsonl.zst", "tsv")[n % 6]
        data = whole(form.split(".")[0], rng.choice([3, 30, 300]), tmp_path)
        if form == "tsv":
            data = data.replace(b",", b"\t")
        inside = rng.random() < 0.6
        data = spoilt(data, rng) if inside else data
        if "." in form:
            data = packed(form.split(".")[1], data)
        path = tmp_path / f"{n}.{form}"
        path.write_bytes(data if inside else spoilt(data, rng))
        try:
            snapshot = of(str(path), tmp_path / "s")
        except EndcapError:
            continue
        check_adds_up(snapshot)


def check_adds_up(snapshot: Snapshot) -> None:
    """Every record is somewhere, once; and what was put aside has its text."""
    places: list[int] = []
    for table in ("interactions", "quarantine"):
        files = [str(file) for file in (snapshot.path / table).glob("*.parquet")]
        if files:
            column = "raw" if table == "quarantine" else "''"
            with duckdb.connect() as db:
                found = db.execute(
                    f"SELECT position, {column} FROM read_parquet(?)", [files]
                ).fetchall()
            assert all(raw is not None for _, raw in found)
            places += [place for place, _ in found]
    assert sorted(places) == list(range(1, snapshot.manifest.counts.rows_in + 1))


def test_prices_of_a_catalogue_are_read_as_people_write_them(
    ingest_file: Ingest, rows_of: Rows, tmp_path: Path
) -> None:
    prices = {
        "5": 5, "5.25": 5.25, "$1,234.50": 1234.5, "1,234": 1234, "12,34,567.5": 1234567.5,
        "12,50": 12.5, "1.234,50 €": 1234.5, "€ 5": 5, "1234567,8": 1234567.8, "0": 0,
        "-1": None, "free": None, "1,2345": None, "1,23,4": None, "5 EUR": None, "": None,
    }  # fmt: skip
    items = tmp_path / "shelf.jsonl"
    lines = [json.dumps({"item_id": f"i{n}", "price": text}) for n, text in enumerate(prices)]
    items.write_text("\n".join(lines) + "\n")
    snapshot = ingest_file("log.csv", [HEADER, f"u,z,{T}"], items=items)
    found = {row["item_id"]: row["price"] for row in rows_of(snapshot, "items")}
    assert [found[f"i{n}"] for n in range(len(prices))] == list(prices.values())


def test_an_id_of_a_catalogue_is_what_an_id_of_a_row_is(
    ingest_file: Ingest, rows_of: Rows, tmp_path: Path
) -> None:
    items = tmp_path / "shelf.csv"
    ids = ["a", "b\x07", "c\u00a0d", "x" * 129, "José"]
    text = "\n".join(["item_id,title", *(f"{item},T" for item in ids)])
    items.write_bytes(text.encode("latin-1"))
    snapshot = ingest_file("log.csv", [HEADER, f"u,a,{T}"], items=items)
    assert [row["item_id"] for row in rows_of(snapshot, "items")] == ["a"]
    assert [row["reasons"] for row in rows_of(snapshot, "quarantine_items")] == [
        ["item_id has unprintable characters"],
        ["item_id is not UTF-8"],
        ["item_id is longer than 128 characters"],
        ["item_id is not UTF-8"],
    ]
