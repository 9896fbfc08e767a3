"""Training and lists on a real Spark: the models of one machine, as good or the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from endcap.ingest.compute import cluster
from endcap.models.als import ALS, ALSConfig
from endcap.models.learning.loop import LoopConfig
from endcap.models.ncf.model import NCF, NCFConfig
from endcap.models.ratings.als import RatingALS, RatingALSConfig
from endcap.models.sequence.config import SequenceConfig
from endcap.models.sequence.model import Sequence
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.model import TwoTower
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError, StoreError
from endcap.schema.types import NO_ITEM
from endcap.testing.models import every_user, same_lists
from endcap.testing.toy_data import BOARD_SIZE, checkerboard, planted_tastes
from endcap.training.config import TrainingConfig
from endcap.training.distributed import fit_on_spark, read_data
from endcap.training.grid import row_name, run_grid
from endcap.training.on_spark import Cluster
from endcap.training.spark_als import als_on_spark, rating_als_on_spark
from endcap.training.spark_lists import lists_on_spark
from endcap.training.tracking import CLOSED, Entry
from rated import electronics_like

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]

SMALL_ALS = ALSConfig(embedding_size=8, reg=1.0, n_threads=1)
SMALL_NCF = NCFConfig(
    embedding_size=8,
    layers=(16, 8),
    batch_size=64,
    loop=LoopConfig(n_epochs=6, learning_rate=0.02, schedule="linear", warmup_steps=10),
)
SMALL_TOWER = TwoTowerConfig(
    embedding_size=16, hidden=16, epochs=6, batch_size=64, learning_rate=0.02, min_events=2
)
SMALL_SEQUENCE = SequenceConfig(
    embedding_size=16,
    n_blocks=1,
    max_length=16,
    dropout=0.2,
    batch_size=64,
    loop=LoopConfig(n_epochs=6, learning_rate=0.01, schedule="linear", warmup_steps=10),
)
NETWORKS = (TwoTower(SMALL_TOWER), Sequence(SMALL_SEQUENCE))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def tastes():
    return planted_tastes(np.random.default_rng(3))


@pytest.fixture(scope="module")
def session(spark_running, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    with cluster.spark_session(spark_running, scratch=scratch, memory_gb=0.75) as opened:
        yield opened


@pytest.fixture(scope="module")
def factored(session, tastes, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    model = als_on_spark(session, tastes[0], rng=rng(), shared=shared, config=SMALL_ALS)
    assert not list(shared.iterdir())
    return model


def found_share(model, tastes) -> float:
    data, held_out = tastes
    ranked = model.recommend(every_user(data), 10)
    return float(np.mean([np.isin(held_out[u], ranked.items[u]).mean() for u in every_user(data)]))


def objective(model: ALS, data: Dataset) -> float:
    """What implicit ALS minimises, with the best users for these items."""
    users, items = model.user_vectors(every_user(data)), model.item_factors_
    confidence = np.ones((data.n_users, data.n_items))
    taken = np.zeros_like(confidence)
    rows = np.repeat(np.arange(data.n_users), np.diff(model.history_.indptr))
    confidence[rows, model.history_.items] = model._confidence(model.history_)
    taken[rows, model.history_.items] = 1
    misses = confidence * (taken - users @ items.T) ** 2
    return float(misses.sum() + model.config.reg * ((users**2).sum() + (items**2).sum()))


def test_als_is_the_local_model_with_other_factors(factored, tastes, tmp_path):
    local = ALS(SMALL_ALS).fit(tastes[0], rng=rng())
    assert type(factored) is ALS
    assert factored.config == local.config
    assert factored.item_factors_.shape == local.item_factors_.shape
    assert factored.item_factors_.dtype == np.float32
    np.testing.assert_array_equal(factored.beneath_, local.beneath_)
    np.testing.assert_array_equal(factored.history_.items, local.history_.items)
    factored.save(tmp_path)
    users = np.append(every_user(tastes[0]), -1).astype(np.int32)
    same_lists(ALS.load(tmp_path).recommend(users, 10), factored.recommend(users, 10))


def test_als_finds_what_the_local_one_finds(factored, tastes):
    local = ALS(SMALL_ALS).fit(tastes[0], rng=rng())
    here, there = found_share(local, tastes), found_share(factored, tastes)
    assert there > 0.5
    assert abs(here - there) < 0.1


def test_where_all_take_as_much_both_minimise_the_same(session, tmp_path):
    """With counts that are equal, the two regularisations are one and the same."""
    data = checkerboard()
    told = data.interactions
    each = np.bincount(told.user_idx, minlength=data.n_users)[:BOARD_SIZE]
    assert len(set(each.tolist())) == 1
    config = ALSConfig(
        embedding_size=4, reg=15.0, alpha=5.0, half_life_days=30.0, iterations=30, n_threads=1
    )

    def least(reg: float) -> float:
        """What items that were trained here with some regularisation come to under the other."""
        local = ALS(config.model_copy(update={"reg": reg})).fit(data, rng=rng())
        local.config = config
        return objective(local, data)

    there = als_on_spark(session, data, rng=rng(), shared=tmp_path, config=config)
    assert objective(there, data) == pytest.approx(least(15.0), rel=2e-3)
    assert min(least(7.5), least(30.0)) > 1.01 * least(15.0)  # half or double would be seen


def test_als_learns_from_nothing(session, tmp_path):
    nothing = checkerboard().between(0, 0)
    model = als_on_spark(session, nothing, rng=rng(), shared=tmp_path, config=SMALL_ALS)
    ranked = model.recommend(every_user(nothing), 3)
    assert np.all(ranked.items != NO_ITEM)


def stars() -> Dataset:
    """Return a star of each user for each of 15 items: a level and a taste, and noise."""
    data, draw = checkerboard(30), rng()
    told = data.interactions
    level = draw.normal(3.2, 0.4, data.n_users)[told.user_idx]
    taste = draw.normal(size=(data.n_users, 2))[told.user_idx]
    value = level + 0.5 * (taste * draw.normal(size=(data.n_items, 2))[told.item_idx]).sum(axis=1)
    kind = np.full(len(told), KIND_CODES[Kind.RATING], dtype=np.uint8)
    noisy = np.clip(value + draw.normal(0, 0.2, len(told)), 1, 5).astype(np.float32)
    return replace(data, interactions=replace(told, kind=kind, value=noisy))


def test_rating_als_predicts_what_the_local_one_predicts(session, tmp_path):
    data, config = stars(), RatingALSConfig(rank=3, reg=0.02, iterations=20)
    local = RatingALS(config).fit(data, rng=rng())
    there = rating_als_on_spark(session, data, rng=rng(), shared=tmp_path, config=config)
    assert not list(tmp_path.iterdir())
    told = data.interactions

    def error(model):
        missed = model.predict(told.user_idx, told.item_idx) - told.value
        return float(np.sqrt((missed**2).mean()))

    assert error(there) == pytest.approx(error(local), rel=0.1)
    assert error(there) < 0.6 * told.value.std()
    assert there.mean_ == local.mean_
    np.testing.assert_array_equal(there.is_known_user_, local.is_known_user_)
    np.testing.assert_array_equal(there.is_known_item_, local.is_known_item_)
    there.save(tmp_path)
    loaded = RatingALS.load(tmp_path)
    unknown = np.array([data.n_users - 1], dtype=np.int32)
    assert loaded.predict(unknown, unknown) == pytest.approx(there.mean_)


def rows_of(folder: Path) -> list[tuple[str, str, int, float]]:
    with duckdb.connect() as db:
        files = str(folder / "*.parquet")
        return db.execute(
            "SELECT user_id, item_id, rank, score FROM read_parquet(?) ORDER BY user_id, rank",
            [files],
        ).fetchall()


def test_a_published_grid_is_fitted_by_the_cluster(session, tmp_path):
    data, setting = electronics_like(n_rows=3_000, n_users=300, n_items=60), (4, 0.4)
    rounds = {"round 2": {setting: (1.25, 0.7981, 0.866)}}
    config, entry = TrainingConfig(bootstrap_replicates=100), Entry(CLOSED, "")
    there = run_grid(
        data, config=config, entry=entry, rounds=rounds, cluster=Cluster(session, tmp_path)
    )
    here = run_grid(data, config=config, entry=entry, rounds=rounds)
    row = row_name(setting)
    found, own = (grid.evaluation.rows[row]["rmse"].mean for grid in (there, here))
    assert found != own, "factors start elsewhere"
    assert found == pytest.approx(own, rel=0.05)


@pytest.mark.parametrize("kind", [ALS, NCF])
def test_lists_of_all_users_are_those_of_one_machine(session, factored, tastes, tmp_path, kind):
    data, _ = tastes
    model = factored if kind is ALS else NCF(SMALL_NCF).fit(data, rng=rng())
    folder = tmp_path / "model"
    folder.mkdir()
    model.save(folder)
    user_ids = [f"user {number:04}" for number in range(data.n_users)]
    item_ids = [f"item {number}" for number in range(data.n_items)]
    ids = {"user_ids": user_ids, "item_ids": item_ids}
    allowed = np.arange(0, data.n_items, 2, dtype=np.int32)
    some = np.array([5, 0, 77], dtype=np.int32)
    wishes = [
        {"k": 10},
        {"k": 50, "allowed": allowed, "exclude_seen": True},  # more than there are: padded
        {"k": 3, "users": some, "exclude_seen": False},
    ]
    for number, wish in enumerate(wishes):
        out = tmp_path / f"lists-{number}"
        n_rows = lists_on_spark(session, kind, folder, out, **ids, **wish, n_parts=3)
        users = wish.get("users", every_user(data))
        local = model.recommend(
            users,
            wish["k"],
            exclude_seen=wish.get("exclude_seen", True),
            allowed=wish.get("allowed"),
        )
        expected = [
            (user_ids[user], item_ids[item], place, score)
            for user, items, scores in zip(
                users.tolist(), local.items.tolist(), local.scores.tolist(), strict=True
            )
            for place, (item, score) in enumerate(zip(items, scores, strict=True), 1)
            if item != NO_ITEM
        ]
        assert rows_of(out) == sorted(expected, key=lambda row: (row[0], row[2]))
        assert n_rows == len(expected)


def test_lists_never_overwrite(session, tmp_path):
    with pytest.raises(SettingsError, match="already"):
        lists_on_spark(session, ALS, tmp_path, tmp_path, user_ids=[], item_ids=[], k=1)


@pytest.mark.parametrize("unfitted", NETWORKS, ids=["two_tower", "sequence"])
def test_two_processes_give_the_losses_of_one_but_for_noise(session, tastes, tmp_path, unfitted):
    data, _ = tastes
    model = fit_on_spark(session, unfitted, data, rng=rng(), shared=tmp_path, n_processes=2)
    assert type(model) is type(unfitted)
    assert not list(tmp_path.iterdir())
    seeds = [
        type(unfitted)(unfitted.config).fit(data, rng=np.random.default_rng(n)) for n in range(6)
    ]
    curves = np.array([alone.trained_.losses for alone in seeds])
    alone, spread = curves.mean(axis=0), curves.std(axis=0)
    together = np.array(model.trained_.losses)
    assert together.shape == (6,)
    assert np.all(np.abs(together - alone) < np.maximum(4 * spread, 0.03 * alone))
    assert together[-1] < 0.85 * together[0]
    shares = [found_share(one, tastes) for one in seeds]
    assert abs(found_share(model, tastes) - np.mean(shares)) < 0.15


def test_a_process_that_fails_says_why(session, tastes, tmp_path):
    wrong = NCF(SMALL_NCF.model_copy(update={"device": "nowhere"}))
    with pytest.raises(StoreError, match=r"failed on Spark: .*nowhere"):
        fit_on_spark(session, wrong, tastes[0], rng=rng(), shared=tmp_path, n_processes=2)
    assert not list(tmp_path.iterdir())


def test_the_data_arrive_as_they_were(tmp_path):
    from endcap.testing.toy_data import checkerboard_of_refusals
    from endcap.training.distributed import _write_data

    for data in (checkerboard(), checkerboard_of_refusals()):
        _write_data(data, tmp_path / "data.npz")
        found = read_data(tmp_path / "data.npz")
        assert (found.n_users, found.n_items) == (data.n_users, data.n_items)
        np.testing.assert_array_equal(found.interactions.ts, data.interactions.ts)
        assert found.interactions.weight is None
        assert (found.refusals is None) == (data.refusals is None)
        if data.refusals is not None:
            np.testing.assert_array_equal(found.refusals.weight, data.refusals.weight)
        assert found.items.category_names == data.items.category_names
