"""Numbers that look drawn and are not: the same index always gives the same one, nothing is kept.

Not for secrets: whoever has the seed can undo it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def mixed(values: np.ndarray[Any, Any], *, seed: int, purpose: int) -> Words:
    """Return 64 bits for each value, as good as drawn; other purposes give other bits.

    Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    """
    start = (seed * GOLDEN + (purpose + 1) * 0xD1B54A32D192ED03) & _MASK
    bits = values.astype(np.uint64) * np.uint64(GOLDEN)
    bits += np.uint64(start)
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def unit(bits: Words) -> Floats:
    """Return the bits as numbers from 0 up to and without 1."""
    numbers: Floats = (bits >> np.uint64(11)).astype(np.float64)
    numbers *= 2.0**-53
    return numbers


def distinct_bits(values: np.ndarray[Any, Any], *, n_bits: int, seed: int) -> Words:
    """Return a number below `2**n_bits` for each value, never the same for two values.

    Each step can be undone (an odd product, a shifted xor), so different values stay different.
    The values must be below `2**n_bits`, which lies between 24 and 63.
    """
    mask, half = np.uint64(2**n_bits - 1), np.uint64(n_bits // 2)
    bits = values.astype(np.uint64)
    for turn in range(2):
        factor = ((seed * 2 + 1) * 0xBF58476D1CE4E5B9 + turn * GOLDEN * 2) | 1
        bits *= np.uint64(factor & _MASK)
        bits &= mask
        bits ^= bits >> half
    bits += np.uint64(seed * GOLDEN & _MASK)
    bits &= mask
    return bits


def reordered(values: np.ndarray[Any, Any], n: int, *, seed: int) -> Integers:
    """Return the values 0 .. n-1 in another order, each once."""
    step = max(1, int(n * 0.6180339887) + seed % 7919)
    while math.gcd(step, n) != 1:
        step += 1
    return (values.astype(np.int64) * (step % n if n > 1 else 1) + (seed * 7 + n // 3)) % n
