import numpy as np
import onnxruntime
import pytest

from endcap.models.tower_config import TwoTowerConfig
from endcap.models.two_tower import TwoTower
from endcap.schema.errors import NotFittedError
from endcap.testing.models import dataset, planted_tastes

CONFIG = TwoTowerConfig(
    embedding_size=12, hidden=8, batch_size=64, n_negatives=16, max_steps=20, n_threads=1
)


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


def test_the_losses_are_kept_with_the_model(model, tmp_path):
    model.save(tmp_path)
    loaded = TwoTower.load(tmp_path)
    assert loaded.config == CONFIG
    np.testing.assert_array_equal(loaded.losses_, model.losses_)
    assert len(model.losses_) == 20
    assert float(loaded.user_tower_.pull) == float(model.user_tower_.pull) > 0


def test_two_threads_give_the_same_twice():
    # Large enough that torch splits the work; small data would never leave the first thread.
    rng = np.random.default_rng(0)
    n = 40_000
    users, items = rng.integers(200, size=n), rng.integers(3_000, size=n)
    days = rng.integers(20, size=n) * 86_400_000_000
    data = dataset(users.astype(np.int32), items.astype(np.int32), days, n_users=200, n_items=3_000)
    made = [
        TwoTower(TwoTowerConfig(max_steps=8, min_events=1, n_threads=2))
        .fit(data, rng=np.random.default_rng(0))
        .item_vectors_
        for _ in range(2)
    ]
    np.testing.assert_array_equal(made[0], made[1])
