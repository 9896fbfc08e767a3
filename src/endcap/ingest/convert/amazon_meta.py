"""Metadata of Amazon products of 2014, 2018 and 2023, made flat: one object a line, plain values.

Which column is which role is said in `shapes.amazon`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from endcap.ingest.convert.literals import dump, parse_object

PRICE = re.compile(
    r"\s*(?:from\s+)?(?:US)?\$?\s*(\d[\d,]*(?:\.\d+)?)\s*(?:-\s*(?:US)?\$?\s*\d[\d,]*(?:\.\d+)?)?\s*",
    re.IGNORECASE,
)
BRAND_PAGE = re.compile(r"Visit Amazon's (.+?) Page", re.IGNORECASE)
IMAGE_KEYS = ("hi_res", "large", "thumb")
RELATED_KEYS = (
    *("also_bought", "also_viewed", "also_buy", "also_view"),
    *("bought_together", "buy_after_viewing"),
)


def convert(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each product as a flat JSON object; a line that is no object stays as it is."""
    for line in lines:
        text = line.rstrip(b"\r\n")
        product = parse_object(text)
        yield text if product is None else dump(flatten(product), instead=text)


def flatten(product: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of a product, under the same names for every release.

    `department` is the first category and `category` the last of the first path; `price` is a
    number, the lower end of a range, and None for anything else; `image` is the first one.
    Related products keep their names and their lists. Unknown is None, and every key is there.
    """
    path = _category_path(product)
    price = _price(product.get("price"))
    related = product.get("related")
    known = {**product, **(related if isinstance(related, dict) else {})}
    return {
        "asin": _text(product.get("asin")),
        "parent_asin": _text(product.get("parent_asin")),
        "title": _title(product.get("title")),
        "department": path[0] if path else _main_category(product),
        "category": path[-1] if path else None,
        "brand": _brand(product),
        "price": price,
        "currency": None if price is None else "USD",
        "image": _image(product),
        "description": _text(product.get("description")),
        **{key: known.get(key) for key in RELATED_KEYS},
    }


def _category_path(product: dict[str, Any]) -> list[str]:
    found = product.get("categories") or product.get("category") or []
    if isinstance(found, list) and found and isinstance(found[0], list):
        found = found[0]
    names = found if isinstance(found, list) else [found]
    return [text for name in names if (text := _text(name)) and "<" not in text]


def _main_category(product: dict[str, Any]) -> str | None:
    """Return the shop's own department; in 2018 some are the HTML of a picture with its name."""
    name = _text(product.get("main_category")) or _text(product.get("main_cat"))
    if name and name.startswith("<"):
        picture = re.search(r'alt="([^"]+)"', name)
        return picture[1].capitalize() if picture else None
    return name


def _title(value: Any) -> str | None:
    """Return the title; in 2018 some are a script of the page instead."""
    title = _text(value)
    return None if title and "getTime" in title else title


def _brand(product: dict[str, Any]) -> str | None:
    details = product.get("details")
    known = details.get("Brand") if isinstance(details, dict) else None
    for value in (product.get("brand"), product.get("store"), known):
        brand = _text(value)
        if not brand or brand.lower() in {"unknown", "n/a"}:
            continue
        page = BRAND_PAGE.fullmatch(brand)
        return page[1] if page else brand.removeprefix("by ")
    return None


def _price(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value < float("inf") else None
    found = PRICE.fullmatch(value) if isinstance(value, str) else None
    return float(found[1].replace(",", "")) if found else None


def _image(product: dict[str, Any]) -> str | None:
    """Return the address of the first picture, the largest size of it that there is."""
    for key in ("imUrl", "imageURLHighRes", "imageURL", "image", "images"):
        value = product.get(key)
        if isinstance(value, list):
            value = next(iter(value), None)
        if isinstance(value, dict):  # 2023, as objects or as columns
            sizes = (value.get(size) for size in IMAGE_KEYS)
            firsts = (next(iter(size), None) if isinstance(size, list) else size for size in sizes)
            value = next((first for first in firsts if first), None)
        if isinstance(value, str) and value:
            return value
    return None


def _text(value: Any) -> str | None:
    """Return a text on one line, without entities of HTML; a list is its texts in a row."""
    if isinstance(value, list):
        value = " ".join(part for part in value if isinstance(part, str))
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    if "&" in value:
        value = html.unescape(value)
    return " ".join(value.split()) or None
