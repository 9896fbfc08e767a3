from dataclasses import dataclass, field

import numpy as np
import pytest

from endcap.evaluation.seeds.labels import split_labels
from endcap.evaluation.seeds.seed_1 import evaluate_seed_1
from endcap.models.two_tower.model import TwoTower, TwoTowerConfig
from endcap.training.label_head import HEAD_SHARE, PENALTIES, fit_head, label_prediction
from rated import electronics_like

SMALL = TwoTowerConfig(embedding_size=10, hidden=8, epochs=2, learning_rate=0.01)


def rng():
    return np.random.default_rng(0)


def test_where_nothing_tells_of_the_labels_the_head_says_their_mean():
    features = rng().normal(size=(4000, 12))
    labels = np.random.default_rng(1).choice([0.0, 0.3, 1.0], size=4000).astype(np.float32)
    said = fit_head(features, labels).predict(features)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, labels.mean(), atol=0.05)


def test_where_something_does_the_head_says_it():
    features = rng().normal(size=(2000, 6)) * 3 + 5
    labels = (0.5 + 0.03 * (features[:, 2] - 5)).astype(np.float32)
    head = fit_head(features, labels)
    assert head.penalty < 0.01
    np.testing.assert_allclose(head.predict(features), labels, atol=5e-3)


def test_the_penalty_is_that_of_the_least_error_on_each_row_left_out():
    features = rng().normal(size=(30, 3))
    labels = (features @ [0.1, 0, 0] + 0.3 * rng().random(30)).astype(np.float32)
    head = fit_head(features, labels)
    scaled = (features - head.center) / head.scale
    finite = [penalty for penalty in PENALTIES if np.isfinite(penalty)]
    errors = [
        np.mean([left_out(scaled, labels, row, penalty) for row in range(30)]) for penalty in finite
    ]
    assert head.penalty == finite[int(np.argmin(errors))]
    np.testing.assert_allclose(head.weights, ridge(scaled, labels, head.penalty * 30), atol=1e-6)


def ridge(features, labels, penalty):
    told = features - features.mean(axis=0)
    gram = told.T @ told + penalty * np.eye(features.shape[1])
    return np.linalg.solve(gram, told.T @ (labels - labels.mean()))


def left_out(features, labels, row, penalty):
    """The squared error of a row by a fit to the others with the same penalty."""
    others = np.arange(len(labels)) != row
    told, wanted = features[others], labels[others]
    weights = ridge(told, wanted, penalty * len(labels))
    said = wanted.mean() + (features[row] - told.mean(axis=0)) @ weights
    return (said - labels[row]) ** 2


def test_labels_are_between_nought_and_one():
    features = np.linspace(0, 1, 200)[:, None]
    head = fit_head(features, np.linspace(0, 1, 200, dtype=np.float32))
    said = head.predict(np.array([[-9.0], [9.0]]))
    assert said.tolist() == [0.0, 1.0]


@dataclass
class Noted:
    """Vectors that say nothing, and the data that was learnt from."""

    n_items: int
    learnt: list = field(default_factory=list)

    def fit(self, data, *, rng):
        self.learnt.append(data.interactions)
        self.item_vectors_ = rng.normal(size=(self.n_items, 3)).astype(np.float32)
        return self

    def user_vectors(self, users):
        return np.ones((len(users), 3), dtype=np.float32)


def test_the_head_learns_from_rows_that_the_model_never_saw():
    data = electronics_like(n_rows=6_000, n_users=600, n_items=150)
    split = split_labels(data)
    model = Noted(data.n_items)
    label_prediction(model, split, rng=rng())
    n_left = len(model.learnt[0]) / len(split.train_data.interactions)
    assert n_left == pytest.approx(1 - HEAD_SHARE, abs=0.02)


def test_two_towers_with_a_head_are_no_worse_than_the_constant():
    split = split_labels(electronics_like(n_rows=12_000, n_users=900, n_items=200), ties="shuffled")
    told = label_prediction(TwoTower(SMALL), split, rng=rng())
    found = evaluate_seed_1(split, {"two_tower": told}, rng=rng(), n_replicates=50)
    for metric in ("mse", "mse_validation"):
        mean, ours = (found.rows[name][metric].mean for name in ("constant_mean", "two_tower"))
        assert ours <= mean * 1.005
        assert ours < 0.5 * found.rows["constant_half"][metric].mean
