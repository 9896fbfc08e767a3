"""Deals every user's and item's events out over time, without ever having them all in memory.

A stretch of time is split in two again and again. What falls into which part is drawn for each
user and item from the time that it is there, so numbers stay exact: the parts add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from endcap.simulate.counts import Counts
from endcap.simulate.population import Population, Singles, Spans
from endcap.simulate.scramble import Integers
from endcap.simulate.seasons import Clock
from endcap.simulate.spec import EventSpec

MOST_IN_A_STRETCH = 2**17
LEAST_IN_A_STRETCH = 2**9
N_STRETCHES = 64
"""A short simulation still has about this many stretches, so that items come and go in it."""

MAX_DEPTH = 48
_TILT_STEPS, _SURE_ENOUGH = 8, 0.1
_CHUNK = 2**16
_SPLIT = 3

Floating = np.ndarray[Any, np.dtype[np.floating[Any]]]
Indices = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happens between two moments, not yet ordered.

    Attributes:
        begin, end: as shares of all activity.
        number: 1 for the whole; a stretch n is split into 2n and 2n + 1.
        users, n_sessions, n_more: users with sessions that begin here, and visits beyond one each.
        items, item_counts: items visited here; they add up to as many visits.
        stars: how many visits give one to five stars.
        n_carts, n_purchases: how many visits of people go on to the cart, and of these to a
            purchase; programs buy nothing.
        n_exact, n_near: how many visits are repeated, exactly and with another time.
    """

    begin: float
    end: float
    number: int
    users: Indices
    n_sessions: Counts
    n_more: Counts
    items: Indices
    item_counts: Counts
    stars: Integers
    n_carts: int
    n_purchases: int
    n_exact: int
    n_near: int

    @property
    def n_visits(self) -> int:
        """Return the number of visits."""
        return int(self.n_sessions.sum(dtype=np.int64) + self.n_more.sum(dtype=np.int64))

    def n_visits_of(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
        """Return the number of visits by the chosen ones of `users`."""
        return int(self.n_sessions[chosen].sum() + self.n_more[chosen].sum())


def stretches(spec: EventSpec, population: Population, clock: Clock) -> Iterator[Stretch]:
    """Yield stretches of at most `MOST_IN_A_STRETCH` visits in the order of time, none empty.

    A stretch of more than a day is split at midnight, so that most days lie within one stretch.

    Cost: O(n log n) time in the visits; memory for the users and items of one stretch of each
    depth, which is no more than a few times all users and items.
    """
    target = spec.n_visits // N_STRETCHES
    most = min(max(target, LEAST_IN_A_STRETCH), MOST_IN_A_STRETCH)
    waiting = [_whole(spec, population)]
    while waiting:
        stretch = waiting.pop()
        n_visits = stretch.n_visits
        if n_visits == 0:
            continue
        if n_visits <= most or stretch.number.bit_length() > MAX_DEPTH:
            yield stretch
            continue
        rng = np.random.default_rng([spec.seed, _SPLIT, stretch.number])
        middle = clock.middle(stretch.begin, stretch.end)
        earlier, later = parted(stretch, middle, population, rng)
        del stretch
        waiting += [later, earlier]


def parted(
    stretch: Stretch, middle: float, population: Population, rng: np.random.Generator
) -> tuple[Stretch, Stretch]:
    """Return what of a stretch happens before and after a moment within it."""
    begin, end = stretch.begin, stretch.end
    share = share_of_stay(stretch.users, population.stays, begin, middle, end)
    sessions = drawn(stretch.n_sessions, share, rng)
    more = _more_of_earlier(stretch, sessions, rng)
    n_earlier = int(sessions.sum(dtype=np.int64) + more.sum(dtype=np.int64))
    n_later = stretch.n_visits - n_earlier
    share = share_of_life(stretch.items, population.lives, begin, middle, end)
    items = drawn_exactly(stretch.item_counts, share, n_earlier, rng)
    stars = rng.multivariate_hypergeometric(stretch.stars, n_earlier if stretch.stars.any() else 0)
    people = stretch.users < population.first_bot
    n_by_people = int(sessions[people].sum() + more[people].sum())
    n_later_by_people = stretch.n_visits_of(people) - n_by_people
    carts = _of(n_by_people, n_later_by_people, stretch.n_carts, rng)
    purchases = _of(carts, stretch.n_carts - carts, stretch.n_purchases, rng)
    exact = _of(n_earlier, n_later, stretch.n_exact, rng)
    near = _of(n_earlier - exact, n_later - stretch.n_exact + exact, stretch.n_near, rng)
    small = (stars, carts, purchases, exact, near)
    rest = (
        stretch.stars - stars,
        stretch.n_carts - carts,
        stretch.n_purchases - purchases,
        stretch.n_exact - exact,
        stretch.n_near - near,
    )
    earlier = _part(stretch, (begin, middle), 2 * stretch.number, sessions, more, items, small)
    np.subtract(stretch.n_sessions, sessions, out=sessions)
    np.subtract(stretch.n_more, more, out=more)
    np.subtract(stretch.item_counts, items, out=items)
    later = _part(stretch, (middle, end), 2 * stretch.number + 1, sessions, more, items, rest)
    return earlier, later


def share_of_stay(users: Indices, stays: Spans, begin: float, middle: float, end: float) -> Singles:
    """Return how much of each user's time in [begin, end) lies before the middle."""
    share = np.empty(len(users), dtype=np.float32)
    for at in range(0, len(users), _CHUNK):
        first, length = stays.of(users[at : at + _CHUNK])
        last = first + length
        ends = (begin, middle, end)
        low, mid, high = (np.minimum(np.maximum(first, np.float32(x)), last) for x in ends)
        _divide(mid - low, high - low, share[at : at + _CHUNK])
    return share


def share_of_life(items: Indices, lives: Spans, begin: float, middle: float, end: float) -> Singles:
    """Return how much of each item's popularity in [begin, end) lies before the middle.

    An item is most popular when it appears and fades evenly to nothing.
    """
    share = np.empty(len(items), dtype=np.float32)
    for at in range(0, len(items), _CHUNK):
        first, length = lives.of(items[at : at + _CHUNK])
        ages = (np.clip((np.float32(x) - first) / length, 0, 1) for x in (begin, middle, end))
        low, mid, high = (age * (2 - age) for age in ages)
        _divide(mid - low, high - low, share[at : at + _CHUNK])
    return share


def drawn(counts: Counts, share: Singles, rng: np.random.Generator) -> Counts:
    """Return how many of each count are drawn, each one with the probability `share`."""
    taken = np.empty(len(counts), dtype=np.int32)
    for at in range(0, len(counts), _CHUNK):
        n, p = counts[at : at + _CHUNK], share[at : at + _CHUNK]
        part = taken[at : at + _CHUNK]
        part[:] = rng.random(len(n), dtype=np.float32) < p
        many = np.flatnonzero(n > 1)
        part[many] = rng.binomial(n[many], p[many])
    return taken


def drawn_exactly(counts: Counts, share: Singles, total: int, rng: np.random.Generator) -> Counts:
    """Return how many of each count are drawn, `total` in all.

    The shares are tilted until they fit the total; what chance leaves is put right one by one.
    """
    _tilt(counts, share, total)
    taken = drawn(counts, share, rng)
    wanted = (share > 0) & (share < 1)
    while missing := total - int(taken.sum(dtype=np.int64)):
        free = (taken < counts) if missing > 0 else (taken > 0)
        chosen = np.flatnonzero(free & wanted)
        if len(chosen) == 0:
            chosen = np.flatnonzero(free)
        n_changed = min(abs(missing), len(chosen))
        step = 1 if missing > 0 else -1
        taken[rng.choice(chosen, n_changed, replace=False, shuffle=False)] += np.int32(step)
    return taken


def _tilt(counts: Counts, share: Singles, total: int) -> None:
    """Multiply the odds of all shares, in place, so that about the total is drawn.

    The factor is found by Newton's method on its logarithm. Shares of 0 and 1 stay, and what is
    all but certain stays so: an item gets no visits when it is gone.
    """
    log_factor = 0.0
    for _ in range(_TILT_STEPS):
        expected, variance = _moments(counts, share, log_factor)
        if abs(total - expected) < _SURE_ENOUGH * max(variance, 1.0) ** 0.5:
            break
        log_factor += min(max((total - expected) / max(variance, 1.0), -1.0), 1.0)
    for at in range(0, len(share), _CHUNK):
        share[at : at + _CHUNK] = _with_odds(share[at : at + _CHUNK], log_factor)


def _moments(counts: Counts, share: Singles, log_factor: float) -> tuple[float, float]:
    """Return the mean and the variance of how many are drawn with the odds multiplied."""
    expected = variance = 0.0
    for at in range(0, len(counts), _CHUNK):
        p = _with_odds(share[at : at + _CHUNK], log_factor)
        drawn_here = counts[at : at + _CHUNK] * p
        expected += float(drawn_here.sum(dtype=np.float64))
        variance += float((drawn_here * (1 - p)).sum(dtype=np.float64))
    return expected, variance


def _with_odds(share: Singles, log_factor: float) -> Singles:
    if log_factor == 0.0:
        return share
    odds_up = share * np.float32(math.exp(log_factor))
    return (odds_up / (1 - share + odds_up)).astype(np.float32, copy=False)


def _divide(part: Floating, whole: Floating, out: Singles) -> None:
    out.fill(0.5)
    np.divide(part, whole, out=out, where=whole > 0)
    np.clip(out, 0, 1, out=out)  # rounding can make a part a little more than the whole


def _more_of_earlier(stretch: Stretch, earlier: Counts, rng: np.random.Generator) -> Counts:
    """Return how many visits beyond one a session go to the earlier sessions.

    All ways to spread them over the sessions are equally likely, so lengths of sessions fall off
    geometrically (the splits are beta-binomial).
    """
    more = np.where(earlier == stretch.n_sessions, stretch.n_more, 0)
    mixed = np.flatnonzero((earlier > 0) & (earlier < stretch.n_sessions) & (stretch.n_more > 0))
    first = earlier[mixed]
    share = rng.beta(first, stretch.n_sessions[mixed] - first)
    more[mixed] = rng.binomial(stretch.n_more[mixed], share)
    return more


def _of(n_earlier: int, n_later: int, n_drawn: int, rng: np.random.Generator) -> int:
    return int(rng.hypergeometric(n_earlier, n_later, n_drawn)) if n_drawn else 0


def _whole(spec: EventSpec, population: Population) -> Stretch:
    items = np.flatnonzero(population.item_counts).astype(np.int32)
    n_near = spec.n_repeats // 2
    return Stretch(
        begin=0.0,
        end=1.0,
        number=1,
        users=np.arange(spec.n_users, dtype=np.int32),
        n_sessions=population.n_sessions,
        n_more=population.n_more,
        items=items,
        item_counts=population.item_counts[items],
        stars=np.array(spec.stars_of_visits, dtype=np.int64),
        n_carts=spec.n_carts,
        n_purchases=spec.n_purchases,
        n_exact=spec.n_repeats - n_near,
        n_near=n_near,
    )


def _part(
    whole: Stretch,
    times: tuple[float, float],
    number: int,
    sessions: Counts,
    more: Counts,
    items: Counts,
    small: tuple[Integers, int, int, int, int],
) -> Stretch:
    """Return the stretch of those users and items of the whole that have something in it."""
    active, seen = sessions > 0, items > 0
    stars, n_carts, n_purchases, n_exact, n_near = small
    return Stretch(
        begin=times[0],
        end=times[1],
        number=number,
        users=whole.users[active],
        n_sessions=sessions[active],
        n_more=more[active],
        items=whole.items[seen],
        item_counts=items[seen],
        stars=stars,
        n_carts=n_carts,
        n_purchases=n_purchases,
        n_exact=n_exact,
        n_near=n_near,
    )
