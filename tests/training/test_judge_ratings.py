import numpy as np
import pytest

from endcap.evaluation.pointwise.ratings import Ratings
from endcap.schema.errors import SettingsError
from endcap.schema.types import DAY_US
from endcap.training.config import TrainingConfig
from endcap.training.judge_ratings import RATING_MODELS, judge_ratings
from endcap.training.judge_seeds import judge_seed_1, judge_seed_2, pair_scores
from rated import electronics_like, rated

CONFIG = TrainingConfig(test_days=20, bootstrap_replicates=100)


def over_days(data, n_days=100):
    given = data.interactions
    ts = np.arange(len(given)) * (n_days * DAY_US // len(given))
    return rated(
        given.user_idx,
        given.item_idx,
        given.value,
        ts=ts,
        n_users=data.n_users,
        n_items=data.n_items,
    )


@pytest.fixture(scope="module")
def data():
    return over_days(electronics_like(n_rows=8_000, n_users=900, n_items=150))


def test_ratings_are_judged_by_the_cut_in_time_with_the_means_in_front(data):
    found = judge_ratings(data, config=CONFIG)
    assert list(found.models) == ["global_mean", "user_mean", "item_mean", *RATING_MODELS]
    assert found.counts.n_rows == pytest.approx(1_600, abs=2)
    assert (found.end_us - found.cut_us) == 20 * DAY_US
    assert found.models["rating_als"].versus_reference["rmse"].low > 0, "it loses to the mean"


def test_an_unknown_model_of_ratings_is_refused(data):
    with pytest.raises(SettingsError, match="no model of ratings"):
        judge_ratings(data, ["als"], config=CONFIG)


def test_seed_2_shows_every_setting_beside_what_knows_nothing(data):
    found = judge_seed_2(data, config=CONFIG, grid=((4, 0.1), (8, 0.2)))
    assert list(found.rows) == [
        *("global_mean", "constant_five", "random", "oracle"),
        *("als_4_0.1", "als_8_0.2", "biased_mean", "biased_mf"),
    ]
    assert found.blind == ("precision@10",)
    assert {"als_4_0.1", "als_8_0.2"} <= set(found.behind("rmse"))


def test_seed_1_shows_its_network_and_rankers_beside_what_knows_nothing(data):
    found = judge_seed_1(data, ["popular"], config=CONFIG)
    assert {"network", "popular", "constant_half", "random", "oracle"} <= set(found.rows)
    facts = found.facts
    assert 0.5 <= facts["network_least_prediction"] <= facts["network_most_prediction"] <= 1
    assert 0 < facts["network_share_at_half"] <= 1
    by_epoch = [float(mse) for mse in facts["network_train_mse_by_epoch"].split(", ")]
    assert by_epoch[-1] == pytest.approx(facts["network_train_mse"], abs=1e-4)
    assert by_epoch[-1] > facts["constant_half_train_mse"] - 0.01, "there is nothing below 0.5"
    assert np.isnan(found.rows["popular"]["mse"].mean)
    assert "precision@10" in found.blind


def test_seed_1_shows_what_two_towers_say_of_the_labels(data):
    """Honest, so near the mean: far from the constant 0.5, where the published network goes."""
    found = judge_seed_1(
        data, ["two_tower"], config=CONFIG, with_network=False, ties="shuffled"
    ).rows
    assert np.isnan(found["two_tower"]["mse"].mean), "a score is no label"
    for metric in ("mse", "mse_validation"):
        ours = found["two_tower, label head"][metric].mean
        assert ours <= 1.01 * found["constant_mean"][metric].mean
        assert ours < 0.5 * found["constant_half"][metric].mean


def test_seed_1_without_its_network(data):
    found = judge_seed_1(data, config=CONFIG, with_network=False, ties="shuffled")
    assert "network" not in found.rows
    assert found.facts["ties"] == "shuffled"


class Table:
    """A ranking model whose score is user * 100 + item."""

    def score(self, users):
        return (users[:, None] * 100.0 + np.arange(7)).astype(np.float32)


def test_pairs_are_scored_in_blocks_in_the_order_of_the_rows(monkeypatch):
    monkeypatch.setattr("endcap.training.judge_seeds._BLOCK_CELLS", 14)
    rng = np.random.default_rng(0)
    users, items = rng.integers(9, size=50), rng.integers(7, size=50)
    rows = Ratings(users.astype(np.int32), items.astype(np.int32), np.zeros(50, dtype=np.float32))
    assert pair_scores(Table(), rows, n_items=7).tolist() == (users * 100 + items).tolist()
