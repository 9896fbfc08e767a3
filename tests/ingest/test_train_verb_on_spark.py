"""`endcap train`, `bundle` and `lists` with a Spark master: run, bundle and lists as ever."""

from __future__ import annotations

import contextlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from endcap.bundle.read import read_bundle
from endcap.bundle.scorer.panel import open_scorers
from endcap.cli import main
from endcap.ingest.run import ingest
from endcap.models.als import ALS
from endcap.models.ncf.model import NCF
from endcap.schema.types import NO_ITEM
from endcap.training.run import load_run

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]

END = datetime(2020, 3, 1, tzinfo=UTC)
SETTINGS = """\
[training]
compute = "{master}"
memory_gb = 0.75
tracking = "off"
[training.params.als]
embedding_size = 8
iterations = 6
[training.params.ncf]
embedding_size = 4
loop = {{ n_epochs = 2 }}
"""


def shop(path):
    """Users of three tastes."""
    rng = np.random.default_rng(5)
    rows = ["user_id,item_id,ts"]
    for n in range(900):
        user, when = rng.integers(90), (END - timedelta(minutes=40 * (900 - n))).isoformat()
        rows.append(f"u{user},i{3 * rng.integers(12) + user % 3},{when}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    ingest(shop(folder / "log.csv"), root=folder / "var" / "snapshots")
    return folder / "var"


def rows_of(path):
    with duckdb.connect() as db:
        return db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


@pytest.fixture(scope="module")
def endcap(var, tmp_path_factory, spark_running):
    """Run `endcap` where endcap.toml names the cluster; return what it printed and said."""

    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patched.setattr("sys.argv", ["endcap", *arguments])
            with pytest.raises(SystemExit) as stopped:
                main()
        assert stopped.value.code == 0, err.getvalue()
        return out.getvalue(), re.sub(r"\s+", " ", err.getvalue())

    folder = tmp_path_factory.mktemp("here")
    (folder / "endcap.toml").write_text(SETTINGS.format(master=spark_running))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("COLUMNS", "200")
        patched.setenv("ENDCAP_VAR", str(var))
        yield run


@pytest.fixture(scope="module")
def trained(endcap, var):
    """A run of three models, what was said, and the run as JSON."""
    shown, said = endcap("train", "popular", "als", "ncf", "--json")
    assert not (var / "training").exists() or not list((var / "training").iterdir())
    return load_run(var / "models"), said, json.loads(shown)


def test_what_the_cluster_takes_is_fitted_there_and_the_rest_here(trained, spark_running):
    run, said, shown = trained
    places = {"popular": "local://", "als": spark_running, "ncf": spark_running}
    assert {name: record["compute"] for name, record in shown["records"].items()} == places
    assert {name: record.compute for name, record in run.records.items()} == places
    assert re.search(rf"popular .* on this machine als .* on {spark_running} ", said)
    assert (type(run.models["als"]), type(run.models["ncf"])) == (ALS, NCF)
    assert run.models["als"].config.embedding_size == 8
    assert len(run.models["ncf"].trained_.losses) == 2


def test_the_bundle_serves_what_the_factors_of_the_cluster_rank(endcap, trained, var):
    als = trained[0].models["als"]
    shown, _ = endcap("bundle", "--json")
    bundle = read_bundle(Path(json.loads(shown)["path"]))
    np.testing.assert_array_equal(bundle.als_item_factors, als.item_factors_)
    scorer, n_compared = open_scorers(bundle).fold_in, 0
    for user in range(0, len(bundle.user_ids), 5):
        history = bundle.history.row(user)
        found = scorer.rank(history, 10, now_us=als.now_us_, exclude=history.items)
        wanted = als.recommend(np.array([user], dtype=np.int32), 10)
        n_kept = int((wanted.scores[0] > 0).sum())  # serving leaves out what scores less
        assert found.items[0].tolist() == wanted.items[0, :n_kept].tolist()
        np.testing.assert_allclose(found.scores[0], wanted.scores[0, :n_kept], atol=1e-5)
        n_compared += n_kept
    assert n_compared > 50
    assert NO_ITEM not in found.items


def test_lists_of_the_cluster_are_those_of_one_machine(endcap, trained, tmp_path):
    there, here = tmp_path / "there.parquet", tmp_path / "here.parquet"
    told, _ = endcap("lists", "als", "--out", str(there), "--k", "30", "--json")
    endcap("lists", "als", "--out", str(here), "--k", "30", "--compute", "local://")
    assert json.loads(told)["n_rows"] > 1000
    rows = rows_of(there)
    assert rows == rows_of(here)
    assert [row[:3:2] for row in rows] == sorted(row[:3:2] for row in rows)
