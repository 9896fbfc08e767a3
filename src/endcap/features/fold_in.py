"""The vector of a user from the factors of the items the user has had, without training.

Only the user's half of ALS; the item factors come from `models/als.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, UserHistory, seed_weights


def als_confidence(
    row: UserHistory | History, *, now_us: int, alpha: float, half_life_days: float
) -> NDArray[np.float32]:
    """Return how sure a history makes us of each of its items: 1 + alpha x recency x log1p(count).

    Source: Hu, Koren, Volinsky 2008, eq. 6 (log scaling), with our recency factor.
    """
    weights = seed_weights(row, now_us=now_us, half_life_days=half_life_days)
    return np.float32(1.0) + np.float32(alpha) * weights


def item_gram(item_factors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the transpose of the item factors times themselves, shape (d, d); once a model."""
    factors = item_factors.astype(np.float64)
    return factors.T @ factors


def als_user_vector(
    item_rows: NDArray[np.float32],
    confidence: NDArray[np.float32],
    gram: NDArray[np.float64] | NDArray[np.float32],
    reg: float,
) -> NDArray[np.float32]:
    """Return the least-squares vector of one user, float32, shape (d,); zeros without history.

    x = (gram + R^T (C - I) R + reg I)^-1 R^T C 1, with R the rows of the user's items.

    Args:
        item_rows: factors of the user's items, shape (m, d).
        confidence: of each of them, shape (m,), >= 1; see `als_confidence`.
        gram: `item_gram` of all item factors, shape (d, d).
        reg: the regularisation that the factors were trained with, > 0.

    Cost: O(m d^2 + d^3).
    Source: Hu, Koren, Volinsky 2008, eq. 4.
    """
    rows = item_rows.astype(np.float64)
    sure = confidence.astype(np.float64)
    return np.linalg.solve(als_system(rows, sure, gram, reg), rows.T @ sure).astype(np.float32)


def als_system(
    item_rows: NDArray[np.float64],
    confidence: NDArray[np.float64],
    gram: NDArray[np.float64] | NDArray[np.float32],
    reg: float,
) -> NDArray[np.float64]:
    """Return the left side of the equations of `als_user_vector`, shape (d, d)."""
    left = gram + item_rows.T @ (item_rows * (confidence - 1.0)[:, np.newaxis])
    left[np.diag_indices_from(left)] += reg
    return left
