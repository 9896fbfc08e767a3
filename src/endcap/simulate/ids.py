"""How the formats call users and items: texts that differ for different indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from endcap.simulate.lines import DIGITS
from endcap.simulate.scramble import Words, distinct_bits, mixed

USER_CODE_WIDTH, ITEM_CODE_WIDTH = 12, 8
_USER_BITS, _ITEM_BITS = 62, 41
"""Both fit into their width in base 36."""

N_IN_FAMILY = 3
_FAMILY = 41


def user_codes(user: np.ndarray[Any, Any], *, seed: int) -> Words:
    """Return the number behind each user's id; twelve characters in base 36."""
    return distinct_bits(user, n_bits=_USER_BITS, seed=seed)


def item_codes(item: np.ndarray[Any, Any], *, seed: int) -> Words:
    """Return the number behind each item's id; eight characters in base 36."""
    return distinct_bits(item, n_bits=_ITEM_BITS, seed=seed + 1)


def asins(item: np.ndarray[Any, Any], *, seed: int) -> list[str]:
    """Return the ids of items as Amazon writes them."""
    return ["B0" + _base36(code) for code in item_codes(item, seed=seed).tolist()]


def parents(item: np.ndarray[Any, Any], *, seed: int) -> np.ndarray[Any, Any]:
    """Return the item that each one is a variant of; most are their own parent.

    A fourth of all families of three neighbours has one parent, its first.
    """
    family = item // N_IN_FAMILY
    is_family = mixed(family, seed=seed, purpose=_FAMILY) % np.uint64(4) == 0
    return np.where(is_family, family * N_IN_FAMILY, item)


def _base36(code: int) -> str:
    characters = []
    for _ in range(ITEM_CODE_WIDTH):
        code, digit = divmod(code, len(DIGITS))
        characters.append(DIGITS[digit])
    return "".join(reversed(characters))
