"""The JSON of the features of a visitor, stated for the documentation of the API.

What each feature means and how it is reckoned: `endcap.features.point_in_time`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_FEATURES: dict[str, Any] = {
    "n_items": 41,
    "days_since_first_event": 350.1,
    "days_since_last_event": 0.02,
    "n_events_recent": 6,
    "n_items_recent": 5,
    "n_items_bought_recent": 2,
    "price_level": 2.49,
    "price_band": 1,
    "session_n_events": 3,
    "session_length_s": 210.5,
    "taste": [
        {"category": "Baked Bread/Buns/Rolls", "share": 0.31},
        {"category": "Coffee", "share": 0.12},
    ],
}
_ANSWER: dict[str, Any] = {
    "user_id": "1023",
    "visitor": "known",
    "bundle_id": "5d3f0a9b1c2e4f60",
    "ts": 1_700_000_000_000_000,
    "window_days": 7,
    "features": _FEATURES,
    "incomplete": ["n_events_recent", "price_band", "price_level"],
}


class FeaturesOut(BaseModel):
    """What is believed about a visitor; null: not known, or there is none.

    Events are those that show interest: no impressions, dislikes or removals. Recent is what lies
    within `window_days`.
    """

    model_config = ConfigDict(json_schema_extra={"example": _FEATURES})

    n_items: int = Field(description="Different items ever.")
    days_since_first_event: float | None
    days_since_last_event: float | None
    n_events_recent: int = Field(description="Recent events.")
    n_items_recent: int = Field(description="Different items of recent events.")
    n_items_bought_recent: int = Field(description="Different items bought, or reviewed, recently.")
    price_level: float | None = Field(
        description="Median of the latest prices paid; of sales since the bundle was made, what "
        "the shop asks for the item."
    )
    price_band: int | None = Field(
        description="Band of that price among all items of the shop, 0 the cheapest."
    )
    session_n_events: int = Field(description="Events of the latest visit.")
    session_length_s: float = Field(description="From its first event to its last, in seconds.")
    taste: list[dict[str, str | float]] = Field(
        description="The largest shares of categories (or departments) in what the visitor "
        "wants, largest first; all shares add up to 1."
    )


class UserFeaturesOut(BaseModel):
    """What is believed about a visitor at this moment."""

    model_config = ConfigDict(json_schema_extra={"example": _ANSWER})

    user_id: str
    visitor: str = Field(description="known, session (live events only) or new.")
    bundle_id: str
    ts: int = Field(description="The moment: UTC, microseconds.")
    window_days: int = Field(description="How many days back is recent.")
    features: FeaturesOut
    incomplete: list[str] = Field(
        description="Features that may lack events from before what is known one by one: those "
        "that the bundle learnt from it knows by item only, and of a visitor who does very much "
        "only the newest are kept. All others are whole."
    )
