"""Kinds of interaction and days of the week as people call them."""

from __future__ import annotations

from collections.abc import Mapping

from endcap.schema.columns import Kind

KIND_NOUNS: dict[str, str] = {
    Kind.VIEW: "views",
    Kind.CART: "additions to a cart",
    Kind.PURCHASE: "purchases",
    Kind.RATING: "ratings",
    Kind.LIKE: "likes",
    Kind.DISLIKE: "dislikes",
    Kind.IMPRESSION: "impressions",
    Kind.REMOVE: "removals from a cart",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def noun_of(kinds: Mapping[str, int]) -> str:
    """Return what to call the interactions: by their kind when there is one, else by that word."""
    return KIND_NOUNS.get(next(iter(kinds)), "interactions") if len(kinds) == 1 else "interactions"
