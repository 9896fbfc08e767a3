"""`endcap train`, `tune` and `runs` as a person at a terminal meets them, on a small shop."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from shell import run

from endcap.ingest.run import ingest
from endcap.models import registry
from endcap.models.popular import Popular
from endcap.training.grid import run_grid

END = datetime(2020, 3, 1, tzinfo=UTC)


class Dying(Popular):
    """Keeps its training, and is interrupted in it."""

    def keep_training_in(self, folder):
        self.folder = folder
        return self

    def fit(self, data, *, rng):
        self.folder.mkdir(parents=True)
        raise KeyboardInterrupt


def shop(path):
    """Every ten days other items are in fashion, so that short memories are better ones."""
    rng = np.random.default_rng(5)
    rows = ["user_id,item_id,rating,ts"]
    for n in range(1500):
        item = 3 * (n // 360) + rng.integers(6)
        when = (END - timedelta(minutes=40 * (1500 - n))).isoformat()
        rows.append(f"u{rng.integers(60)},i{item},{rng.integers(1, 6)},{when}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    ingest(shop(folder / "log.csv"), root=folder / "var" / "snapshots")
    return folder / "var"


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path, var):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ENDCAP_VAR", str(var))
    monkeypatch.setenv("ENDCAP_TRAINING__TRACKING", "off")
    monkeypatch.setenv("ENDCAP_TRAINING__TEST_DAYS", "7")
    monkeypatch.setenv("ENDCAP_TRAINING__K", "5")
    monkeypatch.setenv("ENDCAP_TRAINING__BOOTSTRAP_REPLICATES", "100")


def test_models_are_named_in_either_way_and_a_run_is_kept(monkeypatch, capsys, var):
    code, shown, said = run(monkeypatch, capsys, "train", "popular", "--models", "repeat", "--json")
    told = json.loads(shown)
    assert (code, sorted(told["records"])) == (0, ["popular", "repeat"])
    assert told["updated_from"] is None
    assert "runs are not tracked: training.tracking is off" in said
    code, shown, said = run(monkeypatch, capsys, "train", "popular", "--update", "--json")
    assert (code, json.loads(shown)["updated_from"]) == (0, told["run_id"])


def test_ctrl_c_says_how_to_go_on_and_fresh_begins_anew(monkeypatch, capsys, var):
    monkeypatch.setitem(registry.MODELS, "dying", (__name__, "Dying"))
    before = set((var / "models").glob("*")) if (var / "models").exists() else set()
    code, _, said = run(monkeypatch, capsys, "train", "dying")
    assert code == 130
    assert "the same command goes on" in said
    assert list((var / "training").glob("*/dying"))
    assert (set((var / "models").glob("*")) if (var / "models").exists() else set()) == before
    code, _, _ = run(monkeypatch, capsys, "train", "popular", "--fresh")
    assert (code, list((var / "training").glob("*"))) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("popular", "--grid"), "--grid is for als alone"),
        (("--preset", "seed-1"), "--preset is of one model"),
        (("als", "--preset", "seed-1"), "has no preset"),
        (("als", "--grid", "--update"), "do not go together"),
        (("dice",), "there is no model 'dice'"),
    ],
)
def test_flags_that_mean_nothing_together_are_refused(monkeypatch, capsys, arguments, said):
    code, _, shown = run(monkeypatch, capsys, "train", *arguments)
    assert code == 2
    assert said in shown


def test_the_grids_are_printed_and_kept(monkeypatch, capsys, var):
    small = {"round 1": {(2, 0.1): (1.35, 0.798, 0.8625)}}
    monkeypatch.setattr("endcap.training.grid.run_grid", partial(run_grid, rounds=small))
    code, shown, _ = run(monkeypatch, capsys, "train", "als", "--grid")
    assert code == 0
    assert "global_mean" in shown
    assert "random" in shown
    (kept,) = (var / "ratings").glob("*-seed-2-grid.json")
    assert json.loads(kept.read_text())["best"] == {"round 1": "als_2_0.1"}


def test_what_is_tuned_is_what_is_trained_then(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("ENDCAP_CONFIG", str(tmp_path / "shop.toml"))
    (tmp_path / "shop.toml").write_text("[training.params.popular]\nhalf_life_days = 2000.0\n")
    code, shown, _ = run(
        monkeypatch, capsys, "tune", "popular", "--trials", "6", "--write", "--json"
    )
    told = json.loads(shown)
    assert code == 0
    assert told["tuned"]["trials"][0] == told["tuned"]["as_set"]
    best, as_set = told["tuned"]["best"], told["tuned"]["as_set"]
    assert best["value"] > as_set["value"]
    written = tomllib.loads((tmp_path / "shop.toml").read_text())["training"]["params"]
    assert written["popular"] == told["settings"] == best["settings"]
    _, shown, _ = run(monkeypatch, capsys, "train", "popular", "--json")
    trained = json.loads(shown)["records"]["popular"]["params"]
    assert trained["half_life_days"] == best["settings"]["half_life_days"]


def test_a_search_shows_a_table_and_goes_on(monkeypatch, capsys):
    code, shown, _ = run(monkeypatch, capsys, "tune", "trending", "--trials", "2")
    assert code == 0
    assert "2 trials of trending" in shown
    assert "as set" in shown
    code, shown, said = run(monkeypatch, capsys, "tune", "trending", "--trials", "3")
    assert "3 trials of trending" in shown
    assert "goes on after 2 trials" in said


def test_what_cannot_be_tuned_or_listed_is_said(monkeypatch, capsys):
    code, _, said = run(monkeypatch, capsys, "tune", "dice")
    assert (code, "nothing to tune of 'dice'" in said) == (2, True)
    code, _, said = run(monkeypatch, capsys, "runs")
    assert (code, "there is no book of runs" in said) == (2, True)
    code, _, said = run(monkeypatch, capsys, "runs", "--ui")
    assert (code, "runs are not tracked" in said) == (2, True)


@pytest.mark.slow
def test_runs_lists_what_was_trained(monkeypatch, capsys, var):
    pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    monkeypatch.setenv("ENDCAP_TRAINING__TRACKING", "local")
    assert run(monkeypatch, capsys, "train", "popular")[0] == 0
    assert run(monkeypatch, capsys, "bundle")[0] == 0
    assert run(monkeypatch, capsys, "tune", "popular", "--trials", "2")[0] == 0
    code, shown, _ = run(monkeypatch, capsys, "runs", "--nested", "--json")
    told = json.loads(shown)["runs"]
    assert code == 0
    assert [one["kind"] for one in told] == ["trial", "trial", "tune", "train"]
    assert {one["parent_id"] for one in told[:2]} == {told[2]["run_id"]}
    assert "ndcg" in told[0]["metrics"]
    code, shown, _ = run(monkeypatch, capsys, "runs")
    assert "tune popular" in shown
    assert (var / "runs" / "runs.db").is_file()
