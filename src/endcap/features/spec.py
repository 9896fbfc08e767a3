"""What the features are made by: windows, half-lives, bands. Stated once, kept with each table.

What each feature means is said where it is computed, in `point_in_time.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from endcap.features.sessions import SESSION_GAP_S, gap_us_of
from endcap.schema.types import DAY_US


class FeatureSpec(BaseModel):
    """The parameters of all features; two tables with the same spec can be compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_days: int = Field(7, ge=1, description="What counts as recent.")
    trend_half_life_days: float = Field(
        7.0, gt=0, description="After how long an event counts half in the trend of an item."
    )
    popularity_half_life_days: float = Field(
        90.0, gt=0, description="After how long an event counts half in the popularity of an item."
    )
    taste_half_life_days: float = Field(
        30.0, gt=0, description="After how long an item counts half in the taste of a user."
    )
    taste_by: Literal["department", "category"] = Field(
        "category", description="What tastes are for."
    )
    n_tastes: int = Field(10, ge=1, description="How many shares are kept of a user, the largest.")
    n_price_bands: int = Field(5, ge=2, le=100, description="How many bands of price there are.")
    price_bands_within: Literal["shop", "department"] = Field(
        "department", description="Among which items an item is cheap or dear."
    )
    n_prices_of_item: int = Field(
        5, ge=1, description="The price of an item is the median of so many latest prices paid."
    )
    n_prices_of_user: int = Field(
        20, ge=1, description="The price level of a user is the median of so many latest prices."
    )
    session_gap_s: float = Field(SESSION_GAP_S, gt=0, description="A longer silence ends a visit.")

    @property
    def window_us(self) -> int:
        """The recent window in microseconds."""
        return self.window_days * DAY_US

    @property
    def session_gap_us(self) -> int:
        """The longest silence within a visit in microseconds."""
        return gap_us_of(self.session_gap_s)
