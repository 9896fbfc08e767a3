"""Sections on a terminal, and as plain text of one width anywhere else."""

import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from endcap.figures.printed import WIDTH, as_text, show

LONG = Group(Text("a word " * 60, style="bold"), Text("[b]x[/b]"))


@pytest.mark.parametrize("width", [40, WIDTH])
def test_plain_text_is_no_wider_than_asked_and_ends_no_line_in_blanks(width):
    lines = as_text(LONG, width=width).splitlines()
    assert width - 7 <= max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    assert " ".join(lines[:-1]) == ("a word " * 60).strip()
    assert lines[-1] == "[b]x[/b]"
    assert "\x1b" not in as_text(LONG)


def shown(*, is_terminal: bool, width: int) -> str:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=width)
    show(LONG, console)
    return console.file.getvalue()


def test_off_a_terminal_the_width_is_always_the_same():
    assert (
        shown(is_terminal=False, width=40) == shown(is_terminal=False, width=300) == as_text(LONG)
    )


@pytest.mark.parametrize(("width", "expected"), [(60, 60), (300, WIDTH)])
def test_a_terminal_is_filled_up_to_the_width_of_a_page(width, expected):
    lines = shown(is_terminal=True, width=width).splitlines()
    plain = [Text.from_ansi(line).plain.rstrip() for line in lines]
    assert expected - 7 <= max(map(len, plain)) <= expected
    assert any("\x1b[1m" in line for line in lines)
