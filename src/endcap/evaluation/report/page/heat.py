"""The slices of one view on the page: a table shaded by the difference, and a plot for each way."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from endcap.evaluation.certainty.bootstrap import Difference
from endcap.evaluation.report.page.cards import best_model, mean_of
from endcap.evaluation.report.protocol_text import HEADLINE_METRIC
from endcap.evaluation.report.slice_table import marked
from endcap.evaluation.report.table import heading, short
from endcap.evaluation.result import Evaluation, ViewResult
from endcap.evaluation.slices.measure import SliceResult
from endcap.figures.dots import Role, grouped_dots
from endcap.figures.section import Section, table

N_SHADES = 3


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A difference with its mark, and the class that shades it; no class where none is shown."""

    text: str
    shade: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One slice: its name, how many users and targets it has, the reference and the models."""

    label: str
    n_users: str
    n_targets: str
    reference: str
    cells: tuple[HeatCell, ...]


def heat_groups(evaluation: Evaluation, view: ViewResult) -> list[tuple[str, list[HeatRow]]]:
    """Return the rows of the table by way of slicing; the darkest shade is the largest difference.

    Only differences that are shown when all comparisons are counted are shaded.
    """
    shown = [
        abs(difference.mean)
        for result in view.slices
        for difference in result.versus_reference.values()
        if _is_shown(difference)
    ]
    ceiling = max(shown, default=1.0)
    return [
        (by, [_row(result, evaluation.reference, ceiling) for result in group])
        for by, group in itertools.groupby(view.slices, key=lambda result: result.by)
    ]


def slice_cards(evaluation: Evaluation, view: ViewResult) -> Iterator[Section]:
    """Yield a plot for each way of slicing that has two slices or more."""
    best = best_model(evaluation, view)
    names = [evaluation.reference] + ([best] if best != evaluation.reference else [])
    ways = itertools.groupby(view.slices, key=lambda result: result.by)
    for number, (_, group) in enumerate(ways):
        results = list(group)
        if len(results) > 1:
            yield _card(evaluation, results, names, key=f"way-{number}")


def _card(
    evaluation: Evaluation, results: Sequence[SliceResult], names: Sequence[str], *, key: str
) -> Section:
    by, accuracy = results[0].by, heading(HEADLINE_METRIC, evaluation)
    roles: Sequence[Role] = ("reference", "plain")
    series = [
        (name, role, [mean_of(result.ndcg[name]) for result in results])
        for name, role in zip(names, roles, strict=False)
    ]
    labels = [result.label for result in results]
    return Section(
        key=key,
        title=f"By {by}",
        says=_says(results, names),
        plot=partial(grouped_dots, labels, series, x=by, y=accuracy),
        numbers=table(
            (by, "users", *names),
            labels,
            [f"{result.n_users:,}" for result in results],
            *([_with_half(result, name) for result in results] for name in names),
        ),
    )


def _says(results: Sequence[SliceResult], names: Sequence[str]) -> str:
    name = names[-1]
    least, most = (pick(results, key=lambda one: one.ndcg[name].mean) for pick in (min, max))
    told = (
        f"{name} goes from {short(least.ndcg[name].mean)} ({least.label}) "
        f"to {short(most.ndcg[name].mean)} ({most.label})."
    )
    if len(names) > 1:
        shown = [result.versus_reference[name].verdict for result in results]
        n_worse, n_better = shown.count("worse than"), shown.count("better than")
        told += (
            f" Of {len(results)} slices it is better than {names[0]} on {n_better}, worse on "
            f"{n_worse}, and not shown to differ on {len(results) - n_better - n_worse}."
        )
    return told


def _row(result: SliceResult, reference: str, ceiling: float) -> HeatRow:
    return HeatRow(
        label=result.label,
        n_users=f"{result.n_users:,}",
        n_targets=f"{result.n_targets:,}",
        reference=short(result.ndcg[reference].mean),
        cells=tuple(_cell(one, ceiling) for one in result.versus_reference.values()),
    )


def _cell(difference: Difference, ceiling: float) -> HeatCell:
    shade = ""
    if _is_shown(difference):
        level = min(N_SHADES, 1 + int(N_SHADES * abs(difference.mean) / ceiling))
        shade = f"{'up' if difference.mean > 0 else 'down'}-{level}"
    return HeatCell(marked(difference).strip(), shade)


def _is_shown(difference: Difference) -> bool:
    return difference.verdict != "not shown to differ from"


def _with_half(result: SliceResult, name: str) -> str:
    interval = result.ndcg[name]
    if math.isnan(interval.low):
        return short(interval.mean)
    return f"{short(interval.mean)} ±{short((interval.high - interval.low) / 2)}"
