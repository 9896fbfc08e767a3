"""The JSON of the API, stated for its documentation, with an example of each.

Answers are written straight to bytes for speed; a test holds them against these models.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from endcap.schema.columns import Kind

_EVENT = {
    "event_id": "a3f1c0de-0001",
    "kind": "cart",
    "user_id": "1023",
    "item_id": "826249",
    "ts": 1_700_000_000_000_000,
    "value": 1,
}
BATCH_EXAMPLE: dict[str, Any] = {"events": [_EVENT]}
_ITEM = {
    "item_id": "826249",
    "position": 0,
    "score": 0.83,
    "source": "repeat",
    "reason": "Bought 12 times, last 5 days ago",
    "propensity": 1.0,
    "name": "Rolls: Sandwich",
    "department": "Grocery",
    "category": "Baked Bread/Buns/Rolls",
    "brand": "Private",
    "price": 0.99,
    "currency": "USD",
    "image_url": None,
}
_SHOWN = {
    "item_id": "826249",
    "position": 0,
    "score": 0.83,
    "source": "repeat",
    "reason": "Bought 12 times, last 5 days ago",
    "propensity": 1.0,
}
_REQUEST_ID = "9f0c4e1b7a2d4d0f8a56c1f20b6f8e11"
_BUNDLE_ID = "5d3f0a9b1c2e4f60"


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class EventIn(BaseModel):
    """One thing a visitor did with one item, or that it was shown."""

    model_config = _example(_EVENT)

    kind: Kind = Field(
        description="What the visitor did. A dislike keeps the item from this visitor until a "
        "later sign of interest; remove takes it out of the cart; an impression, that it was "
        "shown, is kept and changes no page."
    )
    user_id: str = Field(
        min_length=1, max_length=128, description="A known user, or any id of a session."
    )
    item_id: str = Field(min_length=1, max_length=128, description="What it was done with.")
    event_id: str | None = Field(
        None,
        max_length=128,
        description="Counted once, however often it is sent; made up if absent.",
    )
    ts: int | None = Field(None, ge=0, description="UTC, microseconds since 1970; now if absent.")
    value: float = Field(1.0, description="Quantity for purchases, stars for ratings.")
    request_id: str | None = Field(
        None, max_length=128, description="The page on which it happened, if it was one of ours."
    )


class EventBatchIn(BaseModel):
    """Several events; taken whole or not at all."""

    model_config = _example(BATCH_EXAMPLE)

    events: list[EventIn]


class ReceiptOut(BaseModel):
    """What became of the events; every id listed is durable now."""

    model_config = _example({"accepted": 1, "duplicates": 0, "event_ids": ["a3f1c0de-0001"]})

    accepted: int = Field(description="Events that are new.")
    duplicates: int = Field(description="Events whose id was known before.")
    event_ids: list[str] = Field(description="One an event, in the order sent.")


class ShownOut(BaseModel):
    """An item in its place on a page."""

    model_config = _example(_SHOWN)

    item_id: str
    position: int = Field(description="0-based, within its shelf.")
    score: float = Field(description="What it was ranked by; comparable within one shelf only.")
    source: str = Field(description="What proposed it.")
    reason: str = Field(description="Why it is here, for the visitor.")
    propensity: float = Field(description="Probability that it was to be shown here.")


class ItemOut(ShownOut):
    """An item in its place, with what the catalogue says about it."""

    model_config = _example(_ITEM)

    name: str | None
    department: str | None
    category: str | None
    brand: str | None
    price: float | None
    currency: str | None
    image_url: str | None


class ShelfOut(BaseModel):
    """A titled row of items."""

    shelf: str
    title: str
    items: list[ItemOut]


class HomeOut(BaseModel):
    """The home page of one visitor, top shelf first; no item is on it twice."""

    model_config = _example(
        {
            "request_id": _REQUEST_ID,
            "user_id": "1023",
            "visitor": "known",
            "bundle_id": _BUNDLE_ID,
            "shelves": [{"shelf": "buy_again", "title": "Buy it again", "items": [_ITEM]}],
        }
    )

    request_id: str = Field(description="Names this page: send it along with events from it.")
    user_id: str = Field(description="As you gave it.")
    visitor: str = Field(description="known, session (live events only) or new.")
    bundle_id: str
    shelves: list[ShelfOut]


class SimilarOut(BaseModel):
    """What goes with an item, best first."""

    model_config = _example({"item_id": "826249", "bundle_id": _BUNDLE_ID, "items": [_ITEM]})

    item_id: str
    bundle_id: str
    items: list[ItemOut]


class SlateShelfOut(BaseModel):
    """A row of a slate."""

    shelf: str
    title: str
    items: list[ShownOut]


class SlateOut(BaseModel):
    """What one page showed, and why."""

    model_config = _example(
        {
            "request_id": _REQUEST_ID,
            "user_id": "1023",
            "visitor": "known",
            "ts": 1_700_000_000_000_000,
            "bundle_id": _BUNDLE_ID,
            "shelves": [{"shelf": "buy_again", "title": "Buy it again", "items": [_SHOWN]}],
        }
    )

    request_id: str
    user_id: str = Field(
        description="Whom it was shown to; pseudonym:… where user ids are pseudonyms."
    )
    visitor: str
    ts: int = Field(description="When it was shown: UTC, microseconds.")
    bundle_id: str
    shelves: list[SlateShelfOut]


class HealthOut(BaseModel):
    """The process runs."""

    model_config = _example({"status": "ok"})

    status: str


class ReadyOut(BaseModel):
    """The server may be sent visitors."""

    model_config = _example({"status": "ready", "bundle_id": _BUNDLE_ID, "live_events": 1200})

    status: str
    bundle_id: str
    live_events: int = Field(description="Events since the start of the log that are known.")


class WrongFieldOut(BaseModel):
    """One thing that is wrong with a request."""

    index: int = Field(0, description="Which event of the batch, from 0.")
    field: str
    reason: str


class ProblemOut(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = _example(
        {
            "type": "urn:endcap:problem:events-refused",
            "title": "Events refused",
            "status": 422,
            "detail": "1 of the events cannot be taken, so none was. event 0: item_id is missing",
            "request_id": _REQUEST_ID,
            "errors": [{"index": 0, "field": "item_id", "reason": "item_id is missing"}],
        }
    )

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[WrongFieldOut] = []
