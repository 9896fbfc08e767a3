"""Interactions over time, a point a day, a week or a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.explore.clock import day_numbers, weekday_of
from endcap.explore.overview import require_interactions
from endcap.figures.plots import filled_steps, name_axes, new_axes, use_counts
from endcap.figures.wording import date, number
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Unit: TypeAlias = Literal["day", "week", "month"]

MAX_DAYS_BY_DAY = 120
MAX_DAYS_BY_WEEK = 1100


@dataclass(frozen=True, slots=True)
class Timeline:
    """Interactions in each of many equal parts of time.

    unit: how long a part is; weeks begin on Monday, all in UTC.
    start_us: when each part begins, ascending, shape (n_parts,).
    end_us: when the last one ends.
    counts: interactions in each part, shape (n_parts,).
    is_whole: whether the data covers the part from its first to its last day, shape (n_parts,).
    """

    unit: Unit
    start_us: NDArray[np.int64]
    end_us: int
    counts: NDArray[np.int64]
    is_whole: NDArray[np.bool_]


def timeline(data: Dataset, unit: Unit | None = None) -> Timeline:
    """Return the interactions over time.

    Args:
        data: interactions, in time order as always.
        unit: of a part; when None, one that makes between one and some 150 of them.
    """
    require_interactions(data)
    days = day_numbers(data.interactions.ts)
    first, last = int(days[0]), int(days[-1])
    n_days = last - first + 1
    if unit is None:
        unit = "day" if n_days <= MAX_DAYS_BY_DAY else "month"
        unit = "week" if MAX_DAYS_BY_DAY < n_days <= MAX_DAYS_BY_WEEK else unit
    bounds = _bounds(unit, first, last)
    places = np.searchsorted(days, bounds)
    is_whole = (bounds[:-1] >= first) & (bounds[1:] <= last + 1)
    return Timeline(
        unit=unit,
        start_us=bounds[:-1] * DAY_US,
        end_us=int(bounds[-1]) * DAY_US,
        counts=np.diff(places),
        is_whole=is_whole,
    )


def say_timeline(found: Timeline, noun: str = "interactions") -> str:
    """Return the usual and the busiest part of time, as a sentence."""
    whole = found.counts[found.is_whole] if found.is_whole.any() else found.counts
    busiest = int(np.argmax(found.counts))
    says = (
        f"A {found.unit} has {number(float(np.median(whole)))} {noun} in the median; the busiest, "
        f"{_when(found, busiest)}, has {found.counts[busiest]:,}."
    )
    n_partial = int(np.count_nonzero(~found.is_whole))
    if n_partial and len(found.counts) > n_partial:
        says += f" The data begins or ends within a {found.unit}, which is why an end may dip."
    return says


def plot_timeline(found: Timeline) -> Figure:
    """Return the interactions over time as one outline."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, axes = new_axes()
    edges = np.append(found.start_us, found.end_us).astype("datetime64[us]")
    filled_steps(axes, found.counts, edges)
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    shown = ConciseDateFormatter(locator, show_offset=False)
    axes.xaxis.set_major_formatter(shown)
    use_counts(axes)
    name_axes(axes, "", f"interactions a {found.unit}")
    return figure


def _bounds(unit: Unit, first_day: int, last_day: int) -> NDArray[np.int64]:
    """Return where parts begin, as day numbers, and where the last ends; they cover both days."""
    if unit == "month":
        first_month, last_month = (
            np.datetime64(day, "D").astype("datetime64[M]") for day in (first_day, last_day)
        )
        months = np.arange(first_month, last_month + 2)
        return months.astype("datetime64[D]").astype(np.int64)
    length = 7 if unit == "week" else 1
    begin = first_day - int(weekday_of(np.array([first_day]))[0]) if unit == "week" else first_day
    n_parts = (last_day - begin) // length + 1
    return begin + length * np.arange(n_parts + 1, dtype=np.int64)


def _when(found: Timeline, part: int) -> str:
    start_us = int(found.start_us[part])
    if found.unit == "month":
        return date(start_us).split(" ", 1)[1]
    return f"that of {date(start_us)}" if found.unit == "week" else date(start_us)
