"""Measure predicted ratings on one split; only what is fitted on its past may be given."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.pointwise.metrics import (
    ERRORS,
    ErrorSums,
    error_sums,
    interval,
    mean_intervals,
    pooled,
    resampled_pooled,
)
from endcap.evaluation.pointwise.ratings import PredictsRatings, Stars, predicted, ratings_of
from endcap.evaluation.pointwise.result import RatingEvaluation, RatingResult
from endcap.evaluation.pointwise.rivals import GlobalMean, ItemMean, UserMean
from endcap.evaluation.pointwise.split import RatingSplit

GLOBAL_MEAN = "global_mean"


def evaluate_ratings(
    models: Mapping[str, PredictsRatings],
    split: RatingSplit,
    *,
    rng: np.random.Generator,
    n_replicates: int = 1000,
) -> RatingEvaluation:
    """Return the errors of models on the future of a split, the three means in front.

    Every row is predicted and counted, also of users and items that nobody can know.

    Args:
        models: by name, fitted on `split.train`.
        split: see `split_ratings`.
        rng: where the bootstrap draws from.
        n_replicates: of the bootstrap over users.

    Raises:
        RankingError: a model leaves a row without a number.
    """
    test = split.test
    stars = {
        name: predicted(model, test, name=name)
        for name, model in {**_means(split, rng), **models}.items()
    }
    sums = {name: error_sums(test.users, test.stars, values) for name, values in stars.items()}
    replicates = resampled_pooled(sums, n_replicates=n_replicates, rng=rng)
    per_user = mean_intervals(
        np.hstack([part.per_user() for part in sums.values()]), n_replicates=n_replicates, rng=rng
    )
    results = {}
    for place, name in enumerate(stars):
        own = per_user[place * len(ERRORS) : (place + 1) * len(ERRORS)]
        results[name] = RatingResult(
            per_user=dict(zip(ERRORS, own, strict=True)),
            pooled=_pooled(sums[name], replicates[name]),
            rmse_of=_rmse_of_parts(split, stars[name]),
            versus_reference=_differences(sums, replicates, name),
        )
    return RatingEvaluation(
        reference=GLOBAL_MEAN,
        cut_us=split.cut_us,
        end_us=split.end_us,
        train_mean=float(ratings_of(split.train).stars.mean(dtype=np.float64)),
        test_mean=float(test.stars.mean(dtype=np.float64)),
        test_deviation=float(test.stars.std(dtype=np.float64)),
        n_replicates=n_replicates,
        counts=split.counts,
        models=results,
    )


def _means(split: RatingSplit, rng: np.random.Generator) -> dict[str, PredictsRatings]:
    rivals: dict[str, PredictsRatings] = {
        GLOBAL_MEAN: GlobalMean(),
        "user_mean": UserMean(),
        "item_mean": ItemMean(),
    }
    return {name: rival.fit(split.train, rng=rng) for name, rival in rivals.items()}


def _pooled(sums: ErrorSums, replicates: NDArray[np.float64]) -> dict[str, Interval]:
    values = pooled(sums.sums().sum(axis=0))
    return {
        name: interval(value, column, n_users=len(sums.users))
        for name, value, column in zip(ERRORS, values, replicates.T, strict=True)
    }


def _differences(
    sums: Mapping[str, ErrorSums], replicates: Mapping[str, NDArray[np.float64]], name: str
) -> dict[str, Interval]:
    own, other = (pooled(sums[model].sums().sum(axis=0)) for model in (name, GLOBAL_MEAN))
    columns = (replicates[name] - replicates[GLOBAL_MEAN]).T
    return {
        error: interval(value, column, n_users=len(sums[name].users))
        for error, value, column in zip(ERRORS, own - other, columns, strict=True)
    }


def _rmse_of_parts(split: RatingSplit, stars: Stars) -> dict[str, float]:
    errors = (stars.astype(np.float64) - split.test.stars) ** 2
    parts = {
        "known": split.is_known,
        "new_user": split.is_new_user,
        "new_item": split.is_new_item,
    }
    return {
        part: math.sqrt(float(errors[rows].mean())) if rows.any() else math.nan
        for part, rows in parts.items()
    }
