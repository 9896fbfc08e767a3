"""Which days have data, and which have none where one would expect some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.explore.clock import day_numbers, weekday_of
from endcap.explore.overview import require_interactions
from endcap.explore.wording import WEEKDAYS
from endcap.figures.plots import INK, name_axes, new_axes, shaded_grid
from endcap.figures.wording import counted, date, percent
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_LONGEST = 5
MAX_MONTH_NAMES = 5
MAX_WEEKS = 110
"""Longer spans are drawn by month, so that a square stays large enough to see."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive days without an interaction."""

    start_us: int
    n_days: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The days of the time span.

    first_day: the first day with data, counted from 1 January 1970.
    per_day: interactions on each day from then on, shape (n_days,).
    n_empty_days: how many of them have none.
    longest: the longest runs of such days, the longest first.
    """

    first_day: int
    per_day: NDArray[np.int64]
    n_empty_days: int
    longest: tuple[Gap, ...]

    @property
    def n_days(self) -> int:
        """Days from the first with data to the last, both included."""
        return len(self.per_day)

    @property
    def covered_share(self) -> float:
        """The share of the days that have data."""
        return 1.0 - self.n_empty_days / self.n_days


def time_coverage(data: Dataset) -> Coverage:
    """Return which days have data.

    Cost: 8 bytes a day of the span, however empty: some 400 kB for a span of 140 years.
    """
    require_interactions(data)
    days = day_numbers(data.interactions.ts)
    first = int(days[0])
    per_day = np.bincount(days - first)
    empty = np.flatnonzero(per_day == 0)
    return Coverage(
        first_day=first,
        per_day=per_day,
        n_empty_days=len(empty),
        longest=_longest_runs(empty, first),
    )


def say_coverage(found: Coverage) -> str:
    """Return how complete the days are, as a sentence."""
    if found.n_empty_days == 0:
        return f"Every one of the {counted(found.n_days, 'day', 'days')} has data."
    says = (
        f"{percent(found.covered_share)} of the {found.n_days:,} days have data, "
        f"{counted(found.n_empty_days, 'day has', 'days have')} none"
    )
    weekday = _weekday_of_most_gaps(found)
    if weekday:
        says += f" ({weekday})"
    longest = found.longest[0]
    if found.n_empty_days == 1:
        says += f", {date(longest.start_us)}"
    elif longest.n_days > 1:
        says += f". The longest silence lasts {longest.n_days:,} days from {date(longest.start_us)}"
    return says + "."


def plot_coverage(found: Coverage) -> Figure:
    """Return a calendar, darker where more happened; an outlined square is a day without data.

    Of long spans a square is a month.
    """
    weekdays = weekday_of(np.arange(found.first_day, found.first_day + found.n_days))
    n_weeks = (int(weekdays[0]) + found.n_days - 1) // 7 + 1
    by_week = n_weeks <= MAX_WEEKS
    figure, axes = new_axes(height_in=1.9 if by_week else 2.9)
    (_draw_weeks if by_week else _draw_months)(axes, found)
    return figure


def _draw_weeks(axes: Axes, found: Coverage) -> None:
    days = np.arange(found.first_day, found.first_day + found.n_days)
    weekdays = weekday_of(days)
    weeks = (np.arange(found.n_days) + weekdays[0]) // 7
    grid = np.full((7, int(weeks[-1]) + 1), np.nan)
    grid[weekdays, weeks] = found.per_day
    shaded_grid(axes, grid)
    axes.set_yticks([0, 2, 4, 6], ["Mon", "Wed", "Fri", "Sun"], color=INK)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    begins = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
    begins = begins[:: -(-len(begins) // MAX_MONTH_NAMES)]
    labels = [date(int(days[day]) * DAY_US).split(" ", 1)[1] for day in begins]
    axes.set_xticks(weeks[begins], labels)


def _draw_months(axes: Axes, found: Coverage) -> None:
    days = np.arange(found.first_day, found.first_day + found.n_days)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    years = months // 12 + 1970
    grid = np.full((int(years[-1] - years[0]) + 1, 12), np.nan)
    row, column = years - years[0], months % 12
    grid[row, column] = 0.0
    np.add.at(grid, (row, column), found.per_day)
    shaded_grid(axes, grid)
    shown = np.arange(0, len(grid), max(1, len(grid) // 8))
    axes.set_yticks(shown, [str(int(years[0]) + int(year)) for year in shown], color=INK)
    axes.set_xticks(range(12), list("JFMAMJJASOND"))
    name_axes(axes, "month")


def _longest_runs(empty: NDArray[np.int64], first_day: int) -> tuple[Gap, ...]:
    if len(empty) == 0:
        return ()
    begins = np.flatnonzero(np.append(True, np.diff(empty) > 1))
    lengths = np.diff(np.append(begins, len(empty)))
    order = np.argsort(-lengths, kind="stable")[:N_LONGEST]
    return tuple(
        Gap(int(empty[begins[run]] + first_day) * DAY_US, int(lengths[run])) for run in order
    )


def _weekday_of_most_gaps(found: Coverage) -> str:
    """Return what to say of the weekday on which most of the empty days fall, if one has them."""
    days = np.arange(found.first_day, found.first_day + found.n_days)
    on_weekday = np.bincount(weekday_of(days[found.per_day == 0]), minlength=7)
    most = int(np.argmax(on_weekday))
    if on_weekday[most] * 2 <= found.n_empty_days or on_weekday[most] < 3:
        return ""
    return f"{on_weekday[most]:,} of them a {WEEKDAYS[most]}"
