"""What to simulate: sizes, shape, seed and form of the file, checked before any work begins.

Not for settings of the program: a simulation is told by its command alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Self

from endcap.schema.errors import SettingsError

MAX_EVENTS = 999_999_999
MAX_DAYS = 12_000
FIRST_START, LAST_START = date(1990, 1, 1), date(2100, 1, 1)
MOST_SHARE = 0.4
"""Of repeats, so that there is enough to repeat, and of bots, so that people are the most."""

EVENTS_PER_BOT = 10_000

Stars = tuple[int, int, int, int, int]


class Format(StrEnum):
    """The form of the file."""

    AMAZON_2014 = "amazon-2014"
    AMAZON_2018 = "amazon-2018"
    AMAZON_2023 = "amazon-2023"
    RETAILROCKET = "retailrocket"
    CSV = "csv"
    JSONL = "jsonl"


AMAZON = frozenset({Format.AMAZON_2014, Format.AMAZON_2018, Format.AMAZON_2023})
ELECTRONICS_STARS: Stars = (108_725, 82_139, 142_257, 347_041, 1_009_026)
"""How often each number of stars, one to five, was given in Electronics, 5-core, 2014."""

FUNNEL: Mapping[Format, tuple[float, float]] = {
    Format.RETAILROCKET: (0.02515, 0.00815),
    Format.CSV: (0.10, 0.05),
    Format.JSONL: (0.10, 0.05),
}
"""Shares of carts and of purchases among the events of a shop; RetailRocket's as published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """A simulation, complete: the same spec gives the same bytes.

    Attributes:
        n_users: users that act, each at least `min_per_user` times.
        n_items: items of the catalogue; those that nobody touches are in the catalogue alone.
        n_events: lines of the file, duplicates included.
        text: reviews have words; without, their text and summary are empty.
        duplicates: share of the events that repeat another one, half of them exactly, half with
            another time.
        bots: share of the visits that programs make.
        start: the first day, UTC.
        growth: how many times more happens at the end than at the start.
        stars: number of reviews with one to five stars; with it, CSV and JSON lines hold reviews.
    """

    n_users: int
    n_items: int
    n_events: int
    n_days: int = 365
    seed: int = 0
    format: Format = Format.CSV
    text: bool = True
    duplicates: float = 0.0
    bots: float = 0.0
    min_per_user: int = 1
    min_per_item: int = 0
    start: date = date(2024, 1, 1)
    growth: float = 1.0
    stars: Stars | None = None

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_enough(self)

    @property
    def is_reviews(self) -> bool:
        """Return whether the events are reviews with stars, not visits to a shop."""
        return self.format in AMAZON or self.stars is not None

    @property
    def n_repeats(self) -> int:
        """Return how many events repeat another one."""
        return round(self.duplicates * self.n_events)

    @property
    def n_carts(self) -> int:
        """Return how many events put an item into the cart."""
        return self._share_of_originals(0)

    @property
    def n_purchases(self) -> int:
        """Return how many events buy an item."""
        return self._share_of_originals(1)

    @property
    def n_visits(self) -> int:
        """Return how many events are neither repeats nor follow from another: views or reviews."""
        return self.n_events - self.n_repeats - self.n_carts - self.n_purchases

    @property
    def n_bots(self) -> int:
        """Return how many of the users are programs."""
        return -(-round(self.bots * self.n_visits) // EVENTS_PER_BOT)

    @property
    def stars_of_visits(self) -> Stars:
        """Return how many visits give one to five stars; they add up to the visits."""
        if not self.is_reviews:
            return (0, 0, 0, 0, 0)
        return shares_of(self.n_visits, self.stars or ELECTRONICS_STARS)

    def _share_of_originals(self, which: int) -> int:
        if self.is_reviews:
            return 0
        return round(FUNNEL[self.format][which] * (self.n_events - self.n_repeats))

    def scaled(self, scale: float) -> Self:
        """Return the same shop with so many times the users, items and events.

        Raises:
            SettingsError: the scale is not above 0 and at most 100.
        """
        if not 0 < scale <= 100:
            raise wrong(f"a scale of {scale} is out of range", "--scale", "Take 0.001 to 100")
        n_events = max(1, round(self.n_events * scale))
        return replace(
            self,
            n_users=max(1, round(self.n_users * scale)),
            n_items=max(1, round(self.n_items * scale)),
            n_events=n_events,
            stars=shares_of(n_events, self.stars) if self.stars else None,
        )


def shares_of(total: int, proportions: Stars) -> Stars:
    """Return whole numbers in these proportions that add up to the total (largest remainder)."""
    whole = sum(proportions)
    exact = [total * part / whole for part in proportions]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(5), key=lambda n: counts[n] - exact[n])
    for n in by_remainder[: total - sum(counts)]:
        counts[n] += 1
    one, two, three, four, five = counts
    return one, two, three, four, five


def _check_ranges(spec: EventSpec) -> None:
    whole = {
        "--users": (spec.n_users, 1, 100_000_000),
        "--items": (spec.n_items, 1, 100_000_000),
        "--events": (spec.n_events, 1, MAX_EVENTS),
        "--days": (spec.n_days, 1, MAX_DAYS),
        "--seed": (spec.seed, 0, 2**63 - 1),
        "--min-per-user": (spec.min_per_user, 1, MAX_EVENTS),
        "--min-per-item": (spec.min_per_item, 0, MAX_EVENTS),
    }
    for flag, (value, least, most) in whole.items():
        if not least <= value <= most:
            raise wrong(f"{value:,} is out of range", flag, f"Take {least:,} to {most:,}")
    for flag, share in (("--duplicates", spec.duplicates), ("--bots", spec.bots)):
        if not 0 <= share <= MOST_SHARE:
            mend = "One in a hundred is 0.01"
            raise wrong(f"{share} is no share from 0 to {MOST_SHARE}", flag, mend)
    if not 0.001 <= spec.growth <= 1000:
        raise wrong(f"a growth of {spec.growth} is out of range", "--growth", "Take 0.001 to 1000")
    if not FIRST_START <= spec.start <= LAST_START:
        mend = f"Take {FIRST_START} to {LAST_START}"
        raise wrong(f"{spec.start} is out of range", "--start", mend)
    if spec.stars is not None and sum(spec.stars) != spec.n_events:
        raise wrong("the stars do not add up to the events", "stars", "Count each event once")
    if spec.stars is not None and spec.format not in AMAZON | {Format.CSV, Format.JSONL}:
        raise wrong(
            f"{spec.format} has no reviews", "--format", "Take an Amazon format, csv or jsonl"
        )


def _check_enough(spec: EventSpec) -> None:
    """Check that there are events enough for every user and item to have its least number."""
    for flag, n_owners, least in (
        ("--users", spec.n_users, spec.min_per_user),
        ("--items", spec.n_items, spec.min_per_item),
    ):
        if n_owners * least > spec.n_visits:
            raise wrong(
                f"{n_owners:,} x {least} events are more than there are: {spec.n_visits:,} of "
                f"{spec.n_events:,}, without repeats, carts and purchases",
                flag,
                f"Ask for more --events or fewer {flag}",
            )
    n_by_bots = round(spec.bots * spec.n_visits)
    n_by_people = spec.n_visits - n_by_bots
    n_people = spec.n_users - spec.n_bots
    if spec.n_bots and (
        n_people < 1
        or n_people * spec.min_per_user > n_by_people
        or spec.n_bots * spec.min_per_user > n_by_bots
    ):
        raise wrong(
            f"{spec.n_bots:,} bots with {n_by_bots:,} visits leave too little for "
            f"{n_people:,} other users",
            "--bots",
            "Ask for more --events, more --users or a smaller share",
        )


def wrong(what: str, flag: str, mend: str) -> SettingsError:
    """Return the error that names the flag and what to do."""
    return SettingsError(what, where=flag, mend=mend)
