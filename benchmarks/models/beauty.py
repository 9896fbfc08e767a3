"""Amazon Beauty, the last item of everybody, as the papers ask: no refit, the whole catalogue.

Five fits of each model that draws anything, one of the others. What the settings are was chosen on
the item before the last, of which every model is told when it is asked for the last.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.data import folder_of, leave_one_out_data
from benchmarks.models.fits import Fitted, Wanted, fit_all, stale
from benchmarks.result import Target, write_result
from endcap.evaluation.evaluate import Measured, evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.split import Split
from endcap.schema.protocols import Recommender, TakesHistory
from endcap.training.blend import blends
from endcap.training.blend_config import BlendSettings
from endcap.training.config import TrainingConfig
from endcap.training.run import model_rng

FOLDER = "amazon_beauty_5core_2014"
N_SEEDS = 5
DRAWN = ("two_tower", "sequence")
"""Models whose fit depends on the seed."""

MODELS = ("popular", "item_knn", "ease", "session_knn", "als", *DRAWN)
LIMITS: Mapping[str, tuple[float, float, float]] = {
    "item_knn": (0.073, 0.0425, 2),
    "ease": (0.080, 0.047, 60),
    "two_tower": (0.080, 0.045, 600),
    "sequence": (0.100, 0.060, 3600),
    "blend": (0.110, 0.068, 4800),
}
"""What is to be reached: HR@10, NDCG@10, and how many seconds training may take."""

PUBLISHED = {"name": "BSARec, RecBoard, mean of 5 seeds", "recall": 0.1002, "ndcg": 0.0610}


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.beauty.json`.

    Args:
        quick: one seed, no sequence model.
    """
    data = leave_one_out_data(folder_of(FOLDER))
    n_seeds = 1 if quick else N_SEEDS
    names = tuple(name for name in MODELS if not (quick and name == "sequence"))
    test, validation = stale(data, "test"), stale(data, "validation")
    fits = _fits(names, n_seeds, test)
    took_s: dict[str, list[float]] = {name: [one[name].fit_s for one in fits] for name in names}
    fitted = [{name: one[name].model for name in names} for one in fits]
    asked, took_s["blend"] = _with_blends(fitted, test, validation)
    measured = _measure(asked, test)
    rows = [_row(measured, name, took_s) for name in _measured_models(measured)]
    rows.append({"model": PUBLISHED["name"], **{m: [PUBLISHED[m]] for m in ("recall", "ndcg")}})
    for row in rows[:-1]:
        if row["model"] in names:
            row["peak_bytes"] = max(one[row["model"]].peak_bytes for one in fits)
    return write_result(
        "models.beauty-quick" if quick else "models.beauty",
        command=f"make bench NAME=models.beauty{' QUICK=1' if quick else ''}",
        targets=_targets(rows),
        rows=rows,
        packages=("numpy", "scipy", "torch", "lightgbm", "implicit"),
    )


def _fits(names: tuple[str, ...], n_seeds: int, test: Split) -> list[dict[str, Fitted]]:
    wanted = [
        Wanted(FOLDER, name, seed)
        for name in names
        for seed in range(n_seeds if name in DRAWN else 1)
    ]
    done = {
        (one.name, one.seed): fitted
        for one, fitted in zip(wanted, fit_all(wanted, test.train), strict=True)
    }
    return [
        {name: done[name, seed if name in DRAWN else 0] for name in names}
        for seed in range(n_seeds)
    ]


def _with_blends(
    fits: list[dict[str, Recommender]], test: Split, validation: Split
) -> tuple[list[dict[str, Ranker]], list[float]]:
    """Return the models as they are asked, with the blend of each fit; and what each took."""
    asked: list[dict[str, Ranker]] = []
    took_s = []
    for seed, models in enumerate(fits):
        started_s = time.perf_counter()
        blended = blends(
            models,
            test,
            config=TrainingConfig(seed=seed),
            settings=BlendSettings(),
            validation=validation,
        )
        took_s.append(time.perf_counter() - started_s)
        asked.append({**{name: _told(model, test) for name, model in models.items()}, **blended})
    # A blend may find its floor better with one seed and not with another.
    shared = set.intersection(*(set(one) for one in asked))
    return [{name: one[name] for name in one if name in shared} for one in asked], took_s


def _told(model: Recommender, split: Split) -> Ranker:
    if split.history is None:
        return model
    if not isinstance(model, TakesHistory):
        sys.exit(f"{type(model).__name__} takes no other history")
    return model.with_history(split.history)


def _measure(asked: list[dict[str, Ranker]], split: Split) -> Measured:
    terms = Terms(k=10, exact_auc=False, slices=False)
    return evaluate(
        asked[0],
        split,
        rng=model_rng(0, "evaluation"),
        terms=terms,
        further_fits=asked[1:],
    )


def _measured_models(measured: Measured) -> list[str]:
    return list(next(iter(measured.evaluation.views.values())).models)


def _row(measured: Measured, name: str, took_s: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return one model's metrics: mean over seeds and interval, and the seconds of its fits."""
    result = next(iter(measured.evaluation.views.values())).models[name]
    metrics = {
        metric: [value.mean, value.low, value.high]
        for metric, value in result.metrics.items()
        if metric in {"recall", "ndcg", "mrr", "coverage"}
    }
    return {"model": name, **metrics, "fit_s": took_s.get(name, [])}


def _targets(rows: list[dict[str, Any]]) -> list[Target]:
    by_name = {row["model"]: row for row in rows}
    made = []
    for name, (hit_rate, ndcg, limit_s) in LIMITS.items():
        if name not in by_name:
            continue
        row = by_name[name]
        for metric, said, limit in (("recall", "HR@10", hit_rate), ("ndcg", "NDCG@10", ndcg)):
            value, low, high = row[metric]
            made.append(Target(f"{name} {said}", value, (low, high), ">=", limit, ""))
        seconds = row["fit_s"]
        if name == "blend":
            seconds = [_whole_s(by_name, place) for place in range(len(seconds))]
        made.append(
            Target(
                f"{name} training",
                statistics.median(seconds),
                (min(seconds), max(seconds)),
                "<=",
                limit_s,
                "s",
            )
        )
    return made


def _whole_s(rows: Mapping[str, dict[str, Any]], place: int) -> float:
    """Return the seconds of one blend with all that it is made of."""
    total = 0.0
    for row in rows.values():
        seconds = row.get("fit_s", [])
        total += seconds[min(place, len(seconds) - 1)] if seconds else 0.0
    return float(np.round(total, 3))
