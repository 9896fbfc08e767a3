"""The parts of a report: chapters of sections, each a sentence with a picture and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers as text: a name for each column, and rows of equal length."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One thing to know.

    key: its name in addresses, unique in a report.
    title: its heading.
    says: what the picture shows, in words.
    plot: makes the picture; None when there is nothing to draw, and `says` tells why.
    numbers: what the picture was drawn from, or what stands for one.
    """

    key: str
    title: str
    says: str
    plot: Callable[[], Figure] | None = None
    numbers: Table | None = None

    @property
    def is_bare(self) -> bool:
        """Whether there is no more than the sentence."""
        return self.plot is None and self.numbers is None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Sections about one subject."""

    key: str
    title: str
    sections: tuple[Section, ...]


def table(columns: Sequence[str], *values: Sequence[str]) -> Table:
    """Return a table from its columns' names and their values, one sequence a column."""
    return Table(tuple(columns), tuple(zip(*values, strict=True)))
