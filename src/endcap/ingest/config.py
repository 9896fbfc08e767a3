"""Settings of the ingest: on which engine it runs, what looks suspicious, what is put aside."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Flag = Literal["near_duplicate", "burst", "bot"]


class IngestConfig(BaseModel):
    """How raw files become a snapshot."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compute: str = Field(
        "local://",
        description="Engine: local://, or a Spark master: spark://host:7077, local[*].",
    )
    memory_gb: float = Field(
        1.0, ge=0.25, description="Memory of the local engine; what needs more goes to disk."
    )
    near_duplicate_s: float = Field(
        2.0,
        ge=0,
        description="The same user, item and kind within so many seconds is flagged.",
    )
    max_per_minute: int = Field(
        120, ge=1, description="More interactions of a user in one minute are flagged as a burst."
    )
    max_per_day: int = Field(
        2000, ge=1, description="More interactions of a user in one UTC day are flagged as a bot."
    )
    drop_flagged: tuple[Flag, ...] = Field(
        (), description="Flags whose rows are put aside, not only flagged."
    )
    session_gap_s: float = Field(
        1800.0, gt=0, description="A pause of so many seconds ends a session."
    )
