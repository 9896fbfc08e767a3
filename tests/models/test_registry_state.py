import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from endcap.models import registry
from endcap.models.popular import Popular, PopularConfig
from endcap.models.state import load_state, require_fitted, save_state
from endcap.schema.errors import DataError, NotFittedError, SettingsError
from endcap.schema.protocols import Persistent, Recommender
from endcap.testing.toy_data import checkerboard


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_name_makes_a_model_that_can_be_kept(name):
    model = registry.create(name)
    assert isinstance(model, Recommender)
    assert isinstance(model, Persistent)
    params = registry.params(model)
    assert params
    assert json.loads(json.dumps(params)) == params


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SettingsError, match="two_tower"):
        registry.create("two_towers")


def test_a_missing_library_is_told_from_a_slip_of_ours(monkeypatch):
    monkeypatch.setitem(registry.MODELS, "odd", ("no_such_library.models", "Odd"))
    with pytest.raises(SettingsError, match=r"needs no_such_library.*endcap\[train\]"):
        registry.create("odd")
    monkeypatch.setitem(registry.MODELS, "odd", ("endcap.models.no_such_file", "Odd"))
    with pytest.raises(ModuleNotFoundError):
        registry.create("odd")


def test_a_model_without_settings_has_no_params():
    class Plain:
        config = "not a model of settings"

    assert registry.params(Plain()) == {}


def test_saved_models_come_back_by_name(tmp_path):
    model = Popular(PopularConfig(half_life_days=3.0))
    model.fit(checkerboard(), rng=np.random.default_rng(0)).save(tmp_path)
    loaded = registry.load("popular", tmp_path)
    assert isinstance(loaded, Popular)
    assert loaded.config.half_life_days == 3.0


def test_the_registry_brings_no_training_library_until_it_is_asked():
    code = (
        "import sys; from endcap.models import registry; registry.create('popular');"
        "print(sorted({'torch', 'implicit', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    size: int = 3


@pytest.fixture
def saved(tmp_path):
    save_state(
        tmp_path, model="Odd", config=Settings(), arrays={"a": np.arange(3)}, numbers={"n": 2**60}
    )
    return tmp_path


def test_state_comes_back(saved):
    config, arrays, numbers = load_state(saved, model="Odd", config=Settings)
    assert config == Settings()
    assert arrays["a"].tolist() == [0, 1, 2]
    assert numbers == {"n": 2**60}


def test_another_model_or_format_is_refused(saved):
    with pytest.raises(DataError, match="does not hold a Even"):
        load_state(saved, model="Even", config=Settings)
    record = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(DataError, match="of this version"):
        load_state(saved, model="Odd", config=Settings)


def test_settings_of_another_release_are_refused(saved):
    record = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps(record | {"config": {"length": 3}}))
    with pytest.raises(DataError, match="do not fit this release"):
        load_state(saved, model="Odd", config=Settings)


@pytest.mark.parametrize("name", ["model.json", "arrays.npz"])
def test_a_broken_or_missing_file_is_named(saved, name):
    (saved / name).write_bytes(b"{")
    with pytest.raises(DataError, match=r"no readable model"):
        load_state(saved, model="Odd", config=Settings)
    (saved / name).unlink()
    with pytest.raises(DataError, match=name):
        load_state(saved, model="Odd", config=Settings)


def test_objects_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        save_state(tmp_path, model="Odd", config=Settings(), arrays={"a": np.array([{}])})


def test_not_fitted_names_the_model():
    with pytest.raises(NotFittedError, match="Popular is not fitted"):
        require_fitted(Popular(), "counts_")


def test_what_nobody_set_may_still_follow_from_the_data():
    """One setting named leaves the others free: two towers choose them by the kind of data."""
    model = registry.create("two_tower", {"dropout": 0.25})
    assert model.config.model_fields_set == {"dropout"}
    assert model.config.for_events() != model.config
