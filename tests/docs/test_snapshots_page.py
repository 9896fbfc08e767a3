"""The page about snapshots names exactly the files, columns and keys that ingest writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from endcap.ingest.config import IngestConfig
from endcap.ingest.manifest import FORMAT, Counts, Manifest
from endcap.ingest.repeats import FLAG_REASONS
from endcap.ingest.write import CHUNK_ROWS, CHUNKED, TABLES
from endcap.schema.columns import KIND_CODES

PAGE = (Path(__file__).resolve().parents[2] / "docs/guide/snapshots.md").read_text()
FILES = "What lies in it"
USERS = {"user_idx": "INTEGER", "user_id": "VARCHAR"}
COLUMNS = {name: columns for name, (_, columns, _) in TABLES.items() if name != "quarantine_items"}
COLUMNS |= {name: columns for name, (columns, _) in CHUNKED.items()} | {"users": USERS}


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, row by row, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", PAGE, flags=re.MULTILINE)[1]
    lines = re.split(r"^#", section, flags=re.MULTILINE)[0].splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_has_the_columns_that_are_written_in_their_order(name):
    told = [(column, row[1]) for row in table(name) for column in named(row[0])]
    assert told == list(COLUMNS[name].items())


def test_every_file_is_named_with_its_order():
    told = {row[0].split(".parquet")[0].split("/")[0].strip("`"): row[2] for row in table(FILES)}
    del told["manifest.json"]
    orders = {name: order for name, (_, _, order) in TABLES.items()}
    orders |= {name: order for name, (_, order) in CHUNKED.items()} | {"users": "user_idx"}
    assert {name: named(order) for name, order in told.items()} == {
        name: order.replace(" NULLS FIRST", "").split(", ") for name, order in orders.items()
    }


def test_every_key_of_the_manifest_is_told():
    told = [key for row in table("manifest.json") for key in named(row[0])]
    assert sorted(told) == sorted(Manifest.model_fields)
    assert f"| `format` | {FORMAT};" in PAGE


def test_the_counts_that_add_up_and_the_others():
    section = PAGE.split("\n## Counts\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) == set(Counts.model_fields)


def test_codes_flags_and_their_limits():
    codes = ", ".join(f"{code} {kind.value}" for kind, code in KIND_CODES.items())
    assert f"| {codes} |" in PAGE
    flags = table("Flags")
    assert [named(row[0])[0] for row in flags] == list(FLAG_REASONS)
    config = IngestConfig()
    for row, number in zip(
        flags,
        (config.near_duplicate_s, config.max_per_minute, config.max_per_day),
        strict=True,
    ):
        assert f" {number:,g} " in row[1]
        assert named(row[2])[0].removeprefix("ingest.") in IngestConfig.model_fields
    assert f"first {CHUNK_ROWS:,} rows" in PAGE
