"""Who is after what: tastes of users that move over time, and which item each visit gets.

A taste is a point between 0 and 1 on the line of all items, laid out category by category, each
as wide as its share of the visits. So drawing a point evenly draws categories by their share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from endcap.simulate.block import KEY_BITS, rank_order
from endcap.simulate.population import Population
from endcap.simulate.scramble import Floats, Integers, Words, mixed, unit
from endcap.simulate.split import Indices, Stretch

TASTE_WEIGHTS = (0.5, 0.75, 0.88)
"""A session follows the first, second or third taste of its user this often (added up)."""

DAYS_OF_A_TASTE = 240.0
BREADTH = 0.7
"""Share of a category that a session ranges over; each user has a niche in it."""

GOLDEN_RATIO = 0.6180339887498949
_TASTE, _TURN, _PAIR = 21, 22, 23
_ROUNDS = 32


def wanted_points(
    population: Population,
    user: Indices,
    position: Floats,
    *,
    session_of: Integers,
    nth: Integers,
    n_days: int,
    seed: int,
    rng: np.random.Generator,
) -> Floats:
    """Return for each visit the point on the line of items that it is after.

    Args:
        population: the categories and their widths.
        user: of each session.
        position: when each session begins, as a share of all activity.
        session_of: of each visit, its session.
        nth: of each visit, its number within the session.
        n_days: length of the simulation.
        seed: of the tastes.
        rng: for what differs from session to session.
    """
    taste, is_browsing = session_tastes(user, position, n_days=n_days, seed=seed, rng=rng)
    category = np.searchsorted(population.mass, taste, side="right") - 1
    category = np.minimum(category, len(population.mass) - 2)
    begin = population.mass[category]
    width = population.mass[category + 1] - begin
    niche = (taste - begin) / np.where(width > 0, width, 1.0)
    breadth = np.where(is_browsing, 1.0, BREADTH)
    turn = rng.random(len(user))
    step = (turn[session_of] + nth * GOLDEN_RATIO) % 1.0
    within = (niche[session_of] + breadth[session_of] * step) % 1.0
    points: Floats = begin[session_of] + width[session_of] * within
    by_bot = np.flatnonzero((user >= population.first_bot)[session_of])
    points[by_bot] = rng.random(len(by_bot))
    return points


def session_tastes(
    user: Indices, position: Floats, *, n_days: int, seed: int, rng: np.random.Generator
) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the taste that each session follows, and whether it follows none of its user's.

    A user has three tastes; each is replaced by another after `DAYS_OF_A_TASTE` days, the three
    at different times.
    """
    roll = rng.random(len(user))
    which = np.searchsorted(TASTE_WEIGHTS, roll, side="right")
    key = user.astype(np.uint64) * np.uint64(4) + which.astype(np.uint64)
    phase = unit(mixed(key, seed=seed, purpose=_TURN))
    epoch = (position * (n_days / DAYS_OF_A_TASTE) + phase).astype(np.uint64)
    taste = unit(mixed(key + (epoch << np.uint64(40)), seed=seed, purpose=_TASTE))
    is_browsing = which == len(TASTE_WEIGHTS)
    taste[is_browsing] = rng.random(int(is_browsing.sum()))
    return taste, is_browsing


def assigned_items(points: Floats, stretch: Stretch) -> tuple[Indices, Integers]:
    """Return the item of each visit, and the order of the visits along the line of items.

    The visits that the items of the stretch have to get are laid out in the order of the items;
    the leftmost goes to the visit with the leftmost point, and so on.
    """
    keys: Words = (points * 2.0**KEY_BITS).astype(np.uint64)
    order = rank_order(np.minimum(keys, np.uint64(2**KEY_BITS - 1)))
    items = np.empty(len(points), dtype=np.int32)
    items[order] = np.repeat(stretch.items, stretch.item_counts)
    return items, order


def part_repeated_pairs(
    user: Indices, items: Indices, order: Integers, rng: np.random.Generator
) -> None:
    """Exchange items between visits, in place, until hardly any user has the same item twice.

    People review a thing once. Items are exchanged between visits that are near each other in
    `order`, so tastes stay; how often each item occurs does not change.
    """
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    for reach in (64 * 4 ** min(turn, 9) for turn in range(_ROUNDS)):
        repeated = repeated_pairs(user, items)
        if len(repeated) == 0:
            return
        away = rng.integers(1, reach + 1, len(repeated)) * rng.choice((-1, 1), len(repeated))
        others = order[(rank[repeated] + away) % len(order)]
        _, first = np.unique(others, return_index=True)
        first = first[~np.isin(others[first], repeated)]
        one, other = repeated[first], others[first]
        items[one], items[other] = items[other], items[one]


def repeated_pairs(user: Indices, items: Indices) -> Integers:
    """Return the visits whose user has the same item in an earlier visit.

    Pairs are compared by 40 mixed bits: among 100,000 visits one of a hundred calls names a visit
    too many.
    """
    pairs = (user.astype(np.uint64) << np.uint64(32)) | items.astype(np.uint64)
    keys = mixed(pairs, seed=0, purpose=_PAIR) >> np.uint64(64 - KEY_BITS)
    order = rank_order(keys)
    ordered = keys[order]
    again: Integers = order[1:][ordered[1:] == ordered[:-1]]
    return again
