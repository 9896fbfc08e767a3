"""Measure models as two published systems did, beside what knows nothing.

The protocols are in `evaluation/seeds`; this file only supplies the fitted models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.pointwise.ratings import PredictsRatings, Ratings, predicted
from endcap.evaluation.seeds.labels import LabelSplit, TieOrder, split_labels
from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.evaluation.seeds.seed_1 import LabelPrediction, evaluate_seed_1, item_mean_labels
from endcap.evaluation.seeds.seed_2 import MIN_RATINGS, evaluate_seed_2, split_rows
from endcap.evaluation.split import Fact
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, weigh
from endcap.models.ratings.als import RatingALS, RatingALSConfig
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import ScoresItems
from endcap.schema.types import Scores
from endcap.training.config import TrainingConfig
from endcap.training.judge_ratings import created, fitted_on
from endcap.training.run import fit_models, model_rng

SEED_2_GRID = (*((32, reg) for reg in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)), (64, 0.2))
"""Rank and regularisation: the published second round, and the best of the first."""

HALF, NEAR_HALF = 0.5, 0.005
"""Where the published network goes, and how near counts as being there."""

_BLOCK_CELLS = 1 << 24  # of scores at once: 64 MB


def judge_seed_1(
    data: Dataset,
    rankers: Sequence[str] = (),
    *,
    config: TrainingConfig,
    with_network: bool = True,
    sparse: bool = False,
    ties: TieOrder = "published",
    weights: KindWeights = DEFAULT_WEIGHTS,
) -> SeedEvaluation:
    """Return what the protocol `seed-1` says of its own network, and of models that rank.

    Args:
        data: a whole snapshot; only its ratings count.
        rankers: models of the registry that score items; they have no errors, only P@10, but for
            `two_tower`, which has a row with a label head besides.
        config: seed, replicates of the bootstrap.
        with_network: whether to train the published network.
        sparse: step only the embeddings of a batch; see `SeedNetworkConfig`.
        ties: who comes first of equal ratings; see `best_first`.
        weights: of each kind of interaction, for the rankers.
    """
    split = split_labels(data, ties=ties, rng=model_rng(config.seed, "ties"))
    predictions = {"item_mean": item_mean_labels(split)}
    facts: dict[str, Fact] = {}
    if with_network:
        # Here, because everything else of this file works without torch.
        from endcap.training.seed_network import SeedNetworkConfig, train_seed_network

        run = train_seed_network(split, config=SeedNetworkConfig(sparse=sparse))
        predictions["network"] = run.prediction
        facts = _network_facts(run.prediction, split) | {
            "network_steps": "sparse" if sparse else "dense, as published",
            "network_train_mse": run.train_mse[-1],
            "network_train_mse_by_epoch": ", ".join(f"{mse:.4f}" for mse in run.train_mse),
        }
    predictions |= _of_rankers(rankers, data, split, config=config, weights=weights)
    evaluation = evaluate_seed_1(
        split,
        predictions,
        rng=model_rng(config.seed, "evaluation"),
        n_replicates=config.bootstrap_replicates,
    )
    return replace(evaluation, facts={**evaluation.facts, **facts})


def _network_facts(said: LabelPrediction, split: LabelSplit) -> dict[str, Fact]:
    """Return how near to 0.5 the predictions of the held-out rows are."""
    every = said.test if said.validation is None else np.append(said.validation, said.test)
    return {
        "network_least_prediction": float(every.min()),
        "network_most_prediction": float(every.max()),
        "network_share_at_half": float(np.mean(np.abs(every - HALF) < NEAR_HALF)),
        "constant_half_train_mse": float(np.mean(np.square(split.train.stars - HALF))),
    }


def _of_rankers(
    names: Sequence[str],
    data: Dataset,
    split: LabelSplit,
    *,
    config: TrainingConfig,
    weights: KindWeights,
) -> dict[str, LabelPrediction]:
    """Return the scores of each model, and what the vectors of `two_tower` say of the labels."""
    models, _ = fit_models(interest(weigh(split.train_data, weights)), names, seed=config.seed)
    predictions = {}
    for name, model in models.items():
        if not isinstance(model, ScoresItems):
            raise SettingsError(
                f"the model {name!r} gives no scores to single items",
                where="models",
                mend="Leave it out of the protocol seed-1",
            )
        predictions[name] = LabelPrediction(pair_scores(model, split.test, n_items=data.n_items))
    if "two_tower" in names:
        # Here, because everything else of this file works without torch.
        from endcap.models.two_tower.model import TwoTower
        from endcap.training.label_head import label_prediction

        predictions["two_tower, label head"] = label_prediction(
            TwoTower(), split, rng=model_rng(config.seed, "label head"), weights=weights
        )
    return predictions


def judge_seed_2(
    data: Dataset,
    *,
    config: TrainingConfig,
    grid: Sequence[tuple[int, float]] = SEED_2_GRID,
    min_ratings: int = MIN_RATINGS,
) -> SeedEvaluation:
    """Return what the protocol `seed-2` says of explicit ALS, and of models with biases.

    Args:
        data: a whole snapshot; only its ratings count.
        grid: rank and regularisation of each ALS; all are shown, none is chosen.
        config: seed, replicates of the bootstrap.
        min_ratings: that a user and an item must have.
    """
    split = split_rows(data, min_ratings=min_ratings)
    models: dict[str, PredictsRatings] = {
        f"als_{rank}_{reg:g}": RatingALS(RatingALSConfig(rank=rank, reg=reg)) for rank, reg in grid
    }
    models |= created(["biased_mean", "biased_mf"])
    fitted = fitted_on(models, split.train, seed=config.seed)
    return evaluate_seed_2(
        split,
        {name: predicted(model, split.test, name=name) for name, model in fitted.items()},
        rng=model_rng(config.seed, "evaluation"),
        n_replicates=config.bootstrap_replicates,
    )


def pair_scores(model: ScoresItems, rows: Ratings, *, n_items: int) -> Scores:
    """Return the score that a ranking model gives the item of each row, shape (n_rows,).

    Cost: all items of every user of a row, in blocks of 64 MB.
    """
    scores = np.empty(len(rows), dtype=np.float32)
    order = np.argsort(rows.users, kind="stable")
    users, starts = np.unique(rows.users[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    n_at_once = max(1, _BLOCK_CELLS // n_items)
    for begin in range(0, len(users), n_at_once):
        some = slice(begin, begin + n_at_once)
        chosen = order[starts[some][0] : ends[some][-1]]
        places: NDArray[np.intp] = np.searchsorted(users[some], rows.users[chosen])
        scores[chosen] = model.score(users[some])[places, rows.items[chosen]]
    return scores
