"""Runs that go on from others, and trainings that go on after an interruption."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from endcap.features.weights import DEFAULT_WEIGHTS
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import load_dataset
from endcap.models import registry
from endcap.models.popular import Popular
from endcap.training.run import fit_models, load_run, train
from endcap.training.update import training_folder, update, update_models, why_not_continued
from rated import electronics_like

START = datetime(2020, 1, 1, tzinfo=UTC)


class Counting(Popular):
    """Goes on learning, and remembers what it was told."""

    told = ()

    def update(self, data, *, since_us, rng):
        other = type(self)(self.config).fit(data, rng=rng)
        other.told = (since_us, data.end_us)
        return other


class Still(Popular):
    """Cannot be updated."""

    update = None


class Slow(Popular):
    """Keeps its training, and dies in it as often as it is told to."""

    folder = None
    n_deaths = 0

    def keep_training_in(self, folder):
        self.folder = folder
        return self

    def fit(self, data, *, rng):
        self.folder.mkdir(parents=True, exist_ok=True)
        if Slow.n_deaths:
            Slow.n_deaths -= 1
            (self.folder / "half").write_text("done")
            raise KeyboardInterrupt
        return super().fit(data, rng=rng)


@pytest.fixture(autouse=True)
def _models(monkeypatch):
    monkeypatch.setitem(registry.MODELS, "counting", (__name__, "Counting"))
    monkeypatch.setitem(registry.MODELS, "still", (__name__, "Still"))
    monkeypatch.setitem(registry.MODELS, "slow", (__name__, "Slow"))


@pytest.fixture(scope="module")
def data():
    return electronics_like(n_rows=600, n_users=90, n_items=40)


def test_a_model_that_can_goes_on_and_the_others_are_fitted_anew(data, tmp_path, capsys):
    early = data.between(None, 300)
    names = ("counting", "still")
    previous, _ = train(early, names, seed=3, snapshot_id="a" * 16, root=tmp_path)
    run, path = update(previous, data, names, snapshot_id="b" * 16, root=tmp_path)
    assert run.models["counting"].told == (early.end_us, data.end_us)
    assert "still: fitted anew, as it cannot be updated" in capsys.readouterr().err
    assert (run.updated_from, run.seed) == (previous.run_id, 3)
    assert load_run(tmp_path).updated_from == previous.run_id
    assert path.name == run.run_id
    whole, _ = fit_models(data, ("still",), seed=3)
    np.testing.assert_array_equal(run.models["still"].counts_, whole["still"].counts_)


def test_a_model_with_other_settings_or_none_before_is_fitted_anew(data, tmp_path, capsys):
    previous, _ = train(data, ("counting",), seed=0, snapshot_id="a" * 16, root=tmp_path)
    params = {"counting": {"half_life_days": 3.0}}
    models, records = update_models(previous, data, ("counting", "popular"), seed=0, params=params)
    assert models["counting"].told == ()
    assert records["counting"].params["half_life_days"] == 3.0
    said = capsys.readouterr().err
    assert "counting: fitted anew, as its settings have changed" in said
    assert "popular: fitted anew, as the run has none" in said


def test_two_runs_of_one_second_are_both_kept(data, tmp_path):
    made = [
        train(data, ("popular",), seed=seed, snapshot_id="a" * 16, root=tmp_path)
        for seed in range(3)
    ]
    assert len({path for _, path in made}) == 3
    assert load_run(tmp_path).seed == 2
    assert all(run.run_id == path.name for run, path in made)


def test_a_training_keeps_its_state_where_the_same_command_finds_it(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Slow, "n_deaths", 1)
    keep_in = training_folder(tmp_path, snapshot_id="a" * 16, seed=0)
    with pytest.raises(KeyboardInterrupt):
        fit_models(data, ("popular", "slow"), seed=0, keep_in=keep_in)
    assert (keep_in / "slow" / "half").is_file()
    assert not (keep_in / "popular").exists(), "it takes no time worth keeping"
    models, _ = fit_models(data, ("slow",), seed=0, keep_in=keep_in)
    assert models["slow"].folder == keep_in / "slow"


def test_another_training_has_another_folder(tmp_path):
    first = training_folder(tmp_path, snapshot_id="a", seed=0)
    assert first == training_folder(tmp_path, snapshot_id="a", seed=0, params={})
    others = [
        training_folder(tmp_path, snapshot_id="b", seed=0),
        training_folder(tmp_path, snapshot_id="a", seed=1),
        training_folder(tmp_path, snapshot_id="a", seed=0, params={"als": {"reg": 1.0}}),
        training_folder(
            tmp_path,
            snapshot_id="a",
            seed=0,
            weights=DEFAULT_WEIGHTS.model_copy(update={"view": 0.1}),
        ),
    ]
    assert len({first, *others}) == 5


def log(path, days, *, users=8):
    rows = ["user_id,item_id,ts,kind"]
    rows += [
        f"u{user},i{(user + day) % 5},{(START + timedelta(days=day)).isoformat()},purchase"
        for day in days
        for user in range(users)
    ]
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def test_a_run_goes_on_with_a_snapshot_that_adds_to_its_own(tmp_path, capsys):
    root = tmp_path / "snapshots"
    first = ingest(log(tmp_path / "a.csv", range(5, 20)), root=root)
    run, _ = train(
        load_dataset(first.path),
        ("popular",),
        seed=0,
        snapshot_id=first.snapshot_id,
        root=tmp_path / "models",
    )

    def reason(snapshot, weights=DEFAULT_WEIGHTS):
        data = load_dataset(snapshot.path)
        return why_not_continued(run, snapshot, data, root=root, weights=weights)

    assert reason(first) == ""
    late = log(tmp_path / "b.csv", [3, 25], users=9)
    second = ingest(late, root=root, given=Given(since="last"))
    capsys.readouterr()
    assert reason(second) == ""
    assert "9 events came late" in capsys.readouterr().err
    other = DEFAULT_WEIGHTS.model_copy(update={"view": 0.1})
    assert "weights" in reason(second, other)
    anew = ingest(log(tmp_path / "c.csv", range(25, 30), users=2), root=root)
    assert "numbers users and items anew" in reason(anew)
    fewer = ingest(log(tmp_path / "d.csv", range(5, 15)), root=root)
    assert "are gone" in reason(fewer)
