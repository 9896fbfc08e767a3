from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from endcap.ingest.snapshot import Snapshot, load_dataset
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
NOW_US = 1_780_000_000_000_000
GOOD = "u,i,1500000000,view"


def reasons(snapshot: Snapshot, rows_of: Rows) -> list[list[str]]:
    return [row["reasons"] for row in rows_of(snapshot, "quarantine")]


FAULTS = [
    (",i,1500000000,view", "user_id is missing"),
    ("  ,i,1500000000,view", "user_id is missing"),
    ("NaN,i,1500000000,view", "user_id is missing"),
    ("u,None,1500000000,view", "item_id is missing"),
    (f"{'x' * 129},i,1500000000,view", "user_id is longer than 128 characters"),
    ("u,a\x07b,1500000000,view", "item_id has unprintable characters"),
    ("u,a\u00a0b,1500000000,view", "item_id has unprintable characters"),
    ("u,i,,view", "ts is missing"),
    ("u,i,nan,view", "ts is missing"),
    ("u,i,inf,view", "ts is not a time"),
    ("u,i,yesterday,view", "ts is not a time"),
    ("u,i,2017-13-45,view", "ts is not a time"),
    ("u,i,infinity,view", "ts is not a time"),
    ("u,i,1e300,view", "ts is not a time"),
    ("u,i,0,view", "ts is before 1990"),
    ("u,i,-5,view", "ts is before 1990"),
    ("u,i,1989-12-31,view", "ts is before 1990"),
    ("u,i,2026-05-30,view", "ts is in the future"),
    ("u,i,1500000000,", "kind is missing"),
    ("u,i,1500000000,sneeze", "kind is unknown"),
]


def test_each_fault_has_its_reason(ingest_file: Ingest, rows_of: Rows) -> None:
    rows = [row for row, _ in FAULTS]
    snapshot = ingest_file("bad.csv", ["user_id,item_id,ts,event", GOOD, *rows])
    found = [(row["row_number"], row["reasons"]) for row in rows_of(snapshot, "quarantine")]
    assert found == [(number, [reason]) for number, (_, reason) in enumerate(FAULTS, start=3)]
    assert snapshot.manifest.counts.quarantined_by_reason["ts is not a time"] == 5


def test_a_row_has_all_its_reasons(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file("bad.csv", ["user_id,item_id,ts,event", GOOD, ",,x,y"])
    assert reasons(snapshot, rows_of) == [
        ["user_id is missing", "item_id is missing", "kind is unknown", "ts is not a time"]
    ]
    assert snapshot.manifest.counts.quarantined == 1


def test_ids_of_any_script_are_fine(ingest_file: Ingest, rows_of: Rows) -> None:
    ids = ["é", "日本", "a b", "😀", "O'Neil", 'x"y', "x" * 128, "-1", "None of these"]
    cells = ['"' + text.replace('"', '""') + '"' for text in ids]
    rows = [f"{cell},i,1500000000" for cell in cells]
    snapshot = ingest_file("ok.csv", ["user_id,item_id,ts", *rows])
    assert [row["user_id"] for row in rows_of(snapshot, "users")] == ids


def test_bytes_that_are_not_utf8_only_matter_in_ids(ingest_file: Ingest, rows_of: Rows) -> None:
    text = "user_id,item_id,ts,note\nJosé,i,1500000000,x\nAna,i,1500000000,très\n"
    snapshot = ingest_file("latin.csv", text.encode("latin-1"))
    assert reasons(snapshot, rows_of) == [["user_id is not UTF-8"]]
    assert [row["user_id"] for row in rows_of(snapshot, "users")] == ["Ana"]
    assert snapshot.manifest.warnings == ["latin.csv: 2 characters were not UTF-8"]


@pytest.mark.parametrize(
    ("cell", "expected_us", "unit"),
    [
        ("1500000000", 1_500_000_000_000_000, "seconds"),
        ("1500000000.25", 1_500_000_000_250_000, "seconds"),
        ("1500000000123", 1_500_000_000_123_000, "milliseconds"),
        ("1500000000123456", 1_500_000_000_123_456, "microseconds"),
        ("1500000000123456000", 1_500_000_000_123_456, "nanoseconds"),
        ("2017-07-14 02:40:00", 1_500_000_000_000_000, "text"),
        ("2017-07-14T02:40:00.5Z", 1_500_000_000_500_000, "text"),
        ("2017-07-14T04:40:00+02:00", 1_500_000_000_000_000, "text"),
        ("2017-07-14", 1_499_990_400_000_000, "text"),
    ],
)
def test_times_in_any_unit_become_microseconds(
    ingest_file: Ingest, rows_of: Rows, cell: str, expected_us: int, unit: str
) -> None:
    snapshot = ingest_file("t.csv", ["user_id,item_id,ts", f"u,i,{cell}"])
    assert rows_of(snapshot, "interactions")[0]["ts"] == expected_us
    assert snapshot.manifest.config.readings[0].ts_unit == unit


def test_the_unit_is_that_of_most_rows_of_a_file(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file(
        "t.csv", ["user_id,item_id,ts", *["u,i,1500000000000"] * 3, "u,i,1500000000"]
    )
    assert snapshot.manifest.config.readings[0].ts_unit == "milliseconds"
    assert reasons(snapshot, rows_of) == [["ts is before 1990"]]


def test_a_day_of_clock_error_is_forgiven(ingest_file: Ingest) -> None:
    rows = [f"u,i,{NOW_US + DAY_US}", f"u,i,{NOW_US + DAY_US + 1}"]
    counts = ingest_file("t.csv", ["user_id,item_id,ts", *rows]).manifest.counts
    assert (counts.kept, counts.quarantined_by_reason) == (1, {"ts is in the future": 1})


def test_words_for_kinds(ingest_file: Ingest) -> None:
    words = ["view", "Click", "addtocart", "transaction", " review "]
    lines = [f"u,{n},150000000{n},{word},3" for n, word in enumerate(words)]
    snapshot = ingest_file("k.csv", ["user_id,item_id,ts,event,value", *lines])
    interactions = load_dataset(snapshot.path).interactions
    assert interactions.kind.tolist() == [1, 1, 2, 3, 4]
    # A view has no amount, whatever its column says.
    assert interactions.value.tolist() == [1, 1, 1, 3, 3]


def test_amounts_are_checked(ingest_file: Ingest, rows_of: Rows) -> None:
    faults = [
        ("0", "1", "no quantity sold"),
        ("-2", "1", "no quantity sold"),
        ("", "1", "value is missing"),
        ("two", "1", "value is not a number"),
        ("inf", "1", "value is not a number"),
        ("1e99", "1", "value is beyond belief"),
        ("1", "-0.5", "price is negative"),
        ("1", "free", "price is not a number"),
    ]
    rows = [f"u,i,1500000000,{quantity},{price}" for quantity, price, _ in faults]
    head = "user_id,item_id,ts,quantity,price"
    snapshot = ingest_file("q.csv", [head, "u,i,1500000000,1,1", *rows])
    assert reasons(snapshot, rows_of) == [[reason] for _, _, reason in faults]


def test_an_unknown_price_is_nan_and_a_free_piece_is_free(ingest_file: Ingest) -> None:
    head = "user_id,item_id,ts,quantity,price"
    rows = ["u,i,1500000000,2,NaN", "u,i,1500000001,2,", "u,i,1500000002,2,0"]
    prices = load_dataset(ingest_file("p.csv", [head, *rows]).path).interactions.price.tolist()
    assert math.isnan(prices[0])
    assert math.isnan(prices[1])
    assert prices[2] == 0


def test_a_total_gives_the_price_of_a_piece(ingest_file: Ingest) -> None:
    head = "user_id,item_id,ts,quantity,total"
    snapshot = ingest_file("p.csv", [head, "u,i,1500000000,4,10"])
    assert load_dataset(snapshot.path).interactions.price.tolist() == [2.5]
    snapshot = ingest_file("p.csv", ["user_id,item_id,ts,total", "u,i,1500000000,10"])
    assert load_dataset(snapshot.path).interactions.price.tolist() == [10]


def test_a_rating_counts_once_a_purchase_each_time(ingest_file: Ingest, rows_of: Rows) -> None:
    rows = ["u,i,1500000000,5", "u,i,1500000000,5", "u,i,1500000000,4", "u,i,1500000000,5"]
    snapshot = ingest_file("r.csv", ["user_id,item_id,ts,rating", *rows])
    assert [(row["row_number"], row["reasons"]) for row in rows_of(snapshot, "quarantine")] == [
        (3, ["repeats an earlier row"]),
        (5, ["repeats an earlier row"]),
    ]
    snapshot = ingest_file("q.csv", ["user_id,item_id,ts,quantity", *rows])
    assert snapshot.manifest.counts.kept == 4


def test_nothing_usable_is_an_error_with_the_main_reasons(ingest_file: Ingest) -> None:
    with pytest.raises(DataError, match=r"none of 2 rows can be used: ts is not a time \(2\)"):
        ingest_file("bad.csv", ["user_id,item_id,ts", "u,i,x", "u,i,y"])
