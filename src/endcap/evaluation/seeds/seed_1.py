"""Protocol `seed-1`: errors of labels, and P@10 of a user's own test rows.

`labels.py` says what the labels and the rows are. Errors are of all rows together. P@10 ranks the
test rows that a user has, mostly one, and divides by 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.pointwise.metrics import (
    ERRORS,
    error_sums,
    interval,
    mean_intervals,
    mean_sums,
    pooled,
    resampled_pooled,
)
from endcap.evaluation.pointwise.ratings import Ratings
from endcap.evaluation.seeds.labels import LabelSplit
from endcap.evaluation.seeds.own_rows import own_lists, precision_over_k
from endcap.evaluation.seeds.result import ORACLE, RANDOM, Better, SeedEvaluation
from endcap.schema.types import Scores

SEED_1 = "seed-1"
RELEVANT = 0.6
BETTER: Mapping[str, Better] = {
    "mse_validation": "lower",
    "mae_validation": "lower",
    "mse": "lower",
    "mae": "lower",
    "precision@10": "higher",
}
TRIVIAL = ("constant_half", "constant_mean", "constant_zero", RANDOM, ORACLE)
N_DRAWS = 10


@dataclass(frozen=True, slots=True)
class LabelPrediction:
    """What a model says of the held-out rows.

    test: its scores, shape (n_test,).
    validation: the same for the validation rows; None for a model that ranks and predicts no
        label, which then has no errors.
    """

    test: Scores
    validation: Scores | None = None


def item_mean_labels(split: LabelSplit, *, shrink: float = 5.0) -> LabelPrediction:
    """Return the mean label of each row's item, drawn towards that of all by so many rows.

    It has nothing to learn when equal ratings come in any order. In a file that is sorted by item,
    the published sort leaves items together, and the label says where in the file a row stood.
    """
    rows, n_items = split.train, split.train_data.n_items
    overall = rows.stars.mean(dtype=np.float64)
    sums = np.bincount(rows.items, weights=rows.stars, minlength=n_items)
    means = (sums + shrink * overall) / (np.bincount(rows.items, minlength=n_items) + shrink)
    labels = means.astype(np.float32)
    return LabelPrediction(labels[split.test.items], labels[split.validation.items])


def evaluate_seed_1(
    split: LabelSplit,
    predictions: Mapping[str, LabelPrediction],
    *,
    rng: np.random.Generator,
    n_replicates: int = 1000,
) -> SeedEvaluation:
    """Return the published numbers of models, those of scores that know nothing in front.

    Args:
        split: see `split_labels`.
        predictions: by model.
        rng: of random scores, of the order of equal scores, and of the bootstrap over users.
        n_replicates: of the bootstrap.
    """
    draws = [_random(split, rng) for _ in range(N_DRAWS)]
    every = {**_constants(split), RANDOM: draws[0], ORACLE: _oracle(split), **predictions}
    on_validation = {
        name: one.validation for name, one in every.items() if one.validation is not None
    }
    validation = _errors(
        split.validation,
        on_validation,
        [draw.validation for draw in draws if draw.validation is not None],
        n_replicates=n_replicates,
        rng=rng,
    )
    test = _errors(
        split.test,
        {name: every[name].test for name in on_validation},
        [draw.test for draw in draws],
        n_replicates=n_replicates,
        rng=rng,
    )
    precisions = {name: _precision(split, one.test, rng) for name, one in every.items()}
    precisions[RANDOM] = np.mean([_precision(split, draw.test, rng) for draw in draws], axis=0)
    tops = mean_intervals(
        np.column_stack(list(precisions.values())), n_replicates=n_replicates, rng=rng
    )
    rows = {
        name: {
            "mse_validation": validation.get(name, _UNDEFINED)["mse"],
            "mae_validation": validation.get(name, _UNDEFINED)["mae"],
            "mse": test.get(name, _UNDEFINED)["mse"],
            "mae": test.get(name, _UNDEFINED)["mae"],
            "precision@10": top,
        }
        for name, top in zip(every, tops, strict=True)
    }
    return SeedEvaluation(SEED_1, split.facts, BETTER, TRIVIAL, rows, N_DRAWS, n_replicates)


_NOTHING = Interval(np.nan, np.nan, np.nan, 0)
_UNDEFINED: Mapping[str, Interval] = {"mse": _NOTHING, "mae": _NOTHING}


def _constants(split: LabelSplit) -> dict[str, LabelPrediction]:
    values = {
        "constant_half": 0.5,
        "constant_mean": float(split.train.stars.mean(dtype=np.float64)),
        "constant_zero": 0.0,
    }
    return {
        name: LabelPrediction(
            test=np.full(len(split.test), value, dtype=np.float32),
            validation=np.full(len(split.validation), value, dtype=np.float32),
        )
        for name, value in values.items()
    }


def _random(split: LabelSplit, rng: np.random.Generator) -> LabelPrediction:
    test, validation = (
        rng.random(len(part), dtype=np.float32) for part in (split.test, split.validation)
    )
    return LabelPrediction(test, validation)


def _oracle(split: LabelSplit) -> LabelPrediction:
    return LabelPrediction(split.test.stars, split.validation.stars)


def _precision(split: LabelSplit, scores: Scores, rng: np.random.Generator) -> NDArray[np.float64]:
    lists = own_lists(split.test.users, scores, rng=rng)
    return precision_over_k(lists, split.test.stars >= RELEVANT)


def _errors(
    rows: Ratings,
    scores: Mapping[str, Scores],
    drawn: Sequence[Scores],
    *,
    n_replicates: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, Interval]]:
    """Return the pooled errors of each model, those of random scores from several draws."""
    sums = {name: error_sums(rows.users, rows.stars, values) for name, values in scores.items()}
    sums[RANDOM] = mean_sums([error_sums(rows.users, rows.stars, values) for values in drawn])
    replicates = resampled_pooled(sums, n_replicates=n_replicates, rng=rng)
    found = {}
    for name, one in sums.items():
        values = pooled(one.sums().sum(axis=0))
        found[name] = {
            error: interval(value, column, n_users=len(one.users))
            for error, value, column in zip(ERRORS, values, replicates[name].T, strict=True)
        }
    return found
