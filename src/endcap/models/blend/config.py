"""Settings of the blend with a learned ranker, apart from it so that training can name them.

Why they are what they are is told in `docs/adr/0016-learned-ranker.md`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from endcap.models.ranker.config import RankerConfig


class BlendConfig(BaseModel):
    """Settings of `RankedBlend`; chosen on the validation items of Amazon Beauty, leave-one-out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[str, ...] = Field(
        ("item_knn", "als", "two_tower", "repeat"),
        min_length=1,
        description="Models whose lists are blended, by name.",
    )
    params: dict[str, dict[str, Any]] = Field(
        {}, description="Settings of the members by name, where the blend fits them itself."
    )
    learned: bool = Field(
        True,
        description="Rank the candidates by trees where these prove better than the floor, the "
        "rank fusion with learnt weights; if not, the floor alone.",
    )
    depth: int = Field(100, ge=1, le=1000, description="Candidates taken of each member.")
    n_ranked: int = Field(
        100, ge=1, le=5000, description="Candidates that the trees rank, the best of the floor."
    )
    k: int = Field(10, ge=1, description="Length of the lists whose NDCG is made large.")
    max_users: int = Field(
        20_000, ge=1, description="Users to learn from at most; more are drawn from."
    )
    validation_days: float | None = Field(
        None,
        gt=0,
        description="The last days of the data are what the blend learns from where it is fitted "
        "alone; none: the last item of each user.",
    )
    n_windows: int = Field(
        3,
        ge=1,
        le=50,
        description="Windows of time to learn from, one before the other, where everybody is asked "
        "about the same; the members are fitted once for each.",
    )
    ranker: RankerConfig = Field(RankerConfig(), description="Settings of the trees.")
