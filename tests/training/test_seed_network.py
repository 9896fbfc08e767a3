import numpy as np
import pytest
import torch

from endcap.evaluation.seeds.labels import split_labels
from endcap.evaluation.seeds.seed_1 import evaluate_seed_1
from endcap.models.learning.devices import torch_threads
from endcap.training.seed_network import SeedNetwork, SeedNetworkConfig, train_seed_network
from rated import electronics_like

QUICK = SeedNetworkConfig(embedding_size=16, output_size=8, learning_rate=0.01, epochs=6)


@pytest.fixture(scope="module")
def split():
    return split_labels(electronics_like(n_rows=12_000, n_users=600, n_items=200))


@pytest.fixture(scope="module")
def run(split):
    with torch_threads(1):
        return train_seed_network(split, config=QUICK)


def test_no_prediction_is_below_one_half(run):
    assert run.least >= 0.5
    assert run.prediction.test.min() >= 0.5
    assert run.prediction.validation.min() >= 0.5
    assert run.least <= run.most <= 1.0


def test_even_an_untrained_network_cannot_say_less_than_one_half():
    network = SeedNetwork(20, 20, SeedNetworkConfig()).eval()
    ids = torch.arange(20)
    assert float(network(ids, ids.flip(0)).detach().min()) >= 0.5


def test_training_ends_at_the_error_of_the_constant_one_half(split, run):
    assert run.train_mse[0] > run.train_mse[-1]
    found = evaluate_seed_1(
        split, {"network": run.prediction}, rng=np.random.default_rng(0), n_replicates=100
    )
    network, half = (
        found.rows[name]["mse_validation"].mean for name in ("network", "constant_half")
    )
    assert half <= network < half + 0.01
    assert network > 3 * found.rows["constant_mean"]["mse_validation"].mean
    assert "network" in found.behind("mse_validation")


@pytest.mark.parametrize("sparse", [False, True])
def test_the_same_seed_trains_the_same_network(split, sparse):
    config = SeedNetworkConfig(epochs=1, sparse=sparse)
    with torch_threads(1):
        first, again = (train_seed_network(split, config=config, seed=3) for _ in range(2))
        other = train_seed_network(split, config=config, seed=4)
    assert np.array_equal(first.prediction.test, again.prediction.test)
    assert not np.array_equal(first.prediction.test, other.prediction.test)


def test_a_last_batch_of_one_row_is_no_batch_of_its_own(split):
    one_more = SeedNetworkConfig(epochs=1, batch_size=len(split.train) - 1)
    with torch_threads(1):
        run = train_seed_network(split, config=one_more)
    assert np.isfinite(run.train_mse).all()
