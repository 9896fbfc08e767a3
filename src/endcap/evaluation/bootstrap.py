"""How sure a mean over users is, and whether one model beats another.

The users are the sample: intervals say what other users of the same shop in the same window would
give, not what another window or another training seed would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
Verdict: TypeAlias = Literal["better than", "not shown to differ from", "worse than"]

_BLOCK_CELLS = 1 << 19  # of resampled users at once: 4 MB, stays in the cache
_SLICE_USERS = 256

Columns: TypeAlias = NDArray[np.float64]
"""One row a user (or a replicate), one column a quantity."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; all three NaN when there are no users."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of a paired difference, first minus second, with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What it shows of the first: only an interval that leaves out 0 shows a difference."""
        if self.low > 0:
            return "better than"
        return "worse than" if self.high < 0 else "not shown to differ from"


def bootstrap_means(
    values: Columns, *, n_replicates: int = 1000, rng: np.random.Generator
) -> Columns:
    """Return the column means of resampled users, shape (n_replicates, n_columns); NaN of none.

    Every column sees the same resampled users, so differences of columns are paired.

    Args:
        values: one row a user, finite, shape (n_users, n_columns).
        n_replicates: 1000 gives the ends of a 95 % interval to about a tenth of its width.
        rng: where the resampling draws from.

    Cost: n_replicates * n_users draws and as many counts, then one matrix product a block; memory
    does not grow with n_replicates.

    Source: Efron 1979.
    """
    n_users = len(values)
    means = np.full((n_replicates, values.shape[1]), np.nan)
    if n_users == 0:
        return means
    block = max(1, _BLOCK_CELLS // n_users)
    for start in range(0, n_replicates, block):
        n_rows = min(block, n_replicates - start)
        drawn = rng.integers(n_users, size=(n_rows, n_users), dtype=np.int64)
        drawn += (np.arange(n_rows, dtype=np.int64) * n_users)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_users).reshape(n_rows, n_users)
        means[start : start + n_rows] = _product(counts.astype(np.float64), values) / n_users
    return means


@dataclass(frozen=True, slots=True)
class Resampled:
    """The values of one model with the means of its resampled users; see `resample`.

    values: shape (n_users, n_columns).
    replicates: shape (n_replicates, n_columns).
    """

    values: Columns
    replicates: Columns

    def intervals(self) -> list[Interval]:
        """Return the mean and the percentile interval of each column.

        An outcome that no sampled user shows has an interval of [0, 0]; over n users its true
        mean may still be up to about 3 / n.

        Source: Efron, Tibshirani 1993, section 13.3.
        """
        return [Interval(*bounds) for bounds in _bounds(self.values, self.replicates)]

    def minus(self, other: Resampled) -> list[Difference]:
        """Return the paired difference of each column; both from the same `resample` call."""
        values, replicates = self.values - other.values, self.replicates - other.replicates
        return [Difference(*bounds) for bounds in _bounds(values, replicates)]


def resample(
    values: Mapping[str, Columns], *, n_replicates: int = 1000, rng: np.random.Generator
) -> dict[str, Resampled]:
    """Return each model's values with their resampled means, all over the same resampled users.

    Args:
        values: by model, shape (n_users, n_columns), the same users in the same order.
        n_replicates: see `bootstrap_means`.
        rng: where the resampling draws from.
    """
    means = bootstrap_means(np.hstack(list(values.values())), n_replicates=n_replicates, rng=rng)
    ends = np.cumsum([columns.shape[1] for columns in values.values()])
    replicates = np.split(means, ends[:-1], axis=1)
    return {
        name: Resampled(columns, part)
        for (name, columns), part in zip(values.items(), replicates, strict=True)
    }


def _product(counts: Columns, values: Columns) -> Columns:
    # In slices too small for the linear algebra library to wake its threads: on a busy machine
    # those wait for each other, and one product took 400 ms instead of 1 ms.
    total = np.zeros((len(counts), values.shape[1]))
    for start in range(0, len(values), _SLICE_USERS):
        users = slice(start, start + _SLICE_USERS)
        total += counts[:, users] @ values[users]
    return total


def _bounds(values: Columns, replicates: Columns) -> list[tuple[float, float, float]]:
    if len(values) == 0:
        return [(math.nan, math.nan, math.nan)] * values.shape[1]
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail], axis=0)
    return [
        (float(mean), float(below), float(above))
        for mean, below, above in zip(values.mean(axis=0), low, high, strict=True)
    ]
