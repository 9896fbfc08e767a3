"""How large a difference is: beside the other's mean, beside how users differ, and for how many.

Whether it is more than chance is in `significance.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIZES = ((0.2, "very small"), (0.5, "small"), (0.8, "medium"), (math.inf, "large"))
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Effect:
    """How large a difference is, beside the other's mean and beside how users differ.

    relative: the difference as a share of the other's mean, 0.1 for 10 %; NaN when that is 0.
    d: the mean of the paired differences over their standard deviation; NaN for fewer than two
        users, or when all differ by the same.
    n_higher, n_equal, n_lower: users for whom the first is higher, the same, lower.

    Source of d: Cohen 1988, section 2.3.5 (d of paired differences, also called d_z).
    """

    relative: float
    d: float
    n_higher: int
    n_equal: int
    n_lower: int

    @property
    def size(self) -> str:
        """The size of d by Cohen's thresholds, in words; "none" for 0, "unknown" for NaN.

        Most users of a shop are given the same by two models, so that differences which pay are
        often very small ones: it says how sure one user can be to notice, not what all are worth.
        """
        if math.isnan(self.d):
            return "unknown"
        return "none" if self.d == 0 else next(word for end, word in _SIZES if abs(self.d) < end)


def effect(first: NDArray[np.float64], second: NDArray[np.float64]) -> Effect:
    """Return how large the difference first minus second is, over users for whom both are defined.

    Args:
        first: one value a user, shape (n_users,); NaN where it is not defined.
        second: of the same users.
    """
    both = ~np.isnan(first - second)
    differences = (first - second)[both]
    n_higher, n_lower = int((differences > 0).sum()), int((differences < 0).sum())
    n_equal = len(differences) - n_higher - n_lower
    if len(differences) == 0:
        return Effect(math.nan, math.nan, n_higher, n_equal, n_lower)
    mean, rival = float(differences.mean()), float(second[both].mean())
    relative = mean / abs(rival) if rival else math.nan
    return Effect(relative, _ratio(mean, differences), n_higher, n_equal, n_lower)


def _ratio(mean: float, differences: NDArray[np.float64]) -> float:
    if not differences.any():
        return 0.0
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return mean / spread if spread > _ROUNDING * abs(mean) else math.nan
