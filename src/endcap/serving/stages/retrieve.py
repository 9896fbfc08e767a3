"""Propose items: the only stage that adds any.

It proposes more than a page holds, because later stages drop some.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.bundle.scorer.panel import Scorers
from endcap.features.history import UserHistory
from endcap.features.neighbours import neighbour_seed_weights
from endcap.features.repeat import repeat_scores
from endcap.schema.types import ItemIdx, TopK
from endcap.serving.candidates import Candidates, Source, join, proposals
from endcap.serving.gather import Context

DEPTH = 120
MAX_SEEDS = 200
MAX_SESSION_SEEDS = 5
SESSION_FADE = 0.7


def retrieve(context: Context, scorers: Scorers) -> Candidates:
    """Return everything that may be of use on the page of a context."""
    return join([retrieve_personal(context, scorers), retrieve_shop(context)])


def retrieve_personal(context: Context, scorers: Scorers) -> Candidates:
    """Return what the visitor's own doings propose; nothing for a new visitor.

    It depends on the visitor's history, on the visit under way and on the hour, so it can be kept
    as long as these stay.
    """
    return join(
        [
            _repeats(context),
            *_from_taste(context, scorers),
            *_from_neighbours(context, scorers),
        ]
    )


def retrieve_shop(context: Context) -> Candidates:
    """Return what the shop as a whole proposes, the visitor's favourite departments included."""
    ranks = context.ranks
    return join(
        [
            proposals(ranks.trending, Source.TRENDING),
            proposals(ranks.newest, Source.NEW),
            proposals(ranks.popular, Source.POPULAR),
            *(proposals(ranks.department(code), Source.DEPARTMENT) for code in context.departments),
        ]
    )


def heaviest_seeds(context: Context) -> tuple[ItemIdx, NDArray[np.float32]]:
    """Return the 200 items that say most about a visitor now, and how much; heaviest first."""
    weights = neighbour_seed_weights(
        context.taste,
        now_us=context.step_us,
        half_life_days=context.bundle.knn_half_life_days,
        visit_power=context.bundle.knn_visit_power,
    )
    order = np.lexsort((context.taste.items, -weights))[:MAX_SEEDS]
    return context.taste.items[order], weights[order]


def _repeats(context: Context) -> Candidates:
    bundle, bought = context.bundle, context.bought
    scores = repeat_scores(
        bought,
        now_us=context.step_us,
        half_life_days=bundle.repeat_half_life_days,
        frequency_power=bundle.repeat_frequency_power,
    )
    order = np.lexsort((bought.items, -scores))[:DEPTH]
    ranked = TopK(bought.items[order][np.newaxis], scores[order][np.newaxis])
    return proposals(ranked, Source.REPEAT)


def _from_taste(context: Context, scorers: Scorers) -> list[Candidates]:
    taste: UserHistory = context.taste
    if len(taste) == 0:
        return []
    found = []
    exclude = context.seen
    if scorers.neighbours is not None:
        seeds, weights = heaviest_seeds(context)
        ranked = scorers.neighbours.rank(seeds, weights, DEPTH, exclude=exclude)
        found.append(proposals(ranked, Source.ITEM_KNN))
    if scorers.fold_in is not None:
        ranked = scorers.fold_in.rank(taste, DEPTH, now_us=context.step_us, exclude=exclude)
        found.append(proposals(ranked, Source.ALS))
    if scorers.tower is not None:
        ranked = scorers.tower.rank(taste, DEPTH, now_us=context.step_us, exclude=exclude)
        found.append(proposals(ranked, Source.TWO_TOWER))
    return found


def _from_neighbours(context: Context, scorers: Scorers) -> list[Candidates]:
    if scorers.neighbours is None:
        return []
    found = []
    if context.in_session:
        seeds = context.session_items[:MAX_SESSION_SEEDS]
        told = [context.bundle.kind_weights.of(kind) for kind in context.session_kinds]
        weights = np.array(
            [weight * SESSION_FADE**age for age, weight in enumerate(told[:MAX_SESSION_SEEDS])],
            dtype=np.float32,
        )
        ranked = scorers.neighbours.rank(seeds, weights, DEPTH, exclude=context.seen)
        found.append(proposals(ranked, Source.SESSION))
    if context.anchor is not None:
        seed = np.array([context.anchor.item], dtype=np.int32)
        weight = np.ones(1, dtype=np.float32)
        ranked = scorers.neighbours.rank(seed, weight, DEPTH, exclude=context.seen)
        found.append(proposals(ranked, Source.BECAUSE))
    return found
