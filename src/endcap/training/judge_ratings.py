"""Fit models on the ratings of the past and measure them on those of the days after it.

The protocol is that of `evaluation/pointwise`; this file only supplies the fitted models. Models
that rank are judged in `judge.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from endcap.evaluation.pointwise.evaluate import evaluate_ratings
from endcap.evaluation.pointwise.ratings import PredictsRatings
from endcap.evaluation.pointwise.result import RatingEvaluation
from endcap.evaluation.pointwise.split import split_ratings
from endcap.evaluation.split import days_before_end
from endcap.models.ratings.als import RatingALS
from endcap.models.ratings.biased_mean import BiasedMean
from endcap.models.ratings.biased_mf import BiasedMF
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.telemetry import console
from endcap.training.config import TrainingConfig
from endcap.training.run import model_rng

RATING_MODELS: Mapping[str, Callable[[], PredictsRatings]] = {
    "biased_mean": BiasedMean,
    "biased_mf": BiasedMF,
    "rating_als": RatingALS,
}
"""Models that predict ratings, by name."""


def judge_ratings(
    data: Dataset,
    names: Sequence[str] = tuple(RATING_MODELS),
    *,
    config: TrainingConfig,
) -> RatingEvaluation:
    """Return how far models that know only the past are from the ratings of the days after it.

    Args:
        data: a whole snapshot; only its ratings count.
        names: of `RATING_MODELS`; the means of everything, users and items join them.
        config: length of the window, seed, replicates of the bootstrap.

    Raises:
        SettingsError: no model of ratings has such a name.
        DataError: there are no ratings before the window or in it.
    """
    split = split_ratings(data, cut_us=days_before_end(data, config.test_days))
    console.print(
        f"  {split.counts.n_train:,} ratings before the cut to learn from, "
        f"{split.counts.n_rows:,} of {split.counts.n_users:,} users to predict"
    )
    return evaluate_ratings(
        fitted_on(created(names), split.train, seed=config.seed),
        split,
        rng=model_rng(config.seed, "evaluation"),
        n_replicates=config.bootstrap_replicates,
    )


def created(names: Sequence[str]) -> dict[str, PredictsRatings]:
    """Return unfitted models of ratings by name, with their default settings.

    Raises:
        SettingsError: there is none of such a name.
    """
    for name in names:
        if name not in RATING_MODELS:
            raise SettingsError(
                f"no model of ratings is called {name!r}",
                where="models",
                mend=f"Known: {', '.join(RATING_MODELS)}",
            )
    return {name: RATING_MODELS[name]() for name in names}


def fitted_on(
    models: Mapping[str, PredictsRatings], train: Dataset, *, seed: int
) -> dict[str, PredictsRatings]:
    """Return the models fitted on the ratings, each with a random stream of its own."""
    fitted = {}
    for name, model in models.items():
        started_s = time.perf_counter()
        fitted[name] = model.fit(train, rng=model_rng(seed, name))
        console.print(f"  {name:<12} {time.perf_counter() - started_s:6.1f} s")
    return fitted
