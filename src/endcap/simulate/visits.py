"""Turns one stretch of time into events: sessions, items, stars, carts, repeats, times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from endcap.schema.columns import KIND_CODES, Kind
from endcap.simulate.block import KEY_BITS, Block, joined, rank_order
from endcap.simulate.population import Population, quality
from endcap.simulate.scramble import Floats, Integers, mixed, unit
from endcap.simulate.seasons import DAY_MS, Clock
from endcap.simulate.spec import EventSpec
from endcap.simulate.split import Indices, Stretch
from endcap.simulate.taste import assigned_items, part_repeated_pairs, wanted_points

MEDIAN_PAUSE_S, SPREAD_OF_PAUSES, LONGEST_PAUSE_S = 45.0, 1.0, 1500.0
"""Between two visits of a session: shorter than the half hour by which sessions are told apart."""

BOT_PAUSE_S = (0.1, 0.6)
UNTIL_CART_S = (2.0, 40.0)
UNTIL_PURCHASE_S = (30.0, 900.0)
UNTIL_REPEAT_S = (0.2, 2.0)
"""How long after a visit it is repeated with another time; reviews are repeated a day later."""

LEANING = 4
_VISITS, _LEANING = 4, 31


def events_of(
    stretch: Stretch, population: Population, clock: Clock, spec: EventSpec, *, first_session: int
) -> tuple[Block, int]:
    """Return the events of the sessions that begin in a stretch, and the number of sessions.

    They are in no order, and the last ones may lie beyond the end of the stretch.

    Args:
        stretch: what is to happen.
        population: to whom.
        clock: turns shares of activity into times.
        spec: the simulation.
        first_session: number of the first session here.
    """
    rng = np.random.default_rng([spec.seed, _VISITS, stretch.number])
    user = np.repeat(stretch.users, stretch.n_sessions)
    position = _session_starts(stretch, population, rng)
    session_of, nth = _visits_of_sessions(stretch, rng)
    is_bot = user >= population.first_bot
    starts_ms = clock.time_ms(position)
    end_ms = (starts_ms // DAY_MS + 1) * DAY_MS if spec.is_reviews else clock.end_ms
    ts_ms = _times(starts_ms, session_of, nth, is_bot, end_ms=end_ms, rng=rng)
    points = wanted_points(
        population,
        user,
        position,
        session_of=session_of,
        nth=nth,
        n_days=spec.n_days,
        seed=spec.seed,
        rng=rng,
    )
    item, order = assigned_items(points, stretch)
    of_visit = user[session_of]
    kind, value = Kind.VIEW, np.ones(len(of_visit), dtype=np.uint8)
    if spec.is_reviews:
        part_repeated_pairs(of_visit, item, order, rng)
        kind, value = Kind.RATING, _stars(of_visit, item, stretch.stars, seed=spec.seed, rng=rng)
    visits = Block(
        user=of_visit,
        item=item,
        kind=np.full(len(of_visit), KIND_CODES[kind], dtype=np.uint8),
        value=value,
        ts_ms=ts_ms,
        session=session_of + first_session,
        salt=rng.integers(0, 2**32, len(of_visit), dtype=np.uint32),
    )
    followed = [visits, *_follow_ups(visits, stretch, is_bot[session_of], rng)]
    followed += _repeats(visits, stretch, rng, is_reviews=spec.is_reviews)
    block = joined(followed)
    np.minimum(block.ts_ms, clock.end_ms - 1, out=block.ts_ms)
    return block, len(user)


def _session_starts(stretch: Stretch, population: Population, rng: np.random.Generator) -> Floats:
    """Return when each session begins: evenly within the time that its user is there."""
    first, length = population.stays.of(stretch.users)
    begin = np.clip(first.astype(np.float64), stretch.begin, stretch.end)
    end = np.clip((first + length).astype(np.float64), stretch.begin, stretch.end)
    nowhere = end <= begin
    begin[nowhere], end[nowhere] = stretch.begin, stretch.end
    begin, end = np.repeat(begin, stretch.n_sessions), np.repeat(end, stretch.n_sessions)
    positions: Floats = begin + rng.random(len(begin)) * (end - begin)
    return np.minimum(positions, np.nextafter(stretch.end, 0.0))


def _visits_of_sessions(stretch: Stretch, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Return for each visit its session and its number within it, session by session.

    What a user has beyond one visit a session is dealt to its sessions so that all ways to do it
    are equally likely: each session gets by an exponential weight.
    """
    n_sessions = int(stretch.n_sessions.sum())
    last = np.cumsum(stretch.n_sessions, dtype=np.int64)
    weights = np.concatenate([[0.0], np.cumsum(rng.standard_exponential(n_sessions))])
    user = np.repeat(np.arange(len(last)), stretch.n_more)
    low, high = weights[last - stretch.n_sessions][user], weights[last][user]
    drawn = np.searchsorted(weights, low + rng.random(len(user)) * (high - low), side="right") - 1
    drawn = np.clip(drawn, (last - stretch.n_sessions)[user], last[user] - 1)
    lengths = np.bincount(drawn, minlength=n_sessions) + 1
    session_of = np.repeat(np.arange(n_sessions), lengths)
    starts = np.cumsum(lengths) - lengths
    return session_of, np.arange(len(session_of)) - starts[session_of]


def _times(
    starts_ms: Integers,
    session_of: Integers,
    nth: Integers,
    is_bot: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    end_ms: int | Integers,
    rng: np.random.Generator,
) -> Integers:
    """Return when each visit happens; a session that would outlast its end goes faster.

    That is the end of the simulation, and of the day for reviews: people write them at a sitting.
    """
    pauses_s = np.exp(rng.standard_normal(len(nth), dtype=np.float32) * SPREAD_OF_PAUSES)
    pauses_s = np.minimum(pauses_s * MEDIAN_PAUSE_S, LONGEST_PAUSE_S)
    by_bot = np.flatnonzero(is_bot[session_of])
    pauses_s[by_bot] = rng.uniform(*BOT_PAUSE_S, len(by_bot))
    pauses_ms = np.where(nth == 0, 0, pauses_s * 1000).astype(np.int64)
    passed_ms = np.cumsum(pauses_ms)
    first = np.flatnonzero(nth == 0)
    passed_ms -= passed_ms[first][session_of]
    last = np.concatenate([first[1:], [len(nth)]]) - 1
    left_ms = np.maximum(end_ms - 1 - starts_ms, 0)
    speed = np.minimum(left_ms / np.maximum(passed_ms[last], 1), 1.0)
    hurried = np.flatnonzero((speed < 1.0)[session_of])
    passed_ms[hurried] = (passed_ms[hurried] * speed[session_of[hurried]]).astype(np.int64)
    times: Integers = starts_ms[session_of] + passed_ms
    return times


def _stars(
    user: Indices, item: Indices, counts: Integers, *, seed: int, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the stars of each visit, each number as often as wanted: better items get more."""
    leaning = unit(mixed(user, seed=seed, purpose=_LEANING))
    score = quality(item, seed=seed) + leaning + 0.7 * rng.standard_normal(len(user))
    score = np.clip((score + 2 * LEANING) / (4 * LEANING), 0.0, 1.0 - 1e-9)
    order = rank_order((score * 2.0**KEY_BITS).astype(np.uint64))
    stars = np.empty(len(user), dtype=np.uint8)
    stars[order] = np.repeat(np.arange(1, 6, dtype=np.uint8), counts)
    return stars


def _follow_ups(
    visits: Block,
    stretch: Stretch,
    by_bot: np.ndarray[Any, np.dtype[np.bool_]],
    rng: np.random.Generator,
) -> list[Block]:
    """Return what goes to the cart and what of that is bought."""
    if not stretch.n_carts:
        return []
    chosen = rng.choice(np.flatnonzero(~by_bot), stretch.n_carts, replace=False)
    carts = _later(visits.take(chosen), Kind.CART, UNTIL_CART_S, rng)
    bought = rng.permutation(len(carts))[: stretch.n_purchases]
    purchases = _later(carts.take(bought), Kind.PURCHASE, UNTIL_PURCHASE_S, rng)
    quantity = 1 + (purchases.salt % 8 == 0) + (purchases.salt % 64 == 0)
    return [carts, replace(purchases, value=quantity.astype(np.uint8))]


def _later(
    block: Block, kind: Kind, wait_s: tuple[float, float], rng: np.random.Generator
) -> Block:
    wait_ms = (rng.uniform(*wait_s, len(block)) * 1000).astype(np.int64)
    return replace(
        block,
        kind=np.full(len(block), KIND_CODES[kind], dtype=np.uint8),
        ts_ms=block.ts_ms + wait_ms,
        salt=rng.integers(0, 2**32, len(block), dtype=np.uint32),
    )


def _repeats(
    visits: Block, stretch: Stretch, rng: np.random.Generator, *, is_reviews: bool
) -> list[Block]:
    """Return copies of some visits: exact ones, and ones with another time."""
    n_repeats = stretch.n_exact + stretch.n_near
    if not n_repeats:
        return []
    chosen = rng.choice(len(visits), n_repeats, replace=False)
    near = visits.take(chosen[stretch.n_exact :])
    if is_reviews:
        wait_ms = np.full(len(near), DAY_MS)
    else:
        wait_ms = (rng.uniform(*UNTIL_REPEAT_S, len(near)) * 1000).astype(np.int64)
    near = replace(
        near,
        ts_ms=near.ts_ms + wait_ms,
        salt=rng.integers(0, 2**32, len(near), dtype=np.uint32),
    )
    return [visits.take(chosen[: stretch.n_exact]), near]
