"""Errors of predicted ratings: of each user first, and of all rows together.

The two answer different questions. A mean over users counts everybody alike; a pooled error counts
every rating alike, so that who rates much says most. Papers report the pooled one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.certainty.bootstrap import Interval, bootstrap_means, percentile_ends
from endcap.evaluation.certainty.draws import Columns
from endcap.evaluation.pointwise.ratings import Stars
from endcap.schema.types import UserIdx

ERRORS = ("rmse", "mae", "mse")
"""Root of the mean squared error, mean absolute error, mean squared error."""


@dataclass(frozen=True, slots=True)
class ErrorSums:
    """What each user's rows add up to; every error here follows from it.

    users: ascending, shape (n_users,).
    n_rows: rows of each user, >= 1.
    squared, absolute: sums of the squared and of the absolute errors of each user.
    """

    users: UserIdx
    n_rows: NDArray[np.int64]
    squared: NDArray[np.float64]
    absolute: NDArray[np.float64]

    def per_user(self) -> Columns:
        """Return the errors of each user in the order of `ERRORS`, shape (n_users, 3)."""
        mse = self.squared / self.n_rows
        return np.column_stack([np.sqrt(mse), self.absolute / self.n_rows, mse])

    def sums(self) -> Columns:
        """Return rows, squared and absolute errors of each user, shape (n_users, 3)."""
        return np.column_stack([self.n_rows, self.squared, self.absolute])


def error_sums(users: UserIdx, given: Stars, predicted: Stars) -> ErrorSums:
    """Return the sums of each user who has a row.

    Args:
        users: of each row, in any order, shape (n_rows,).
        given: what they said, shape (n_rows,).
        predicted: what a model said they would, shape (n_rows,).

    Cost: one sort of the users.
    """
    errors = predicted.astype(np.float64) - given.astype(np.float64)
    distinct, places, n_rows = np.unique(users, return_inverse=True, return_counts=True)
    return ErrorSums(
        users=distinct,
        n_rows=n_rows.astype(np.int64),
        squared=_added(places, errors**2, n=len(distinct)),
        absolute=_added(places, np.abs(errors), n=len(distinct)),
    )


def mean_sums(draws: Sequence[ErrorSums]) -> ErrorSums:
    """Return the sums of several predictions of the same rows, averaged."""
    first = draws[0]
    squared, absolute = (
        np.mean([getattr(one, name) for one in draws], axis=0) for name in ("squared", "absolute")
    )
    return ErrorSums(first.users, first.n_rows, squared, absolute)


def pooled(sums: Columns) -> Columns:
    """Return the errors of all rows together in the order of `ERRORS`.

    Args:
        sums: total or mean of rows, squared and absolute errors, shape (..., 3).
    """
    n_rows, squared, absolute = np.moveaxis(sums, -1, 0)
    mse = squared / n_rows
    return np.stack([np.sqrt(mse), absolute / n_rows, mse], axis=-1)


def resampled_pooled(
    models: Mapping[str, ErrorSums], *, n_replicates: int, rng: np.random.Generator
) -> dict[str, Columns]:
    """Return the pooled errors of resampled users by model, shape (n_replicates, 3).

    Users are drawn, not rows: the rows of one user are alike, and taken as independent they would
    promise too narrow an interval. A replicate is a ratio of sums, because the number of rows
    changes with the users that are drawn. All models see the same draws.

    Source: Efron, Tibshirani 1993, chapter 8.
    """
    values = np.hstack([sums.sums() for sums in models.values()])
    means = bootstrap_means(values, n_replicates=n_replicates, rng=rng)
    parts = np.split(means, len(models), axis=1)
    return {name: pooled(part) for name, part in zip(models, parts, strict=True)}


def interval(value: float, replicates: NDArray[np.float64], *, n_users: int) -> Interval:
    """Return a value with the percentile interval of its replicates, shape (n_replicates,)."""
    low, high = percentile_ends(replicates)
    return Interval(float(value), low, high, n_users)


def mean_intervals(
    values: Columns, *, n_replicates: int, rng: np.random.Generator
) -> list[Interval]:
    """Return the mean over users of each column with its interval, every column fully defined.

    Args:
        values: shape (n_users, n_columns), n_users >= 1, finite.
        n_replicates: see `bootstrap_means`.
        rng: where the resampling draws from.
    """
    replicates = bootstrap_means(values, n_replicates=n_replicates, rng=rng)
    return [
        interval(mean, column, n_users=len(values))
        for mean, column in zip(values.mean(axis=0), replicates.T, strict=True)
    ]


def _added(places: NDArray[np.intp], values: NDArray[np.float64], *, n: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(places, weights=values, minlength=n), dtype=np.float64)
