"""Tables and sentences on a terminal, or as plain text of one width anywhere else."""

from __future__ import annotations

import io

from rich.console import Console, Group

WIDTH = 110


def show(sections: Group, console: Console | None = None) -> None:
    """Print the sections; plain text of 110 columns off a terminal.

    Args:
        sections: tables and texts.
        console: standard output when None.
    """
    console = console or Console()
    if console.is_terminal:
        console.print(sections, width=min(console.width, WIDTH), highlight=False, soft_wrap=False)
    else:
        console.out(as_text(sections), end="", highlight=False)


def as_text(sections: Group, *, width: int = WIDTH) -> str:
    """Return the sections as plain text, no line wider than `width`."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(sections)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
