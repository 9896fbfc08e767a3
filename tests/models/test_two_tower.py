from copy import copy
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from endcap.features.history import tower_weights
from endcap.features.tower_context import tower_context
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.model import TwoTower
from endcap.models.two_tower.training import POPULARITY_WEIGHTS, TowerLearner
from endcap.schema.errors import DataError, NotFittedError
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import dataset, planted_tastes

CONFIG = TwoTowerConfig(
    embedding_size=12,
    hidden=8,
    batch_size=64,
    learning_rate=0.02,
    epochs=4,
    max_steps=20,
    min_events=2,
    popularity_weight=1.0,
)
READING = CONFIG.model_copy(update={"texts": True})
SAMPLED = CONFIG.model_copy(update={"max_full_items": 0, "n_negatives": 16, "epochs": 12})


@pytest.fixture(scope="module")
def model():
    data, _ = planted_tastes(np.random.default_rng(3))
    return TwoTower(CONFIG).fit(data, rng=np.random.default_rng(0))


def test_vectors_have_length_one(model):
    assert model.item_vectors_.dtype == np.float32
    assert model.item_vectors_.shape == (86, 12)
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors_, axis=1), 1, atol=1e-5)
    users = model.user_vectors(np.array([0, 5, -1]))
    np.testing.assert_allclose(np.linalg.norm(users, axis=1), 1, atol=1e-5)


def test_padding_and_the_scale_of_weights_change_nothing(model):
    vectors = model.item_vectors_[[4, 9, 2]]
    weights = np.array([0.5, 0.1, 0.7], dtype=np.float32)
    padded = np.concatenate([vectors, model.item_vectors_[[1, 1]]])
    np.testing.assert_allclose(
        model.user_tower_.vector(padded, np.append(weights * 3, [0, 0]).astype(np.float32)),
        model.user_tower_.vector(vectors, weights),
        atol=1e-6,
    )


def test_the_exported_tower_is_the_trained_one(model, tmp_path):
    path = tmp_path / "user_tower.onnx"
    model.export_user_tower(path)
    assert [file.name for file in tmp_path.iterdir()] == ["user_tower.onnx"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(i.name, i.type) for i in session.get_inputs()] == [
        ("history_vectors", "tensor(float)"),
        ("history_weights", "tensor(float)"),
    ]
    assert [output.name for output in session.get_outputs()] == ["user_vector"]
    rng = np.random.default_rng(0)
    for batch, length in ((1, 1), (1, 100), (5, 7), (1, 0)):
        items = rng.integers(len(model.item_vectors_), size=(batch, length))
        weights = rng.random((batch, length), dtype=np.float32)
        weights[:, length // 2 :] *= rng.random() < 0.5  # padding
        (found,) = session.run(
            None, {"history_vectors": model.item_vectors_[items], "history_weights": weights}
        )
        assert found.shape == (batch, 12)
        assert np.all(np.isfinite(found))
        for row in range(batch):
            expected = model.user_tower_.vector(model.item_vectors_[items[row]], weights[row])
            np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_export_needs_a_fitted_model(tmp_path):
    with pytest.raises(NotFittedError):
        TwoTower().export_user_tower(tmp_path / "user_tower.onnx")


def test_how_the_training_went_is_kept_with_the_model(model, tmp_path):
    model.save(tmp_path)
    loaded = TwoTower.load(tmp_path)
    assert loaded.config == model.config
    assert loaded.trained_ == model.trained_
    assert len(model.trained_.losses) == 4
    assert model.trained_.losses[-1] < model.trained_.losses[0]
    assert float(loaded.user_tower_.pull) == float(model.user_tower_.pull) > 0


def a_shop(n_users, *, n_items=30, days=40, seed=0):
    """Each user takes items of one half of the shop, one a day."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), 10)
    items = rng.integers(n_items // 2, size=len(users)) + (users % 2) * (n_items // 2)
    ts = np.sort(rng.integers(days, size=(n_users, 10)), axis=1).ravel() * DAY_US
    return dataset(
        users.astype(np.int32), items.astype(np.int32), ts, n_users=n_users, n_items=n_items
    )


def test_catalogues_beyond_the_limit_are_learnt_by_sampled_negatives():
    data = a_shop(60)
    model = TwoTower(SAMPLED.model_copy(update={"max_steps": 120}))
    model.fit(data, rng=np.random.default_rng(0))
    top = model.recommend(np.arange(60, dtype=np.int32), 5, exclude_seen=False).items
    assert np.mean((top >= 15) == (np.arange(60) % 2 == 1)[:, None]) > 0.95


def test_what_was_held_out_says_when_to_stop_and_how_much_popularity_counts():
    data = a_shop(200)
    config = TwoTowerConfig(
        embedding_size=10, hidden=8, held_out_share=0.5, epochs=30, patience=1, learning_rate=0.05
    )
    model = TwoTower(config).fit(data, rng=np.random.default_rng(0))
    trained = model.trained_
    assert len(trained.qualities) == len(trained.losses) < 30
    assert trained.qualities[trained.best_epoch - 1] == max(trained.qualities)
    assert len(trained.losses) == trained.best_epoch + 1
    assert model.towers_.popularity_weight in POPULARITY_WEIGHTS


def test_an_interrupted_training_goes_on_to_the_same_vectors(tmp_path, monkeypatch):
    data, _ = planted_tastes(np.random.default_rng(3))
    whole = TwoTower(CONFIG).fit(data, rng=np.random.default_rng(0))
    n_losses = []

    def fail_in_the_third_epoch(learner, batch, rng, *, loss=TowerLearner.loss):
        n_losses.append(1)
        if len(n_losses) == 12:
            raise KeyboardInterrupt
        return loss(learner, batch, rng)

    interrupted = TwoTower(CONFIG).keep_training_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(TowerLearner, "loss", fail_in_the_third_epoch)
        with pytest.raises(KeyboardInterrupt):
            interrupted.fit(data, rng=np.random.default_rng(0))
    n_losses.clear()
    resumed = TwoTower(CONFIG).keep_training_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(
            TowerLearner,
            "loss",
            lambda *told, loss=TowerLearner.loss: n_losses.append(1) or loss(*told),
        )
        resumed.fit(data, rng=np.random.default_rng(0))
    assert len(n_losses) == 10, "two of four epochs, of five batches each, were left"
    np.testing.assert_array_equal(resumed.item_vectors_, whole.item_vectors_)
    other = TwoTower(CONFIG).keep_training_in(tmp_path).fit(data, rng=np.random.default_rng(1))
    assert not np.array_equal(other.item_vectors_, whole.item_vectors_)


def test_an_update_learns_a_new_item_and_leaves_the_model_as_it_was():
    old = a_shop(60)
    model = TwoTower(CONFIG.model_copy(update={"update_epochs": 12, "popularity_weight": 0.0}))
    model.fit(old, rng=np.random.default_rng(0))
    before = model.item_vectors_.copy()
    # Item 30 is new, and all users of the second half take it.
    takers = np.arange(1, 60, 2)
    now = dataset(
        np.concatenate([old.interactions.user_idx, takers]).astype(np.int32),
        np.concatenate([old.interactions.item_idx, np.full(30, 30)]).astype(np.int32),
        np.concatenate([old.interactions.ts, np.full(30, 50 * DAY_US)]),
        n_users=61,
        n_items=31,
    )
    updated = model.update(now, since_us=old.end_us, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(model.item_vectors_, before)
    assert (len(updated.item_vectors_), updated.now_us_) == (31, now.end_us)
    np.testing.assert_array_equal(updated.towers_.inputs.ids[:30], model.towers_.inputs.ids)
    known = model.user_vectors(np.arange(60, dtype=np.int32))
    halves = [updated.item_vectors_[:15].mean(axis=0), updated.item_vectors_[15:30].mean(axis=0)]
    to_first, to_second = (float(updated.item_vectors_[30] @ half) for half in halves)
    assert to_second > to_first + 0.1
    # What was known is not forgotten.
    moved = updated.recommend(np.arange(60, dtype=np.int32), 5, exclude_seen=False).items
    is_second = (np.arange(60) % 2 == 1)[:, None]
    assert np.mean((moved >= 15) == is_second) > 0.9
    assert known.shape == (60, 12)


def test_an_update_of_a_loaded_model_is_that_of_the_model(tmp_path):
    data = a_shop(40)
    model = TwoTower(CONFIG).fit(data.between(0, 30 * DAY_US), rng=np.random.default_rng(0))
    model.save(tmp_path)
    made = [
        one.update(data, since_us=30 * DAY_US, rng=np.random.default_rng(2)).item_vectors_
        for one in (model, TwoTower.load(tmp_path))
    ]
    np.testing.assert_array_equal(made[0], made[1])


def told_by(data, texts):
    return replace(data, items=data.items.with_text(texts))


def test_texts_put_an_item_that_nobody_took_beside_its_like():
    data = a_shop(60, n_items=32)
    n_old = 32
    texts = np.random.default_rng(0).normal(0, 0.2, (n_old, 4)).astype(np.float32)
    texts[: n_old // 2, 0] += 1
    texts[n_old // 2 :, 1] += 1
    told = data.interactions
    kept = ~np.isin(told.item_idx, [3, 20])
    cold = told_by(replace(data, interactions=told.take(kept)), texts)
    config = READING.model_copy(
        update={"id_dropout": 0.2, "popularity_weight": 0.0, "epochs": 12, "max_steps": 200}
    )
    model = TwoTower(config).fit(cold, rng=np.random.default_rng(0))
    vectors = model.item_vectors_
    first, second = (
        vectors[[i for i in half if i not in (3, 20)]].mean(axis=0)
        for half in (range(16), range(16, 32))
    )
    assert vectors[3] @ first > vectors[3] @ second + 0.2
    assert vectors[20] @ second > vectors[20] @ first + 0.2


def test_texts_are_read_where_there_are_any_and_the_settings_say_so():
    bare = a_shop(40)
    told = told_by(bare, np.eye(30, 5, dtype=np.float32))
    plain, deaf, blind, reading = (
        TwoTower(config).fit(data, rng=np.random.default_rng(0)).item_vectors_
        for config, data in ((CONFIG, bare), (CONFIG, told), (READING, bare), (READING, told))
    )
    np.testing.assert_array_equal(deaf, plain)
    np.testing.assert_array_equal(blind, plain)
    assert not np.allclose(reading, plain, atol=1e-3)


def test_only_the_direction_of_a_text_counts():
    data, texts = a_shop(40), np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    texts[3] = 0
    longer = (texts * np.linspace(0.5, 9, 30)[:, np.newaxis]).astype(np.float32)
    made = [
        TwoTower(READING).fit(told_by(data, one), rng=np.random.default_rng(0)).item_vectors_
        for one in (texts, longer)
    ]
    np.testing.assert_allclose(made[0], made[1], atol=1e-3)


def test_a_model_with_texts_is_updated_with_texts_only(tmp_path):
    data, texts = a_shop(40), np.eye(30, 5, dtype=np.float32)
    told = told_by(data, texts)
    model = TwoTower(READING).fit(told, rng=np.random.default_rng(0))
    model.save(tmp_path)
    loaded = TwoTower.load(tmp_path)
    np.testing.assert_array_equal(
        loaded.update(told, since_us=0, rng=np.random.default_rng(0)).item_vectors_,
        model.update(told, since_us=0, rng=np.random.default_rng(0)).item_vectors_,
    )
    for other in (data, told_by(data, texts[:, :4])):
        with pytest.raises(DataError, match="texts of 5 numbers"):
            loaded.update(other, since_us=0, rng=np.random.default_rng(0))


def test_a_model_without_texts_goes_on_without():
    data = a_shop(40)
    model = TwoTower(READING).fit(data, rng=np.random.default_rng(0))
    told = told_by(data, np.eye(30, 5, dtype=np.float32))
    with_texts, without = (
        model.update(one, since_us=0, rng=np.random.default_rng(0)).item_vectors_
        for one in (told, data)
    )
    np.testing.assert_array_equal(with_texts, without)


def test_the_context_of_the_moment_reaches_the_network(tmp_path):
    data = a_shop(40)
    config = CONFIG.model_copy(update={"context": True})
    model = TwoTower(config).fit(data, rng=np.random.default_rng(0))
    path = tmp_path / "user_tower.onnx"
    model.export_user_tower(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[2].name == "user_context"
    row = model.history_.row(3)
    weights = tower_weights(row, model.now_us_, model.config.half_life_days)
    context = tower_context(row, model.now_us_, categories=model.categories_)
    (found,) = session.run(
        None,
        {
            "history_vectors": model.item_vectors_[row.items][None],
            "history_weights": weights[None],
            "user_context": context[None],
        },
    )
    np.testing.assert_allclose(found, model.user_vectors(np.array([3])), atol=1e-5)
    later = copy(model)
    later.now_us_ += 5 * DAY_US + DAY_US // 2
    assert not np.allclose(later.user_vectors(np.array([3])), found, atol=1e-4)


@pytest.mark.parametrize("limit", [0, 50_000])
def test_two_threads_give_the_same_twice(limit):
    # Large enough that torch splits the work; small data would never leave the first thread.
    rng = np.random.default_rng(0)
    n = 40_000
    users, items = rng.integers(200, size=n), rng.integers(3_000, size=n)
    days = rng.integers(20, size=n) * 86_400_000_000
    data = dataset(users.astype(np.int32), items.astype(np.int32), days, n_users=200, n_items=3_000)
    made = [
        TwoTower(TwoTowerConfig(max_steps=4, epochs=2, n_threads=2, max_full_items=limit))
        .fit(data, rng=np.random.default_rng(0))
        .item_vectors_
        for _ in range(2)
    ]
    np.testing.assert_array_equal(made[0], made[1])
