"""Settings of the gate that a candidate passes before it goes live."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.evaluation.metrics.texts import METRICS

Guardrail: TypeAlias = Literal["coverage", "diversity", "exposure", "ranking time", "short lists"]
EXPOSURE_BY = "exposure by "


class GateConfig(BaseModel):
    """What a candidate must show, and what it may cost, beside the live model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field("ndcg", description="The headline metric, of accuracy: higher is better.")
    view: str = Field("", description="The view it is measured in; empty: the headline view.")
    margin: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="How far below the live model the 95 % interval of the candidate may reach, "
        "as a share of the live model's mean.",
    )
    max_coverage_loss: float = Field(
        0.2, ge=0, le=1, description="Share of the live model's coverage that may be lost."
    )
    max_diversity_loss: float = Field(
        0.1, ge=0, le=1, description="Share of the live model's diversity that may be lost."
    )
    max_parity_rise: float = Field(
        0.05,
        ge=0,
        le=1,
        description="By how much the parity difference of exposure may rise, for each kind of "
        "group.",
    )
    max_ranking_ratio: float = Field(
        1.5, gt=0, description="Ranking time of a list over that of the live model."
    )
    fast_enough_ms: float = Field(
        1.0, ge=0, description="Ranking time of a list that passes whatever the live model takes."
    )
    max_short_lists_rise: float = Field(
        0.01,
        ge=0,
        le=1,
        description="By how much the share of users with fewer items than asked for may rise.",
    )
    waived: tuple[str, ...] = Field(
        (),
        description="Guardrails that are not held to, say where the data lack what they need: "
        "coverage, diversity, exposure or exposure by brand, ranking time, short lists.",
    )

    @field_validator("metric")
    @classmethod
    def _is_of_accuracy(cls, name: str) -> str:
        if name in METRICS and METRICS[name].of != "accuracy":
            raise ValueError(f"{name} is no metric of accuracy")
        return name

    @field_validator("waived")
    @classmethod
    def _are_guardrails(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = get_args(Guardrail)
        for name in names:
            if name not in known and not name.startswith(EXPOSURE_BY):
                raise ValueError(
                    f"no guardrail is called {name}; known: {', '.join(known)}, {EXPOSURE_BY}…"
                )
        return names
