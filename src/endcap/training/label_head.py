"""Labels out of a ranking model: a linear head on its vectors, fitted on rows it never saw.

A score orders items and is no label. The head maps vectors to labels, and where they tell nothing
of the labels it says the mean, which is then the best there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.pointwise.ratings import Ratings, Stars
from endcap.evaluation.seeds.labels import LabelSplit
from endcap.evaluation.seeds.seed_1 import LabelPrediction
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, pair_keys, weigh
from endcap.schema.dataset import Dataset
from endcap.schema.types import UserIdx

HEAD_SHARE = 0.15
"""Of the training rows: what the head learns from, and the model does not."""

MAX_HEAD_ROWS = 100_000
PENALTIES = (*(10.0**power for power in range(-4, 4)), np.inf)
"""Of the squared length of a head, by the number of rows; the last one leaves the mean alone."""

_Matrix = NDArray[np.float64]


class HasVectors(Protocol):
    """A model of two towers, or any other with a vector for each user and item."""

    item_vectors_: NDArray[np.float32]

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> object:
        """Learn from the data."""
        ...

    def user_vectors(self, users: UserIdx) -> NDArray[np.float32]:
        """Return the vector of each user, shape (n_users, d)."""
        ...


@dataclass(frozen=True, slots=True)
class LabelHead:
    """What a label is taken to be, given features of its row.

    mean: of the labels it was fitted on.
    center, scale: of the features, shape (n_features,).
    weights: of the features once they are centred and scaled, shape (n_features,).
    penalty: which of `PENALTIES` left the least error on rows left out.
    """

    mean: float
    center: _Matrix
    scale: _Matrix
    weights: _Matrix
    penalty: float

    def predict(self, features: _Matrix) -> Stars:
        """Return the label of each row, in [0, 1], shape (n_rows,)."""
        told = self.mean + (features - self.center) / self.scale @ self.weights
        return np.clip(told, 0, 1).astype(np.float32)


def label_prediction(
    model: HasVectors,
    split: LabelSplit,
    *,
    rng: np.random.Generator,
    weights: KindWeights = DEFAULT_WEIGHTS,
) -> LabelPrediction:
    """Return what a ranking model, with a head on its vectors, predicts of the held-out rows.

    The model is fitted on most of the training rows and the head on the others, so neither has
    seen anything of the validation or test rows.

    Args:
        model: not fitted yet, or to be fitted anew.
        split: see `split_labels`.
        rng: chooses the rows of the head, and is the model's.
        weights: of each kind of interaction, for the model.
    """
    n_head = min(round(HEAD_SHARE * len(split.train)), MAX_HEAD_ROWS)
    rows = split.train.take(np.sort(rng.choice(len(split.train), n_head, replace=False)))
    model.fit(interest(weigh(_without(split.train_data, rows), weights)), rng=rng)
    head = fit_head(_features(model, rows), rows.stars)
    test, validation = (
        head.predict(_features(model, part)) for part in (split.test, split.validation)
    )
    return LabelPrediction(test, validation)


def fit_head(features: _Matrix, labels: Stars) -> LabelHead:
    """Return the ridge regression whose penalty leaves the least error on each row left out.

    Args:
        features: shape (n_rows, n_features).
        labels: shape (n_rows,).

    Cost: n_rows * n_features**2 operations, whatever the number of penalties.
    Source: leave-one-out in closed form, Hastie et al. 2009, equation 7.64.
    """
    n_rows, mean = len(labels), float(labels.mean(dtype=np.float64))
    center = features.mean(axis=0)
    scale = np.maximum(features.std(axis=0), 1e-9)
    told, wanted = (features - center) / scale, labels.astype(np.float64) - mean
    values, axes = np.linalg.eigh(told.T @ told)
    turned = told @ axes
    along = turned.T @ wanted
    best = (np.inf, np.inf, np.zeros(len(values)))
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(values, 0.0) + penalty * n_rows)
        leverage = np.square(turned) @ shrunk + 1 / n_rows
        left_out = (wanted - turned @ (shrunk * along)) / np.maximum(1 - leverage, 1e-6)
        error = float(np.square(left_out).mean())
        if error < best[0]:
            best = (error, penalty, axes @ (shrunk * along))
    return LabelHead(mean, center, scale, best[2], best[1])


def _features(model: HasVectors, rows: Ratings) -> _Matrix:
    """Return the item's vector and its product with the user's, number by number, (n_rows, 2 d)."""
    users, places = np.unique(rows.users, return_inverse=True)
    items = model.item_vectors_[rows.items]
    told = np.concatenate([items, items * model.user_vectors(users)[places]], axis=1)
    return told.astype(np.float64)


def _without(data: Dataset, rows: Ratings) -> Dataset:
    """Return the data without the pairs of the rows."""
    pairs = (rows.users.astype(np.int64) << 32) | rows.items
    kept = ~np.isin(pair_keys(data.interactions), pairs)
    return replace(data, interactions=data.interactions.take(kept))
