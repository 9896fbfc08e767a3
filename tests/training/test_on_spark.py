"""Which models go to Spark; what happens there is tests/ingest/test_training_on_spark.py."""

from types import SimpleNamespace

import numpy as np
import pytest

from endcap.models.als import ALS, ALSConfig
from endcap.models.ncf.model import NCF
from endcap.models.popular import Popular
from endcap.schema.errors import SettingsError
from endcap.testing.models import checkerboard
from endcap.training import distributed, on_spark

CLUSTER = SimpleNamespace(sparkContext=SimpleNamespace(defaultParallelism=3))


@pytest.fixture
def told(monkeypatch):
    """What the functions that use Spark were told."""
    told = []

    def fake_als(session, data, **terms):
        told.append(("als", session, terms))
        return "factors"

    def fake_fit(session, model, data, **terms):
        told.append(("network", session, {"model": model, **terms}))
        return "network"

    monkeypatch.setattr(on_spark, "als_on_spark", fake_als)
    monkeypatch.setattr(on_spark, "fit_on_spark", fake_fit)
    return told


def fit(session, model, tmp_path):
    rng = np.random.default_rng(0)
    return on_spark.fit_where(session, model, checkerboard(), rng=rng, shared=tmp_path)


def test_als_and_networks_go_to_the_cluster(told, tmp_path):
    config, network = ALSConfig(embedding_size=3), NCF()
    assert fit(CLUSTER, ALS(config), tmp_path) == "factors"
    assert fit(CLUSTER, network, tmp_path) == "network"
    (_, session, of_als), (_, _, of_network) = told
    assert session is CLUSTER
    assert of_als["config"] == config
    assert of_network["model"] is network
    assert (of_network["n_processes"], of_network["shared"]) == (3, tmp_path)


def test_all_others_are_fitted_here(told, tmp_path):
    model = Popular()
    assert fit(CLUSTER, model, tmp_path) is model
    assert len(model.recommend(np.array([0], dtype=np.int32), 3)) == 1
    assert not told


def test_without_a_cluster_everything_is_fitted_here(told, tmp_path):
    with on_spark.open_compute("local://", shared=tmp_path, memory_gb=1.0) as session:
        model = ALS(ALSConfig(embedding_size=3, n_threads=1))
        assert fit(session, model, tmp_path) is model
    assert hasattr(model, "item_factors_")
    assert not told


def test_a_compute_that_is_none_is_an_error(tmp_path):
    with (
        pytest.raises(SettingsError, match=r"training\.compute"),
        on_spark.open_compute("yarn", shared=tmp_path, memory_gb=1.0),
    ):
        pass


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
