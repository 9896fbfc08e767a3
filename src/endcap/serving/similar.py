"""Which items go with one item: for a product page.

Knows no visitor; the home page is `engine.py`'s.
"""

from __future__ import annotations

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers
from endcap.bundle.scorer.ranked import ShopRanks
from endcap.serving.candidates import SOURCE_NAMES, Candidates, Source, join, proposals
from endcap.serving.page import Slot
from endcap.serving.reasons import reason_for_pair
from endcap.serving.stages.diversify import diversify


def similar_items(
    bundle: Bundle, scorers: Scorers, ranks: ShopRanks, item: int, *, k: int
) -> list[Slot]:
    """Return up to k items that can be had, best first, each display name once.

    Neighbours come first; where they do not suffice, items with a near vector follow, then what
    is popular in the same department.

    Args:
        bundle: the shop.
        scorers: of the bundle.
        ranks: of the shop, now.
        item: index of the item that is looked at; neither it nor its namesakes come back.
        k: most items, >= 1.
    """
    found = _proposals(bundle, scorers, ranks, item, depth=4 * k)
    _, first = np.unique(found.items, return_index=True)
    chosen = diversify(
        bundle,
        found.take(np.sort(first)),
        n_slots=k,
        min_fill=k,
        category_cap=k,
        taken_items={item},
        taken_names={int(bundle.name_code[item])} - {-1},
    )
    return [
        Slot(
            item_id=bundle.item_ids[other],
            position=position,
            score=score,
            source=SOURCE_NAMES[source],
            reason=reason_for_pair(bundle, ranks.shoppers, other, item),
        )
        for position, (other, score, source) in enumerate(
            zip(chosen.items.tolist(), chosen.scores.tolist(), chosen.source.tolist(), strict=True)
        )
    ]


def _proposals(
    bundle: Bundle, scorers: Scorers, ranks: ShopRanks, item: int, *, depth: int
) -> Candidates:
    """Return lists from the surest to the vaguest; scores compare within one list only."""
    parts = []
    if scorers.neighbours is not None:
        seed, weight = np.array([item], dtype=np.int32), np.ones(1, dtype=np.float32)
        ranked = scorers.neighbours.rank(seed, weight, depth)
        parts.append(proposals(ranked, Source.ITEM_KNN))
    if scorers.tower is not None:
        parts.append(proposals(scorers.tower.similar(item, depth), Source.TWO_TOWER))
    elif scorers.fold_in is not None:
        parts.append(proposals(scorers.fold_in.similar(item, depth), Source.ALS))
    department = int(bundle.department[item])
    if department in ranks.departments:
        parts.append(proposals(ranks.department(department), Source.DEPARTMENT))
    return join(parts)
