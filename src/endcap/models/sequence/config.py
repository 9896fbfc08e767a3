"""Settings of the sequence model, apart from it so that its parts can share them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from endcap.models.learning.loop import LoopConfig


class SequenceConfig(BaseModel):
    """Settings of `Sequence`; chosen on the validation items of Amazon Beauty, leave-one-out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(128, ge=4, le=1024, description="Numbers in a vector.")
    n_blocks: int = Field(2, ge=1, le=12, description="Layers of the transformer.")
    n_heads: int = Field(1, ge=1, le=16, description="Heads of its attention.")
    max_length: int = Field(50, ge=1, le=1000, description="Latest distinct items of a history.")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Share dropped of what is embedded and of what layers add."
    )
    low_pass_share: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Share of the frequency filter in a layer; the rest is the attention's.",
    )
    n_frequencies: int = Field(
        3, ge=1, description="Slowest frequencies of a history that the filter tells from the rest."
    )
    smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the target spread over the catalogue, where all of it is asked.",
    )
    n_negatives: int | None = Field(
        None,
        ge=1,
        description="Uniform negatives a batch; none: the whole catalogue up to 50,000 items, "
        "and 2,048 beyond.",
    )
    warm_start: bool = Field(
        True, description="Begin with the singular vectors of who took what as embeddings."
    )
    in_order: bool | None = Field(
        None,
        description="Whether simultaneous events of a user are one before the other; none: where a "
        "user has fewer than 2 of them at a time on average.",
    )
    distinct: bool | None = Field(
        None,
        description="Whether an item that a user has again stands in the sequence once, where it "
        "was last; none: unless events are in order and every tenth is a repeat.",
    )
    repeat_weight: float = Field(
        1.0, ge=0, description="Weight as a target of what the user had had before; 1 for the new."
    )
    batch_size: int = Field(256, ge=1, description="Examples in a batch.")
    max_steps: int = Field(
        20_000, ge=1, description="Batches at most; epochs are fewer where the data are many."
    )
    max_held_out: int = Field(
        2000,
        ge=0,
        description="Users, one in ten at most, whose last event is not learnt but foreseen, to "
        "find the best epoch.",
    )
    update_epochs: int = Field(2, ge=0, description="Epochs of an update on what is new.")
    n_threads: int = Field(
        1,
        ge=1,
        description="CPU threads of the training; several slow each other down on busy cores.",
    )
    device: str = Field("auto", description="auto, cpu or cuda.")
    loop: LoopConfig = LoopConfig(
        n_epochs=24,
        learning_rate=5e-4,
        schedule="linear",
        weight_decay=0.01,
        averaging=0.999,
        patience=0,
    )
