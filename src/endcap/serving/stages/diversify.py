"""Choose the slots of one shelf so that they are not all the same.

Goes down the ranking and passes over what would be too much; it changes no score.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from endcap.bundle.read import Bundle
from endcap.serving.candidates import Candidates


def diversify(
    bundle: Bundle,
    ranked: Candidates,
    *,
    n_slots: int,
    min_fill: int,
    category_cap: int,
    taken_items: Collection[int] = (),
    taken_names: Collection[int] = (),
) -> Candidates:
    """Return at most n_slots rows, in order: no item, no display name twice, few of a category.

    Args:
        bundle: knows the name and the category of each item.
        ranked: best first, one row an item.
        n_slots: the length of the shelf.
        min_fill: as long as fewer than this were found, the cap on categories is relaxed.
        category_cap: most items of one category; items of unknown category do not count.
        taken_items: items that stand elsewhere on the page.
        taken_names: the name codes of those.
    """
    names = bundle.name_code[ranked.items].tolist()
    categories = bundle.category[ranked.items].tolist()
    used_items, used_names = set(taken_items), set(taken_names)
    per_category: dict[int, int] = {}
    chosen: list[int] = []
    over_cap: list[int] = []
    for row, item in enumerate(ranked.items.tolist()):
        name, category = names[row], categories[row]
        if len(chosen) == n_slots:
            break
        if item in used_items or name in used_names:
            continue
        if category >= 0 and per_category.get(category, 0) >= category_cap:
            over_cap.append(row)
            continue
        per_category[category] = per_category.get(category, 0) + 1
        used_items.add(item)
        if name >= 0:
            used_names.add(name)
        chosen.append(row)
    for row in over_cap:
        if len(chosen) >= min(min_fill, n_slots):
            break
        if int(ranked.items[row]) in used_items or names[row] in used_names:
            continue
        used_items.add(int(ranked.items[row]))
        if names[row] >= 0:
            used_names.add(names[row])
        chosen.append(row)
    return ranked.take(np.array(sorted(chosen), dtype=np.int64))
