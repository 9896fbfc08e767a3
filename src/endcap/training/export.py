"""From fitted models and their snapshot to the arrays that serving reads.

Here training's objects end: what crosses over is numpy, text and one ONNX network.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from endcap.bundle.format import BundleParts
from endcap.bundle.write import publish, write_bundle
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import TEMPORAL
from endcap.features.history import History, build_history
from endcap.features.popularity import first_seen
from endcap.features.unsettled import settle
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, weigh
from endcap.ingest.snapshot import Snapshot, load_dataset, open_snapshot, read_catalogue, read_ids
from endcap.models.als import ALS
from endcap.models.neighbours.item_knn import ItemKNN
from endcap.models.popular import Popular
from endcap.models.repeat import Repeat
from endcap.models.trending import Trending
from endcap.models.two_tower.model import TwoTower
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import DataError
from endcap.schema.protocols import Recommender
from endcap.training.config import EvaluationConfig, TrainingConfig
from endcap.training.judge import Setup, load_evaluation
from endcap.training.run import Run, load_run

VERBS: dict[Kind, str] = {
    Kind.PURCHASE: "bought",
    Kind.RATING: "reviewed",
    Kind.CART: "put in the cart",
    Kind.VIEW: "viewed",
    Kind.LIKE: "liked",
}


def export(
    run: Run | str,
    *,
    var: Path,
    config: TrainingConfig,
    asking: EvaluationConfig | None = None,
) -> Path:
    """Write the bundle of a training run, make it the current one, and return its folder.

    Args:
        run: a run, or its id, or `latest`.
        var: the folder that holds snapshots, models, evaluations and bundles.
        config: the weights of the blend.
        asking: how models are evaluated, to find the evaluation that the bundle quotes.

    Raises:
        DataError: the run or its snapshot is missing, or the run has no popularity to fall back on.
    """
    if isinstance(run, str):
        run = load_run(var / "models", run)
    snapshot = open_snapshot(var / "snapshots", run.snapshot_id)
    params = {name: record.params for name, record in run.records.items()}
    setup = Setup(
        run.snapshot_id,
        params,
        config.model_copy(update={"seed": run.seed}),
        weights=run.weights,
        asking=(asking or EvaluationConfig()).model_copy(update={"protocol": TEMPORAL}),
    )
    evaluation = load_evaluation(setup, root=var / "evaluations")
    root = var / "bundles"
    folder = write_bundle(
        bundle_parts(snapshot, run.models, config=config, weights=run.weights),
        root,
        snapshot=_lineage(snapshot),
        commit=run.commit,
        models={name: asdict(record) for name, record in run.records.items()},
        evaluation=_headline(evaluation) if evaluation else {},
        user_ids=snapshot.manifest.user_ids,
    )
    publish(folder, root)
    return folder


def bundle_parts(
    snapshot: Snapshot,
    models: Mapping[str, Recommender],
    *,
    config: TrainingConfig,
    weights: KindWeights = DEFAULT_WEIGHTS,
) -> BundleParts:
    """Return what serving needs of the models and of the data they were fitted on.

    Args:
        snapshot: the data.
        models: fitted on it, by name.
        config: the weights of the blend.
        weights: of each kind of interaction, with which the models were fitted.

    Raises:
        DataError: there is no `popular` among the models, which every page falls back on.
    """
    data = load_dataset(snapshot.path)
    catalogue, ids = read_catalogue(snapshot.path), read_ids(snapshot.path)
    popular = models.get("popular")
    if not isinstance(popular, Popular):
        raise DataError(
            "the run has no popularity, which every page falls back on",
            where=", ".join(models),
            mend="Train with popular among the models",
        )
    kinds = data.interactions.kinds
    verb_kind = _verb_kind(data.interactions, weights)
    told = _of_kind(data.interactions, verb_kind)
    history, unsettled = settle(weigh(data, weights))
    is_all_there_is = kinds in ((), (verb_kind,)) and unsettled is None
    return BundleParts(
        user_ids=ids.users.ids,
        item_ids=ids.items.ids,
        catalogue=catalogue,
        department=data.items.department,
        department_names=data.items.department_names,
        category=data.items.category,
        category_names=data.items.category_names,
        price=np.array([_price(entry) for entry in catalogue], dtype=np.float32),
        is_available=np.array([bool(entry["is_available"]) for entry in catalogue]),
        history=history,
        unsettled=unsettled,
        told=None if is_all_there_is else build_history(told, data.n_users),
        bought=_bought(data) if verb_kind is not Kind.PURCHASE else None,
        history_kind_verb=VERBS[verb_kind],
        kinds=tuple(kind.value for kind in kinds),
        kind_weights=weights.relative_to(kinds),
        popular_counts=popular.counts_,
        popular_half_life_days=popular.config.half_life_days,
        decay_origin_us=popular.origin_us_,
        first_seen_us=first_seen(told.item_idx, told.ts, data.n_items),
        data_end_us=data.end_us,
        clock_shift_us=_clock_shift_us(snapshot, data),
        blend_weights={
            name: weight for name, weight in config.blend_weights.items() if name in models
        },
        **_optional_parts(models),
    )


def _optional_parts(models: Mapping[str, Recommender]) -> dict[str, Any]:
    """Return the parts that a bundle can do without, from the models that there are."""
    parts: dict[str, Any] = {}
    for model in models.values():
        match model:
            case Trending():
                parts |= {
                    "trending_counts": model.counts_,
                    "trending_half_life_days": model.config.half_life_days,
                }
            case Repeat():
                parts |= {
                    "repeat_half_life_days": model.config.half_life_days,
                    "repeat_frequency_power": model.config.frequency_power,
                }
            case ItemKNN():
                parts |= {
                    "neighbour_items": model.neighbour_items_,
                    "neighbour_sims": model.neighbour_sims_,
                    "knn_half_life_days": model.config.half_life_days,
                    "knn_visit_power": model.config.visit_power,
                }
            case ALS():
                parts |= {
                    "als_item_factors": model.item_factors_,
                    "als_reg": model.config.reg,
                    "als_alpha": model.config.alpha,
                    "als_half_life_days": model.config.half_life_days,
                }
            case TwoTower():
                parts |= {
                    "tower_item_vectors": model.item_vectors_,
                    "user_tower_onnx": _user_tower(model),
                    "tower_half_life_days": model.config.half_life_days,
                    "tower_max_history": model.config.max_history,
                }
    return parts


def _user_tower(model: TwoTower) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "user_tower.onnx"
        model.export_user_tower(path)
        return path.read_bytes()


def _price(entry: Mapping[str, Any]) -> float:
    price = entry["price"]
    return float("nan") if price is None else float(price)


def _verb_kind(interactions: Interactions, weights: KindWeights) -> Kind:
    """Return what most interactions are, of the kinds that count and that there is a word for."""
    codes = Counter(interactions.kind.tolist())
    return max(VERBS, key=lambda kind: codes[KIND_CODES[kind]] if weights.of(kind) > 0 else -1)


def _of_kind(interactions: Interactions, kind: Kind) -> Interactions:
    """Return the interactions of one kind, each counting one."""
    is_it = interactions.kind == KIND_CODES[kind]
    kept = interactions if is_it.all() else interactions.take(is_it)
    return replace(kept, weight=None)


def _bought(data: Dataset) -> History | None:
    """Return who bought what how often; None where nobody bought anything."""
    bought = _of_kind(data.interactions, Kind.PURCHASE)
    return build_history(bought, data.n_users) if len(bought) else None


def _clock_shift_us(snapshot: Snapshot, data: Dataset) -> int:
    """Return by how much the shop's clock runs ahead of the data; 0 for data of today."""
    if not snapshot.manifest.historical:
        return 0
    return time.time_ns() // 1000 - data.end_us


def _lineage(snapshot: Snapshot) -> dict[str, Any]:
    manifest = snapshot.manifest
    return {
        "snapshot_id": manifest.snapshot_id,
        "source": manifest.source,
        "time_span": manifest.time_span.model_dump(),
        "counts": manifest.counts.model_dump(),
        "commit": manifest.commit,
    }


def _headline(evaluation: Evaluation) -> dict[str, Any]:
    """Return NDCG with its interval for each view and model; the rest is in the evaluation."""
    return {
        "cut_us": evaluation.cut_us,
        "end_us": evaluation.end_us,
        "k": evaluation.k,
        "ndcg": {
            view: {name: asdict(model.metrics["ndcg"]) for name, model in result.models.items()}
            for view, result in evaluation.views.items()
        },
    }
