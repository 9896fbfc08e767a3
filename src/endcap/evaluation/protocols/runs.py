"""Runs of equal keys, without a loop: places within them, where they begin, ranges in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Indices of interactions, or anything else counted."""


def places(keys: NDArray[np.integer]) -> Rows:
    """Return how many entries of the same key come before each, shape (n,)."""
    order = np.argsort(keys, kind="stable")
    found = np.empty(len(keys), dtype=np.int64)
    found[order] = np.arange(len(keys)) - group_starts(keys[order])
    return found


def group_starts(sorted_keys: NDArray[np.integer]) -> Rows:
    """Return for each entry where its run of equal keys begins, shape (n,)."""
    is_first = np.ones(len(sorted_keys), dtype=np.bool_)
    is_first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return np.maximum.accumulate(np.where(is_first, np.arange(len(sorted_keys)), 0))


def ranges(starts: Rows, ends: Rows) -> tuple[Rows, Rows]:
    """Return the numbers from each start to before its end, one after another, and whose they are.

    Both have shape (sum of lengths,).
    """
    lengths = ends - starts
    owners = np.repeat(np.arange(len(starts)), lengths)
    behind = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return starts[owners] + behind, owners
