"""Fill the shelves of a page, top first, from the candidates.

What the shelves are is data: `serving/layout.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers
from endcap.schema.types import ItemIdx
from endcap.serving.candidates import SOURCE_NAMES, Candidates, Source
from endcap.serving.gather import Context
from endcap.serving.layout import HOME, ShelfSpec, shelves_for
from endcap.serving.page import Shelf, Slot
from endcap.serving.reasons import explain, name_of
from endcap.serving.stages.blend import blend
from endcap.serving.stages.diversify import diversify

MIN_SHELVES = 3
MAX_SHARE_OF_PAGE = 0.5


@dataclass(slots=True)
class _Taken:
    items: list[int] = field(default_factory=list)
    names: set[int] = field(default_factory=set)


def lay_out(
    context: Context,
    candidates: Candidates,
    scorers: Scorers,
    *,
    specs: Sequence[ShelfSpec] = HOME,
) -> tuple[Shelf, ...]:
    """Return the shelves that could be filled; no item and no display name stands on two.

    Nor does a namesake of what is in the cart or was just bought: it would seem not to have gone.

    Somebody for whom fewer than three shelves come about gets those of a stranger too.
    """
    own = shelves_for(context.visitor, in_session=context.in_session, specs=specs)
    spare = [spec for spec in specs if spec not in own]
    taken = _Taken(names=_names_of(context.bundle, context.off_limits))
    shelves: list[Shelf] = []
    for spec in (*own, *spare):
        if spec in spare and len(shelves) >= MIN_SHELVES:
            continue
        shelf = _fill(spec, context, candidates, scorers, taken)
        if shelf is not None:
            shelves.append(shelf)
    return tuple(shelves)


def choose_department(context: Context, shown: ItemIdx) -> int | None:
    """Return the department that a shelf is for: the favourite, unless the page is full of it.

    A department that has more than half of what is shown gives way to the next one; when all
    have, which takes a shop of one department, it is the favourite after all.
    """
    codes = context.bundle.department[shown]
    for code in context.departments:
        if np.count_nonzero(codes == code) <= MAX_SHARE_OF_PAGE * len(shown):
            return code
    return context.departments[0] if context.departments else None


def _fill(
    spec: ShelfSpec, context: Context, candidates: Candidates, scorers: Scorers, taken: _Taken
) -> Shelf | None:
    bundle = context.bundle
    rows = candidates.of(spec.sources)
    department = None
    if Source.DEPARTMENT in spec.sources:
        department = choose_department(context, np.array(taken.items, dtype=np.int32))
        rows = rows.take(bundle.department[rows.items] == department)
    if len(spec.sources) > 1:
        rows = blend(rows, bundle.blend_weights)
    names = set(taken.names)
    if Source.BECAUSE in spec.sources and context.anchor is not None:
        names.add(int(bundle.name_code[context.anchor.item]))
    names.discard(-1)
    chosen = diversify(
        bundle,
        rows,
        n_slots=spec.n_slots,
        min_fill=spec.min_fill,
        category_cap=spec.category_cap,
        taken_items=taken.items,
        taken_names=names,
    )
    if len(chosen) < spec.min_fill:
        return None
    taken.items += chosen.items.tolist()
    taken.names |= _names_of(bundle, chosen.items)
    return Shelf(
        spec.shelf_id,
        _title(spec, context, department),
        slots_of(context, chosen, scorers),
    )


def _names_of(bundle: Bundle, items: ItemIdx) -> set[int]:
    return set(bundle.name_code[items].tolist()) - {-1}


def slots_of(context: Context, chosen: Candidates, scorers: Scorers) -> tuple[Slot, ...]:
    """Return the chosen rows as slots, with their reasons."""
    item_ids = context.bundle.item_ids
    return tuple(
        Slot(
            item_id=item_ids[item],
            position=position,
            score=score,
            source=SOURCE_NAMES[source],
            reason=reason,
        )
        for position, (item, score, source, reason) in enumerate(
            zip(
                chosen.items.tolist(),
                chosen.scores.tolist(),
                chosen.source.tolist(),
                explain(context, chosen, scorers),
                strict=True,
            )
        )
    )


def _title(spec: ShelfSpec, context: Context, department: int | None) -> str:
    title = spec.title
    if Source.BECAUSE in spec.sources and context.anchor is not None:
        phrase = context.anchor.phrase.format(name=name_of(context.bundle, context.anchor.item))
        return title.format(phrase=phrase)
    if department is not None:
        return title.format(department=context.bundle.department_names[department])
    return title
