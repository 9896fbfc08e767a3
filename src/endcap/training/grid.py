"""The grids that were published with the protocol `seed-2`, run again on other data.

Every setting is a nested run in the book; constants and random scores stand beside the table,
because most of its numbers do not depend on the model. The protocol is `evaluation/seeds/seed_2`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.pointwise.ratings import Stars, predicted
from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.evaluation.seeds.seed_2 import MIN_RATINGS, RowSplit, evaluate_seed_2, split_rows
from endcap.models.ratings.als import RatingALS, RatingALSConfig
from endcap.schema.dataset import Dataset
from endcap.telemetry import console
from endcap.training.config import TrainingConfig
from endcap.training.judge_ratings import created, fitted_on
from endcap.training.run import model_rng, peak_memory_bytes
from endcap.training.tracked import data_params, environment_json
from endcap.training.tracking import Entry

if TYPE_CHECKING:
    from endcap.training.on_spark import Cluster

Setting: TypeAlias = tuple[int, float]
"""Rank and regularisation."""

Published: TypeAlias = tuple[float, float, float]
"""RMSE, P@10 and NDCG@10, rounded as they were."""

ITERATIONS = 10
ROUNDS: Mapping[str, Mapping[Setting, Published]] = {
    "round 1": {
        (32, 0.05): (1.54, 0.7979, 0.8593),
        (32, 0.10): (1.35, 0.7980, 0.8625),
        (32, 0.20): (1.27, 0.7980, 0.8644),
        (50, 0.05): (1.46, 0.7979, 0.8602),
        (50, 0.10): (1.33, 0.7980, 0.8633),
        (50, 0.20): (1.27, 0.7981, 0.8649),
        (64, 0.05): (1.44, 0.7979, 0.8604),
        (64, 0.10): (1.32, 0.7980, 0.8635),
        (64, 0.20): (1.27, 0.7981, 0.8652),
    },
    "round 2": {
        (32, 0.02): (2.07, 0.7978, 0.8562),
        (32, 0.05): (1.54, 0.7979, 0.8593),
        (32, 0.10): (1.35, 0.7980, 0.8625),
        (32, 0.20): (1.27, 0.7980, 0.8644),
        (32, 0.40): (1.25, 0.7981, 0.8660),
        (32, 0.80): (1.37, 0.7981, 0.8662),
    },
}
"""Both rounds with what was published of each setting, on Electronics of 2014."""

CHOSEN_BY = {"round 1": "rmse", "round 2": "precision@10"}
"""By which metric each round chose; the other one of the two decides between equals."""

METRICS = ("rmse", "precision@10", "ndcg@10")
BESIDE = ("biased_mean", "biased_mf")


@dataclass(frozen=True, slots=True)
class Grid:
    """What a grid came to.

    evaluation: one row a setting, named by `row_name`, behind those that know nothing.
    rounds: the settings of each round, with what was published of them.
    best: the row that each round would choose, by its own rule.
    fit_s: seconds of each fit, by row.
    """

    evaluation: SeedEvaluation
    rounds: Mapping[str, Mapping[Setting, Published]]
    best: Mapping[str, str]
    fit_s: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        rounds = {
            name: [
                {"row": row_name(setting), "rank": setting[0], "reg": setting[1]}
                | {"published": dict(zip(METRICS, told, strict=True))}
                for setting, told in settings.items()
            ]
            for name, settings in self.rounds.items()
        }
        record = self.evaluation.to_dict()
        return {**record, "rounds": rounds, "best": dict(self.best), "fit_s": dict(self.fit_s)}


def run_grid(
    data: Dataset,
    *,
    config: TrainingConfig,
    entry: Entry,
    rounds: Mapping[str, Mapping[Setting, Published]] = ROUNDS,
    min_ratings: int = MIN_RATINGS,
    cluster: Cluster | None = None,
) -> Grid:
    """Return the grids on these data, each setting fitted once and noted as a nested run.

    Args:
        data: a whole snapshot; only its ratings count.
        config: seed, replicates of the bootstrap.
        entry: the run to which the settings belong.
        rounds: settings by the name of their round.
        min_ratings: that a user and an item must have.
        cluster: fits every setting; this machine does when None.

    Raises:
        DataError: nothing is left to learn from or to predict.
    """
    split = split_rows(data, min_ratings=min_ratings)
    entry.params({"seed": config.seed, "min_ratings": min_ratings, **data_params(data)})
    settings = dict.fromkeys(setting for told in rounds.values() for setting in told)
    parts: dict[str, Entry] = {}
    fit_s: dict[str, float] = {}
    predictions: dict[str, Stars] = {}
    for setting in settings:
        row = row_name(setting)
        with entry.part(row, kind="grid setting") as parts[row]:
            predictions[row], fit_s[row] = _fitted(
                setting, split, parts[row], seed=config.seed, cluster=cluster
            )
    beside = fitted_on(created(BESIDE), split.train, seed=config.seed)
    predictions |= {name: predicted(model, split.test, name=name) for name, model in beside.items()}
    evaluation = evaluate_seed_2(
        split,
        predictions,
        rng=model_rng(config.seed, "evaluation"),
        n_replicates=config.bootstrap_replicates,
    )
    best = {name: best_of(evaluation, name, told) for name, told in rounds.items()}
    grid = Grid(evaluation, rounds, best, fit_s)
    _note(grid, entry, parts)
    return grid


def row_name(setting: Setting) -> str:
    """Return the name of a setting, as `als_32_0.2`."""
    return f"als_{setting[0]}_{setting[1]:g}"


def best_of(evaluation: SeedEvaluation, name: str, settings: Mapping[Setting, Published]) -> str:
    """Return the row that a round chooses by its rule, on the very rows that it reports."""
    first = CHOSEN_BY.get(name, "rmse")
    second = "rmse" if first != "rmse" else "precision@10"

    def rank(row: str) -> tuple[float, float]:
        signs = {"lower": 1.0, "higher": -1.0}
        found, better = evaluation.rows[row], evaluation.better
        return signs[better[first]] * found[first].mean, signs[better[second]] * found[second].mean

    return min((row_name(setting) for setting in settings), key=rank)


def _fitted(
    setting: Setting, split: RowSplit, part: Entry, *, seed: int, cluster: Cluster | None
) -> tuple[Stars, float]:
    rank, reg = setting
    row = row_name(setting)
    part.params({"rank": rank, "regParam": reg, "maxIter": ITERATIONS})
    started_s = time.perf_counter()
    model = RatingALS(RatingALSConfig(rank=rank, reg=reg, iterations=ITERATIONS))
    # One stream for all, so that settings and nothing else tell the rows apart.
    rng = model_rng(seed, "rating_als")
    if cluster is None:
        model.fit(split.train, rng=rng)
    else:
        model = cluster.fit_ratings(model, split.train, rng=rng)
    fit_s = time.perf_counter() - started_s
    console.print(f"  {row:<12} {fit_s:6.1f} s")
    part.metrics({"fit_s": fit_s})
    return predicted(model, split.test, name=row), fit_s


def _note(grid: Grid, entry: Entry, parts: Mapping[str, Entry]) -> None:
    """Note every row with its interval: settings in their own runs, the others in the grid's."""
    for row, found in grid.evaluation.rows.items():
        if row in parts:
            parts[row].metrics({metric: found[metric].mean for metric in METRICS})
        where, prefix = (parts[row], "interval") if row in parts else (entry, row)
        where.metrics(
            {
                f"{prefix}/{metric}{end}": value
                for metric in METRICS
                for end, value in _ends(found[metric]).items()
            }
        )
    for name, row in grid.best.items():
        parts[row].tag("best", name)
        entry.tag(f"best of {name}", row)
    entry.metrics({"fit_s": sum(grid.fit_s.values())})
    entry.metrics({"machine/peak_memory_bytes": peak_memory_bytes()})
    entry.text("environment.json", environment_json())


def _ends(interval: Interval) -> dict[str, float]:
    return {"": interval.mean, "_low": interval.low, "_high": interval.high}
