"""How many visits of its user lie behind each item of a history: recency in the user's own pace.

Only the last times count, so that a row as serving knows it has all that is needed, and items of
one basket, or of one day where that is all the data knows, share a place whatever their order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History, UserHistory
from endcap.features.sessions import SESSION_GAP_S, gap_us_of


def visits_after(
    history: UserHistory | History, *, gap_s: float = SESSION_GAP_S
) -> NDArray[np.int32]:
    """Return how many visits of the same user came after each entry, int32, shape (nnz,).

    0 are the items of the last visit. A visit is a run of last times, none more than `gap_s` after
    the one before it; one whose items were all taken again later is none.

    Args:
        history: one row, or all users at once.
        gap_s: the longest silence within a visit, in seconds.

    Cost: one sort of the entries.
    """
    indptr = history.indptr if isinstance(history, History) else np.array([0, len(history)])
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((-history.last_ts, users))  # by user, the latest first
    users, ts = users[order], history.last_ts[order]
    is_first = np.diff(users, prepend=-1) != 0
    is_earlier = -np.diff(ts, prepend=ts[:1]) > gap_us_of(gap_s)
    number = np.cumsum(is_earlier & ~is_first)
    visits = np.empty(len(ts), dtype=np.int32)
    visits[order] = number - number[indptr[users]]
    return visits
