"""What a page of the shop shows, as plain values for the templates.

Adds the words of the catalogue, the pictures and the visit under way; decides no item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from endcap.schema.columns import Kind
from endcap.schema.types import SECOND_US, ItemId, UserId
from endcap.serving.context import Shop
from endcap.serving.labels import Label
from endcap.serving.page import Page, Visitor
from endcap.serving.tiles import Tile, tile_of

MAX_CHIPS = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One item as it stands on a shelf; `image_url` is empty when the tile is to be drawn."""

    item_id: ItemId
    label: Label
    tile: Tile
    image_url: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShelfView:
    """A row of cards."""

    shelf_id: str
    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that the visitor did in this visit; `icon` is a symbol of `icons.svg`."""

    icon: str
    verb: str
    name: str


@dataclass(frozen=True, slots=True)
class VisitView:
    """The visit under way: latest things first, and how many of them are not shown."""

    chips: tuple[Chip, ...]
    n_more: int
    n_cart: int


@dataclass(frozen=True, slots=True)
class WhyRow:
    """One line of the answer to: why this page?"""

    position: int
    name: str
    item_id: ItemId
    source: str
    score: str
    reason: str


_CHIPS = {
    Kind.VIEW: ("eye", "Viewed"),
    Kind.CART: ("cart", "In the cart"),
    Kind.PURCHASE: ("check", "Bought"),
    Kind.RATING: ("check", "Rated"),
    Kind.LIKE: ("check", "Liked"),
}
_STRENGTH = (Kind.VIEW, Kind.LIKE, Kind.RATING, Kind.CART, Kind.PURCHASE)
_WELCOME: Mapping[Visitor, str] = {
    "known": "Welcome back",
    "session": "Chosen as you browse",
    "new": "Welcome",
}


def shelf_views(shop: Shop, page: Page) -> tuple[ShelfView, ...]:
    """Return the shelves of a page with everything that a card shows."""
    return tuple(
        ShelfView(
            shelf_id=shelf.shelf_id,
            title=shelf.title,
            cards=tuple(card_of(shop, slot.item_id, slot.reason) for slot in shelf.slots),
        )
        for shelf in page.shelves
    )


def card_of(shop: Shop, item_id: ItemId, reason: str) -> Card:
    """Return the card of one item."""
    label = shop.labels.label(item_id)
    tile = tile_of(item_id, department=label.department, category=label.category, name=label.name)
    return Card(
        item_id=item_id,
        label=label,
        tile=tile,
        image_url=label.image_url if _may_show(label.image_url, shop.config.image_hosts) else "",
        reason=reason,
    )


def visit_view(shop: Shop, user_id: UserId) -> VisitView:
    """Return the visit of this visitor; each item once, under the most that was done with it.

    What was taken out of the cart again was put into it all the same, but is not in it; what was
    refused is left out.
    """
    most: dict[ItemId, Kind] = {}
    refused = shop.state.refused(user_id)
    for event in shop.state.session(user_id, now_us=shop.data_now_us()):
        before = most.pop(event.item_id, Kind.VIEW)
        if event.kind is Kind.REMOVE:
            most[event.item_id] = Kind.VIEW if before is Kind.CART else before
        elif event.kind is not Kind.DISLIKE and event.item_id not in refused:
            most[event.item_id] = max(before, event.kind, key=_STRENGTH.index)
    chips = tuple(
        Chip(*_CHIPS[kind], name=shop.labels.label(item_id).name)
        for item_id, kind in list(reversed(most.items()))[:MAX_CHIPS]
    )
    return VisitView(
        chips=chips, n_more=len(most) - len(chips), n_cart=len(shop.state.cart(user_id))
    )


def page_values(shop: Shop, page: Page, *, called: str, choice_ms: float) -> dict[str, Any]:
    """Return all values of `home.html`; `called` is the id by which the visitor asked."""
    return {
        "shop_name": shop.config.shop_name,
        "page": replace(page, user_id=called),
        "shelves": shelf_views(shop, page),
        "visit": visit_view(shop, page.user_id),
        "welcome": _WELCOME[page.visitor],
        "about": shop.shoppers.about(page.user_id),
        "shoppers": [
            replace(shopper, user_id=shop.door.outside(shopper.user_id))
            for shopper in shop.shoppers.picked
        ],
        "snapshot": shop.snapshot,
        "choice_ms": choice_ms,
    }


def why_values(shop: Shop, slate: Mapping[str, Any]) -> dict[str, Any]:
    """Return all values of `why.html` for a slate as it was kept."""
    shown_at = datetime.fromtimestamp(slate["ts"] / SECOND_US, tz=UTC)
    return {
        "shop_name": shop.config.shop_name,
        "slate": {**slate, "user_id": shop.door.outside(slate["user_id"])},
        "about": shop.shoppers.about(slate["user_id"]),
        "shown_at": f"{shown_at:%-d %B %Y, %H:%M:%S} UTC",
        "shelves": [
            {
                "shelf_id": shelf["shelf"],
                "title": shelf["title"],
                "rows": [
                    WhyRow(
                        position=item["position"],
                        name=shop.labels.label(item["item_id"]).name,
                        item_id=item["item_id"],
                        source=str(item["source"]).replace("_", " "),
                        score=f"{item['score']:.4g}",
                        reason=item["reason"],
                    )
                    for item in shelf["items"]
                ],
            }
            for shelf in slate["shelves"]
        ],
    }


def _may_show(image_url: str, hosts: tuple[str, ...]) -> bool:
    """Say whether the page's security policy lets a browser load the picture."""
    parts = urlsplit(image_url)
    return parts.scheme == "https" and parts.hostname in hosts
