"""Whether two models differ by more than chance, when both were trained with several seeds.

The test for users alone is in `significance.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students_t

from endcap.evaluation.certainty.bootstrap import CONFIDENCE, Resampled
from endcap.evaluation.certainty.draws import Columns


def seed_p_values(first: Resampled, second: Resampled) -> NDArray[np.float64]:
    """Return p-values of first minus second that allow for other users and other seeds.

    One for each column, NaN where nobody has both; from t, whose variance is the sum of three: of
    the mean over users, and of the mean over seeds of either model. With few seeds it has few
    degrees of freedom, as it should.

    Source: Welch 1947; degrees of freedom by Satterthwaite 1946.
    """
    differences = first.of_users - second.of_users
    both = ~np.isnan(differences)
    seeds = [_seed_means(one, both) for one in (first, second)]
    variance, freedom = _combined([_mean_variance(one) for one in (differences, *seeds)])
    mean = np.abs(seeds[0].mean(axis=0) - seeds[1].mean(axis=0))
    is_sure = variance == 0
    statistic = mean / np.sqrt(np.where(is_sure, 1.0, variance))
    p_values = np.where(is_sure, mean == 0, 2.0 * students_t.sf(statistic, freedom))
    return np.where(both.any(axis=0), p_values, np.nan)


def half_width_with_seeds(first: Resampled, second: Resampled) -> float:
    """Return half of the 95 % interval that `seed_p_values` tests, of the first column.

    It is 0 where nothing varies.
    """
    differences = first.of_users - second.of_users
    both = ~np.isnan(differences)
    seeds = [_seed_means(one, both) for one in (first, second)]
    variance, freedom = _combined([_mean_variance(one) for one in (differences, *seeds)])
    return float(students_t.isf((1.0 - CONFIDENCE) / 2.0, freedom[0]) * np.sqrt(variance[0]))


def _seed_means(model: Resampled, is_in: NDArray[np.bool_]) -> Columns:
    """Return the mean over some users under each seed, shape (n_seeds, n_columns)."""
    totals = np.where(is_in, model.values, 0.0).sum(axis=1)
    return np.asarray(totals / np.maximum(is_in.sum(axis=0), 1))


def _mean_variance(sample: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of the mean of each column, and its degrees of freedom."""
    n = np.maximum((~np.isnan(sample)).sum(axis=0), 1)
    freedom = np.maximum(n - 1, 1)
    squares = np.nansum((sample - np.nansum(sample, axis=0) / n) ** 2, axis=0)
    return squares / freedom / n, freedom.astype(np.float64)


def _combined(
    parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of independent variances, and its degrees of freedom; 1 where it is 0."""
    variance = np.sum([part for part, _ in parts], axis=0)
    squares = np.sum([part**2 / freedom for part, freedom in parts], axis=0)
    freedom = np.divide(variance**2, squares, out=np.ones_like(variance), where=squares > 0)
    return variance, freedom
