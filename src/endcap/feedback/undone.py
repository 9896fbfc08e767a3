"""What later events of a visitor undo: carts that were taken out again, items that were refused.

Kept for every item, however long ago, because a refusal must hold. Nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from endcap.features.unsettled import UserEvents
from endcap.features.weights import CART, REMOVE
from endcap.schema.types import ItemId

NEVER_US = -(2**63)


@dataclass(slots=True)
class PairCarts:
    """The carts and removals of one visitor and item, in no certain order.

    carts: data time and weight of each.
    removed_us: of the last removal. removed_by: what it takes off, below 0.
    """

    carts: list[tuple[int, float]] = field(default_factory=list)
    removed_us: int = NEVER_US
    removed_by: float = 0.0

    def add(self, ts_us: int, weight: float, *, is_removal: bool) -> None:
        """Add a cart or a removal."""
        if not is_removal:
            self.carts.append((ts_us, weight))
        elif ts_us >= self.removed_us:
            self.removed_us, self.removed_by = ts_us, weight

    def left(self) -> Iterator[tuple[int, float]]:
        """Yield time and weight of each cart of which something is left.

        The rule is `features.weights.take_back`; a test holds the two together.
        """
        for ts_us, weight in self.carts:
            rest = weight + self.removed_by if ts_us <= self.removed_us else weight
            if rest > 0:
                yield ts_us, rest


@dataclass(slots=True)
class Words:
    """The last yes and the last no of one visitor to each item in data time, and the carts."""

    yes_us: dict[ItemId, int] = field(default_factory=dict)
    no_us: dict[ItemId, int] = field(default_factory=dict)
    carts: dict[ItemId, PairCarts] = field(default_factory=dict)

    def hear(self, item_id: ItemId, weight: float, ts_us: int) -> None:
        """Take note of an event that is neither a cart nor a removal."""
        if weight:
            last_us = self.yes_us if weight > 0 else self.no_us
            last_us[item_id] = max(ts_us, last_us.get(item_id, ts_us))

    def last_yes_us(self, item_id: ItemId) -> int:
        """Return when interest was last shown in an item; `NEVER_US` when it never was."""
        carts = self.carts[item_id].left() if item_id in self.carts else ()
        return max(self.yes_us.get(item_id, NEVER_US), *(ts_us for ts_us, _ in carts), NEVER_US)

    def refused(self) -> dict[ItemId, int]:
        """Return the items whose last word is a no, and when it was said."""
        return {
            item_id: no_us
            for item_id, no_us in self.no_us.items()
            if no_us >= self.last_yes_us(item_id)
        }


def carts_of(events: UserEvents, item: int) -> PairCarts:
    """Return the carts and removals of one item, by its index, among the events of a user."""
    carts = PairCarts()
    rows = (events.items == item) & ((events.kinds == CART) | (events.kinds == REMOVE))
    for kind, weight, ts_us in zip(
        events.kinds[rows].tolist(),
        events.weights[rows].tolist(),
        events.ts[rows].tolist(),
        strict=True,
    ):
        carts.add(ts_us, weight, is_removal=kind == REMOVE)
    return carts
