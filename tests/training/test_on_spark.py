"""Which models go to Spark; what happens there is tests/ingest/test_training_on_spark.py."""

from types import SimpleNamespace

import numpy as np
import pytest

from endcap.models.als import ALS, ALSConfig
from endcap.models.ncf.model import NCF
from endcap.models.popular import Popular
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.model import TwoTower
from endcap.schema.errors import SettingsError, StoreError
from endcap.testing.toy_data import checkerboard
from endcap.training import compute, distributed, on_spark
from endcap.training.run import fit_models
from endcap.training.update import update_models

MASTER = "spark://there:7077"
SESSION = SimpleNamespace(sparkContext=SimpleNamespace(master=MASTER))


@pytest.fixture
def told(monkeypatch):
    """What the functions that use Spark were told."""
    told = []

    def fake_als(session, data, **terms):
        told.append(("als", session, terms))
        return ALS(terms["config"]).fit(data, rng=terms["rng"])

    def fake_fit(session, model, data, **terms):
        told.append(("network", session, {"model": model, **terms}))
        return "network"

    monkeypatch.setattr(on_spark, "als_on_spark", fake_als)
    monkeypatch.setattr(on_spark, "fit_on_spark", fake_fit)
    monkeypatch.setattr(on_spark, "n_slots", lambda session: 3)
    return told


@pytest.fixture
def cluster(tmp_path):
    return on_spark.Cluster(SESSION, tmp_path)


def fit(cluster, model, **terms):
    return cluster.fit(model, checkerboard(), rng=np.random.default_rng(0), **terms)


def test_als_and_networks_go_to_the_cluster(told, cluster, tmp_path):
    config, network = ALSConfig(embedding_size=3, n_threads=1), NCF()
    assert cluster.takes(ALS(config))
    assert cluster.takes(network)
    assert fit(cluster, ALS(config)).item_factors_.shape[1] == 3
    assert fit(cluster, network, keep_in=tmp_path / "state") == "network"
    (_, session, of_als), (_, _, of_network) = told
    assert session is SESSION
    assert of_als["config"] == config
    assert of_network["model"] is network
    assert (of_network["n_processes"], of_network["shared"]) == (3, tmp_path)
    assert of_network["training"] == tmp_path / "state"


def test_all_others_are_fitted_here(told, cluster):
    model = Popular()
    assert not cluster.takes(model)
    assert fit(cluster, model) is model
    assert len(model.recommend(np.array([0], dtype=np.int32), 3)) == 1
    assert not told


def test_a_run_says_of_each_model_where_it_was_fitted(told, cluster, capsys, tmp_path):
    params = {"als": {"embedding_size": 3, "n_threads": 1}}
    names = ("popular", "als", "ncf")
    models, records = fit_models(
        checkerboard(), names, seed=0, params=params, keep_in=tmp_path / "kept", cluster=cluster
    )
    places = [records[name].compute for name in names]
    assert places == ["local://", MASTER, MASTER]
    assert models["ncf"] == "network"
    assert told[1][2]["training"] == tmp_path / "kept" / "ncf"
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" on ")[2] for line in lines] == ["this machine", MASTER, MASTER]


def test_als_draws_the_same_numbers_wherever_it_is_fitted(told, cluster):
    params = {"als": {"embedding_size": 3, "n_threads": 1}}
    here, there = (
        fit_models(checkerboard(), ("als",), seed=4, params=params, cluster=place)[0]["als"]
        for place in (None, cluster)
    )
    assert len(told) == 1
    np.testing.assert_array_equal(here.item_factors_, there.item_factors_)


def test_an_update_fits_anew_on_the_cluster_and_goes_on_here(told, cluster, capsys):
    previous = SimpleNamespace(
        models={"popular": Popular().fit(checkerboard(), rng=np.random.default_rng(0))},
        trained_until_us=checkerboard().end_us,
    )
    params = {"als": {"embedding_size": 3, "n_threads": 1}}
    _, records = update_models(
        previous, checkerboard(), ("popular", "als"), seed=0, params=params, cluster=cluster
    )
    assert (records["popular"].compute, records["als"].compute) == ("local://", MASTER)
    assert [what for what, *_ in told] == ["als"]
    assert "on this machine" in capsys.readouterr().err


def test_without_a_cluster_everything_is_fitted_here(told, tmp_path, capsys):
    with compute.open_compute("local://", root=tmp_path / "new", memory_gb=1.0) as cluster:
        assert cluster is None
        _, records = fit_models(checkerboard(), ("popular",), seed=0, cluster=cluster)
    assert records["popular"].compute == "local://"
    assert capsys.readouterr().err.endswith("GB\n")
    assert not list(tmp_path.iterdir())
    assert not told


def test_a_compute_that_is_none_is_an_error(tmp_path):
    with (
        pytest.raises(SettingsError, match=r"training\.compute"),
        compute.open_compute("yarn", root=tmp_path, memory_gb=1.0),
    ):
        pass


def test_without_its_packages_spark_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(compute, "PACKAGES", ("numpy", "no_such_package"))
    with (
        pytest.raises(StoreError, match="not installed: no_such_package"),
        compute.open_compute("local[2]", root=tmp_path, memory_gb=1.0),
    ):
        pass


def test_settings_that_were_not_set_stay_so_in_another_process(tmp_path, monkeypatch):
    """Where single events are foreseen, what was not set is other than the defaults."""
    wish = TwoTowerConfig(hidden=8)
    (tmp_path / distributed.TASK).write_text(distributed.task_of(TwoTower(wish)))
    made = distributed.unfitted(tmp_path)
    assert made.config == wish
    assert made.config.model_fields_set == {"hidden"}
    assert made.config.for_events() == wish.for_events() != wish


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Job aborted.\norg.apache.spark.api.python.PythonException: Traceback\n"
            "RuntimeError: Command ['python'] failed with return code 1.\n"
            "[rank1]: ModuleNotFoundError: No module named 'torch'\n\tat org.apache.Task.run(1)",
            "[rank1]: ModuleNotFoundError: No module named 'torch'",
        ),
        ("RuntimeError: Command ['python'] failed", "RuntimeError: Command ['python'] failed"),
        ("  something else \n of two lines", "something else"),
        ("", "nothing was said"),
    ],
)
def test_the_reason_is_the_first_error_that_python_names(said, reason):
    assert distributed._reason(said) == reason
