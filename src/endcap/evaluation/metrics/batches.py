"""Means of very many columns over resampled users: users are resampled in batches.

For the few columns of the metrics `certainty/bootstrap.py` resamples every user by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from endcap.evaluation.certainty.bootstrap import Interval, percentile_ends
from endcap.evaluation.certainty.draws import Columns, Draws, draws_from

MAX_BATCHES = 1000


@dataclass(frozen=True, slots=True)
class Gathered:
    """Sums over the users of each batch, and over how many, shape (n_batches, n_columns)."""

    total: Columns
    n_users: Columns


@dataclass(frozen=True, slots=True)
class Means:
    """Means of columns over users, and over resampled users.

    mean: NaN where it is defined for nobody, shape (n_columns,).
    n_users: for how many it is defined, shape (n_columns,).
    replicates: shape (n_replicates, n_columns).
    """

    mean: NDArray[np.float64]
    n_users: NDArray[np.int64]
    replicates: Columns

    def interval(self, column: int) -> Interval:
        """Return the mean of a column with its percentile interval."""
        return interval_of(
            float(self.mean[column]), self.replicates[:, column], n_users=int(self.n_users[column])
        )


@dataclass(frozen=True, slots=True)
class Batches:
    """Users in batches at random, and which batches each replicate draws.

    members: 1 where a user is in a batch, shape (n_batches, n_users).
    """

    members: csr_array
    draws: Draws

    @staticmethod
    def of(
        n_users: int,
        *,
        n_replicates: int,
        rng: np.random.Generator,
        max_batches: int = MAX_BATCHES,
    ) -> Batches:
        """Return at most max_batches of equal size, give or take one; each user one if fewer.

        Resampled batches spread a mean as resampled users do: a batch holds 1 / b of the variance
        and there are 1 / b as many. With m batches the estimate of that spread is itself off by
        sqrt(1 / (2 m)), 2 % for 1000, which is less than the replicates add.

        Source: Wolter 2007 (random groups).
        """
        n_batches = min(n_users, max_batches)
        batch = rng.permutation(n_users) % max(n_batches, 1)
        members = csr_array((np.ones(n_users), (batch, np.arange(n_users))), (n_batches, n_users))
        return Batches(members, draws_from(rng, n_users=n_batches, n_replicates=n_replicates))

    def gather(self, values: Columns) -> Gathered:
        """Return what the batches hold of some columns.

        Args:
            values: shape (n_users, n_columns); NaN where a column says nothing of a user.
        """
        is_known = ~np.isnan(values)
        return Gathered(
            total=self.members @ np.where(is_known, values, 0.0),
            n_users=self.members @ is_known.astype(np.float64),
        )

    def means(self, gathered: Sequence[Gathered]) -> list[Means]:
        """Return the means of each of the gathered, all over the same resampled users.

        Cost: O(n_replicates n_batches n_columns), whatever the number of users.
        """
        totals, sizes = [one.total for one in gathered], [one.n_users for one in gathered]
        drawn = self.draws.means([*totals, *sizes])
        return [
            Means(
                mean=_ratio(total.sum(axis=0), size.sum(axis=0)),
                n_users=size.sum(axis=0).astype(np.int64),
                replicates=_ratio(drawn_total, drawn_size),
            )
            for total, size, drawn_total, drawn_size in zip(
                totals, sizes, drawn[: len(totals)], drawn[len(totals) :], strict=True
            )
        ]


def interval_of(mean: float, replicates: NDArray[np.float64], *, n_users: int) -> Interval:
    """Return the percentile interval; NaN all through without a mean or a replicate."""
    low, high = percentile_ends(replicates)
    if math.isnan(mean) or math.isnan(low):
        return Interval(math.nan, math.nan, math.nan, n_users)
    return Interval(mean, low, high, n_users)


def _ratio(totals: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(totals, sizes, out=np.full_like(totals, np.nan), where=sizes > 0)
