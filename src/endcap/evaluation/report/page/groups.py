"""Exposure on the page: what the lists of two models give to each group of items."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.exposure import ExposureResult, GroupRow
from endcap.evaluation.report.page.cards import best_model, mean_of
from endcap.evaluation.report.table import short
from endcap.evaluation.result import Evaluation, ViewResult
from endcap.figures.dots import Mean, Role, grouped_dots
from endcap.figures.section import Section, table
from endcap.figures.wording import percent

MAX_PLOTTED = 12

EXPLAINED = (
    "Exposure is what the places of a list are worth, early ones more. Demographic parity: 0 when "
    "every group gets the same exposure for each of its items, up to 1 when one gets all. Equal "
    "opportunity: between groups, the largest difference in the share of users' targets that is "
    "listed. Few users inflate both: compare with random."
)


def exposure_cards(evaluation: Evaluation, view: ViewResult) -> Iterator[Section]:
    """Yield what groups get by each kind of group: a plot, and two differences of every model."""
    best = best_model(evaluation, view)
    names = list(dict.fromkeys((evaluation.reference, best)))
    for kind, models in view.exposure.items():
        if all(name in models and models[name].rows for name in names):
            yield _card(kind, {name: models[name] for name in names})
            yield _differences(kind, models)


def _card(kind: str, models: Mapping[str, ExposureResult]) -> Section:
    shown = {name: found.rows[:MAX_PLOTTED] for name, found in models.items()}
    rows = next(iter(models.values())).rows
    labels = [row.name for row in rows[:MAX_PLOTTED]]
    roles: Sequence[Role] = ("reference", "plain")
    series: list[tuple[str, Role, list[Mean]]] = [
        ("catalogue", "chance", [Mean(row.catalogue_share) for row in rows[:MAX_PLOTTED]])
    ]
    series += [
        (name, role, [mean_of(row.exposure_share) for row in shown[name]])
        for name, role in zip(models, roles, strict=False)
    ]
    return Section(
        key=f"shares-{_key(kind)}",
        title=f"Exposure by {kind}",
        says=_says(models)
        + (
            f" The first {MAX_PLOTTED} of {len(rows)} groups are drawn." * (len(rows) > MAX_PLOTTED)
        ),
        plot=partial(grouped_dots, labels, series, x=kind, y="share of the exposure"),
        numbers=table(
            (kind, "items", "of the catalogue", "of what users had", *models),
            [row.name for row in rows],
            [f"{row.n_items:,}" for row in rows],
            [percent(row.catalogue_share) for row in rows],
            [_share(row.history_share) for row in rows],
            *([percent(row.exposure_share.mean) for row in one.rows] for one in models.values()),
        ),
    )


def _says(models: Mapping[str, ExposureResult]) -> str:
    told = [
        f"{name} gives most to {most.name}, {percent(most.exposure_share.mean)} of the exposure "
        f"for {percent(most.catalogue_share)} of the catalogue"
        for name, found in models.items()
        for most in [max(_single(found), key=lambda row: row.exposure_share.mean)]
    ]
    return f"{'; '.join(told)}."


def _single(found: ExposureResult) -> Sequence[GroupRow]:
    """Return the rows of one group each; all where there is no such row."""
    return [row for row in found.rows if row.n_groups == 1] or found.rows


def _differences(kind: str, models: Mapping[str, ExposureResult]) -> Section:
    found = next(iter(models.values()))
    pooled = f" {found.n_pooled:,} smaller groups are pooled." if found.n_pooled else ""
    return Section(
        key=f"differences-{_key(kind)}",
        title=f"How unequal the groups of {kind} are",
        says=f"Groups of fewer than {found.min_items:,} items count in neither difference, groups "
        f"with a target of fewer than {found.min_users:,} users not in the second.{pooled}",
        numbers=table(
            ("model", "parity difference", "opportunity difference"),
            list(models),
            [_with_ends(one.parity_difference) for one in models.values()],
            [_with_ends(one.opportunity_difference) for one in models.values()],
        ),
    )


def _with_ends(interval: Interval) -> str:
    return f"{short(interval.mean)} [{short(interval.low)}, {short(interval.high)}]"


def _key(kind: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in kind)


def _share(value: float) -> str:
    return "-" if math.isnan(value) else percent(value)
