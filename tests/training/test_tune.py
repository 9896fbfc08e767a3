"""Searches on a generated shop: what they begin with, go on with, give up, and write."""

import tomllib
from dataclasses import replace

import numpy as np
import optuna
import pytest

from endcap.models import registry
from endcap.models.learning.watching import show_epoch, watched_by
from endcap.models.popular import Popular
from endcap.models.search_spaces import SPACES, OneOf, Real, Whole, contains, space_of
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.protocols import Resumes
from endcap.schema.types import DAY_US
from endcap.training import trial as trials
from endcap.training.config import EvaluationConfig, TrainingConfig
from endcap.training.tracking import CLOSED, Entry, flat
from endcap.training.trial import validation_bench
from endcap.training.tune import Budget, Search
from endcap.training.tuned_settings import toml_block, write_block
from rated import rated

CONFIG = TrainingConfig(test_days=10, k=5)
SPACE = {"half_life_days": Real(1, 100)}


def shop_of_fashions(n_users=60, n_items=30, n_days=60, seed=0):
    """Every ten days other items are in fashion: who remembers long is wrong."""
    rng = np.random.default_rng(seed)
    n = 3000
    day = np.sort(rng.integers(n_days, size=n))
    items = (3 * (day // 10) + rng.integers(6, size=n)) % n_items
    return rated(
        rng.integers(n_users, size=n),
        items,
        np.full(n, 5.0),
        ts=day * DAY_US + rng.integers(DAY_US, size=n),
        n_users=n_users,
        n_items=n_items,
    )


@pytest.fixture(scope="module")
def bench():
    return validation_bench(shop_of_fashions(), config=CONFIG, asking=EvaluationConfig())


def search_of(bench, folder, *, model="popular", space=SPACE, params=None, told=None, seed=0):
    return Search(
        model,
        space=space,
        bench=bench,
        params=params or {},
        folder=folder,
        told=told or {},
        seed=seed,
        entry=Entry(CLOSED, ""),
    )


def test_the_first_trial_is_what_is_set_and_nothing_worse_is_ever_the_best(bench, tmp_path):
    params = {"half_life_days": 700.0}
    search = search_of(bench, tmp_path, params=params)
    tuned = search.run(Budget(n_trials=8))
    assert tuned.as_set is tuned.trials[0]
    assert tuned.as_set.value == bench.quality("popular", params, seed=0)
    assert tuned.best.value == max(one.value for one in tuned.trials)
    assert tuned.is_better, "fashions change every ten days"
    found = search.settings(tuned.best.settings)
    assert bench.quality("popular", found, seed=0) == tuned.best.value


def test_the_same_search_goes_on_and_another_one_begins_anew(bench, tmp_path):
    first = search_of(bench, tmp_path).run(Budget(n_trials=2))
    again = search_of(bench, tmp_path).run(Budget(n_trials=5))
    assert again.study == first.study
    assert again.trials[:2] == first.trials
    assert len(again.trials) == 5
    tried = [one.settings["half_life_days"] for one in again.trials[1:]]
    assert len(set(tried)) == 4, "what was drawn first is not drawn again"
    assert search_of(bench, tmp_path).run(Budget(n_trials=5)) == again
    for changed in ({"seed": 1}, {"told": {"snapshot": "b"}}, {"params": {"half_life_days": 2.0}}):
        assert search_of(bench, tmp_path, **changed).name != first.study


def test_ctrl_c_keeps_what_is_done(bench, tmp_path, monkeypatch):
    fits = []
    fit = Popular.fit

    def interrupted(self, data, *, rng):
        fits.append(self)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fit(self, data, rng=rng)

    monkeypatch.setattr(Popular, "fit", interrupted)
    stopped = search_of(bench, tmp_path).run(Budget(n_trials=6))
    assert stopped.is_interrupted
    assert [one.state for one in stopped.trials] == ["finished", "finished", "failed"]
    assert stopped.best is not None
    whole = search_of(bench, tmp_path).run(Budget(n_trials=4))
    assert not whole.is_interrupted
    assert sum(one.state == "finished" for one in whole.trials) == 4, "failed ones do not count"


def test_a_search_without_time_ends_before_its_first_trial(bench, tmp_path):
    tuned = search_of(bench, tmp_path).run(Budget(n_trials=3, minutes=0.0))
    assert (tuned.best, tuned.is_better) == (None, False)


def test_what_is_set_may_lie_outside_of_the_space(bench, tmp_path):
    search = search_of(bench, tmp_path, params={"half_life_days": 5000.0})
    tuned = search.run(Budget(n_trials=1))
    assert tuned.as_set.value == bench.quality("popular", {"half_life_days": 5000.0}, seed=0)


def test_several_seeds_are_averaged(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(type(bench), "quality", lambda self, model, params, *, seed: float(seed))
    tuned = search_of(bench, tmp_path, seed=10).run(Budget(n_trials=1, n_seeds=3))
    assert tuned.best.value == 11.0


def test_a_poor_setting_is_given_up_on_a_part_of_the_users(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "MIN_SAMPLED", 5)
    search = search_of(bench, tmp_path)
    assert 5 <= search.sample.n_users < bench.n_users
    learnt = search.sample.split.train.interactions
    assert set(search.sample.split.targets["all"].users) <= set(learnt.user_idx.tolist())
    tuned = search.run(Budget(n_trials=25))
    early = [one for one in tuned.trials if one.state == "given up early"]
    assert early
    assert all(one.value is None for one in early)
    assert tuned.trials[0].state == "finished", "what is set is never given up"


class Trained(Popular):
    """Shows its epochs; the later it is fitted, the poorer they are."""

    n_fits = 0

    def keep_training_in(self, _folder):
        return self

    def fit(self, data, *, rng):
        Trained.n_fits += 1
        for epoch in range(1, 7):
            show_epoch(epoch, 1.0 / Trained.n_fits)
        return super().fit(data, rng=rng)


def test_a_training_is_given_up_after_a_poor_epoch(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "trained", (__name__, "Trained"))
    monkeypatch.setattr(Trained, "n_fits", 0)
    tuned = search_of(bench, tmp_path, model="trained").run(Budget(n_trials=8))
    states = [one.state for one in tuned.trials]
    assert states == ["finished"] * 5 + ["given up early"] * 3
    assert Trained.n_fits == 8, "no part of the users is tried first"


def test_nobody_sees_epochs_after_the_block():
    seen = []
    with watched_by(lambda number, quality: seen.append((number, quality))):
        show_epoch(1, 0.5)
    show_epoch(2, 0.6)
    assert seen == [(1, 0.5)]


def test_settings_are_chosen_on_the_validation_alone():
    data = shop_of_fashions()
    bench = validation_bench(data, config=CONFIG, asking=EvaluationConfig())
    assert bench.split.end_us <= data.end_us - 10 * DAY_US
    told = data.interactions
    is_test = told.ts >= bench.split.end_us
    changed = replace(told, item_idx=np.where(is_test, 0, told.item_idx).astype(np.int32))
    other = validation_bench(
        replace(data, interactions=changed), config=CONFIG, asking=EvaluationConfig()
    )
    assert other.quality("popular", {}, seed=0) == bench.quality("popular", {}, seed=0)


def test_other_protocols_ask_with_the_history_that_they_tell(monkeypatch):
    asking = EvaluationConfig(protocol="sessions", session_gap_s=3 * 86_400)
    bench = validation_bench(shop_of_fashions(), config=CONFIG, asking=asking)
    assert 0 <= bench.quality("item_knn", {}, seed=0) <= 1
    monkeypatch.setattr(trials, "TakesHistory", Resumes)
    with pytest.raises(SettingsError, match="cannot be asked with other histories"):
        bench.quality("item_knn", {}, seed=0)


def test_a_validation_in_which_nobody_took_anything_is_an_error():
    data = rated([0, 1, 2], [0, 1, 2], [5, 5, 5], ts=[0, 1, 100 * DAY_US])
    with pytest.raises(DataError, match="there is no interaction that counts"):
        validation_bench(data, config=CONFIG, asking=EvaluationConfig())


@pytest.mark.parametrize("model", sorted(set(SPACES) & set(registry.MODELS)))
def test_a_space_names_settings_that_exist_and_allows_what_is_default(model):
    defaults = flat(registry.params(registry.create(model)))
    assert set(SPACES[model]) <= set(defaults)
    outside = [
        name
        for name, space in SPACES[model].items()
        if defaults[name] is not None and not contains(space, defaults[name])
    ]
    assert outside == []


def test_settings_of_a_group_keep_the_rest_of_the_group(bench, tmp_path, monkeypatch):
    search = search_of(bench, tmp_path)
    search.in_force = {"loop": {"rate": 0.1, "epochs": 3}, "half_life_days": 28.0}
    found = search.settings({"loop.rate": 0.2, "half_life_days": 3.0})
    assert found == {"loop": {"rate": 0.2, "epochs": 3}, "half_life_days": 3.0}


def test_ranges():
    assert contains(Real(1, 10), 10.0)
    assert not contains(Real(1, 10), None)
    assert not contains(Whole(1, 10), True)
    assert contains(OneOf((None, "a")), None)
    with pytest.raises(SettingsError, match="nothing to tune of 'dice'"):
        space_of("dice")


def test_a_block_is_added_to_a_settings_file_and_replaced(tmp_path):
    path = tmp_path / "endcap.toml"
    write_block(path, "als", {"reg": 3.5, "embedding_size": 32})
    path.write_text(
        "# mine\nvar = 'data'\n\n" + path.read_text() + "\n[serving]\nport = 9 # late\n"
    )
    write_block(path, "als", {"reg": 4.0, "loop": {"n_epochs": 3, "gone": None}})
    write_block(path, "ease", {"tau": 2.5})
    text = path.read_text()
    told = tomllib.loads(text)
    assert told["training"]["params"] == {
        "als": {"reg": 4.0, "loop": {"n_epochs": 3}},
        "ease": {"tau": 2.5},
    }
    assert told["serving"] == {"port": 9}
    assert "# mine" in text
    assert "# late" in text


@pytest.mark.parametrize(
    "text",
    [
        "[training]\nparams = { als = { reg = 1.0 } }\n",
        "[training.params.als.loop]\nn_epochs = 3\n",
        "this is no TOML",
    ],
)
def test_a_file_that_says_it_otherwise_is_left_alone(tmp_path, text):
    path = tmp_path / "endcap.toml"
    path.write_text(text)
    with pytest.raises(SettingsError):
        write_block(path, "als", {"reg": 2.0})
    assert path.read_text() == text


def test_a_block_reads_as_it_was_meant():
    block = toml_block(
        "als", {"reg": 1e-5, "on": True, "name": 'a "b"', "sizes": (1, 2), "no": None}
    )
    assert tomllib.loads(block)["training"]["params"]["als"] == {
        "reg": 1e-5,
        "on": True,
        "name": 'a "b"',
        "sizes": [1, 2],
    }


def test_the_level_of_the_library_is_put_back(bench, tmp_path):
    level = optuna.logging.get_verbosity()
    search_of(bench, tmp_path).run(Budget(n_trials=1))
    assert optuna.logging.get_verbosity() == level
