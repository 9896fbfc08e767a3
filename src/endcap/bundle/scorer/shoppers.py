"""Count the different people who had an item, in the data of a bundle and since.

These numbers are told to visitors, so a person counts once, and looking is not buying.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from endcap.bundle.read import Bundle
from endcap.schema.columns import Kind
from endcap.schema.types import UserId

LiveShoppers: TypeAlias = Mapping[Kind, Mapping[int, Mapping[UserId, int]]]
"""For each kind of event, for each item by index: who did it, and when last, in data time."""

_KINDS: Mapping[str, Kind] = {
    "bought": Kind.PURCHASE,
    "reviewed": Kind.RATING,
    "viewed": Kind.VIEW,
    "put in the cart": Kind.CART,
    "liked": Kind.LIKE,
}
_EVER_US = np.iinfo(np.int64).min


class Shoppers:
    """Counts people by item.

    Args:
        bundle: knows the history, and what its verb is.
        live: what happened since; read, never changed.
    """

    def __init__(self, bundle: Bundle, live: LiveShoppers) -> None:
        self._bundle, self._live = bundle, live
        self._kind = _KINDS.get(bundle.history_kind_verb)

    def n_since(self, item: int, since_us: int) -> int:
        """Return how many people did with the item what the history is of, since a moment.

        Cost: of the order of those who did it live, beside those in the history.
        """
        told = self._live.get(self._kind, {}) if self._kind else {}
        return self._count(item, since_us, told.get(item, {}))

    def n_ever(self, item: int) -> int:
        """Return how many people ever did with the item what the history is of."""
        return self.n_since(item, _EVER_US)

    def n_active_since(self, item: int, since_us: int) -> int:
        """Return how many people did anything that counts with the item, since a moment."""
        last: dict[UserId, int] = {}
        for by_item in self._live.values():
            for user_id, last_us in by_item.get(item, {}).items():
                last[user_id] = max(last_us, last.get(user_id, last_us))
        return self._count(item, since_us, last)

    def _count(self, item: int, since_us: int, live: Mapping[UserId, int]) -> int:
        return self._bundle.n_shoppers_since(item, since_us) + sum(
            last_us >= since_us and not self._is_learnt(user_id, item, since_us)
            for user_id, last_us in live.items()
        )

    def _is_learnt(self, user_id: UserId, item: int, since_us: int) -> bool:
        user = self._bundle.user_index.get(user_id)
        if user is None:
            return False
        row = self._bundle.told_history.row(user)
        place = int(np.searchsorted(row.items, item))
        has_it = place < len(row) and int(row.items[place]) == item
        return has_it and int(row.last_ts[place]) >= since_us
