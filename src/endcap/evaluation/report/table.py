"""The tables of a report as rows of text: which columns, which cells, and which is best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.metrics.texts import METRICS, label_of
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult

HEADLINE = ("recall", "ndcg", "hit_rate", "mrr", "coverage", "gini")
ACCURACY = tuple(name for name, text in METRICS.items() if text.of == "accuracy")
VARIETY = tuple(name for name, text in METRICS.items() if text.of != "accuracy")

USERS = "users"
"""What the last row is called: over how many users the means of each column are taken."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the value and what belongs to it, and whether it is the best of its column."""

    parts: tuple[str, ...]
    is_best: bool


def heading(metric: str, evaluation: Evaluation) -> str:
    """Return the heading of a column; see `texts.label_of`."""
    return label_of(metric, evaluation.k)


def rows(view: ViewResult, columns: Sequence[str]) -> Iterator[tuple[str, list[Cell]]]:
    """Yield the name and the cells of each model, and last how many users each column counts."""
    if view.n_users == 0:
        return
    best = {column: _best(view, column) for column in columns}
    for name, model in view.models.items():
        yield name, [_cell(view, name, model, column, best[column]) for column in columns]
    yield USERS, [Cell((_counted(view, column),), is_best=False) for column in columns]


def value_of(model: ModelResult, column: str) -> float:
    """Return one number of a model; NaN where there is none."""
    if column in model.metrics:
        return model.metrics[column].mean
    return model.catalogue.get(column, math.nan)


def short(value: float) -> str:
    """Return a number of up to four decimals, without the zero before the point."""
    if math.isnan(value):
        return "-"
    is_small = abs(round(value, 4)) < 1
    return f"{value:.4f}".replace("0.", ".", 1) if is_small else f"{value:.3f}"


def _cell(view: ViewResult, name: str, model: ModelResult, column: str, best: float) -> Cell:
    value = value_of(model, column)
    if name == RANDOM and column in view.expected_random:
        return Cell((short(view.expected_random[column]), " exact"), is_best=False)
    parts = [short(value)]
    if column in model.metrics and not math.isnan(value):
        interval = model.metrics[column]
        parts.append(f"±{short((interval.high - interval.low) / 2)}")
    return Cell(tuple(parts), is_best=name != RANDOM and value == best)


def _best(view: ViewResult, column: str) -> float:
    better = METRICS[column].better
    known = [value_of(model, column) for name, model in view.models.items() if name != RANDOM]
    known = [value for value in known if not math.isnan(value)]
    if better == "neither" or not known:
        return math.nan
    return min(known) if better == "lower" else max(known)


def _counted(view: ViewResult, column: str) -> str:
    counts = {
        model.metrics[column].n_users for model in view.models.values() if column in model.metrics
    } - {0}
    if not counts:
        return "-"
    fewest, most = min(counts), max(counts)
    return f"{most:,}" if fewest == most else f"{fewest:,}-{most:,}"
