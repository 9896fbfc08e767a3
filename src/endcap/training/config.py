"""Settings of training and of its evaluation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.evaluation.protocols.config import Choices, Part, ProtocolConfig
from endcap.evaluation.split import TEMPORAL
from endcap.models.content.text_config import TextConfig
from endcap.schema.columns import Kind
from endcap.training.blend_config import BlendSettings

BLEND_WEIGHTS = {"item_knn": 1.0, "als": 1.0, "two_tower": 1.0}
"""The models whose lists "Recommended for you" fuses, with equal say."""


class TrainingConfig(BaseModel):
    """What is trained, on what part of time, and how the result is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, description="Every random choice of a run follows from this number.")
    models: tuple[str, ...] = Field(
        ("popular", "trending", "repeat", "item_knn", "als", "two_tower"),
        description="Models to train, in this order.",
    )
    params: dict[str, dict[str, Any]] = Field(
        {},
        description="Settings of each model by name that differ from its defaults; `endcap tune` "
        "finds good ones.",
    )
    test_days: int = Field(
        28, ge=1, description="Length of the test window: the last days of the data."
    )
    k: int = Field(10, ge=1, le=1000, description="List length of the evaluation.")
    max_test_users: int = Field(
        20_000, ge=1, description="More test users than this are sampled; the report says so."
    )
    bootstrap_replicates: int = Field(
        1000, ge=100, description="Replicates behind each 95 % interval."
    )
    target_kinds: tuple[Kind, ...] = Field(
        (),
        description="Kinds of interaction that the evaluation has models foresee; "
        "empty: all whose weight is above 0.",
    )
    texts: TextConfig = Field(
        TextConfig(), description="How models that read what the shop says of items are told it."
    )
    blend: BlendSettings = Field(
        BlendSettings(), description="How the evaluation's blend is made and what it learns."
    )
    blend_weights: dict[str, float] = Field(
        dict(BLEND_WEIGHTS),
        description="Weight of each source in the rank fusion of 'Recommended for you'; "
        "a source that is not named has none.",
    )

    # An evaluation fits on this machine, so where a run is fitted is no part of a setup's name,
    # and neither is where it is written down.
    compute: str = Field(
        "local://",
        exclude=True,
        description="What fits the models of a run: local://, or a Spark master: "
        "spark://host:7077, local[*].",
    )
    memory_gb: float = Field(
        1.0,
        ge=0.25,
        exclude=True,
        description="Memory of the Spark driver and of each worker's process; nothing for "
        "local://.",
    )
    tracking: str = Field(
        "local",
        exclude=True,
        description="Where runs are tracked: `local` (MLflow's SQLite in var/runs), `off`, or the "
        "URI of any MLflow server or database.",
    )
    experiment: str = Field(
        "endcap",
        min_length=1,
        exclude=True,
        description="Name of the MLflow experiment under which runs stand.",
    )

    @field_validator("blend_weights")
    @classmethod
    def _name_every_source(cls, weights: dict[str, float]) -> dict[str, float]:
        # Explicit zeros, because the page gives weight 1 to what a bundle does not name.
        if unknown := [name for name in weights if name not in BLEND_WEIGHTS]:
            known = ", ".join(BLEND_WEIGHTS)
            raise ValueError(f"no source is called {', '.join(unknown)}; known: {known}")
        return {name: weights.get(name, 0.0) for name in BLEND_WEIGHTS}


class EvaluationConfig(Choices):
    """What an evaluation asks, besides the windows and the list length of `TrainingConfig`."""

    protocol: str = Field(
        TEMPORAL, description="The question; see docs/guide/protocols.md for all of them."
    )
    n_seeds: int = Field(
        1, ge=1, le=100, description="How often each model is fitted, each time with another seed."
    )
    exact_auc: bool = Field(
        True, description="Score the whole catalogue for the AUC; without, it is not reported."
    )

    def choices(self, config: TrainingConfig, *, on: Part) -> ProtocolConfig:
        """Return what the protocols choose, with the windows and the seed of training."""
        chosen = {name: getattr(self, name) for name in Choices.model_fields}
        return ProtocolConfig(
            **chosen,
            on=on,
            seed=config.seed,
            test_days=config.test_days,
            validation_days=config.test_days,
        )
