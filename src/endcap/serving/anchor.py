"""Choose the item that "Because you bought ..." is about, and say truly what was done with it.

Which items then stand on that shelf is `stages/retrieve.py`'s choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.neighbours import NeighbourScorer
from endcap.features.history import UserHistory
from endcap.features.repeat import repeat_scores
from endcap.feedback.state import Recent
from endcap.schema.columns import Kind
from endcap.schema.types import ItemIdx

MIN_NEIGHBOURS = 4
ENOUGH_NEIGHBOURS = 20
N_SESSION_TRIED = 5
N_HISTORY_TRIED = 30
HALF_LIFE_DAYS = 30.0

_PHRASES: Mapping[Kind, str] = {
    Kind.VIEW: "you viewed {name}",
    Kind.CART: "{name} is in your cart",
    Kind.PURCHASE: "you bought {name}",
    Kind.RATING: "you reviewed {name}",
    Kind.LIKE: "you liked {name}",
}
_INTERESTED = "you were interested in {name}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """An item, and what the visitor did with it: a phrase that holds {name}."""

    item: int
    phrase: str


def choose_anchor(
    *,
    taste: UserHistory,
    seen: ItemIdx,
    session: Mapping[str, Kind],
    live: Sequence[Recent],
    bought: ItemIdx,
    told: ItemIdx,
    bundle: Bundle,
    neighbours: NeighbourScorer | None,
    now_us: int,
) -> Anchor | None:
    """Return the newest item of the visit, else one taken lately and often; None without either.

    An item with fewer than four neighbours to show is passed over; of the history, one with many
    near ones is preferred.

    Args:
        taste: everything the visitor is interested in, live events included.
        seen: what will not be shown as a neighbour.
        session: items of the visit under way with what was done last, newest first.
        live: the live events of the visitor that show interest and stand, oldest first.
        bought: items that the visitor bought, ever.
        told: items that the visitor did with what the verb of the bundle says, before it was made.
        bundle: for the indices and the verb of its history.
        neighbours: None when the bundle has none; then there is no anchor.
        now_us: data time.
    """
    if neighbours is None:
        return None
    for item_id, kind in islice(session.items(), N_SESSION_TRIED):
        item = bundle.item_index[item_id]
        if neighbours.n_neighbours(np.array([item]), exclude=seen)[0] >= MIN_NEIGHBOURS:
            return Anchor(item, _PHRASES[kind])
    # The square root, so that what everybody takes every week is not the answer for everybody.
    scores = repeat_scores(taste, now_us=now_us, half_life_days=HALF_LIFE_DAYS, frequency_power=0.5)
    tried = np.lexsort((taste.items, -scores))[:N_HISTORY_TRIED]
    items = taste.items[tried]
    n_near = neighbours.n_neighbours(items, exclude=seen)
    worth = scores[tried] * neighbours.nearness(items) * np.minimum(n_near, ENOUGH_NEIGHBOURS)
    worth[n_near < MIN_NEIGHBOURS] = 0.0
    if not np.any(worth > 0):
        return None
    item = int(items[int(worth.argmax())])
    if item in bought:
        return Anchor(item, _PHRASES[Kind.PURCHASE])
    if item in told:
        return Anchor(item, f"you {bundle.history_kind_verb} {{name}}")
    kinds = [one.kind for one in live if bundle.item_index[one.item_id] == item]
    return Anchor(item, _PHRASES[kinds[-1]] if kinds else _INTERESTED)
