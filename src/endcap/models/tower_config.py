"""Settings of the two-tower model, apart from it so that its parts can share them.

What was tried for them is told in `docs/adr/0007-two-towers-without-user-ids.md`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TwoTowerConfig(BaseModel):
    """Settings of `TwoTower`; chosen on the validation window of Complete Journey."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(
        64, ge=4, le=1024, description="Numbers in a vector, the two of popularity included."
    )
    hidden: int = Field(128, ge=1, description="Width of the user tower's hidden layer.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the hidden layer dropped.")
    temperature: float = Field(
        0.1, gt=0, description="Cosines are divided by it before the softmax."
    )
    max_history: int = Field(100, ge=1, le=1000, description="Latest distinct items of a history.")
    half_life_days: float = Field(
        60.0, gt=0, description="After how long an item of a history says half as much."
    )
    min_events: int = Field(
        10, ge=1, description="Items taken less often have no embedding of their own."
    )
    n_price_bands: int = Field(
        5, ge=0, description="Price bands within each category; 0 leaves the price out."
    )
    popularity_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the log-popularity that is added to the logits of a fitted model.",
    )
    popularity_half_life_days: float = Field(7.0, gt=0, description="Half-life of that.")
    repeat_weight: float = Field(
        0.1, ge=0, description="Weight as a target of what the user had had before; 1 for the new."
    )
    epochs: float = Field(3.0, ge=0, description="How often each basket is learnt from.")
    max_steps: int = Field(6000, ge=0, description="Batches at most, whatever the epochs.")
    batch_size: int = Field(512, ge=1, description="Baskets in a batch.")
    n_targets: int = Field(4, ge=1, description="Items drawn from each basket of a batch.")
    n_negatives: int = Field(256, ge=1, description="Uniform negatives a batch.")
    learning_rate: float = Field(0.01, gt=0, description="Peak of the schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Of AdamW.")
    n_threads: int = Field(
        1,
        ge=1,
        description="CPU threads of the training; several slow each other down on busy cores.",
    )
    device: str = Field("auto", description="auto, cpu or cuda.")
