"""Fit models on the past of a data set and measure them on its future.

The protocol is `evaluation/evaluate.py`'s; this file only supplies the fitted models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import Split, TimeCuts
from endcap.models.blend import Blend
from endcap.schema.artefacts import write_atomically
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError
from endcap.schema.protocols import Recommender
from endcap.telemetry import console
from endcap.training.config import TrainingConfig
from endcap.training.run import fit_models, model_rng

Part: TypeAlias = Literal["test", "validation"]
REFERENCE = "popular"
BLEND = "blend"


def judge(
    data: Dataset, names: Sequence[str], *, config: TrainingConfig, on: Part = "test"
) -> Evaluation:
    """Return how well models that know only the past foresee the days after it.

    Args:
        data: a whole snapshot.
        names: models to fit; the popularity ranking joins them if it is not among them, and so
            does the `blend` of those that "Recommended for you" is made of.
        config: length of the windows, list length, seed.
        on: `test`, the last `test_days` of the data, to report; `validation`, as many days
            before those, to choose settings on.
    """
    split = split_for(data, config=config, on=on)
    console.print(
        f"  {split.counts.n_train:,} interactions before the cut to learn from, "
        f"{split.counts.n_targets:,} targets of {split.counts.n_test_users:,} users after it"
    )
    models, _ = fit_models(split.train, _with_reference(names), seed=config.seed)
    return evaluate(
        {**models, **_blend(models, config)},
        split,
        k=config.k,
        rng=model_rng(config.seed, "evaluation"),
        reference=REFERENCE,
        n_replicates=config.bootstrap_replicates,
    )


def split_for(data: Dataset, *, config: TrainingConfig, on: Part) -> Split:
    """Return the split of one part, with at most `max_test_users` test users."""
    cuts = TimeCuts.before_end(data, test_days=config.test_days, validation_days=config.test_days)
    split = cuts.test(data) if on == "test" else cuts.validation(data)
    return split.sample(config.max_test_users, rng=np.random.default_rng(config.seed))


def save_evaluation(evaluation: Evaluation, *, root: Path, snapshot_id: str, on: Part) -> Path:
    """Write the evaluation as JSON under the name of its snapshot and part; return the path."""
    root.mkdir(parents=True, exist_ok=True)
    path = _path(root, snapshot_id=snapshot_id, on=on)
    write_atomically(path, evaluation.to_json() + "\n")
    return path


def load_evaluation(root: Path, *, snapshot_id: str, on: Part = "test") -> Evaluation | None:
    """Return the saved evaluation of a snapshot; None when it was never evaluated.

    Raises:
        DataError: the file is damaged.
    """
    path = _path(root, snapshot_id=snapshot_id, on=on)
    if not path.is_file():
        return None
    try:
        return Evaluation.from_json(path.read_text(encoding="utf-8"))
    except (DataError, json.JSONDecodeError) as error:
        raise DataError(str(error), where=str(path), mend="Run endcap evaluate again") from error


def _path(root: Path, *, snapshot_id: str, on: Part) -> Path:
    return root / f"{snapshot_id}-{on}.json"


def _blend(models: Mapping[str, Recommender], config: TrainingConfig) -> dict[str, Blend]:
    """Return what "Recommended for you" makes of the models, when it has several to fuse."""
    n_members = sum(config.blend_weights.get(name, 0.0) > 0 for name in models)
    return {BLEND: Blend(models, config.blend_weights)} if n_members > 1 else {}


def _with_reference(names: Sequence[str]) -> list[str]:
    return [REFERENCE, *(name for name in names if name != REFERENCE)]
