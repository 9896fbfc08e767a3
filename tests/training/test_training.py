"""Runs, judgement and export on a generated shop of 40 shoppers, with models that need no torch."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from endcap.bundle.read import read_bundle
from endcap.bundle.write import current
from endcap.ingest.lists import GivenLists
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import load_dataset
from endcap.models import registry
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError, SettingsError
from endcap.training.config import EvaluationConfig, TrainingConfig
from endcap.training.export import export
from endcap.training.judge import Setup, judge, load_evaluation, save_evaluation, split_for
from endcap.training.run import fit_models, load_run, model_rng, train

LIGHT = ("popular", "trending", "repeat", "item_knn")
CONFIG = TrainingConfig(models=LIGHT, test_days=7, bootstrap_replicates=100)
END = datetime(2020, 3, 1, tzinfo=UTC)


def purchases(path: Path, *, end: datetime = END, extra: str = "") -> Path:
    """Write 40 shoppers who each buy six of twelve items again and again for 60 days."""
    rng = np.random.default_rng(5)
    rows = ["user_id,item_id,ts,kind"]
    for user in range(40):
        taste = 12 * (user % 2) + rng.choice(12, size=6, replace=False)
        for day in range(60):
            if rng.random() < 0.5:
                when = (end - timedelta(days=60 - day, minutes=user)).isoformat()
                rows.append(f"u{user},i{rng.choice(taste)},{when},purchase")
    path.write_text("\n".join(rows) + "\n" + extra)
    return path


@pytest.fixture(scope="module")
def var(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("var")
    ingest(str(purchases(folder / "log.csv")), root=folder / "snapshots")
    return folder


@pytest.fixture(scope="module")
def data(var) -> Dataset:
    return load_dataset(var / "snapshots" / (var / "snapshots" / "latest").read_text().strip())


@pytest.fixture(scope="module")
def run(var, data):
    snapshot_id = (var / "snapshots" / "latest").read_text().strip()
    return train(data, LIGHT, seed=3, snapshot_id=snapshot_id, root=var / "models")[0]


def top(model, data: Dataset):
    return model.recommend(np.arange(data.n_users, dtype=np.int32), 5, exclude_seen=False)


def test_a_loaded_run_recommends_the_same(var, data, run):
    loaded = load_run(var / "models")
    assert loaded.run_id == run.run_id
    assert loaded.trained_until_us == data.end_us
    for name in LIGHT:
        expected, found = top(run.models[name], data), top(loaded.models[name], data)
        np.testing.assert_array_equal(expected.items, found.items)
        np.testing.assert_array_equal(expected.scores, found.scores)


def test_a_model_draws_the_same_numbers_whoever_is_trained_beside_it(data):
    alone = model_rng(7, "als").random(4)
    assert not np.array_equal(alone, model_rng(7, "two_tower").random(4))
    assert not np.array_equal(alone, model_rng(8, "als").random(4))
    both, _ = fit_models(data, ("popular", "item_knn"), seed=1)
    one, _ = fit_models(data, ("item_knn",), seed=1)
    np.testing.assert_array_equal(
        top(both["item_knn"], data).items, top(one["item_knn"], data).items
    )


def test_a_training_that_dies_leaves_no_run(tmp_path, data, monkeypatch):
    def die(self, folder):
        raise OSError(28, "No space left on device")

    root = tmp_path / "models"
    root.mkdir()
    monkeypatch.setattr(registry.model_class("repeat"), "save", die)
    with pytest.raises(OSError, match="No space"):
        train(data, LIGHT, seed=4, snapshot_id="0" * 16, root=root)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", ["latest", "20200101T000000-00000000"])
def test_a_run_that_is_not_there_is_an_error_with_a_mend(tmp_path, name):
    with pytest.raises(DataError, match="endcap train"):
        load_run(tmp_path, name)


def test_a_run_of_another_format_is_refused(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="unknown format"):
        load_run(tmp_path, "r")


def test_a_run_with_a_damaged_manifest_is_refused(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(DataError, match="damaged"):
        load_run(tmp_path, "r")


def test_the_judgement_finds_the_habit_and_adds_the_rivals(data):
    evaluation = judge(data, ("repeat",), config=CONFIG).evaluation
    ndcg = {
        name: model.metrics["ndcg"].mean for name, model in evaluation.views["all"].models.items()
    }
    assert list(ndcg) == ["random", "popular", "repeat"]
    assert ndcg["repeat"] > ndcg["popular"] > ndcg["random"]


def test_what_happens_in_the_test_window_cannot_reach_the_validation(tmp_path):
    changed = "\n".join(
        f"u{user},i{user % 24},{(END - timedelta(days=3)).isoformat()},purchase"
        for user in range(40)
    )
    found = []
    for name, extra in (("a", ""), ("b", changed)):
        path = purchases(tmp_path / f"{name}.csv", extra=extra)
        snapshot = ingest(str(path), root=tmp_path / name)
        judged = judge(load_dataset(snapshot.path), LIGHT, config=CONFIG, on="validation")
        found.append(judged.evaluation.to_dict()["views"])
    first, second = found
    assert first == second


def test_windows_follow_each_other(data):
    test = split_for(data, config=CONFIG, on="test")
    validation = split_for(data, config=CONFIG, on="validation")
    assert validation.end_us == test.cut_us
    assert test.end_us == data.end_us
    assert int(validation.train.interactions.ts.max()) < validation.cut_us


def test_large_test_sets_are_sampled(data):
    small = CONFIG.model_copy(update={"max_test_users": 5})
    assert len(split_for(data, config=small, on="test").targets["all"]) == 5


def test_an_evaluation_is_kept_under_its_setup(tmp_path, data):
    judged = judge(data, ("popular",), config=CONFIG)
    setup = Setup.of(("popular",), snapshot_id="s", config=CONFIG)
    assert load_evaluation(setup, root=tmp_path) is None
    path = save_evaluation(judged.measured, setup, root=tmp_path)
    found = load_evaluation(setup, root=tmp_path)
    assert found is not None
    assert found.to_dict() == judged.evaluation.to_dict()
    others = (
        Setup.of(("repeat",), snapshot_id="s", config=CONFIG),
        Setup.of(("popular",), snapshot_id="s", config=CONFIG, on="validation"),
        Setup.of(("popular",), snapshot_id="t", config=CONFIG),
        Setup("s", {"popular": {"half_life_days": 1.0}}, CONFIG),
        Setup("s", setup.params, CONFIG.model_copy(update={"test_days": 8})),
        Setup("s", setup.params, CONFIG, asking=EvaluationConfig(protocol="sessions")),
    )
    assert len({setup.name, *(other.name for other in others)}) == 7
    (path / "evaluation.json").write_text("{")
    with pytest.raises(DataError, match="endcap evaluate"):
        load_evaluation(setup, root=tmp_path)


def test_the_bundle_is_current_and_says_where_it_comes_from(var, data, run):
    folder = export("latest", var=var, config=CONFIG)
    assert read_bundle(folder).manifest["evaluation"] == {}, "of this setup there is none yet"
    config = CONFIG.model_copy(update={"seed": run.seed})
    save_evaluation(
        judge(data, LIGHT, config=config).measured,
        Setup.of(LIGHT, snapshot_id=run.snapshot_id, config=config),
        root=var / "evaluations",
    )
    folder = export("latest", var=var, config=CONFIG)
    assert current(var / "bundles") == folder
    bundle = read_bundle(folder)
    assert bundle.manifest["snapshot"]["snapshot_id"] == run.snapshot_id
    assert bundle.manifest["commit"] == run.commit
    assert set(bundle.manifest["models"]) == set(LIGHT)
    assert bundle.manifest["evaluation"]["ndcg"]["all"]["repeat"]["mean"] > 0
    assert bundle.history_kind_verb == "bought"
    assert bundle.als_item_factors is None
    assert bundle.blend_weights == {"item_knn": CONFIG.blend_weights["item_knn"]}


def test_the_clock_is_shifted_for_history_only(tmp_path, run, var):
    assert read_bundle(current(var / "bundles")).clock_shift_us > 0
    now = datetime.now(UTC)
    ingest(str(purchases(tmp_path / "log.csv", end=now)), root=tmp_path / "snapshots")
    snapshot_id = (tmp_path / "snapshots" / "latest").read_text().strip()
    today = load_dataset(tmp_path / "snapshots" / snapshot_id)
    train(today, ("popular",), seed=0, snapshot_id=snapshot_id, root=tmp_path / "models")
    assert read_bundle(export("latest", var=tmp_path, config=CONFIG)).clock_shift_us == 0


def test_a_run_without_popularity_makes_no_bundle(tmp_path, var, data, run):
    train(data, ("repeat",), seed=0, snapshot_id=run.snapshot_id, root=tmp_path / "models")
    (tmp_path / "snapshots").symlink_to(var / "snapshots")
    with pytest.raises(DataError, match="popular"):
        export("latest", var=tmp_path, config=CONFIG)


def test_lists_of_others_may_not_be_called_what_a_model_is(data):
    """A weak list called popular would flatter everything that is compared with it."""
    nobody = np.empty(0, dtype=np.int32)
    for name in ("popular", "random", "blend", "repeat"):
        given = {name: GivenLists(nobody, nobody, np.empty(0), 0)}
        with pytest.raises(SettingsError, match=f"lists are called {name}"):
            judge(data, ("repeat",), config=CONFIG, given=given)
