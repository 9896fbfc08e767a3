"""How many events each user and each item has: a power law, whole numbers, an exact sum."""

from __future__ import annotations

from typing import Any

import numpy as np

Counts = np.ndarray[Any, np.dtype[np.int32]]
_CHUNK = 2**20


def power_law_counts(
    n: int,
    total: int,
    *,
    minimum: int,
    exponent: float,
    longest: float,
    rng: np.random.Generator,
) -> Counts:
    """Return n counts that add up to the total, each at least the minimum.

    What lies above the minimum follows a Pareto law that is shifted to begin at 0 and cut off:
    the share of counts above a large x falls as `x ** -exponent`.

    Args:
        n: at least 1.
        total: at least `n * minimum`.
        minimum: what each has at least.
        exponent: above 0; smaller means a longer tail.
        longest: how many times a small count the largest is, about; above 1.
        rng: the same state gives the same counts.

    Cost: O(n) time; 8 bytes for each count while it works.
    """
    weights = np.empty(n, dtype=np.float32)
    cut = 1.0 - longest**-exponent
    sum_of_weights = 0.0
    for begin in range(0, n, _CHUNK):
        part = weights[begin : begin + _CHUNK]
        part[:] = (1.0 - rng.random(len(part)) * cut) ** (-1.0 / exponent) - 1.0
        sum_of_weights += float(part.sum(dtype=np.float64))
    counts = np.empty(n, dtype=np.int32)
    scale = (total - n * minimum) / sum_of_weights
    for begin in range(0, n, _CHUNK):
        part = weights[begin : begin + _CHUNK]
        counts[begin : begin + _CHUNK] = part * scale + rng.random(len(part)) + minimum
    _add_up(counts, total, minimum=minimum, rng=rng)
    return counts


def _add_up(counts: Counts, total: int, *, minimum: int, rng: np.random.Generator) -> None:
    """Change counts by one, here and there, until they add up to the total."""
    while missing := total - int(counts.sum(dtype=np.int64)):
        if missing > 0:
            chosen = rng.choice(len(counts), min(missing, len(counts)), replace=False)
            counts[chosen] += 1
        else:
            above = np.flatnonzero(counts > minimum)
            counts[rng.choice(above, min(-missing, len(above)), replace=False)] -= 1
