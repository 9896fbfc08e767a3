"""An evaluation for people: on a terminal, as plain text, as Markdown.

Shows only what is in the `Evaluation`; computes nothing new. The page is in `page/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.bootstrap import Difference, Verdict
from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.report.exposure_table import render_exposure
from endcap.evaluation.report.protocol_text import HEADLINE_METRIC, protocol
from endcap.evaluation.report.slice_table import render_slices
from endcap.evaluation.report.table import ACCURACY, HEADLINE, USERS, VARIETY, heading, rows
from endcap.evaluation.result import Evaluation, ViewResult
from endcap.figures.printed import WIDTH, as_text, show

BRIEF: Mapping[str, Sequence[str]] = {"": HEADLINE}
FULL: Mapping[str, Sequence[str]] = {"accuracy": ACCURACY, "variety and exposure": VARIETY}
"""The tables of a view: their columns, by what is added to the heading. With the full ones come the
slices and the exposure of the first view; of the others they are on the page and in the JSON."""

FEW_HITS = 5
"""So many hits on cold targets prove nothing yet."""

_NAME_WIDTH, _CELL_WIDTH = 14, 15  # columns a table needs, so that an interval fits beside its mean


def render_terminal(
    evaluation: Evaluation,
    console: Console | None = None,
    *,
    tables: Mapping[str, Sequence[str]] = BRIEF,
) -> None:
    """Print the tables, the verdicts and the protocol; plain text of 110 columns off a terminal.

    Args:
        evaluation: what to show.
        console: standard output when None.
        tables: `BRIEF` or `FULL`.
    """
    console = console or Console()
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    show(_sections(evaluation, width=width, tables=tables), console)


def render_text(
    evaluation: Evaluation,
    *,
    width: int = WIDTH,
    tables: Mapping[str, Sequence[str]] = BRIEF,
) -> str:
    """Return the report as plain text, no line wider than `width`."""
    return as_text(_sections(evaluation, width=width, tables=tables), width=width)


def render_markdown(evaluation: Evaluation, *, tables: Mapping[str, Sequence[str]] = BRIEF) -> str:
    """Return the same tables, verdicts and protocol as Markdown."""
    lines: list[str] = []
    for name, view in evaluation.views.items():
        for what, columns in tables.items():
            labels = [heading(column, evaluation) for column in columns]
            lines += [f"**{title(name, view, what)}**", ""]
            lines += [f"| model | {' | '.join(labels)} |", "|---|" + "---:|" * len(labels)]
            for model, cells in rows(view, columns):
                texts = [(" ".join(cell.parts), cell.is_best) for cell in cells]
                marked = [f"**{text}**" if is_best else text for text, is_best in texts]
                lines.append(f"| {model} | {' | '.join(marked)} |")
            lines.append("")
    lines += [f"- {line}" for line in verdicts(evaluation)]
    lines += ["", *protocol(evaluation)]
    return "\n".join(lines) + "\n"


def verdicts(evaluation: Evaluation) -> list[str]:
    """Return for each view who beats the reference, who is not shown to, and who loses to it.

    Further lines name the models that are not shown to beat a random ranking, and those that
    foresee what nobody could know of.
    """
    lines = []
    for view_name, view in evaluation.views.items():
        groups: dict[Verdict, list[str]] = {verdict: [] for verdict in get_args(Verdict)}
        near_random = []
        for name, model in view.models.items():
            if name == RANDOM or view.n_users == 0:
                continue
            if name != evaluation.reference:
                against = model.versus_reference[HEADLINE_METRIC]
                groups[against.verdict].append(f"{name} {_difference(against)}")
            if model.versus_random[HEADLINE_METRIC].verdict != "better than":
                near_random.append(name)
        measured = f"{heading(HEADLINE_METRIC, evaluation)} on {view_name}"
        for verdict, claims in groups.items():
            if claims:
                lines.append(f"{measured}, {verdict} {evaluation.reference}: {', '.join(claims)}")
        if near_random:
            lines.append(f"{measured}, not shown to beat random: {', '.join(near_random)}")
        lines += _suspicions(view_name, view)
    return lines


def _suspicions(view_name: str, view: ViewResult) -> Iterator[str]:
    """Yield which models list far more cold targets than chance does."""
    by_chance = view.n_cold_targets * view.expected_random["recall"]
    for name, model in view.models.items():
        if model.n_cold_hits > max(10 * by_chance, FEW_HITS):
            yield (
                f"Suspicious on {view_name}: {name} lists {model.n_cold_hits:,} targets of items "
                f"that nobody had in what is learnt from; chance would list {by_chance:.1g}. "
                "Unless it knows the catalogue, it knows the future"
            )


def title(name: str, view: ViewResult, what: str = "") -> str:
    """Return the heading of the table of a view."""
    of_what = f", {what}" if what else ""
    if view.n_users == 0:
        return f"{name} targets ({view.meaning}){of_what}: none in this window"
    share = view.n_cold_targets / view.n_targets
    return (
        f"{name} targets ({view.meaning}){of_what}: "
        f"{view.n_users:,} users, {view.n_targets:,} targets, {share:.1%} cold"
    )


def _sections(evaluation: Evaluation, *, width: int, tables: Mapping[str, Sequence[str]]) -> Group:
    parts: list[RenderableType] = []
    for name, view in evaluation.views.items():
        for what, columns in tables.items():
            parts.append(Text(title(name, view, what), style="bold cyan"))
            if view.n_users == 0:
                parts.append(Text(""))
                break
            parts.append(_table(evaluation, view, columns, width=width))
    if tables is FULL:
        headline = next(iter(evaluation.views.values()))
        parts += render_slices(headline.slices, reference=evaluation.reference, width=width)
        parts += render_exposure(headline.exposure, width=width)
    parts += [Text(line) for line in verdicts(evaluation)]
    parts += [Text(""), *(Text(line, style="dim") for line in protocol(evaluation))]
    return Group(*parts)


def _table(
    evaluation: Evaluation, view: ViewResult, columns: Sequence[str], *, width: int
) -> Table:
    is_roomy = width >= _NAME_WIDTH + _CELL_WIDTH * len(columns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("model", no_wrap=True, min_width=12, max_width=18)
    for column in columns:
        label = heading(column, evaluation)
        table.add_column(label, justify="right", no_wrap=True, min_width=len(label))
    for model, cells in rows(view, columns):
        texts = [
            Text((" " if is_roomy else "\n").join(cell.parts), style="bold" if cell.is_best else "")
            for cell in cells
        ]
        table.add_row(Text(model), *texts, style="dim" if model in {RANDOM, USERS} else "")
    return table


def _difference(against: Difference) -> str:
    return f"{_signed(against.mean)} [{_signed(against.low)}, {_signed(against.high)}]"


def _signed(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:+.4f}" if abs(value) >= 0.001 else f"{value:+.1g}"
