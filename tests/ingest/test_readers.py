from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest.quarantine_rows import MAX_RAW_CHARS
from endcap.ingest.readers import MAX_LINE_BYTES, open_table
from endcap.ingest.snapshot import Snapshot
from endcap.ingest.staging import stage
from endcap.schema.errors import DataError

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts,rating"
GOOD = ["u1,a,1500000000,5", "u2,b,1500000100,4.5", "u1,b,1500000200,1"]
OBJECTS = [
    {"user_id": "u1", "item_id": "a", "ts": 1500000000, "rating": 5},
    {"user_id": "u2", "item_id": "b", "ts": 1500000100, "rating": 4.5},
    {"user_id": "u1", "item_id": "b", "ts": 1500000200, "rating": 1},
]


def write_parquet(path: Path, query: str) -> None:
    with duckdb.connect() as db:
        db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("r.csv", [HEADER, *GOOD]),
        ("r.csv.gz", [HEADER, *GOOD]),
        ("r.tsv", [line.replace(",", "\t") for line in [HEADER, *GOOD]]),
        ("r.tsv.gz", [line.replace(",", "\t") for line in [HEADER, *GOOD]]),
        ("semicolons.csv", [line.replace(",", ";") for line in [HEADER, *GOOD]]),
        ("r.jsonl", [json.dumps(row) for row in OBJECTS]),
        ("r.json.gz", [json.dumps(row) for row in OBJECTS]),
        ("texts.ndjson", [json.dumps({k: str(v) for k, v in row.items()}) for row in OBJECTS]),
        ("glob[1]*?.csv", [HEADER, *GOOD]),
        ("it's.csv", [HEADER, *GOOD]),
    ],
)
def test_every_form_gives_the_same_tables(
    ingest_file: Ingest, rows_of: Rows, name: str, lines: list[str]
) -> None:
    snapshot = ingest_file(name, lines)
    assert [
        (row["user_idx"], row["item_idx"], row["kind"], row["value"], row["ts"])
        for row in rows_of(snapshot, "interactions")
    ] == [
        (0, 0, 4, 5.0, 1_500_000_000_000_000),
        (1, 1, 4, 4.5, 1_500_000_100_000_000),
        (0, 1, 4, 1.0, 1_500_000_200_000_000),
    ]
    assert [row["user_id"] for row in rows_of(snapshot, "users")] == ["u1", "u2"]
    assert snapshot.manifest.counts.quarantined == 0


def test_windows_files_read_like_others(ingest_file: Ingest, rows_of: Rows) -> None:
    text = "﻿" + "\r\n".join([HEADER, *GOOD]) + "\r\n"
    snapshot = ingest_file("bom.csv", text)
    assert snapshot.manifest.config.readings[0].mapping["user_id"] == "user_id"
    assert {row["user_id"] for row in rows_of(snapshot, "users")} == {"u1", "u2"}
    lines = "﻿" + "\r\n".join(json.dumps(row) for row in OBJECTS)
    assert ingest_file("bom.jsonl", lines).manifest.counts.kept == 3


def test_a_headerless_file_is_mapped_by_position(ingest_file: Ingest) -> None:
    mapping = {"user_id": "#1", "item_id": "#2", "value": "#4", "ts": "#3", "kind": "rating"}
    counts = ingest_file("bare.csv", GOOD, mapping=mapping).manifest.counts
    assert (counts.rows_in, counts.kept) == (3, 3)
    with pytest.raises(DataError, match="'u1', 'a'"):
        ingest_file("bare.csv", GOOD)


def test_quoted_line_breaks_and_odd_headers(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file(
        "odd.csv",
        'user_id,"the item",ts,,note,note\n"u,1","a ""b""",1500000000,,"two\nlines",x\n'
        "u2,c,1500000001,,,\n",
        mapping={"item_id": "the item"},
    )
    assert [row["item_id"] for row in rows_of(snapshot, "items")] == ['a "b"', "c"]
    assert [row["user_id"] for row in rows_of(snapshot, "users")] == ["u,1", "u2"]


def test_broken_lines_keep_their_number_and_text(ingest_file: Ingest, rows_of: Rows) -> None:
    lines = [json.dumps(OBJECTS[0]), '{"user_id": "u9", "item', "", "[1, 2]", "{'user_id': 'py'}"]
    snapshot = ingest_file("broken.jsonl", [*lines, json.dumps(OBJECTS[1])])
    assert [
        (row["row_number"], row["reasons"], row["raw"]) for row in rows_of(snapshot, "quarantine")
    ] == [
        (2, ["not JSON"], lines[1]),
        (3, ["not a JSON object"], "[1, 2]"),  # a blank line is no record
        (4, ["not JSON"], lines[4]),
    ]
    assert snapshot.manifest.counts.kept == 2


def test_a_line_of_ten_megabytes_is_a_line(ingest_file: Ingest, rows_of: Rows) -> None:
    long = json.dumps({**OBJECTS[0], "text": "x" * 10_000_000})
    bad = json.dumps({"user_id": "u1", "text": "y" * 10_000_000})
    snapshot = ingest_file("long.jsonl", [long, bad, json.dumps(OBJECTS[1])])
    assert snapshot.manifest.counts.kept == 2
    (row,) = rows_of(snapshot, "quarantine")
    assert row["row_number"] == 2
    assert row["reasons"] == ["item_id is missing", "ts is missing", "value is missing"]
    assert row["raw"] == bad[:MAX_RAW_CHARS]


def test_a_line_beyond_the_limit_is_put_aside(ingest_file: Ingest, rows_of: Rows) -> None:
    monster = json.dumps({"text": "x" * MAX_LINE_BYTES})
    snapshot = ingest_file(
        "monster.jsonl", [json.dumps(OBJECTS[0]), monster, json.dumps(OBJECTS[1]), "{"]
    )
    assert [(row["row_number"], row["reasons"]) for row in rows_of(snapshot, "quarantine")] == [
        (2, ["longer than 32 MiB"]),
        (4, ["not JSON"]),
    ]
    assert snapshot.manifest.counts.kept == 2


def test_an_open_quote_is_put_aside_not_swallowed(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file("quote.csv", [HEADER, *GOOD, 'u3,"c,1500000000,5', "u4,d,1500000000,5"])
    counts = snapshot.manifest.counts
    assert counts.kept == 3
    assert counts.rows_in == counts.kept + counts.quarantined
    assert "a quote is not closed" in counts.quarantined_by_reason


def test_rows_of_the_wrong_width_keep_their_numbers_in_a_large_file(
    ingest_file: Ingest, rows_of: Rows
) -> None:
    rng = random.Random(7)
    lines, wrong, short_of_ts = [HEADER], {}, set()
    for number in range(2, 60_000):
        kind = rng.random()
        if kind < 0.002:
            lines.append(f"u{number},a")
            wrong[number] = "not as many columns as the header"
        elif kind < 0.004:
            lines.append(f"u{number},a,1500000000,5,6,7")
            wrong[number] = "not as many columns as the header"
        elif kind < 0.006:
            lines.append(f"u{number},a,,5")
            short_of_ts.add(number)
        else:
            lines.append(f"u{number},a,1500000000,{'5' + '0' * rng.randrange(200)}")
    snapshot = ingest_file("wide.csv", lines)
    found = {row["row_number"]: row for row in rows_of(snapshot, "quarantine")}
    assert {n: row["reasons"][0] for n, row in found.items() if n in wrong} == wrong
    assert {n for n, row in found.items() if row["reasons"] == ["ts is missing"]} == short_of_ts
    assert found.keys() == {*wrong, *short_of_ts} | {
        n for n, row in found.items() if row["reasons"] == ["value is beyond belief"]
    }
    assert all(f"u{n}" in row["raw"] for n, row in found.items())
    assert snapshot.manifest.counts.rows_in == len(lines) - 1


def test_parquet_types_do_not_matter(ingest_file: Ingest, rows_of: Rows, tmp_path: Path) -> None:
    path = tmp_path / "typed.parquet"
    write_parquet(
        path,
        "SELECT 17850::DOUBLE AS user_id, 7::BIGINT AS item_id, 5::TINYINT AS rating,"
        " TIMESTAMP '2017-07-14 02:40:00' AS ts UNION ALL"
        " SELECT NULL, 8, 4, TIMESTAMP '2017-07-14 02:40:01' UNION ALL"
        " SELECT 3, 8, 4, 'infinity'",
    )
    snapshot = ingest_file("typed.parquet", path.read_bytes())
    assert [row["user_id"] for row in rows_of(snapshot, "users")] == ["17850"]
    assert rows_of(snapshot, "interactions")[0]["ts"] == 1_500_000_000_000_000
    rows = rows_of(snapshot, "quarantine")
    assert [(row["row_number"], row["reasons"]) for row in rows] == [
        (2, ["user_id is missing"]),
        (3, ["ts is not a time"]),
    ]
    assert json.loads(rows[0]["raw"]) == {
        "user_id": None, "item_id": "8", "rating": "4", "ts": "2017-07-14 02:40:01",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.parquet", b"PAR1 and then nothing", "not a whole Parquet file"),
        ("x.jsonl", b'[{"user_id": 1},\n{"user_id": 2}]\n', "none of the first"),
        ("x.jsonl", b"user_id,item_id\n1,2\n", "none of the first"),
        ("x.csv", b"\n\n", "empty"),
        ("x.csv", b"user_id,item_id,ts\n", "none of 0 rows can be used: there are none"),
    ],
)
def test_what_is_no_table_is_refused(
    ingest_file: Ingest, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ingest_file(name, content)
    assert name in caught.value.where


def test_a_parquet_file_that_is_damaged_inside_is_named(
    ingest_file: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    query = "SELECT n AS user_id, n % 7 AS item_id, 1500000000 + n AS ts FROM range(50000) t(n)"
    write_parquet(path, query)
    data = bytearray(path.read_bytes())
    data[1000:1400] = bytes(400)
    with pytest.raises(DataError, match="cannot be read to its end") as caught:
        ingest_file("p.parquet", bytes(data))
    assert caught.value.where == str(path)


def test_an_array_of_objects_comes_with_the_remedy(ingest_file: Ingest) -> None:
    with pytest.raises(DataError) as caught:
        ingest_file("array.json", json.dumps(OBJECTS, indent=1))
    assert "jq -c '.[]'" in caught.value.mend


def test_columns_are_listed_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_text('{"b": 1, "a/x": 2}\nnonsense\n{"c": 3, "b": 4}\n')
    assert open_table(stage(path, tmp_path, label="k")).columns == ("b", "a/x", "c")


def test_any_key_of_an_object_can_be_mapped(ingest_file: Ingest, rows_of: Rows) -> None:
    row = {'who "is"': "u", "a/b~c": "i", "it's": 1500000000}
    snapshot = ingest_file(
        "keys.jsonl",
        [json.dumps(row)],
        mapping={"user_id": 'who "is"', "item_id": "a/b~c", "ts": "it's"},
    )
    assert rows_of(snapshot, "items")[0]["item_id"] == "i"
