"""Where the items of a history stand, counted from its end; and what that makes them say.

Places instead of ages: a history says the same whether its user comes daily or once a year.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History


def places_from_latest(history: History) -> NDArray[np.int32]:
    """Return how many items of the same user are later than each entry, shape (nnz,).

    An item stands where its last interaction does; of equally late ones the smaller item counts as
    later, as in `UserHistory.latest`.

    Cost: one sort of the entries.
    """
    users = np.repeat(np.arange(history.n_users), np.diff(history.indptr))
    order = np.lexsort((history.items, -history.last_ts, users))
    places = np.empty(len(users), dtype=np.int32)
    places[order] = np.arange(len(users)) - history.indptr[users]
    return places


def place_weights(history: History, *, tau: float) -> NDArray[np.float32]:
    """Return interest x exp(-place / tau) of each entry, interest being at most 1; in [0, 1]."""
    recency = np.exp(-places_from_latest(history) / tau)
    return (recency * np.minimum(history.counts, 1)).astype(np.float32)


def weighted_sums(
    history: History, weights: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the weighted sum of the vectors of each user's items, shape (n_users, d).

    Zeros without history. A user's sum does not depend on who else is asked about, by no bit.

    Args:
        history: of some users.
        weights: of its entries, shape (nnz,).
        vectors: of all items, shape (n_items, d).
    """
    sums = np.zeros((history.n_users, vectors.shape[1]), dtype=np.float32)
    starts, ends = history.indptr[:-1], history.indptr[1:]
    for user in np.flatnonzero(ends > starts):
        part = slice(int(starts[user]), int(ends[user]))
        sums[user] = np.einsum(
            "n,nd->d", weights[part], vectors[history.items[part]], optimize=False
        )
    return sums
