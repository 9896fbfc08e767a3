"""How much a user is due to take an item again, from that user's own history.

Says nothing about items the user never had.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, UserHistory, recency_weights


def repeat_scores(
    history_row: UserHistory | History,
    *,
    now_us: int,
    half_life_days: float,
    frequency_power: float = 1.0,
) -> NDArray[np.float32]:
    """Return frequency x recency of each item of a history, float32, shape (n,), above zero.

    score = count ** frequency_power * 2 ** (-age of the last time / half-life). It works on one
    row or on all users at once.

    Args:
        history_row: the items a user has had; counts, last times.
        now_us: the moment that is scored, in microseconds.
        half_life_days: after how many days without a repeat an item counts half.
        frequency_power: 0 asks only when, 1 weighs each time alike.
    """
    recency = recency_weights(history_row.last_ts, now_us=now_us, half_life_days=half_life_days)
    return (np.power(history_row.counts, frequency_power) * recency).astype(np.float32)
