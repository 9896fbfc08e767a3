"""The events that a later one may undo, or that undo others: kept one by one, not as a sum.

With them, a history that was learnt and the events since give what all events together would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import NO_ITEMS, History, build_history
from endcap.features.weights import CART
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, Timestamps


@dataclass(frozen=True, slots=True)
class UserEvents:
    """Single events of one user, in no certain order; all arrays have shape (n,).

    kinds: `columns.KIND_CODES`; weights: `features.weights.interaction_weights`, not 0.
    """

    items: ItemIdx
    kinds: NDArray[np.uint8]
    weights: NDArray[np.float32]
    ts: Timestamps

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[np.bool_]) -> UserEvents:
        """Return the chosen events."""
        return UserEvents(self.items[rows], self.kinds[rows], self.weights[rows], self.ts[rows])


NO_EVENTS = UserEvents(
    NO_ITEMS,
    np.empty(0, dtype=np.uint8),
    np.empty(0, dtype=np.float32),
    np.empty(0, dtype=np.int64),
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Carts, removals and refusals, user by user: user u owns indptr[u]:indptr[u + 1].

    items, kinds, weights, ts: as in `UserEvents`, by time within a user.
    """

    indptr: NDArray[np.int64]
    items: ItemIdx
    kinds: NDArray[np.uint8]
    weights: NDArray[np.float32]
    ts: Timestamps

    def row(self, user: int) -> UserEvents:
        """Return the events of one user, sharing memory; none when the user is not known here."""
        if not 0 <= user < len(self.indptr) - 1:
            return NO_EVENTS
        part = slice(int(self.indptr[user]), int(self.indptr[user + 1]))
        return UserEvents(self.items[part], self.kinds[part], self.weights[part], self.ts[part])


def joined(*parts: UserEvents) -> UserEvents:
    """Return the events of all parts."""
    return UserEvents(
        items=np.concatenate([part.items for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        ts=np.concatenate([part.ts for part in parts]),
    )


def settle(data: Dataset) -> tuple[History, Unsettled | None]:
    """Return the interest that nothing can undo any more, and the events of which that is untrue.

    `history.merge_events` of a row of the one with the row of the other and with later events is
    the history of all of them.

    Args:
        data: as `features.weights.weigh` returns it; without weights, everything is settled.

    Returns:
        the sums of all that is neither a cart nor weighs below 0, and the rest; None where there
        is no rest.
    """
    told = data.interactions
    if told.weight is None:
        return build_history(told, data.n_users), None
    is_open = (told.weight < 0) | ((told.kind == CART) & (told.weight > 0))
    settled = told.take(~is_open & (told.weight > 0))
    if np.all(settled.weights == 1):
        settled = replace(settled, weight=None)
    history = build_history(settled, data.n_users)
    if not is_open.any():
        return history, None
    rest = told.take(is_open)
    order = np.argsort(rest.user_idx, kind="stable")
    indptr = np.zeros(data.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(rest.user_idx, minlength=data.n_users), out=indptr[1:])
    return history, Unsettled(
        indptr=indptr,
        items=rest.item_idx[order],
        kinds=rest.kind[order],
        weights=rest.weights[order],
        ts=rest.ts[order],
    )
