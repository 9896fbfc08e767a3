"""The verb `features`: what it writes is what the functions give."""

from __future__ import annotations

import json
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from endcap.cli.features import features, moment_us
from endcap.features.point_in_time import item_features, user_features
from endcap.features.spec import FeatureSpec
from endcap.features.weights import KindWeights, weigh
from endcap.schema.errors import SettingsError
from endcap.schema.types import DAY_US
from endcap.testing.shop import SHOP_END_US
from shops import make_shop

alone = typer.Typer()
alone.command()(features)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)


@pytest.fixture
def data(monkeypatch, tmp_path):
    """The tiny shop's data, as if they were the latest snapshot."""
    found = make_shop().data
    opened = SimpleNamespace(path=tmp_path / "snapshot", snapshot_id="0a1b")
    monkeypatch.setattr("endcap.ingest.snapshot.open_snapshot", lambda *_: opened)
    monkeypatch.setattr("endcap.ingest.snapshot.load_dataset", lambda _: found)
    return found


def run(*arguments):
    done = CliRunner().invoke(alone, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def table(path):
    with duckdb.connect() as db:
        found = db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchnumpy()
    return {
        name: np.ma.filled(column, np.nan)
        if np.ma.isMaskedArray(column) and column.mask.any()
        else np.asarray(column)
        for name, column in found.items()
    }


def test_the_tables_hold_the_features(data, tmp_path):
    answer = json.loads(run("--json", "--out", "here", "--at", "2019-12-01"))
    at_us = SHOP_END_US - 31 * DAY_US
    assert (answer["at_us"], answer["at"]) == (at_us, "2019-12-01T00:00:00+00:00")
    assert (answer["snapshot_id"], answer["spec"]["window_days"]) == ("0a1b", 7)
    weighed, spec = weigh(data, KindWeights()), FeatureSpec()
    items = item_features(weighed.interactions, data.items, at_us=at_us, spec=spec)
    written = table(tmp_path / "here" / "item_features.parquet")
    assert set(written) == set(type(items).__dataclass_fields__)
    for name in written:
        np.testing.assert_array_equal(written[name], getattr(items, name), err_msg=name)
    users = user_features(
        weighed.interactions,
        data.items,
        users=np.arange(data.n_users, dtype=np.int32),
        at_us=at_us,
        spec=spec,
    )
    written = table(tmp_path / "here" / "user_features.parquet")
    assert set(written) == set(type(users).__dataclass_fields__)
    for name in set(written) - {"taste", "price_band"}:
        np.testing.assert_array_equal(written[name], getattr(users, name), err_msg=name)
    first = written["taste"][0]
    assert [one["name"] for one in first] == [
        data.items.category_names[code] for code in users.taste.code[: len(first)]
    ]
    assert answer["n_users_recent"] == np.count_nonzero(users.n_events_recent)


def test_without_a_moment_everything_counts(data, tmp_path):
    answer = json.loads(run("--json"))
    assert answer["at_us"] == data.end_us
    assert answer["n_events"] == len(data.interactions)
    assert answer["path"] == f"var/features/0a1b-{data.end_us}"
    note = json.loads((tmp_path / answer["path"] / "spec.json").read_text())
    assert note["files"] == answer["files"]
    assert note["at_us"] == answer["at_us"]


def test_a_summary_for_people(data):
    said = run()
    assert "60 of 60 users" in said
    assert "in the last 7 days" in said
    assert "written to var/features" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", DAY_US),
        ("1970-01-01T01:00:00.000001Z", 3_600_000_001),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_what_a_moment_is(text, expected):
    assert moment_us(text) == expected


@pytest.mark.parametrize("text", ["yesterday", "2019-13-01", ""])
def test_what_is_no_moment(text):
    with pytest.raises(SettingsError, match="--at"):
        moment_us(text)
