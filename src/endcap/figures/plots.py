"""The look of every plot: size, colours, axes. What is drawn is said by the files of the topics.

Figures stand alone: no pyplot, no global state. matplotlib is imported on the first use, so that
commands that draw nothing start without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from endcap.figures.wording import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c2521"
MUTED = "#56605a"
LINE = "#e7e0d4"
ACCENT = "#0f6b4f"
SECOND = "#c8402f"
THEME = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SECOND: "second"}
"""Each colour and the name by which a page may replace it, for readers in the dark."""

WIDTH_IN = 4.9
HEIGHT_IN = 2.9
TEXT_PT = 10.5
N_SHADES = 6
MIN_COLUMNS = 12
TIME_TICKS_S = (1, 10, 60, 600, 3_600, 86_400, 864_000, 8_640_000, 86_400_000)
MAX_TIME_TICKS = 6
MAX_NAME_CHARS = 26
MAX_LABEL_CHARS = 44
"""Of all labels below an axis together, each as long as the longest."""


def new_axes(*, height_in: float = HEIGHT_IN) -> tuple[Figure, Axes]:
    """Return a figure that fits a phone's width, with one pair of quiet axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=TEXT_PT, length=0, which="both")
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    return figure, axes


def name_axes(axes: Axes, x: str, y: str = "") -> None:
    """Write what the axes measure."""
    axes.set_xlabel(x, color=MUTED, fontsize=TEXT_PT)
    if y:
        axes.set_ylabel(y, color=MUTED, fontsize=TEXT_PT)


def use_log(axes: Axes, which: Literal["x", "y"], shown: Callable[[float], str]) -> None:
    """Make an axis logarithmic, with plain numbers at the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(base=10, numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
    axis.set_minor_formatter(NullFormatter())


def use_time(axes: Axes) -> None:
    """Make the x axis a logarithmic one of seconds, with ticks where people would put them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in TIME_TICKS_S if low <= tick <= high]
    ticks = ticks[:: -(-len(ticks) // MAX_TIME_TICKS) or 1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))


def use_percent(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Label an axis of shares as percentages."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))


def use_counts(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Label an axis of counts in thousands and millions."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """Return a number in at most four characters or so: 950, 1.2k, 30M."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{suffix}"
    return f"{value:.3g}"


def bars(axes: Axes, labels: Sequence[str], shares: NDArray[np.float64]) -> None:
    """Draw one upright bar a label with its percentage on top."""
    places = np.arange(len(labels))
    axes.bar(places, shares, width=0.72, color=ACCENT)
    name_places(axes, labels)
    for place, share in zip(places, shares, strict=True):
        text = f"{share:.0%}" if share >= 0.0095 or share == 0 else "<1%"
        axes.annotate(text, (place, share), (0, 2), **_label(ha="center", va="bottom"))
    axes.margins(y=0.12)
    use_percent(axes)


def paired_bars(
    axes: Axes,
    labels: Sequence[str],
    first: tuple[str, NDArray[np.float64]],
    second: tuple[str, NDArray[np.float64]],
) -> None:
    """Draw two upright bars a label, each series with its name in the legend."""
    places = np.arange(len(labels))
    for (name, shares), color, offset in ((first, ACCENT, -0.2), (second, SECOND, 0.2)):
        axes.bar(places + offset, shares, width=0.38, color=color, label=name)
    name_places(axes, labels)
    axes.legend(frameon=False, fontsize=TEXT_PT, labelcolor=MUTED)
    use_percent(axes)


def sideways_bars(
    names: Sequence[str], amounts: NDArray[Any], texts: Sequence[str]
) -> tuple[Figure, Axes]:
    """Return a figure of one lying bar a name, the first on top, each with a text at its end."""
    figure, axes = new_axes(height_in=0.55 + 0.29 * len(names))
    places = np.arange(len(names))
    axes.barh(places, amounts, height=0.68, color=ACCENT)
    # A name is data: a dollar sign in it starts no formula.
    axes.set_yticks(places, [clipped(name) for name in names], color=INK, parse_math=False)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    for place, amount, text in zip(places, amounts, texts, strict=True):
        axes.annotate(text, (float(amount), place), (4, 0), **_label(ha="left", va="center"))
    axes.set_xlim(0, max(float(np.max(amounts)), 1e-12) * _room_for(names, texts))
    return figure, axes


def filled_steps(axes: Axes, counts: NDArray[Any], edges: NDArray[Any]) -> None:
    """Draw a histogram as one filled outline, whatever the number of bins."""
    axes.stairs(counts, edges, fill=True, color=ACCENT, alpha=0.25)
    axes.stairs(counts, edges, color=ACCENT, linewidth=1.4)


def marker_line(axes: Axes, at: float, text: str) -> None:
    """Draw an upright dashed line with words above it; call it when the axis has its scale."""
    axes.axvline(at, color=SECOND, linewidth=1.2, linestyle=(0, (4, 3)))
    left, right = axes.transData.transform([(at, 0), (axes.get_xlim()[1], 0)])[:, 0]
    begin = axes.transData.transform((axes.get_xlim()[0], 0))[0]
    place = (left - begin) / (right - begin)
    axes.annotate(
        text,
        (at, 1.0),
        (0, 2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=SECOND,
        fontsize=TEXT_PT,
        ha="left" if place < 0.25 else "right" if place > 0.75 else "center",
        va="bottom",
    )


def shaded_grid(axes: Axes, grid: NDArray[np.float64]) -> None:
    """Draw a grid of squares, darker where there is more; zeros are outlined, NaN is left out.

    Squares of one shade are one path, so that years of days stay a small picture.

    Args:
        axes: the first row of the grid comes on top.
        grid: shape (n_rows, n_columns).
    """
    known = np.isfinite(grid) & (grid > 0)
    ceiling = float(np.quantile(grid[known], 0.98)) if known.any() else 1.0
    level = np.ceil(np.clip(np.nan_to_num(grid) / ceiling, 0, 1) * N_SHADES)
    for shade in range(1, N_SHADES + 1):
        alpha = 0.12 + 0.88 * (shade - 1) / (N_SHADES - 1)
        _squares(axes, known & (level == shade), facecolor=ACCENT, alpha=alpha, linewidth=0)
    _squares(axes, grid == 0, facecolor="none", edgecolor=SECOND, linewidth=0.8)
    axes.set_xlim(-0.5, max(grid.shape[1], MIN_COLUMNS) - 0.5)
    axes.set_ylim(grid.shape[0] - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def clipped(name: str) -> str:
    """Return a name that is printable and short enough to stand beside a plot."""
    plain = "".join(char if char.isprintable() else " " for char in name).strip()
    return plain if len(plain) <= MAX_NAME_CHARS else plain[: MAX_NAME_CHARS - 1].rstrip() + "…"


def name_places(axes: Axes, labels: Sequence[str]) -> None:
    """Write the label below each place of the x axis, aslant where they would touch."""
    is_crowded = len(labels) * max(map(len, labels)) > MAX_LABEL_CHARS
    look: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(labels)), labels, parse_math=False, **(look if is_crowded else {}))


def _squares(axes: Axes, where: NDArray[np.bool_], **look: Any) -> None:
    """Draw a square at each true place of a grid, all as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    rows, columns = np.nonzero(where)
    if len(rows) == 0:
        return
    corners = np.array([(-0.42, -0.42), (0.42, -0.42), (0.42, 0.42), (-0.42, 0.42), (0, 0)])
    places = np.stack([columns, rows], axis=1)[:, None, :] + corners[None, :, :]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(rows)
    axes.add_patch(PathPatch(Path(places.reshape(-1, 2), codes), **look))


def _room_for(names: Sequence[str], texts: Sequence[str]) -> float:
    """Return how much longer than its longest bar an axis must be, so that a text fits behind."""
    char_in = 0.55 * TEXT_PT / 72
    axis_in = WIDTH_IN - 0.1 - char_in * max(len(clipped(name)) for name in names)
    return axis_in / (axis_in - 0.1 - char_in * max(map(len, texts)))


def _label(*, ha: str, va: str) -> dict[str, Any]:
    return {
        "textcoords": "offset points",
        "ha": ha,
        "va": va,
        "color": MUTED,
        "fontsize": TEXT_PT - 1,
    }
