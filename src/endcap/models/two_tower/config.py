"""Settings of the two-tower model, apart from it so that its parts can share them.

What was tried for them is told in `docs/adr/0007-two-towers-without-user-ids.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from endcap.models.learning.loop import LoopConfig

WARMUP_SHARE = 0.1
MAX_WARMUP_STEPS = 300

OF_EVENTS: Mapping[str, Any] = {
    "embedding_size": 128,
    "n_means": 3,
    "temperature": 0.07,
    "half_life_days": 180.0,
    "min_events": 1,
    "epochs": 6,
    "batch_size": 256,
    "max_full_items": 100_000,
    "learning_rate": 0.002,
    "weight_decay": 0.05,
    "averaging": 0.999,
    "clip_norm": 5.0,
}
"""What else is set where single events are foreseen; chosen on the validation items of Beauty."""


class TwoTowerConfig(BaseModel):
    """Settings of `TwoTower`; the defaults are those for baskets.

    They were chosen on the validation window of Complete Journey. Where single events are
    foreseen, what was not set is `OF_EVENTS`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(
        64, ge=4, le=1024, description="Numbers in a vector, the two of popularity included."
    )
    hidden: int = Field(128, ge=1, description="Width of the user tower's hidden layer.")
    n_means: int = Field(
        0, ge=0, le=8, description="Means of the history that are learnt; 0 takes its own weights."
    )
    pooled_dropout: float = Field(
        0.3, ge=0, lt=1, description="Share of the means dropped, where they are learnt."
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the hidden layer dropped.")
    id_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of items that a step knows by their attributes only."
    )
    temperature: float = Field(
        0.1, gt=0, description="Cosines are divided by it before the softmax."
    )
    texts: bool = Field(
        False, description="Whether the item tower reads the texts of items, where there are any."
    )
    context: bool = Field(
        False,
        description="Whether the user tower sees the hour, the weekday and how much was done "
        "lately; the server must be able to tell it.",
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
    popularity_weight: float | None = Field(
        None,
        ge=0,
        description="Weight of the log-popularity that is added to the logits of a fitted model; "
        "None takes what serves the held-out baskets best.",
    )
    popularity_half_life_days: float = Field(7.0, gt=0, description="Half-life of that.")
    repeat_weight: float = Field(
        0.1, ge=0, description="Weight as a target of what the user had had before; 1 for the new."
    )
    examples: Literal["auto", "baskets", "events"] = Field(
        "auto",
        description="What is foreseen: whole baskets, or each event from those before it, also of "
        "the same moment; auto takes events where moments have fewer than two on average.",
    )
    held_out_share: float = Field(
        0.1, ge=0, lt=1, description="Share of users whose last basket is not learnt from."
    )
    max_held_out: int = Field(2000, ge=0, description="Such users at most.")
    epochs: int = Field(3, ge=0, description="How often each basket is learnt from, at most.")
    patience: int = Field(
        2, ge=0, description="Epochs without gain on what is held out before it stops; 0: never."
    )
    max_steps: int = Field(
        12_000, ge=0, description="Batches at most, all epochs together; each takes what it can."
    )
    batch_size: int = Field(512, ge=1, description="Baskets in a batch.")
    n_targets: int = Field(4, ge=1, description="Items drawn from each basket of a batch.")
    max_full_items: int = Field(
        50_000, ge=0, description="Larger catalogues are told apart by sampled negatives."
    )
    n_negatives: int = Field(256, ge=1, description="Uniform negatives a batch, where sampled.")
    learning_rate: float = Field(0.01, gt=0, description="Peak of the schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Of AdamW.")
    averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="The weights are a running mean of those of the steps; 0 takes the last.",
    )
    clip_norm: float = Field(1.0, gt=0, description="Longer gradients are shortened to this.")
    update_epochs: int = Field(
        2, ge=0, description="How often an update learns from each basket that is new to it."
    )
    n_threads: int = Field(
        1,
        ge=1,
        description="CPU threads of the training; several slow each other down on busy cores.",
    )
    device: str = Field("auto", description="auto, cpu or cuda.")

    def for_events(self) -> Self:
        """Return the settings where single events are foreseen: `OF_EVENTS` what was not set."""
        unset = {key: value for key, value in OF_EVENTS.items() if key not in self.model_fields_set}
        return self.model_copy(update=unset)

    @property
    def n_epochs(self) -> int:
        """Epochs that fit into the steps there are, a step each at least."""
        return min(self.epochs, self.max_steps)

    def loop(self, n_epoch_steps: int) -> LoopConfig:
        """Return the settings of the loop for epochs of so many batches."""
        n_steps = self.n_epochs * n_epoch_steps
        return LoopConfig(
            n_epochs=self.n_epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="cosine",
            warmup_steps=min(MAX_WARMUP_STEPS, round(WARMUP_SHARE * n_steps)),
            clip_norm=self.clip_norm,
            averaging=self.averaging,
            patience=self.patience,
        )
