"""What a person at a terminal sees of long work, and the log of the program.

Progress goes to standard error, so that `--json` on standard output stays clean. Metrics of the
server live in `serving/metrics.py`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True, highlight=False, soft_wrap=True)
PLAIN_INTERVAL_S = 5.0
_depth: ContextVar[int] = ContextVar("depth", default=0)


class Task:
    """One piece of work with a known amount; see `track`."""

    def __init__(self, label: str, total: float, unit: str, bar: Progress | None) -> None:
        self._label, self._total, self._unit, self._bar = escape(label), total, unit, bar
        self._done = 0.0
        self._started_s = self._printed_s = time.monotonic()
        self._id = bar.add_task(self._label, total=total, rate="", note="") if bar else None

    def advance(self, amount: float = 1, *, note: str = "") -> None:
        """Count `amount` more units as done; the note (a loss, say) stands behind the rate."""
        self._done += amount
        elapsed_s = max(time.monotonic() - self._started_s, 1e-9)
        rate = f"{_short(self._done / elapsed_s)} {self._unit}/s"
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, completed=self._done, rate=rate, note=note)
        elif time.monotonic() - self._printed_s > PLAIN_INTERVAL_S:
            self._printed_s = time.monotonic()
            left_s = elapsed_s * (self._total - self._done) / max(self._done, 1e-9)
            console.print(
                f"  {self._label}: {self._done / max(self._total, 1e-9):.0%}, {rate}, "
                f"about {left_s:.0f} s left{'  ' + note if note else ''}"
            )


@contextmanager
def track(label: str, total: float, *, unit: str = "steps") -> Iterator[Task]:
    """Yield a `Task`, shown as a bar with rate and time left; as plain lines off a terminal."""
    if console.is_terminal:
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        ) as bar:
            yield Task(label, total, unit, bar)
    else:
        yield Task(label, total, unit, None)


@contextmanager
def step(label: str) -> Iterator[None]:
    """Print the label, and below it how long the block took; a step within a step is indented."""
    indent, label = "  " * _depth.get(), escape(label)
    token = _depth.set(_depth.get() + 1)
    started_s = time.monotonic()
    console.print(f"{indent}[bold]{label}[/bold]" if not indent else f"{indent}{label}")
    try:
        yield
    finally:
        _depth.reset(token)
    console.print(f"{indent}  [dim]{time.monotonic() - started_s:.1f} s[/dim]")


def configure_logging(*, level: str = "INFO") -> None:
    """Send the log of the program to standard error, one line a record."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _short(value: float) -> str:
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.1f}{suffix}"
    return f"{value:.1f}"
