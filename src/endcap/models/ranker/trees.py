"""Trees that rank candidates by features: LambdaMART, learnt from what users went on to take.

Which features there are is `features.py`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from endcap.models.ranker.config import RankerConfig
from endcap.schema.errors import DataError

NDCG_AT = 10


@dataclass(frozen=True, slots=True)
class Examples:
    """Pairs of users and candidates, user by user, with what became of them.

    names: of the features. matrix: their values, float32, shape (n_pairs, n_features).
    is_target: whether the user took the item, shape (n_pairs,).
    n_each: pairs of each user, >= 1, shape (n_users,).
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float32]
    is_target: NDArray[np.bool_]
    n_each: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TreeRanker:
    """Trees as LightGBM writes them, and the names of the features they were grown on."""

    text: str
    names: tuple[str, ...]
    _trees: lgb.Booster = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the ranker that a text describes.

        Raises:
            DataError: it is none.
        """
        try:
            trees = lgb.Booster(model_str=text)
        except lgb.basic.LightGBMError as error:
            raise DataError(f"the trees of a ranker are damaged: {error}") from error
        return cls(text, tuple(trees.feature_name()), trees)

    def score(self, names: tuple[str, ...], matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how high each pair stands, the larger the better, shape (n_pairs,).

        Raises:
            DataError: the features are not those that the trees were grown on.

        Cost: about a microsecond a tree and a hundred pairs.
        """
        if names != self.names:
            raise DataError(
                "the features are not those that the ranker has learnt from", mend="Train again"
            )
        if not len(matrix):
            return np.zeros(0)
        return np.asarray(self._trees.predict(matrix, num_threads=1), dtype=np.float64)

    def gains(self) -> dict[str, float]:
        """Return how much each feature has made the lists better, the largest first; sum 1."""
        gain = self._trees.feature_importance("gain")
        order = np.argsort(-gain, kind="stable")
        total = max(float(gain.sum()), 1e-30)
        return {self.names[place]: float(gain[place]) / total for place in order}

    def save(self, path: Path) -> None:
        """Write the trees as text."""
        path.write_text(self.text)


def grow(examples: Examples, *, n_rounds: int, config: RankerConfig, seed: int) -> TreeRanker:
    """Return a ranker of that many trees, grown on all of the examples.

    The same examples, settings and seed give the same trees, with any number of threads.

    Source: Burges 2010 (LambdaMART), as LightGBM has it.
    """
    trees = lgb.train(_params(config, seed), _table(examples), n_rounds)
    return TreeRanker.of(trees.model_to_string())


def cross_validate(
    examples: Examples, fold: NDArray[np.int64], *, config: RankerConfig, seed: int
) -> tuple[NDArray[np.float64], int]:
    """Return a score for each pair by trees that never saw its user, and how many trees are best.

    Args:
        examples: each user with a target among its pairs.
        fold: the part of each user, all numbers from 0 on, two at least, shape (n_users,).
        config: settings.
        seed: of what is drawn.

    Cost: one training a fold, on all the others.
    """
    fold_of_pair = np.repeat(fold, examples.n_each)
    table = _table(examples).construct()
    grown = [
        _grow_until_best(table, fold_of_pair, number, config=config, seed=seed)
        for number in range(int(fold.max()) + 1)
    ]
    n_rounds = np.array([max(trees.best_iteration, 1) for trees in grown])
    scores = np.zeros(len(examples.matrix))
    for number, trees in enumerate(grown):
        own = fold_of_pair == number
        # How many trees: by the other parts, so that nothing of this one has been chosen on it.
        n_fair = max(1, round(float(np.delete(n_rounds, number).mean())))
        if own.any():
            scores[own] = np.asarray(trees.predict(examples.matrix[own], num_iteration=n_fair))
    return scores, max(1, round(float(n_rounds.mean())))


def _grow_until_best(
    table: lgb.Dataset,
    fold_of_pair: NDArray[np.int64],
    number: int,
    *,
    config: RankerConfig,
    seed: int,
) -> lgb.Booster:
    learnt = table.subset(np.flatnonzero(fold_of_pair != number).tolist())
    asked = table.subset(np.flatnonzero(fold_of_pair == number).tolist())
    return lgb.train(
        _params(config, seed),
        learnt,
        config.max_rounds,
        valid_sets=[asked],
        callbacks=[lgb.early_stopping(config.patience, verbose=False)],
    )


def _table(examples: Examples) -> lgb.Dataset:
    return lgb.Dataset(
        examples.matrix,
        examples.is_target.astype(np.int8),
        group=examples.n_each,
        feature_name=list(examples.names),
        params={"verbosity": -1, "force_row_wise": True, "deterministic": True},
    )


def _params(config: RankerConfig, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [NDCG_AT],
        "learning_rate": config.learning_rate,
        "num_leaves": config.n_leaves,
        "min_data_in_leaf": config.min_leaf,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "lambda_l2": config.l2,
        "lambdarank_truncation_level": config.truncation,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": config.n_threads,
        "seed": seed,
        "verbosity": -1,
    }
