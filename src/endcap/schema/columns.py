"""Interaction kinds, and the columns of a catalogue that code asks for by name; stated once."""

from __future__ import annotations

from enum import StrEnum

ITEM_ID = "item_id"
NAME = "name"


class Kind(StrEnum):
    """What a person did with an item.

    `like` and `dislike` say so outright; an `impression` was shown, no more; `remove` takes an
    earlier `cart` back.
    """

    VIEW = "view"
    CART = "cart"
    PURCHASE = "purchase"
    RATING = "rating"
    LIKE = "like"
    DISLIKE = "dislike"
    IMPRESSION = "impression"
    REMOVE = "remove"


KIND_CODES: dict[Kind, int] = {
    Kind.VIEW: 1,
    Kind.CART: 2,
    Kind.PURCHASE: 3,
    Kind.RATING: 4,
    Kind.LIKE: 5,
    Kind.DISLIKE: 6,
    Kind.IMPRESSION: 7,
    Kind.REMOVE: 8,
}
"""The uint8 by which arrays and Parquet files name a kind. Codes are never reused."""
