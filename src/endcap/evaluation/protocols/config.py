"""What protocols choose: windows, shares, gaps and lengths."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

Part: TypeAlias = Literal["test", "validation"]


class Choices(BaseModel):
    """What is chosen once for a shop; each protocol reads what its page names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    refit: bool = Field(
        True,
        description="Learn from all that comes before the test; if not, from what comes before "
        "the validation, and be told the rest as history.",
    )
    session_gap_s: float = Field(
        1800, ge=0, description="`sessions`: a longer silence ends a session, in seconds."
    )
    with_past: bool = Field(
        False, description="`sessions`: tell also what the user did before the session."
    )
    max_queries: int = Field(
        20_000, ge=1, description="`sessions`: more clicks than this are drawn from."
    )
    basket_gap_s: float = Field(
        0, ge=0, description="`next-basket`: a longer silence ends a basket, in seconds."
    )
    cold_item_share: float = Field(
        0.1, ge=0, lt=1, description="`cold-items`: share of the items that is hidden."
    )
    cold_user_share: float = Field(
        0.2, gt=0, le=1, description="`cold-users`: share of the test users who are hidden."
    )
    history_lengths: tuple[int, ...] = Field(
        (0, 1, 3, 5),
        min_length=1,
        description="`cold-users`: how many interactions of a hidden user are told.",
    )
    random_by: Literal["user", "row"] = Field(
        "user", description="`random`: draw a share of each user's interactions, or of all rows."
    )
    random_share: float = Field(
        0.1, gt=0, lt=0.5, description="`random`: share of the test, and of the validation."
    )

    @field_validator("history_lengths")
    @classmethod
    def _ascending(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if lengths[0] < 0 or any(b <= a for a, b in pairwise(lengths)):
            raise ValueError("history lengths must be ascending and at least 0")
        return lengths


class ProtocolConfig(Choices):
    """The choices of all protocols, with the windows and the seed of one evaluation."""

    on: Part = Field(
        "test", description="What to foresee: `test` to report, `validation` to choose settings."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="What is drawn follows from this number.")
    test_days: float = Field(
        28, gt=0, description="Length of the test window: the last days of the data."
    )
    validation_days: float = Field(
        28, gt=0, description="Length of the validation window, just before the test window."
    )
