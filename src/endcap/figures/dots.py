"""Plots of means with their intervals: beside each other, against each other, and in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from endcap.figures.plots import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    SECOND,
    TEXT_PT,
    clipped,
    name_axes,
    name_places,
    new_axes,
    use_log,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

Role: TypeAlias = Literal["plain", "reference", "chance"]

_MARKERS: dict[Role, str] = {"plain": "o", "reference": "D", "chance": "o"}
_COLOURS: dict[Role, str] = {"plain": ACCENT, "reference": SECOND, "chance": MUTED}
_DOT_PT = 6.5
_ROW_IN = 0.29
_DECADES = 50
_LABEL_SPOTS = tuple(
    (dx * far, dy * far)
    for far in (1, 2, 3)
    for dx, dy in ((7, 0), (-7, 0), (4, 9), (4, -9), (-4, 9), (-4, -9))
)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its interval; the ends may be NaN, and then none is drawn."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Dot:
    """Something with a name and a mean.

    role: `reference` is what others are compared with, `chance` what knows nothing; both look
        different in colour and in shape.
    """

    name: str
    mean: Mean
    role: Role = "plain"


@dataclass(frozen=True, slots=True)
class Point:
    """Something with a name and two means."""

    name: str
    x: Mean
    y: Mean
    role: Role = "plain"


def sideways_dots(dots: Sequence[Dot], *, measures: str, texts: Sequence[str]) -> Figure:
    """Return a figure of one row a name, the first on top: a dot, its interval, and a text.

    A dashed line through the reference tells which intervals reach it.

    Args:
        dots: at least one with a known mean.
        measures: what the axis measures.
        texts: what to write at the right-hand end of each row.
    """
    figure, axes = new_axes(height_in=0.75 + _ROW_IN * len(dots))
    for place, dot in enumerate(dots):
        _mark(axes, dot.mean.value, place, dot.role)
        if not math.isnan(dot.mean.low):
            ends = (dot.mean.low, dot.mean.high)
            axes.plot(ends, (place, place), color=_COLOURS[dot.role], linewidth=1.6, zorder=2)
        if dot.role == "reference":
            axes.axvline(dot.mean.value, color=SECOND, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    # A name is data: a dollar sign in it starts no formula.
    names = [clipped(dot.name) for dot in dots]
    axes.set_yticks(range(len(dots)), names, color=INK, parse_math=False)
    axes.set_ylim(len(dots) - 0.4, -0.6)
    _write_at_right(axes, texts)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=LINE, linewidth=0.8)
    axes.margins(x=0.06)
    _few_ticks(axes, "x")
    name_axes(axes, measures)
    return figure


def labelled_points(points: Sequence[Point], *, x: str, y: str) -> Figure:
    """Return a figure of named points with the intervals of both means, names apart.

    Where x spans decades its axis is logarithmic.
    """
    figure, axes = new_axes(height_in=3.4)
    lowest, highest = (pick(point.x.value for point in points) for pick in (min, max))
    is_log = lowest > 0 and highest > _DECADES * lowest
    axes.grid(visible=True, axis="x", color=LINE, linewidth=0.8)
    for point in points:
        _mark(axes, point.x.value, point.y.value, point.role)
        look: dict[str, Any] = {"color": _COLOURS[point.role], "linewidth": 1.1, "alpha": 0.55}
        if not math.isnan(point.x.low):
            axes.plot((point.x.low, point.x.high), (point.y.value,) * 2, **look)
        if not math.isnan(point.y.low):
            axes.plot((point.x.value,) * 2, (point.y.low, point.y.high), **look)
    axes.margins(x=0.16, y=0.1)
    if is_log:
        use_log(axes, "x", lambda value: f"{value:g}")
    else:
        _few_ticks(axes, "x")
    _few_ticks(axes, "y")
    name_axes(axes, x, y)
    _name_points(figure, axes, points)
    return figure


def grouped_dots(
    labels: Sequence[str], series: Sequence[tuple[str, Role, Sequence[Mean]]], *, x: str, y: str
) -> Figure:
    """Return a figure of a few series over the same places, means with intervals side by side.

    Args:
        labels: of the places, from left to right.
        series: name, look and one mean for each place; where the ends are NaN, the dot is hollow.
        x: what the places are.
        y: what the means measure.
    """
    figure, axes = new_axes()
    for number, (name, role, means) in enumerate(series):
        offset = 0.22 * (number - (len(series) - 1) / 2)
        for place, mean in enumerate(means):
            is_sure = not math.isnan(mean.low)
            _mark(axes, place + offset, mean.value, role, is_hollow=not is_sure)
            if is_sure:
                ends = (mean.low, mean.high)
                axes.plot((place + offset,) * 2, ends, color=_COLOURS[role], linewidth=1.6)
        _mark(axes, math.nan, math.nan, role, name=name)
    name_places(axes, labels)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    legend = axes.legend(
        frameon=False,
        fontsize=TEXT_PT - 1,
        labelcolor=MUTED,
        ncols=len(series),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        handletextpad=0.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    _few_ticks(axes, "y")
    name_axes(axes, x, y)
    return figure


def _mark(
    axes: Axes, x: float, y: float, role: Role, *, is_hollow: bool = False, name: str | None = None
) -> None:
    colour = _COLOURS[role]
    axes.plot(
        x,
        y,
        marker=_MARKERS[role],
        markersize=_DOT_PT - (role == "reference"),
        color=colour,
        markerfacecolor="none" if is_hollow or role == "chance" else colour,
        markeredgewidth=1.4,
        linestyle="",
        label=name,
        zorder=3,
    )


def _few_ticks(axes: Axes, which: Literal["x", "y"]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _write_at_right(axes: Axes, texts: Sequence[str]) -> None:
    for place, text in enumerate(texts):
        axes.annotate(
            text,
            (1.0, place),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="left",
            va="center",
            color=MUTED,
            fontsize=TEXT_PT - 1,
            parse_math=False,
        )


def _name_points(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    """Write the names where they cover neither each other nor a point, if there is such a place."""
    figure.draw_without_rendering()
    places = axes.transData.transform([(point.x.value, point.y.value) for point in points])
    taken: list[Bbox] = []
    for point in points:
        for dx, dy in _LABEL_SPOTS:
            text = axes.annotate(
                clipped(point.name),
                (point.x.value, point.y.value),
                (dx, dy),
                textcoords="offset points",
                ha="left" if dx > 0 else "right",
                va="center",
                color=INK if point.role == "plain" else _COLOURS[point.role],
                fontsize=TEXT_PT - 1,
                parse_math=False,
            )
            box = text.get_window_extent()
            covers = any(box.overlaps(other) for other in taken)
            if not covers and box.count_contains(places) == 0 and _is_inside(box, axes):
                break
            text.remove()
        else:
            continue
        taken.append(box)


def _is_inside(box: Bbox, axes: Axes) -> bool:
    frame = axes.get_window_extent()
    return bool(frame.x0 - 2 <= box.x0 and box.x1 <= frame.x1 + 2)
