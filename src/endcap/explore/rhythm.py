"""When in the week and in the day things happen, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.explore.clock import day_numbers, has_time_of_day, hour_of, weekday_of
from endcap.explore.overview import require_interactions
from endcap.explore.wording import WEEKDAYS
from endcap.figures.plots import INK, bars, name_axes, new_axes, shaded_grid
from endcap.figures.wording import listed, percent
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Interactions by weekday and hour.

    counts: shape (7, 24); Monday is row 0. Without a time of day all are in column 0.
    n_weekdays: how often each weekday occurs in the time span, shape (7,).
    has_time_of_day: False when times are days only.
    """

    counts: NDArray[np.int64]
    n_weekdays: NDArray[np.int64]
    has_time_of_day: bool

    @property
    def weekday_shares(self) -> NDArray[np.float64]:
        """Each weekday's share of the interactions."""
        return np.asarray(self.counts.sum(axis=1) / self.counts.sum())

    @property
    def hour_shares(self) -> NDArray[np.float64]:
        """Each hour's share of the interactions."""
        return np.asarray(self.counts.sum(axis=0) / self.counts.sum())


def rhythm(data: Dataset) -> Rhythm:
    """Return the interactions by weekday and hour."""
    require_interactions(data)
    ts = data.interactions.ts
    days = day_numbers(ts)
    cell = weekday_of(days) * 24 + hour_of(ts)
    covered = np.arange(days[0], days[-1] + 1)
    return Rhythm(
        counts=np.bincount(cell, minlength=7 * 24).reshape(7, 24),
        n_weekdays=np.bincount(weekday_of(covered), minlength=7),
        has_time_of_day=has_time_of_day(ts),
    )


def say_rhythm(found: Rhythm, noun: str = "interactions") -> str:
    """Return the busiest times, and weekdays without anything, as a sentence."""
    by_day = found.weekday_shares
    best = int(np.argmax(by_day))
    says = f"{WEEKDAYS[best]} is the busiest day of the week ({percent(by_day[best])} of all)"
    if found.has_time_of_day:
        hours = found.hour_shares
        hour = int(np.argmax(hours))
        says += f", {hour}:00 to {hour + 1}:00 UTC the busiest hour ({percent(hours[hour])})"
    silent = [WEEKDAYS[day] for day in range(7) if by_day[day] == 0 and found.n_weekdays[day] > 1]
    says += f". There are no {noun} at all on any {listed(silent)}." if silent else "."
    if not found.has_time_of_day:
        says += " Times are whole days here, so nothing can be said of hours."
    return says


def plot_rhythm(found: Rhythm) -> Figure:
    """Return a grid of weekday by hour; the weekdays alone when times are days only."""
    return _plot_grid(found) if found.has_time_of_day else plot_weekdays(found)


def plot_weekdays(found: Rhythm) -> Figure:
    """Return a bar for each weekday."""
    figure, axes = new_axes()
    bars(axes, [name[:3] for name in WEEKDAYS], found.weekday_shares)
    name_axes(axes, "", "share of the interactions")
    return figure


def _plot_grid(found: Rhythm) -> Figure:
    figure, axes = new_axes(height_in=2.3)
    # An hour in which nothing ever happens is no fault, so it stays empty.
    shaded_grid(axes, np.where(found.counts > 0, found.counts, np.nan).astype(np.float64))
    axes.set_yticks(range(7), [name[:3] for name in WEEKDAYS], color=INK)
    axes.set_xticks(range(0, 24, 3), [f"{hour}:00" for hour in range(0, 24, 3)])
    name_axes(axes, "hour of the day, UTC")
    return figure
