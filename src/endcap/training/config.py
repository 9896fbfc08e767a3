"""Settings of training and of its evaluation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TrainingConfig(BaseModel):
    """What is trained, on what part of time, and how the result is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, description="Every random choice of a run follows from this number.")
    models: tuple[str, ...] = Field(
        ("popular", "trending", "repeat", "item_knn", "als", "two_tower"),
        description="Models to train, in this order.",
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
    blend_weights: dict[str, float] = Field(
        {"item_knn": 1.0, "als": 1.0, "two_tower": 1.0},
        description="Weight of each source in the rank fusion of 'Recommended for you'.",
    )
