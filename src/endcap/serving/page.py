"""What a home page is made of, before anybody renders it.

Which items stand on it is decided by `engine.py` and the stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from endcap.schema.errors import EndcapError
from endcap.schema.types import ItemId, UserId

Visitor: TypeAlias = Literal["known", "session", "new"]
"""known: in the data the bundle learnt from; session: only known by live events; new: neither."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One item in its place.

    position: 0-based, within its shelf.
    score: the number it was ranked by; comparable within one shelf only.
    source: what proposed it, a name of `candidates.Source` in lower case.
    reason: why it is here, one line, true.
    propensity: probability that the policy would show it here; 1 for a deterministic one.
    """

    item_id: ItemId
    position: int
    score: float
    source: str
    reason: str
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Shelf:
    """A titled row of items."""

    shelf_id: str
    title: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The shelves for one visitor at one moment, top first; no item is on it twice."""

    request_id: str
    user_id: UserId
    visitor: Visitor
    bundle_id: str
    shelves: tuple[Shelf, ...]

    def slots(self) -> Iterator[Slot]:
        """Yield every slot, from top to bottom."""
        for shelf in self.shelves:
            yield from shelf.slots


class UnknownItemError(EndcapError):
    """The catalogue of the bundle has no such item."""
