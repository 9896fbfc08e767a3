"""Say in one line why an item is on the page. Every number is counted, none is a guess.

Which items are there is decided elsewhere; a reason never changes that.
"""

from __future__ import annotations

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers
from endcap.bundle.scorer.ranked import WEEK_US
from endcap.bundle.scorer.shoppers import Shoppers
from endcap.schema.columns import NAME
from endcap.schema.types import DAY_US, NO_ITEM, ItemIdx
from endcap.serving.candidates import Candidates, Source
from endcap.serving.gather import Context
from endcap.serving.stages.retrieve import heaviest_seeds

MONTH_US = 28 * DAY_US
MIN_SHOPPERS = 2
N_NAMED_SEEDS = 60
N_LIKELY_SEEDS = 3

_BY_TASTE = frozenset({Source.ITEM_KNN, Source.ALS, Source.TWO_TOWER, Source.SESSION})
_FIRST = {"bought": "First sold"}


def explain(context: Context, chosen: Candidates, scorers: Scorers) -> list[str]:
    """Return one reason a row."""
    seeds = _seeds(context, chosen, scorers)
    return [
        _reason(context, item, Source(source), seed)
        for item, source, seed in zip(
            chosen.items.tolist(), chosen.source.tolist(), seeds.tolist(), strict=True
        )
    ]


def reason_for_pair(bundle: Bundle, shoppers: Shoppers, item: int, other: int) -> str:
    """Return why an item stands beside another one that everybody can see."""
    return _together(bundle, item, other, "both") or _total(bundle, shoppers, item)


def name_of(bundle: Bundle, item: int) -> str:
    """Return the display name of an item; its id where it has none."""
    return bundle.catalogue[item].get(NAME) or bundle.item_ids[item]


def ago(age_us: int) -> str:
    """Return how long ago something was, in words: "5 days ago"."""
    days = max(age_us, 0) // DAY_US
    if days < 1:
        return "less than a day ago"
    for n_days, unit in ((365, "year"), (60, "month"), (14, "week")):
        if days >= n_days:
            n_units = days // {"year": 365, "month": 30, "week": 7}[unit]
            return f"{n_units} {unit}{'s' if n_units > 1 else ''} ago"
    return f"{days} day{'s' if days > 1 else ''} ago"


def _reason(context: Context, item: int, source: Source, seed: int) -> str:
    match source:
        case Source.REPEAT:
            return _repeat(context, item)
        case Source.BECAUSE if context.anchor is not None:
            return reason_for_pair(
                context.bundle, context.ranks.shoppers, item, context.anchor.item
            )
        case Source.ITEM_KNN | Source.ALS | Source.TWO_TOWER | Source.SESSION:
            return _with_seed(context, item, seed)
        case Source.NEW:
            return _first(context, item)
        case Source.TRENDING:
            return _lately(context, item, window_us=WEEK_US)
        case _:
            return _lately(context, item, window_us=MONTH_US)


def _repeat(context: Context, item: int) -> str:
    row = int(np.searchsorted(context.bought.items, item))
    n_times = int(context.bought.counts[row])
    last = ago(context.now_us - int(context.bought.last_ts[row]))
    return f"Bought {n_times} times, last {last}" if n_times > 1 else f"Bought once, {last}"


def _with_seed(context: Context, item: int, seed: int) -> str:
    together = ""
    # Of a namesake it would say "this and White Milk" about White Milk.
    if seed != NO_ITEM and name_of(context.bundle, seed) != name_of(context.bundle, item):
        named = f"this and {name_of(context.bundle, seed)}"
        together = _together(context.bundle, item, seed, named)
    return together or _total(context.bundle, context.ranks.shoppers, item)


def _together(bundle: Bundle, item: int, other: int, what: str) -> str:
    n_both = bundle.n_joint_shoppers(item, other)
    if n_both < MIN_SHOPPERS:
        return ""
    return f"{n_both:,} shoppers {bundle.history_kind_verb} {what}"


def _lately(context: Context, item: int, *, window_us: int) -> str:
    n_shoppers = context.ranks.shoppers.n_since(item, context.now_us - window_us)
    if n_shoppers < MIN_SHOPPERS:
        return _total(context.bundle, context.ranks.shoppers, item)
    verb = context.bundle.history_kind_verb.capitalize()
    return f"{verb} by {n_shoppers:,} shoppers in the last {window_us // DAY_US} days"


def _total(bundle: Bundle, shoppers: Shoppers, item: int) -> str:
    n_shoppers = shoppers.n_ever(item)
    if n_shoppers == 0:
        return "In our range"
    verb = bundle.history_kind_verb.capitalize()
    return f"{verb} by {n_shoppers:,} shopper{'s' if n_shoppers > 1 else ''}"


def _first(context: Context, item: int) -> str:
    first_us = context.bundle.first_seen_us
    if first_us is None:
        return _total(context.bundle, context.ranks.shoppers, item)
    verb = context.bundle.history_kind_verb
    first = _FIRST.get(verb, f"First {verb}")
    return f"{first} {ago(context.now_us - int(first_us[item]))}"


def _seeds(context: Context, chosen: Candidates, scorers: Scorers) -> ItemIdx:
    """Return for each row the item of the visitor's history that speaks loudest for it."""
    none = np.full(len(chosen), NO_ITEM, dtype=np.int32)
    asked = np.array([source in _BY_TASTE for source in chosen.source.tolist()])
    if not asked.any():
        return none
    all_seeds, all_weights = heaviest_seeds(context)
    seeds, weights = all_seeds[:N_NAMED_SEEDS], all_weights[:N_NAMED_SEEDS]
    found = none
    if scorers.neighbours is not None:
        found = scorers.neighbours.strongest_seeds(chosen.items, seeds, weights)
    for row in np.flatnonzero(asked & (found == NO_ITEM)):
        item = int(chosen.items[row])
        likely = seeds[:N_LIKELY_SEEDS].tolist()
        found[row] = max(likely, key=lambda seed: context.bundle.n_joint_shoppers(item, seed))
    return found
