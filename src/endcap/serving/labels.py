"""What the catalogue says about an item, ready to be shown: honest where it says nothing.

For programs the plain facts, for people the words. Which items are shown is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from endcap.bundle.read import Bundle
from endcap.schema.types import ItemId
from endcap.serving.lru import Lru

_MAX_CACHED = 20_000
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_FACTS = ("name", "department", "category", "brand", "currency", "image_url")


@dataclass(frozen=True, slots=True)
class Label:
    """The words of one item; an item without a name is called by its id.

    department: empty where unknown; price: with its currency, empty where unknown.
    """

    name: str
    department: str
    category: str
    price: str
    image_url: str


class Labels:
    """Looks items up in the catalogue of a bundle; the latest ones are kept in memory."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._cached = Lru[ItemId, dict[str, Any]](_MAX_CACHED)

    def facts(self, item_id: ItemId) -> dict[str, Any]:
        """Return name, department, category, brand, price, currency and image_url.

        What is unknown is None, and so is everything about an item of no catalogue. The mapping
        is shared: do not change it.
        """
        facts = self._cached.get(item_id)
        if facts is None:
            facts = self._cached[item_id] = self._read(item_id)
        return facts

    def label(self, item_id: ItemId) -> Label:
        """Return the words for people."""
        facts = self.facts(item_id)
        return Label(
            name=facts["name"] or item_id,
            department=facts["department"] or "",
            category=facts["category"] or "",
            price=price_text(facts["price"], facts["currency"]),
            image_url=facts["image_url"] or "",
        )

    def _read(self, item_id: ItemId) -> dict[str, Any]:
        index = self._bundle.item_index.get(item_id)
        entry = {} if index is None else self._bundle.catalogue_entry(index)
        facts = {name: entry.get(name) for name in _FACTS}
        price = entry.get("price")
        if price is None and index is not None:
            price = float(self._bundle.price[index])
        facts["price"] = round(price, 2) if price is not None and math.isfinite(price) else None
        return facts


def price_text(price: float | None, currency: str | None) -> str:
    """Return a price as shown on a card; empty when it is unknown."""
    if price is None:
        return ""
    if currency is None:
        return f"{price:,.2f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{price:,.2f}" if symbol else f"{price:,.2f} {currency}"
