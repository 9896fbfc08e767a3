"""Who is there: users with their activity, items with their lives, categories and prices.

Kept as small arrays of a few bytes for each user and item; all else is made from the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from endcap.simulate.counts import Counts, power_law_counts
from endcap.simulate.scramble import Floats, Integers, mixed, unit
from endcap.simulate.spec import EventSpec

USER_EXPONENT = 1.3
ITEM_EXPONENT = 1.0
LONGEST_USER = 500.0
EVENTS_PER_SESSION = {True: 1.7, False: 4.0}
"""Mean length of a long user's sessions: of reviews, of visits to a shop."""

VISITS_PER_BOT_SESSION = 2500
MAX_CATEGORIES = 64

SIXTEEN_BITS = 65_535.0
STAY = (0.15, 1.0, 1 / 2)
LIFE = (0.2, 1.5, 1 / 3)
"""How long users stay and items live at least and at most, and how much of it may lie before.

A third for items, which fade, puts the middle of all their popularity where that of all users'
activity is; a half would put it too early.
"""

_PRICE, _QUALITY = 11, 12

Singles = np.ndarray[Any, np.dtype[np.float32]]
Short = np.ndarray[Any, np.dtype[np.uint16]]


@dataclass(frozen=True, slots=True)
class Spans:
    """When each user or item is there: two bytes for its first moment, two for its length.

    shortest, longest: length, as shares of the period.
    outside: how much of a span may lie before the period; so much lies within it at least.
    """

    first: Short
    length: Short
    shortest: float
    longest: float
    outside: float

    def of(self, index: np.ndarray[Any, Any]) -> tuple[Singles, Singles]:
        """Return (first, length) as shares of the period; a span may begin before it."""
        length = self.length[index] * np.float32((self.longest - self.shortest) / SIXTEEN_BITS)
        length += np.float32(self.shortest)
        first = self.first[index] * np.float32(1 / SIXTEEN_BITS)
        first -= length * np.float32(self.outside)
        return first, length


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody and everything, by index.

    Attributes:
        n_sessions, n_more: of each user, its sessions and the visits beyond one a session.
        item_counts: visits of each item.
        stays, lives: when users and items are there.
        first_item: where each category begins among the items, and where the last one ends.
        mass: share of all visits that go to categories before each, and 1.0.
        first_bot: users from here on are programs.
    """

    n_sessions: Counts
    n_more: Counts
    item_counts: Counts
    stays: Spans
    lives: Spans
    first_item: Integers
    mass: Floats
    first_bot: int

    def category_of(self, item: np.ndarray[Any, Any]) -> Integers:
        """Return the category of each item: items of one category stand together."""
        return np.searchsorted(self.first_item, item, side="right") - 1


def build_population(spec: EventSpec) -> Population:
    """Return the users and items of a simulation, with their events but without their times."""
    n_sessions, n_more = _users(spec, np.random.default_rng([spec.seed, 1]))
    rng = np.random.default_rng([spec.seed, 2])
    item_counts = power_law_counts(
        spec.n_items,
        spec.n_visits,
        minimum=spec.min_per_item,
        exponent=ITEM_EXPONENT,
        longest=max(50.0, spec.n_items / 30),
        rng=rng,
    )
    first_item = _categories(spec.n_items, rng)
    visits = np.add.reduceat(item_counts, first_item[:-1], dtype=np.int64)
    mass = np.concatenate([[0.0], np.cumsum(visits) / max(1, int(visits.sum()))])
    return Population(
        n_sessions=n_sessions,
        n_more=n_more,
        item_counts=item_counts,
        stays=_spans(spec.n_users, STAY, rng),
        lives=_spans(spec.n_items, LIFE, rng),
        first_item=first_item,
        mass=mass,
        first_bot=spec.n_users - spec.n_bots,
    )


def price_cents(item: np.ndarray[Any, Any], *, seed: int) -> Integers:
    """Return the price of each item, from 0.99 to about 1,000, most of them ending in 99."""
    bits = mixed(item, seed=seed, purpose=_PRICE)
    spread = unit(bits) + unit(bits * np.uint64(0x9E3779B97F4A7C15)) + unit(~bits << np.uint64(24))
    units = np.exp(1.2 + 1.9 * spread).astype(np.int64) - 3
    odd_cents = np.where(bits & np.uint64(7), 99, (bits >> np.uint64(40)) % np.uint64(100))
    prices: Integers = units * 100 + odd_cents.astype(np.int64)
    return np.maximum(prices, 99)


def quality(item: np.ndarray[Any, Any], *, seed: int) -> Floats:
    """Return how good each item is, from -1 to 1: what its stars lean on."""
    return unit(mixed(item, seed=seed, purpose=_QUALITY)) * 2.0 - 1.0


def _users(spec: EventSpec, rng: np.random.Generator) -> tuple[Counts, Counts]:
    n_by_bots = round(spec.bots * spec.n_visits)
    n_people = spec.n_users - spec.n_bots
    visits = power_law_counts(
        n_people,
        spec.n_visits - n_by_bots,
        minimum=spec.min_per_user,
        exponent=USER_EXPONENT,
        longest=LONGEST_USER,
        rng=rng,
    )
    sessions = 1 + rng.binomial(visits - 1, 1.0 / EVENTS_PER_SESSION[spec.is_reviews])
    if spec.n_bots:
        each, left = divmod(n_by_bots, spec.n_bots)
        by_bots = each + (np.arange(spec.n_bots) < left)
        visits = np.concatenate([visits, by_bots])
        sessions = np.concatenate([sessions, -(-by_bots // VISITS_PER_BOT_SESSION)])
    n_sessions = sessions.astype(np.int32)
    return n_sessions, (visits - n_sessions).astype(np.int32)


def _categories(n_items: int, rng: np.random.Generator) -> Integers:
    """Return where each category begins; the largest have many times the items of the smallest."""
    n_categories = min(MAX_CATEGORIES, max(1, n_items // 16))
    sizes = rng.permutation(1.0 / (np.arange(n_categories) + 3.0))
    spare = n_items - n_categories
    ends = np.round(np.cumsum(sizes) / sizes.sum() * spare).astype(np.int64)
    return np.concatenate([[0], ends + np.arange(1, n_categories + 1)])


def _spans(n: int, limits: tuple[float, float, float], rng: np.random.Generator) -> Spans:
    first = rng.integers(0, 2**16, n, dtype=np.uint16)
    length = rng.integers(0, 2**16, n, dtype=np.uint16)
    return Spans(first, length, *limits)
