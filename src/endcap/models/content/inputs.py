"""What `content` knows of an item before anybody had it: its text, or else its attributes."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from endcap.models.vectors import unit_rows
from endcap.schema.dataset import Items

ATTRIBUTE_SIZE = 128


def item_inputs(items: Items) -> NDArray[np.float32]:
    """Return a vector of each item, float32, shape (n_items, d).

    The text vectors where there are any, `attribute_vectors` otherwise; zeros where nothing is
    known of an item.
    """
    return attribute_vectors(items) if items.text is None else items.text


def attribute_vectors(items: Items) -> NDArray[np.float32]:
    """Return what department, category and brand say of each item, shape (n_items, 128).

    Each value of an attribute has a random direction that follows from its name alone, so that an
    item that comes later is told in the same terms; an item is the sum of its values, of length
    one, or zeros where nothing is known. 128 directions are all but at right angles.

    Source: Weinberger et al. 2009, feature hashing, with a dense projection.
    """
    total = np.zeros((len(items), ATTRIBUTE_SIZE), dtype=np.float32)
    for attribute in ("department", "category", "brand"):
        codes: NDArray[np.int32] = getattr(items, attribute)
        names: tuple[str, ...] = getattr(items, f"{attribute}_names")
        values = np.unique(codes[codes >= 0])
        table = np.zeros((int(codes.max(initial=-1)) + 2, ATTRIBUTE_SIZE), dtype=np.float32)
        for code in values.tolist():
            name = names[code] if code < len(names) else str(code)
            table[code] = _direction(f"{attribute}={name}")
        total += table[codes]  # the last row, of code -1, stays zero
    return unit_rows(total)


def _direction(name: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    direction = rng.standard_normal(ATTRIBUTE_SIZE, dtype=np.float32)
    return direction / np.float32(np.sqrt(ATTRIBUTE_SIZE))
