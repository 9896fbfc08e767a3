from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.snapshot import (
    Snapshot,
    load_dataset,
    read_catalogue,
    read_descriptions,
    read_relations,
)

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
SALES = ["user_id,item_id,ts,quantity,price", "u,b,1500000000,1,2.5", "u,x,1500000001,1,9"]


@pytest.fixture
def items_file(tmp_path: Path) -> Path:
    lines = [
        {"asin": "b", "title": "Bolt", "main_cat": "Tools", "category": ["Tools", "Bolts"],
         "brand": "Acme", "price": "$1,234.50", "imageURLHighRes": ["http://a/1.jpg", "x"]},
        {"asin": "a", "title": "Axe", "main_cat": "Tools", "category": None, "price": "$1 - $2"},
        {"asin": "b", "title": "Bolt again"},
        {"title": "Nameless"},
        "oops",
    ]  # fmt: skip
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines[:-1]) + "\noops\n")
    return path


def test_a_catalogue_file_describes_the_items(
    ingest_file: Ingest, rows_of: Rows, items_file: Path
) -> None:
    snapshot = ingest_file("sales.csv", SALES, items=items_file)
    bolt, axe, stray = read_catalogue(snapshot.path)
    assert bolt == {
        "item_id": "b", "name": "Bolt", "department": "Tools", "category": "Bolts",
        "brand": "Acme", "price": 1234.5, "currency": "USD", "image_url": "http://a/1.jpg",
        "is_available": True,
    }  # fmt: skip
    # Nobody bought the axe; of a range of prices the lower one is shown.
    assert (axe["name"], axe["price"], axe["is_available"]) == ("Axe", 1, True)
    # The shop does not list this one: its sale counts, but it is not offered.
    assert (stray["item_id"], stray["name"], stray["is_available"]) == ("x", None, False)
    assert stray["price"] == 9
    assert [
        (row["row_number"], row["reasons"]) for row in rows_of(snapshot, "quarantine_items")
    ] == [
        (3, ["item_id stands in the catalogue before"]),
        (4, ["item_id is missing"]),
        (5, ["not JSON"]),
    ]
    counts = snapshot.manifest.counts
    assert (counts.catalogue_rows_in, counts.catalogue_quarantined) == (5, 3)
    assert (counts.items, counts.items_with_interactions) == (3, 2)
    assert (counts.rows_in, counts.kept, counts.quarantined) == (2, 2, 0)
    assert counts.quarantined_by_reason == {}
    assert counts.catalogue_quarantined_by_reason["not JSON"] == 1


def test_attributes_are_codes_in_the_order_of_their_names(
    ingest_file: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("sku,department,category\na,Wine,\nb,Beer,Ale\nc,Wine,\n")
    snapshot = ingest_file("s.csv", ["user,sku,ts", "u,a,1500000000"], items=path)
    items = load_dataset(snapshot.path).items
    assert items.department_names == ("Beer", "Wine")
    assert items.department.tolist() == [1, 0, 1]
    assert items.category_names == ("Ale",)
    assert items.category.tolist() == [-1, 0, -1]
    assert items.brand_names == ()
    assert items.brand.tolist() == [-1, -1, -1]
    assert items.brand.dtype == "int32"


def test_faulty_lines_of_a_csv_catalogue_are_not_taken_for_sales(
    ingest_file: Ingest, rows_of: Rows, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("sku,title\na,Axe\nb\n")
    snapshot = ingest_file("s.csv", ["user,sku,ts", "u,a,1500000000", "u,b"], items=path)
    for table, source in (("quarantine_items", "items.csv"), ("quarantine", "s.csv")):
        (row,) = rows_of(snapshot, table)
        assert (row["source"], row["row_number"]) == (source, 3)
    assert snapshot.manifest.counts.rows_in == 2


def test_the_price_is_that_of_the_last_sales(ingest_file: Ingest) -> None:
    old = [f"u,a,{1_400_000_000 + n},1,100" for n in range(50)]
    new = [f"u,a,{1_500_000_000 + n},1,{2 if n % 2 else 3}" for n in range(20)]
    free = ["u,a,1600000000,1,0"] * 5
    snapshot = ingest_file("s.csv", ["user,sku,ts,quantity,price", *new, *old, *free])
    (item,) = read_catalogue(snapshot.path)
    assert item["price"] == 2.5
    assert item["is_available"] is True


def test_items_that_nobody_describes_are_offered(ingest_file: Ingest) -> None:
    snapshot = ingest_file("s.csv", ["user,sku,ts", "u,b,1500000000", "v,a,1500000000"])
    assert [
        (row["item_id"], row["name"], row["is_available"]) for row in read_catalogue(snapshot.path)
    ] == [
        ("b", None, True),
        ("a", None, True),
    ]


def test_texts_and_related_items_are_kept_for_models(ingest_file: Ingest, tmp_path: Path) -> None:
    lines = [
        {"item_id": "a", "description": "sharp", "also_bought": ["b", "b", "unknown", "a"]},
        {"item_id": "b", "also_bought": [], "also_viewed": ["a"]},
        {"item_id": "c", "description": " ", "also_viewed": None},
    ]
    items = tmp_path / "items.jsonl"
    items.write_text("\n".join(json.dumps(line) for line in lines))
    snapshot = ingest_file("s.csv", ["user,item,ts", "u,a,1500000000"], items=items)
    assert read_descriptions(snapshot.path) == ["sharp", None, None]
    assert read_relations(snapshot.path, "also_bought").tolist() == [[0, 1]]
    assert read_relations(snapshot.path, "also_viewed").tolist() == [[1, 0]]
    assert "description" not in read_catalogue(snapshot.path)[0]
