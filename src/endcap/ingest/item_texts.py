"""What a shop says of each item, as one text: for encoders, not for people."""

from __future__ import annotations

from pathlib import Path

from endcap.ingest.engine import connect
from endcap.ingest.manifest import read_manifest, verify

READ_TEXTS = """
    SELECT name, brand, department, category, listed_price, currency, description
    FROM read_parquet(?) ORDER BY item_idx
"""


def read_item_texts(path: Path) -> list[str]:
    """Return the text of each item of a snapshot, in the order of the indices; "" for an unknown.

    A price is told only where the catalogue lists it: one that follows from sales would tell of
    the future.
    """
    file = verify(path, read_manifest(path), "items.parquet")
    with connect(path) as db:
        rows = db.execute(READ_TEXTS, [str(file)]).fetchall()
    return [
        item_text(
            title=name,
            brand=brand,
            category=" ".join(dict.fromkeys(part for part in (department, category) if part)),
            price=None if price is None else f"{price:g} {currency or ''}".strip(),
            description=description,
        )
        for name, brand, department, category, price, currency, description in rows
    ]


def item_text(
    *,
    title: str | None,
    brand: str | None = None,
    category: str | None = None,
    price: str | None = None,
    description: str | None = None,
) -> str:
    """Return the parts as sentences, what says most first: encoders read only so far."""
    parts = (title, brand, category, price, description)
    told = [" ".join(part.split()).rstrip(". ") for part in parts if part]
    return "".join(f"{part}. " for part in told if part).rstrip()
