"""Evaluations on disk with chosen values, without a model having been fitted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.evaluate import Measured
from endcap.evaluation.kept import Kept, keep, open_kept
from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.metrics.exposure import ExposureResult
from endcap.evaluation.per_user import PerUser
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult
from endcap.evaluation.split import SplitCounts
from endcap.schema.types import TopK

METRICS = ("recall", "ndcg", "diversity", "calibration", "novelty", "auc")
N_USERS, VIEW = 500, "all"
COUNTS = SplitCounts(
    n_train=9000,
    n_window=2000,
    n_after=0,
    n_targets=1500,
    n_cold_targets=10,
    n_cold_items=4,
    n_test_users=N_USERS,
    n_cold_users=20,
    n_silent_users=100,
)


def shop_values(n_users: int = N_USERS, seed: int = 0) -> dict[str, np.ndarray]:
    """By model: `good` > `popular` > `random` in accuracy; `twin` is `good` with some noise.

    `good` is less diverse and better calibrated; AUC was not measured of anybody; calibration not
    of every tenth user.
    """
    draw = np.random.default_rng(seed)
    shared = draw.random((n_users, len(METRICS)))

    def model(*shifts: float) -> np.ndarray:
        values = shared + np.array(shifts) + 0.05 * draw.standard_normal(shared.shape)
        values[::10, METRICS.index("calibration")] = np.nan
        values[:, METRICS.index("auc")] = np.nan
        return values

    good = model(0.2, 0.2, -0.05, -0.1, 0.1, 0)
    return {
        "random": model(-0.3, -0.3, 0.1, 0.2, 0.5, 0),
        "popular": model(0, 0, 0, 0, 0, 0),
        "good": good,
        "twin": good + 0.05 * draw.standard_normal(good.shape),
    }


def model_result(
    values: np.ndarray, *, coverage: float = 0.5, n_short_lists: int = 0
) -> ModelResult:
    return ModelResult(
        metrics={
            name: Interval(float(np.nanmean(column)), np.nan, np.nan, len(column))
            if not np.isnan(column).all()
            else Interval(np.nan, np.nan, np.nan)
            for name, column in zip(METRICS, values.T, strict=True)
        },
        catalogue={"coverage": coverage, "gini": 0.5, "entropy": 0.5},
        versus_reference={},
        versus_random={},
        n_short_lists=n_short_lists,
        n_cut_ties=0,
        n_cold_hits=0,
    )


def exposure_result(parity: float) -> ExposureResult:
    interval = Interval(parity, parity, parity, N_USERS)
    return ExposureResult(
        rows=(),
        parity_difference=interval,
        opportunity_difference=interval,
        min_items=10,
        min_users=30,
        n_pooled=0,
        pooled=(),
    )


def evaluation_of(
    values: Mapping[str, np.ndarray], *, view: str = VIEW, parity: float = 0.2
) -> Evaluation:
    n_users = len(next(iter(values.values())))
    result = ViewResult(
        meaning="whatever the user took",
        exclude_seen=False,
        n_candidates=None,
        n_users=n_users,
        n_queries=n_users,
        n_targets=3 * n_users,
        n_cold_targets=10,
        best={},
        expected_random={},
        blind=(),
        models={name: model_result(of_model) for name, of_model in values.items()},
        exposure={"popularity": {name: exposure_result(parity) for name in values}},
    )
    return Evaluation(
        k=10,
        n_items=800,
        protocol="temporal",
        facts={"on": "test", "refit": False},
        split_id="5011d",
        cut_us=1_000_000,
        end_us=2_000_000,
        counts=COUNTS,
        n_drawn_users=None,
        n_replicates=200,
        n_seeds=1,
        reference="popular",
        ranking_s=dict.fromkeys(values, 4.0),
        views={view: result},
    )


def changed_model(evaluation: Evaluation, model: str, **changes: object) -> Evaluation:
    """The evaluation with fields of one model's result changed."""
    (view,) = evaluation.views
    result = evaluation.views[view]
    models = {**result.models, model: replace(result.models[model], **changes)}
    return replace(evaluation, views={view: replace(result, models=models)})


def kept_on_disk(
    root: Path,
    evaluation: Evaluation,
    values: Mapping[str, np.ndarray],
    *,
    name: str = "aaa",
    fit_means: Mapping[str, np.ndarray] | None = None,
) -> Kept:
    """Write the evaluation with the values of every user, and open it again."""
    (view,) = evaluation.views
    users = np.arange(len(next(iter(values.values()))), dtype=np.int32)
    top = TopK(
        np.zeros((len(users), 1), dtype=np.int32), np.zeros((len(users), 1), dtype=np.float32)
    )
    lists = Lists(users, top, np.zeros(len(users), dtype=np.bool_), 0.1)
    measured = Measured(
        evaluation,
        per_user={view: PerUser(users, METRICS, values, fit_means or {})},
        lists={view: dict.fromkeys(values, lists)},
    )
    root.mkdir(parents=True, exist_ok=True)
    keep(measured, root=root, name=name)
    return open_kept(root, name)
