"""Column names and interaction kinds, stated once."""

from __future__ import annotations

from enum import StrEnum

USER_ID = "user_id"
ITEM_ID = "item_id"
KIND = "kind"
VALUE = "value"
PRICE = "price"
TS = "ts"
USER_IDX = "user_idx"
ITEM_IDX = "item_idx"

NAME = "name"
DEPARTMENT = "department"
CATEGORY = "category"
BRAND = "brand"
IMAGE_URL = "image_url"


class Kind(StrEnum):
    """What a person did with an item."""

    VIEW = "view"
    CART = "cart"
    PURCHASE = "purchase"
    RATING = "rating"


KIND_CODES: dict[Kind, int] = {Kind.VIEW: 1, Kind.CART: 2, Kind.PURCHASE: 3, Kind.RATING: 4}
"""The uint8 by which arrays and Parquet files name a kind. Codes are never reused."""
