"""The page about protocols names what the code has: protocols, views, choices, counts."""

import re
from pathlib import Path

import pytest
from evaluation_shop import N_ITEMS, N_USERS, dataset_of, shop_rows

from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import PROTOCOLS, split_by
from endcap.features.sessions import session_ids
from endcap.schema.types import DAY_US

PAGE = (Path(__file__).resolve().parents[2] / "docs/guide/protocols.md").read_text()
NOT_OF_A_PROTOCOL = {"n_silent_users"}


@pytest.fixture(scope="module")
def split_of():
    rows = [(ts * DAY_US // 40, user, item) for ts, user, item in shop_rows()]
    data = dataset_of(rows, n_users=N_USERS, n_items=N_ITEMS)
    told = data.interactions
    session_of = session_ids(told.user_idx, told.ts, gap_s=86_400)
    choices = ProtocolConfig(test_days=10, validation_days=8, refit=False)
    return lambda name: split_by(name, data, choices=choices, session_of=session_of)


def section(name):
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_section_names_the_views_and_the_counts(split_of, name):
    split = split_of(name)
    known = section("temporal") if name == "next-basket" else ""
    named = set(re.findall(r"`(\w+)`", section(name) + known + section("What is the same for all")))
    assert set(split.targets) <= named
    counts = {fact for fact in split.facts if fact.startswith("n_") or fact == "tied_share"}
    assert counts <= named
    assert {text for text in re.findall(r"`(n_\w+)`", section(name))} <= counts | NOT_OF_A_PROTOCOL


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_table_has_a_row_with_the_first_view(split_of, name):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| [`{name}`]"))
    assert row.endswith(f"| `{next(iter(split_of(name).targets))}` |")
    assert ("nothing" in row) == (PROTOCOLS[name].leaks == "nothing")


def test_every_choice_is_named():
    named = set(re.findall(r"`(\w+)(?: = [^`]*)?`", PAGE)) | {"refit", "seed"}
    named |= {"test_days", "validation_days"}  # both are `training.test_days`, as the page says
    assert "`training.test_days`" in PAGE
    assert set(ProtocolConfig.model_fields) <= named
