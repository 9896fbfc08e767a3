"""The shelves of a home page as data: what they draw from, how long they are, who sees them.

How they are filled is in `stages/lay_out.py`. A new shelf is a new line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from endcap.serving.candidates import Source
from endcap.serving.page import Visitor

EVERYBODY: frozenset[Visitor] = frozenset({"known", "session", "new"})
STRANGERS: frozenset[Visitor] = frozenset({"session", "new"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfSpec:
    """One shelf.

    title: may hold {department}, or {phrase}: what was done with which item, as in `Anchor`.
    sources: where its items come from; several are fused by rank.
    visitors: who sees it.
    n_slots: most items on it; below min_fill it is left out.
    category_cap: most items of one category, unless it would fall below min_fill.
    leads_in_session: whether it moves to the top while a visit is under way.
    """

    shelf_id: str
    title: str
    sources: tuple[Source, ...]
    visitors: frozenset[Visitor] = EVERYBODY
    n_slots: int = 10
    min_fill: int = 4
    category_cap: int = 3
    leads_in_session: bool = False


HOME: tuple[ShelfSpec, ...] = (
    ShelfSpec(shelf_id="buy_again", title="Buy it again", sources=(Source.REPEAT,)),
    ShelfSpec(
        shelf_id="recommended",
        title="Recommended for you",
        sources=(Source.ITEM_KNN, Source.ALS, Source.TWO_TOWER, Source.SESSION),
    ),
    ShelfSpec(
        shelf_id="because",
        title="Because {phrase}",
        sources=(Source.BECAUSE,),
        leads_in_session=True,
    ),
    ShelfSpec(shelf_id="trending", title="Trending this week", sources=(Source.TRENDING,)),
    ShelfSpec(
        shelf_id="popular",
        title="Popular right now",
        sources=(Source.POPULAR,),
        visitors=STRANGERS,
    ),
    ShelfSpec(
        shelf_id="popular_department",
        title="Popular in {department}",
        sources=(Source.DEPARTMENT,),
    ),
    ShelfSpec(shelf_id="new", title="New here", sources=(Source.NEW,)),
)
"""The home page, top first."""


def shelves_for(
    visitor: Visitor, *, in_session: bool, specs: Sequence[ShelfSpec] = HOME
) -> tuple[ShelfSpec, ...]:
    """Return the shelves that a visitor sees, in order."""
    seen = [spec for spec in specs if visitor in spec.visitors]
    return tuple(sorted(seen, key=lambda spec: not (in_session and spec.leads_in_session)))
