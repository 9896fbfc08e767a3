"""Fit models on the past of a data set and measure them on its future.

The protocol is `evaluation/evaluate.py`'s; this file only supplies the fitted models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import Split, TimeCuts
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, kinds_in, weigh
from endcap.models import registry
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
    data: Dataset,
    names: Sequence[str],
    *,
    config: TrainingConfig,
    weights: KindWeights = DEFAULT_WEIGHTS,
    on: Part = "test",
) -> Evaluation:
    """Return how well models that know only the past foresee the days after it.

    Args:
        data: a whole snapshot.
        names: models to fit; the popularity ranking joins them if it is not among them, and so
            does the `blend` of those that "Recommended for you" is made of.
        config: length of the windows, list length, seed, kinds that make a target.
        weights: of each kind of interaction.
        on: `test`, the last `test_days` of the data, to report; `validation`, as many days
            before those, to choose settings on.
    """
    split = split_for(data, config=config, weights=weights, on=on)
    console.print(
        f"  {len(split.train.interactions):,} interactions before the cut to learn from, "
        f"{split.counts.n_targets:,} targets of {split.counts.n_test_users:,} users after it"
    )
    models, _ = fit_models(split.train, _with_reference(names), seed=config.seed)
    evaluation = evaluate(
        {**models, **_blend(models, config)},
        split,
        k=config.k,
        rng=model_rng(config.seed, "evaluation"),
        reference=REFERENCE,
        n_replicates=config.bootstrap_replicates,
    )
    kinds = kinds_in(data.interactions)
    in_force = weights.relative_to(kinds)
    return replace(evaluation, weights={kind.value: in_force.of(kind) for kind in kinds})


def split_for(
    data: Dataset, *, config: TrainingConfig, on: Part, weights: KindWeights = DEFAULT_WEIGHTS
) -> Split:
    """Return the split of one part, with at most `max_test_users` test users."""
    weighed = weigh(data, weights)
    cuts = TimeCuts.before_end(data, test_days=config.test_days, validation_days=config.test_days)
    cut = cuts.test if on == "test" else cuts.validation
    split = cut(weighed, prepare=interest, target_kinds=config.target_kinds)
    return split.sample(config.max_test_users, rng=np.random.default_rng(config.seed))


@dataclass(frozen=True, slots=True)
class Setup:
    """What an evaluation was of: two that differ in any of it are kept apart.

    params: the settings of each model by name, as JSON values.
    weights: of each kind of interaction.
    """

    snapshot_id: str
    params: Mapping[str, Mapping[str, Any]]
    config: TrainingConfig
    on: Part = "test"
    weights: KindWeights = DEFAULT_WEIGHTS

    @staticmethod
    def of(
        names: Sequence[str],
        *,
        snapshot_id: str,
        config: TrainingConfig,
        weights: KindWeights = DEFAULT_WEIGHTS,
        on: Part = "test",
    ) -> Setup:
        """Return the setup of models with their default settings, as `judge` fits them."""
        params = {name: registry.params(registry.create(name)) for name in _with_reference(names)}
        return Setup(snapshot_id, params, config, on, weights)

    @property
    def file_name(self) -> str:
        """The name of its file: snapshot, part, and a hash of all the rest."""
        rest = {
            "params": {name: dict(params) for name, params in self.params.items()},
            "config": self.config.model_dump(mode="json", exclude={"models"}),
            "weights": self.weights.model_dump(mode="json"),
        }
        digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        return f"{self.snapshot_id}-{self.on}-{digest[:8]}.json"


def save_evaluation(evaluation: Evaluation, setup: Setup, *, root: Path) -> Path:
    """Write the evaluation as JSON under the name of its setup; return the path."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / setup.file_name
    write_atomically(path, evaluation.to_json() + "\n")
    return path


def load_evaluation(setup: Setup, *, root: Path) -> Evaluation | None:
    """Return the saved evaluation of exactly this setup; None when there is none.

    Raises:
        DataError: the file is damaged.
    """
    path = root / setup.file_name
    if not path.is_file():
        return None
    try:
        return Evaluation.from_json(path.read_text(encoding="utf-8"))
    except DataError as error:
        raise DataError(str(error), where=str(path), mend="Run endcap evaluate again") from error


def _blend(models: Mapping[str, Recommender], config: TrainingConfig) -> dict[str, Blend]:
    """Return what "Recommended for you" makes of the models, when it has several to fuse."""
    n_members = sum(config.blend_weights.get(name, 0.0) > 0 for name in models)
    return {BLEND: Blend(models, config.blend_weights)} if n_members > 1 else {}


def _with_reference(names: Sequence[str]) -> list[str]:
    return [REFERENCE, *(name for name in names if name != REFERENCE)]
