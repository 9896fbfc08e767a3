"""Many numbers as few bins, so that a plot or a table stays small however much data there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL_COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Where the buckets of counts begin: 1, 2, 3-4, 5-9, …"""

_EDGE = 1e-9  # so that 1000, whose logarithm is computed as 2.9999…, opens a bin


@dataclass(frozen=True, slots=True)
class Buckets:
    """How many values lie in each of a few ranges of whole numbers.

    labels: such as "1", "3-4", "10+".
    counts: values in the range, shape (n_buckets,).
    totals: their sum, shape (n_buckets,).
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each bucket's share of the values, summing to 1."""
        return self.counts / max(int(self.counts.sum()), 1)

    @property
    def total_shares(self) -> NDArray[np.float64]:
        """Each bucket's share of the sum of all values."""
        return self.totals / max(float(self.totals.sum()), 1.0)


@dataclass(frozen=True, slots=True)
class LogBins:
    """A histogram over bins that are equally wide on a logarithmic axis.

    edges: ascending, shape (n_bins + 1,).
    counts: values from one edge up to the next, shape (n_bins,).
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


def bucket_counts(values: NDArray[Any], starts: Sequence[int] = SMALL_COUNTS) -> Buckets:
    """Return the values in buckets that begin at `starts`; those above the largest value are cut.

    Args:
        values: at least `starts[0]` each; shape (n,), n >= 1.
        starts: ascending whole numbers.
    """
    largest = float(values.max())
    used = [start for start in starts if start <= largest]
    places = np.searchsorted(used, values, side="right") - 1
    return Buckets(
        labels=_labels(used, largest, starts[len(used)] if len(used) < len(starts) else None),
        counts=np.bincount(places, minlength=len(used)),
        totals=np.bincount(places, weights=values, minlength=len(used)).astype(np.float64),
    )


def log_histogram(values: NDArray[Any], *, bins_per_decade: int = 6) -> LogBins:
    """Return the histogram of values above zero; one empty bin when there is none.

    Edges lie at powers of ten and between, so that histograms of different data line up.
    """
    values = values[values > 0]
    if len(values) == 0:
        return LogBins(np.array([1.0, 10.0]), np.zeros(1, dtype=np.int64))
    # float32 is precise enough for a bin, and halves the memory of a large set.
    places = np.log10(values.astype(np.float64)) * bins_per_decade
    places = np.floor(places + _EDGE).astype(np.int64)
    low, high = int(places.min()), int(places.max())
    edges = 10.0 ** (np.arange(low, high + 2) / bins_per_decade)
    return LogBins(edges, np.bincount(places - low, minlength=high - low + 1))


def log_spaced(highest: int, *, per_decade: int = 12) -> NDArray[np.int64]:
    """Return whole numbers from 1 to `highest`, about equally far apart on a logarithmic axis."""
    n_steps = int(np.ceil(np.log10(max(highest, 1)) * per_decade))
    grid = np.round(10.0 ** (np.arange(n_steps + 1) / per_decade)).astype(np.int64)
    return np.unique(np.append(grid[grid < highest], highest))


def _labels(used: list[int], largest: float, next_start: int | None) -> tuple[str, ...]:
    """Return the name of each bucket; the last is open when nothing but the data ends it."""
    ends = [*used[1:], next_start]
    labels = []
    for start, end in zip(used, ends, strict=True):
        if end is None:
            labels.append(f"{start:,}+" if largest > start else f"{start:,}")
        else:
            labels.append(f"{start:,}" if end == start + 1 else f"{start:,}-{end - 1:,}")
    return tuple(labels)
