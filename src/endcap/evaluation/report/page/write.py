"""The whole page: which chapters it has, and the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from endcap.evaluation.metrics.texts import METRICS
from endcap.evaluation.report.page.cards import best_model, cards
from endcap.evaluation.report.page.example import Example
from endcap.evaluation.report.page.groups import EXPLAINED, exposure_cards
from endcap.evaluation.report.page.heat import HeatRow, heat_groups, slice_cards
from endcap.evaluation.report.page.limits import limits
from endcap.evaluation.report.protocol_text import HEADLINE_METRIC, protocol
from endcap.evaluation.report.slice_table import caption, worse_sentence
from endcap.evaluation.report.table import Cell, heading, rows, short
from endcap.evaluation.report.terminal import FULL, title, verdicts
from endcap.evaluation.result import Evaluation, ViewResult
from endcap.figures.page import fill_page
from endcap.figures.section import Section

ROOM = "endcap.evaluation.report.page"
TEMPLATE, STYLE = "page.html", "page.css"


@dataclass(frozen=True, slots=True)
class MetricTable:
    """A table of all models: headings with their meaning, and a row a model."""

    title: str
    headings: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, list[Cell]], ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What the page says of one view; pictures of slices and exposure of the headline alone.

    key: its name in addresses. name: of the view. title: with its denominators.
    worse: in a sentence, how often a model does worse than the reference on a slice.
    """

    key: str
    name: str
    title: str
    tables: tuple[MetricTable, ...]
    cards: tuple[Section, ...]
    worse: str
    heat: tuple[tuple[str, list[HeatRow]], ...]
    compared: tuple[str, ...]
    slices: tuple[Section, ...]
    exposure: tuple[Section, ...]


def write_page(
    evaluation: Evaluation, examples: Sequence[Example], path: Path, *, source: str = ""
) -> None:
    """Write the page to a file, folders above it included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(evaluation, examples, source=source), encoding="utf-8")


def render_page(
    evaluation: Evaluation, examples: Sequence[Example] = (), *, source: str = ""
) -> str:
    """Return the page: one HTML file that needs no network and no script.

    Args:
        evaluation: what to show; everything on the page is in it or in the examples.
        examples: users to look at, drawn by `example.draw_users`: the page says so.
        source: the name of the data set; the name of the protocol stands in when empty.
    """
    views = [(name, view) for name, view in evaluation.views.items() if view.n_users]
    return fill_page(
        ROOM,
        TEMPLATE,
        {
            "evaluation": evaluation,
            "source": source or f"Protocol {evaluation.protocol}",
            "facts": _facts(evaluation),
            "verdicts": verdicts(evaluation),
            "protocol": protocol(evaluation),
            "chapters": [
                _chapter(evaluation, name, view, is_headline=place == 0)
                for place, (name, view) in enumerate(views)
            ],
            "empty": [
                title(name, view) for name, view in evaluation.views.items() if not view.n_users
            ],
            "caption": caption(),
            "exposure_explained": EXPLAINED,
            "examples": examples,
            "limits": limits(evaluation),
        },
        more_style=STYLE,
    )


def _chapter(evaluation: Evaluation, name: str, view: ViewResult, *, is_headline: bool) -> Chapter:
    return Chapter(
        key="".join(char if char.isalnum() else "-" for char in name),
        name=name,
        title=title(name, view),
        tables=tuple(_tables(evaluation, view)),
        cards=tuple(cards(evaluation, view)),
        worse=worse_sentence(view.slices, evaluation.reference) if view.slices else "",
        heat=tuple(heat_groups(evaluation, view)),
        compared=tuple(view.slices[0].versus_reference) if view.slices else (),
        slices=tuple(slice_cards(evaluation, view)) if is_headline else (),
        exposure=tuple(exposure_cards(evaluation, view)) if is_headline else (),
    )


def _tables(evaluation: Evaluation, view: ViewResult) -> list[MetricTable]:
    return [
        MetricTable(
            title=f"{what[:1].upper()}{what[1:]}",
            headings=tuple(
                (heading(column, evaluation), METRICS[column].meaning) for column in columns
            ),
            rows=tuple(rows(view, columns)),
        )
        for what, columns in FULL.items()
    ]


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the tiles of the header: what was measured, and the best beside its rivals."""
    headline = next(iter(evaluation.views.values()))
    facts = [
        (f"{headline.n_users:,}", "users measured"),
        (f"{headline.n_targets:,}", "targets"),
        (f"{evaluation.n_items:,}", "items in the catalogue"),
        (f"{evaluation.k}", "items in a list"),
    ]
    if headline.n_users:
        label = heading(HEADLINE_METRIC, evaluation)
        names = dict.fromkeys((best_model(evaluation, headline), evaluation.reference))
        facts += [
            (short(headline.models[name].metrics[HEADLINE_METRIC].mean), f"{label} of {name}")
            for name in names
        ]
        facts.append((short(headline.expected_random[HEADLINE_METRIC]), f"{label} of random"))
    return facts
