from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest import quarantine_rows
from endcap.ingest.compute import local_csv
from endcap.ingest.snapshot import Snapshot
from endcap.schema.errors import DataError

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts,rating"
WIDTH = "not as many columns as the header"


def good(n: int) -> str:
    return f"u{n},i,{1_500_000_000 + n},5"


def put_aside(snapshot: Snapshot, rows_of: Rows) -> list[tuple[int, str, str]]:
    return [
        (row["row_number"], "; ".join(row["reasons"]), row["raw"])
        for row in rows_of(snapshot, "quarantine")
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_and_do_not_count(
    ingest_file: Ingest, rows_of: Rows, end: str
) -> None:
    lines = [HEADER, "", good(1), "", "", "short", good(2), ",i,1500000000,5", "", "a,b,c,d,e,f"]
    snapshot = ingest_file("gaps.csv", end.join([*lines, good(3), "", "", ",z,1,5", ""]))
    missing = {"user_id": None, "item_id": "i", "ts": "1500000000", "rating": "5"}
    assert put_aside(snapshot, rows_of)[:3] == [
        (3, WIDTH, "short"),
        (5, "user_id is missing", json.dumps(missing, separators=(",", ":"))),
        (6, WIDTH, "a,b,c,d,e,f"),
    ]
    assert [number for number, _, _ in put_aside(snapshot, rows_of)[3:]] == [8]
    assert snapshot.manifest.counts.rows_in == 7


@pytest.mark.parametrize("blank", ["", " \t", "\r", "\v", "\f", " \f \v"])
def test_a_bad_line_of_json_has_its_number_behind_any_blank_one(
    ingest_file: Ingest, rows_of: Rows, blank: str
) -> None:
    row = json.dumps({"user_id": "u", "item_id": "i", "ts": "1500000000"})
    snapshot = ingest_file("gaps.jsonl", [row, blank, blank, "[1]", row, blank, "half"])
    assert put_aside(snapshot, rows_of) == [
        (2, "not a JSON object", "[1]"),
        (4, "not JSON", "half"),
    ]
    assert snapshot.manifest.counts.rows_in == 4


@pytest.mark.parametrize(("end", "seed"), [("\n", 0), ("\r\n", 1)])
def test_every_refused_row_has_its_number_and_its_text(
    ingest_file: Ingest, rows_of: Rows, end: str, seed: int
) -> None:
    rng, lines, expected, number = random.Random(seed), [HEADER], {}, 1
    for n in range(3000):
        kind = rng.choice(["good", "good", "good", "blank", "short", "long", "gap", "two", "bare"])
        if kind == "blank":
            lines.append("")
            continue
        number += 1
        text = {
            "good": good(n),
            "short": f"u{n}",
            "long": f"u{n},i,1500000000,5,{n}",
            "gap": f"u{n},,{1_500_000_000 + n},5",
            "two": f'"u{n}{end}{end}x",i,1500000000,5',  # one record
            "bare": f'u"{n},i,{1_500_000_000 + n},5',
        }[kind]
        lines.append(text)
        reason = {"gap": "item_id is missing", "two": "user_id has unprintable characters"}
        if kind not in {"good", "bare"}:
            expected[number] = (reason.get(kind, WIDTH), f"u{n}")
    snapshot = ingest_file("mixed.csv", end.join(lines) + end)
    found = put_aside(snapshot, rows_of)
    assert [row for row, _, _ in found] == sorted(expected)
    assert all(reason == expected[row][0] for row, reason, _ in found)
    assert all(expected[row][1] in raw for row, _, raw in found)
    assert snapshot.manifest.counts.rows_in == number - 1


def test_rows_behind_a_faulty_quote_keep_their_text(ingest_file: Ingest, rows_of: Rows) -> None:
    lines = [HEADER, good(1), '"u2"x,i,1500000000,5', good(3), ",i,1500000000,5", good(4), "x"]
    found = put_aside(ingest_file("quotes.csv", lines), rows_of)
    assert [(number, reason) for number, reason, _ in found] == [
        (3, "a quote is not closed"),
        (5, "user_id is missing"),
        (7, WIDTH),
    ]
    assert found[0][2] == '"u2"x,i,1500000000,5'
    assert json.loads(found[1][2])["item_id"] == "i"
    assert found[2][2] == "x"


def test_a_long_faulty_row_is_kept_whole(ingest_file: Ingest, rows_of: Rows) -> None:
    long = ("é" * 100 + ",") * 120
    snapshot = ingest_file("long.csv", [HEADER, good(1), long, good(2), "short"])
    assert put_aside(snapshot, rows_of) == [(3, WIDTH, long), (5, WIDTH, "short")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_quote_that_would_swallow_the_file_is_an_error(
    ingest_file: Ingest, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(local_csv, "MAX_OPEN_LINES", 20)
    lines = [HEADER, good(1), "short", '"u2,i,1500000000,5', *(good(n) for n in range(30))]
    with pytest.raises(DataError, match=r"opens in row 4 is not closed, and \d+ more") as caught:
        ingest_file("open.csv", end.join(lines) + end)
    assert caught.value.where.endswith("open.csv")
    assert 'quote = ""' in caught.value.mend
    few = ingest_file("open.csv", end.join(lines[:10]) + end)
    assert few.manifest.counts.quarantined_by_reason == {"a quote is not closed": 1, WIDTH: 1}


def test_where_nothing_is_quoted_a_quote_is_text(ingest_file: Ingest, tmp_path: Path) -> None:
    from endcap.ingest.toml_mapping import read_mapping

    said = tmp_path / "shop.toml"
    said.write_text('[file]\nquote = ""\n')
    lines = [HEADER, good(1), '"u2,i,1500000000,5', *(good(n) for n in range(3, 9))]
    snapshot = ingest_file("open.csv", lines, mapping=read_mapping(said))
    assert snapshot.manifest.counts.kept == 8


def test_text_is_kept_for_every_form(ingest_file: Ingest, rows_of: Rows, tmp_path: Path) -> None:
    records = [("u", "i", "1500000000"), ("", "i", "1500000001"), ("v", "", "x")]
    names = ("user_id", "item_id", "ts")
    objects = [json.dumps(dict(zip(names, record, strict=True))) for record in records]
    table = [",".join(names), *(",".join(record) for record in records)]
    pq = tmp_path / "made.parquet"
    with duckdb.connect() as db:
        db.execute("CREATE TABLE t (user_id VARCHAR, item_id VARCHAR, ts VARCHAR)")
        db.executemany("INSERT INTO t VALUES (?, ?, ?)", records)
        db.execute(f"COPY t TO '{pq}' (FORMAT parquet)")
    forms: dict[str, tuple[Any, int]] = {
        "r.csv": (table, 1),
        "r.csv.gz": (table, 1),
        "r.tsv": ([line.replace(",", "\t") for line in table], 1),
        "r.jsonl": (objects, 0),
        "r.jsonl.gz": (objects, 0),
        "r.parquet": (pq.read_bytes(), 0),
    }
    for name, (content, header) in forms.items():
        found = put_aside(ingest_file(name, content), rows_of)
        assert [(number - header, reason) for number, reason, _ in found] == [
            (2, "user_id is missing"),
            (3, "item_id is missing; ts is not a time"),
        ], name
        for (_, _, raw), record in zip(found, records[1:], strict=True):
            kept = {key: value or "" for key, value in json.loads(raw).items()}
            assert kept == dict(zip(names, record, strict=True)), name


def test_rows_of_several_files_are_told_apart(tmp_path: Path, rows_of: Rows) -> None:
    from endcap.ingest.privacy.config import PrivacyConfig
    from endcap.ingest.run import ingest

    for name, rows in (("a.csv", [good(1), "x"]), ("b.csv", ["y", good(2)]), ("c.csv", [good(3)])):
        (tmp_path / name).write_text("\n".join([HEADER, *rows]) + "\n")
    snapshot = ingest(
        [str(tmp_path / f"{name}.csv") for name in "abc"],
        root=tmp_path / "s",
        privacy=PrivacyConfig(user_id="keep"),
        clock=lambda: 1.78e9,
    )
    assert [(r["source"], r["row_number"], r["raw"]) for r in rows_of(snapshot, "quarantine")] == [
        ("a.csv", 3, "x"),
        ("b.csv", 2, "y"),
    ]


def test_a_line_of_the_catalogue_says_why_it_is_out(
    ingest_file: Ingest, rows_of: Rows, tmp_path: Path
) -> None:
    items = tmp_path / "shelf.csv"
    lines = ["item_id,title,price", "a,Axe,1", "", ",Nail,2", "a,Axe again,3", "b", "c,Cup,-4"]
    items.write_text("\n".join(lines) + "\n")
    snapshot = ingest_file("r.csv", [HEADER, "u,a,1500000000,5"], items=items)
    found = rows_of(snapshot, "quarantine_items")
    assert [(row["row_number"], row["reasons"]) for row in found] == [
        (3, ["item_id is missing"]),
        (4, ["item_id stands in the catalogue before"]),
        (5, [WIDTH]),
    ]
    assert [row["source"] for row in found] == ["shelf.csv"] * 3
    assert json.loads(found[0]["raw"])["title"] == "Nail"
    prices = {row["item_id"]: row["price"] for row in rows_of(snapshot, "items")}
    assert prices == {"a": 1.0, "c": None}
    assert snapshot.manifest.counts.catalogue_quarantined == 3


@pytest.mark.parametrize("batch", [("BATCH_ROWS", 2), ("BATCH_CHARS", 60)])
def test_rows_put_aside_in_batches_are_all_there(
    ingest_file: Ingest, rows_of: Rows, monkeypatch: pytest.MonkeyPatch, batch: tuple[str, int]
) -> None:
    monkeypatch.setattr(quarantine_rows, *batch)
    monkeypatch.setattr(local_csv, "BATCH_ROWS", 2)
    lines = [HEADER, good(0), *(f"bad {n}" if n % 2 else f",{n},{n},{n}" for n in range(9))]
    found = put_aside(ingest_file("many.csv", lines), rows_of)
    assert [number for number, _, _ in found] == list(range(3, 12))
    assert [raw for _, reason, raw in found if reason == WIDTH] == [
        f"bad {n}" for n in (1, 3, 5, 7)
    ]
    assert all(f'"{n}"' in found[n][2] for n in range(0, 9, 2))
