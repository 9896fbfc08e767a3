"""An exploration for a terminal: a few tables, a line over time, and the sentences of the report.

Computes nothing; the page with the pictures is in `page.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from endcap.explore.activity import FEW, Activity
from endcap.explore.chapters import chapters
from endcap.explore.exploration import Exploration
from endcap.figures.printed import WIDTH, as_text, show
from endcap.figures.wording import date, number, percent

BLOCKS = "▁▂▃▄▅▆▇█"
MAX_BLOCKS = 72


def render_terminal(found: Exploration, console: Console) -> None:
    """Print the summary; plain text of 110 columns off a terminal."""
    show(_summary(found), console)


def render_text(found: Exploration, *, width: int = WIDTH) -> str:
    """Return the summary as plain text, no line wider than `width`."""
    return as_text(_summary(found), width=width)


def sparkline(values: NDArray[np.int64], *, max_blocks: int = MAX_BLOCKS) -> str:
    """Return one character a value, higher for more, a space for none; neighbours are averaged."""
    parts = np.array_split(values, min(len(values), max_blocks))
    means = np.array([part.mean() for part in parts])
    heights = np.ceil(means / max(float(means.max()), 1e-12) * len(BLOCKS)).astype(int)
    return "".join(BLOCKS[height - 1] if height else " " for height in heights)


def _summary(found: Exploration) -> Group:
    return Group(*_spread(found), *_over_time(found), *_sentences(found))


def _spread(found: Exploration) -> Iterator[RenderableType]:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"{found.overview.noun} of a", style="bold")
    for name in ("count", "mean", "median", "90%", "99%", "most", f"fewer than {FEW}"):
        table.add_column(name, justify="right")
    for name, activity in (("user", found.users), ("item", found.items)):
        table.add_row(name, *_cells(activity))
    yield table
    yield Text()


def _cells(activity: Activity) -> tuple[str, ...]:
    return (
        f"{activity.n:,}",
        number(round(activity.mean, 2)),
        number(activity.median),
        number(round(activity.p90, 1)),
        number(round(activity.p99, 1)),
        f"{activity.most:,}",
        percent(activity.few_share),
    )


def _over_time(found: Exploration) -> Iterator[RenderableType]:
    size, line = found.overview, found.timeline
    if len(line.counts) > 1:
        yield Text.assemble(
            (date(size.first_us), "dim"),
            " ",
            (sparkline(line.counts), "green"),
            " ",
            (date(size.last_us), "dim"),
        )


def _sentences(found: Exploration) -> Iterator[RenderableType]:
    for chapter in chapters(found):
        yield Text()
        yield Text(chapter.title, style="bold")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", width=29)
        grid.add_column()
        for section in chapter.sections:
            # Text, so that a bracket in a name is no markup.
            grid.add_row(Text(f"  {section.title}"), Text(section.says))
        yield grid
