"""What is taken just now: popularity with a short memory.

`popular.py` does the counting; how far an item lies above its own usual level is not asked here.
"""

from __future__ import annotations

from pydantic import Field

from endcap.models.popular import Popular, PopularConfig
from endcap.schema.protocols import ReasonKind


class TrendingConfig(PopularConfig):
    """Settings of `Trending`; the half-life was chosen on the validation window."""

    half_life_days: float = Field(7.0, gt=0, description="After how long a purchase counts half.")


class Trending(Popular):
    """Ranks items by a quickly decayed count of their interactions, the same for every user."""

    Config = TrendingConfig
    reason: ReasonKind = "trending"
