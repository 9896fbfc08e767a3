"""Complete Journey: what each household buys the next time it comes, after one cut in time.

Beside everything stands `repeat`: what the household bought before and is due to buy again. The
blend learns from windows before the cut; all settings are the defaults.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import Target, once, write_result
from endcap.evaluation.certainty.bootstrap import Difference, Interval
from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.next_basket import NEXT_BASKET
from endcap.evaluation.protocols.registry import split_by
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import Split
from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import load_dataset
from endcap.schema.dataset import Dataset
from endcap.training.blend import blends
from endcap.training.blend_config import BlendSettings
from endcap.training.config import TrainingConfig
from endcap.training.run import fit_models, model_rng

RIVAL = "repeat"
MEMBERS = (RIVAL, "item_knn", "als")
K = 10


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.next_basket.json`.

    Args:
        quick: the blend learns from a single window.
    """
    split = split_by(NEXT_BASKET, _journey(), choices=ProtocolConfig(), prepare=_weighed)
    config, settings = TrainingConfig(), BlendSettings(n_windows=1) if quick else BlendSettings()
    models, records = fit_models(split.train, ("popular", *MEMBERS), seed=config.seed)
    started_s = time.perf_counter()
    blended = blends(models, split, config=config, settings=settings)
    took_s = {name: record.fit_s for name, record in records.items()}
    took_s["blend"] = time.perf_counter() - started_s
    found = evaluate(
        {**models, **blended},
        split,
        rng=model_rng(config.seed, "evaluation"),
        terms=Terms(k=K, reference=RIVAL, exact_auc=False, slices=False),
    ).evaluation
    rows = _rows(found, took_s)
    rows.append({"what": "question", **_question(split), "n_windows": settings.n_windows})
    return write_result(
        "models.next_basket-quick" if quick else "models.next_basket",
        command=f"make bench NAME=models.next_basket{' QUICK=1' if quick else ''}",
        targets=_targets(rows),
        rows=rows,
        packages=("numpy", "scipy", "lightgbm", "implicit"),
    )


def _journey() -> Dataset:
    """Return the purchases of the named set, ingested anew."""
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as folder:
        snapshot = ingest("complete-journey", root=Path(folder) / "snapshots")
        return load_dataset(snapshot.path)


def _weighed(data: Dataset) -> Dataset:
    return interest(weigh(data, DEFAULT_WEIGHTS))


def _rows(found: Evaluation, took_s: dict[str, float]) -> list[dict[str, Any]]:
    rows = []
    for view_name, view in found.views.items():
        for name, result in view.models.items():
            row: dict[str, Any] = {"what": "model", "view": view_name, "model": name}
            row |= {m: _three(result.metrics[m]) for m in ("ndcg", "recall", "hit_rate")}
            if name != RIVAL and "ndcg" in result.versus_reference:
                row["ndcg_above_repeat"] = _three(result.versus_reference["ndcg"])
            if name in took_s:
                row["fit_s"] = took_s[name]
            rows.append(row)
        rows.append({"what": "random", "view": view_name, "ndcg": view.expected_random["ndcg"]})
    return rows


def _three(interval: Interval | Difference) -> list[float]:
    return [interval.mean, interval.low, interval.high]


def _question(split: Split) -> dict[str, Any]:
    return {
        "n_learnt": len(split.train.interactions),
        "n_users": split.counts.n_test_users,
        "n_targets": split.counts.n_targets,
        "n_items": split.train.n_items,
    }


def _targets(rows: list[dict[str, Any]]) -> list[Target]:
    """Ask for a lead over `repeat` of which the interval holds no 0."""
    (row,) = (row for row in rows if row.get("model") == "blend" and row.get("view") == "all")
    mean, low, high = row["ndcg_above_repeat"]
    name = f"blend - {RIVAL}, NDCG@{K}, all that is bought"
    return [
        Target(name, mean, (low, high), ">=", 0.0, ""),
        once(f"{name}: lower end of the interval", low, ">=", 0.0, ""),
    ]
