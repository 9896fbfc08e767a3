"""The page about features names exactly the fields and parameters of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from endcap.features.point_in_time import ItemFeatures, UserFeatures
from endcap.features.spec import FeatureSpec
from endcap.features.status import STATUS_OF_KIND
from endcap.feedback.state import MAX_RECENT, MAX_SALES
from endcap.schema.columns import Kind
from endcap.serving.wire_features import FeaturesOut

PAGE = (Path(__file__).resolve().parents[2] / "docs/guide/features.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, row by row, without its head."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(
    ("heading", "struct"),
    [("Features of users", UserFeatures), ("Features of items", ItemFeatures)],
)
def test_a_table_names_the_fields_in_their_order(heading, struct):
    rows = table(heading)
    assert [row[0].strip("`") for row in rows] == [field.name for field in fields(struct)]
    assert all(len(row) == 5 and all(row) for row in rows)


def test_what_the_page_says_the_api_gives_is_what_it_gives():
    told = {row[0].strip("`") for row in table("Features of users") if "API" in row[3]}
    assert told == set(FeaturesOut.model_fields)


def test_the_parameters_and_their_defaults():
    told = {row[0].strip("`"): row[1].strip("`") for row in table("Parameters")}
    assert told == {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in FeatureSpec().model_dump().items()
    }


def test_every_parameter_that_a_definition_names_exists():
    named = set(
        re.findall(r"`(n_prices_\w+|n_tastes|\w+_days|\w+_gap_s|\w+_within|taste_by)`", PAGE)
    )
    assert named <= set(FeatureSpec.model_fields)
    assert len(named) == len(FeatureSpec.model_fields) - 1  # all but n_price_bands


def test_every_kind_has_its_status():
    told = {
        Kind(kind.strip()): float(row[1].split(",")[0])
        for row in table("Interaction status")
        for kind in row[0].split(",")
    }
    assert told == pytest.approx({kind: float(status) for kind, status in STATUS_OF_KIND.items()})


def test_how_much_the_live_state_keeps():
    assert f"the last {MAX_RECENT} events and the last {MAX_SALES} sales" in PAGE
