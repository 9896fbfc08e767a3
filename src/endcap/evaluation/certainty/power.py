"""What a test set could show: the smallest difference that it finds, and how many users one takes.

For paired comparisons of means over users. A difference that was not shown may still be there when
it is smaller than this.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students_t

from endcap.evaluation.certainty.bootstrap import CONFIDENCE

POWER = 0.8
"""The chance that a difference of the size asked for is found, by custom."""

_MOST_USERS = 10**12


def smallest_difference(
    differences: NDArray[np.float64], *, n_comparisons: int = 1, power: float = POWER
) -> float:
    """Return the difference that such users would show with this power, two-sided at 5 %.

    NaN for fewer than two users.

    Args:
        differences: one paired difference a user, shape (n_users,); NaN where it is not defined.
            Only how they spread counts, not their mean.
        n_comparisons: how many are compared with this one; each gets its part of the 5 %, as the
            first step of Holm's correction has it.
        power: the chance to find it.

    Source: Cohen 1988, chapter 2; Holm 1979.
    """
    known = differences[~np.isnan(differences)]
    return _smallest(_spread(known), len(known), n_comparisons, power)


def users_needed(
    difference: float,
    differences: NDArray[np.float64],
    *,
    n_comparisons: int = 1,
    power: float = POWER,
) -> int | None:
    """Return how many users like these would show a difference with this power, two-sided at 5 %.

    None when no number would, up to a million million: for a difference of 0 or NaN, or fewer than
    two users to learn the spread from.

    Args:
        difference: the size that is asked for, in the metric's own terms.
        differences: as in `smallest_difference`.
        n_comparisons: as there.
        power: the chance to find it.
    """
    spread = _spread(differences[~np.isnan(differences)])
    if math.isnan(spread) or not abs(difference) > 0:
        return None

    def is_shown_by(n_users: int) -> bool:
        return _smallest(spread, n_users, n_comparisons, power) <= abs(difference)

    numbers = range(2, _MOST_USERS + 1)
    return (
        numbers[bisect_left(numbers, True, key=is_shown_by)] if is_shown_by(_MOST_USERS) else None
    )


def _smallest(spread: float, n_users: int, n_comparisons: int, power: float) -> float:
    if math.isnan(spread):
        return math.nan
    freedom = n_users - 1
    missed = (1.0 - CONFIDENCE) / 2.0 / n_comparisons
    errors_apart = students_t.isf(missed, freedom) + students_t.ppf(power, freedom)
    return float(errors_apart) * spread / math.sqrt(n_users)


def _spread(known: NDArray[np.float64]) -> float:
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan
