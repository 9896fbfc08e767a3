"""The population stability index: by how much shares over bins have moved, and how to read it.

Knows counts only; what the bins are is for `drift`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

PSEUDO_COUNT = 0.5
MOVED_FROM = 0.1
SHIFTED_FROM = 0.25

_Z_95 = 1.6448536269514722  # the 95 % quantile of the normal distribution


class Reading(StrEnum):
    """What a value of the index is customarily taken to mean."""

    STABLE = "stable"
    MOVED = "moved"
    SHIFTED = "shifted"


def contributions(before: Sequence[int], after: Sequence[int]) -> NDArray[np.float64]:
    """Return what each bin adds to the index; never negative, and 0 where the share stayed.

    A bin adds (b - a) ln(b / a), with a and b its shares before and after. An empty bin would make
    that infinite, so `PSEUDO_COUNT` is added to the count of every bin on both sides:
    a = (n + 0.5) / (N + 0.5 k) with k bins. The more rows there are, the less that weighs.

    Args:
        before: rows in each bin, not all 0.
        after: the same bins, not all 0.

    Raises:
        ValueError: the bins are not the same, a count is negative, or a side has no row.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} bins before, {len(after)} after")
    old, new = _smoothed(before), _smoothed(after)
    return np.asarray((new - old) * np.log(new / old), dtype=np.float64)


def psi(before: Sequence[int], after: Sequence[int]) -> float:
    """Return the population stability index of two lots of counts over the same bins.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 9; the same as the symmetrised
    divergence of Kullback and Leibler 1951. Ours differs by the pseudo-counts.
    """
    return float(contributions(before, after).sum())


def chance_level(n_bins: int, n_before: int, n_after: int) -> float:
    """Return what the index stays under in 95 of 100 cases when nothing has changed.

    Two samples of one distribution differ, small ones by a lot: the index divided by
    (1 / n_before + 1 / n_after) then follows chi-square with n_bins - 1 degrees of freedom. Its
    quantile is Wilson and Hilferty's (1931), good to a few per cent. Rows of one user resemble
    each other, so the true level is somewhat higher.

    Source: Yurdakul 2018, Statistical Properties of Population Stability Index.
    """
    degrees = n_bins - 1
    if degrees < 1:
        return 0.0
    spread = 2.0 / (9.0 * degrees)
    quantile = degrees * (1.0 - spread + _Z_95 * math.sqrt(spread)) ** 3
    return quantile * (1.0 / n_before + 1.0 / n_after)


def reading(value: float, *, chance: float = 0.0) -> Reading:
    """Return the customary reading: under 0.1 stable, up to 0.25 moved, above that shifted.

    What chance alone brings about (see `chance_level`) is called stable however large it is.

    Source: the rule of thumb is that of Siddiqi 2006; Yurdakul 2018 shows that it takes no notice
    of the sample size.
    """
    if value < MOVED_FROM or value <= chance:
        return Reading.STABLE
    return Reading.MOVED if value <= SHIFTED_FROM else Reading.SHIFTED


def _smoothed(counts: Sequence[int]) -> NDArray[np.float64]:
    array = np.asarray(counts, dtype=np.float64)
    if len(array) == 0 or array.min() < 0 or array.sum() == 0:
        raise ValueError("counts must not be negative, nor all 0")
    total = float(array.sum()) + PSEUDO_COUNT * len(array)
    return (array + PSEUDO_COUNT) / total
