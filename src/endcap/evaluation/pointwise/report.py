"""An evaluation of predicted ratings as one table for people, on a terminal or as plain text."""

from __future__ import annotations

import math
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.pointwise.metrics import ERRORS
from endcap.evaluation.pointwise.result import PARTS, RatingEvaluation
from endcap.figures.printed import WIDTH, as_text, show
from endcap.figures.wording import minute
from endcap.schema.types import DAY_US

MIN_USERS = 30
"""With fewer, an interval of resampled users claims nothing."""

_HEADS = {"known": "known rows", "new_user": "new user", "new_item": "new item"}


def render_ratings(evaluation: RatingEvaluation, console: Console | None = None) -> None:
    """Print the table, the verdicts and the denominators; plain text off a terminal."""
    show(_sections(evaluation), console)


def render_ratings_text(evaluation: RatingEvaluation, *, width: int = WIDTH) -> str:
    """Return the report as plain text, no line wider than `width`."""
    return as_text(_sections(evaluation), width=width)


def rating_verdicts(evaluation: RatingEvaluation) -> list[str]:
    """Return who has a smaller pooled RMSE than the reference, who a larger, who neither."""
    groups: dict[str, list[str]] = {
        "better than": [],
        "not shown to differ from": [],
        "worse than": [],
    }
    for name, model in evaluation.models.items():
        if name == evaluation.reference:
            continue
        found = model.versus_reference["rmse"]
        if found.n_users < MIN_USERS:
            verdict = "not shown to differ from"
        elif found.high < 0:
            verdict = "better than"
        else:
            verdict = "worse than" if found.low > 0 else "not shown to differ from"
        groups[verdict].append(f"{name} {found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]")
    return [
        f"Pooled RMSE, {verdict} {evaluation.reference}: {', '.join(names)}"
        for verdict, names in groups.items()
        if names
    ]


def rating_protocol(evaluation: RatingEvaluation) -> list[str]:
    """Return the sentences without which the numbers mean nothing."""
    counts = evaluation.counts
    days = (evaluation.end_us - evaluation.cut_us) / DAY_US
    return [
        f"Protocol rating: one cut in time for everybody, {minute(evaluation.cut_us)}. Models "
        f"learn from the {counts.n_train:,} ratings before it (mean {evaluation.train_mean:.4f}) "
        f"and predict the {counts.n_rows:,} of the {days:.1f} days after it (mean "
        f"{evaluation.test_mean:.4f}, deviation {evaluation.test_deviation:.4f}: no constant has a "
        f"smaller RMSE); {counts.n_after:,} later ones unused.",
        f"Denominators: per user, {counts.n_users:,} users, each counting once; pooled, all "
        f"{counts.n_rows:,} rows. None is left out: {counts.n_rows_of_new_users:,} rows of "
        f"{counts.n_new_users:,} new users and {counts.n_rows_of_new_items:,} rows of "
        f"{counts.n_new_items:,} new items are predicted by what else is known, a mean at last. "
        f"Known rows: {counts.n_known_rows:,}, where both have a rating to learn from; an error "
        "that is quoted of these alone looks better than what a shop would see.",
        "±: half the width of the 95 % percentile bootstrap interval over users "
        f"({evaluation.n_replicates:,} replicates); pooled errors are ratios of resampled sums. "
        "A smaller error says nothing of whether a list holds what somebody wants.",
    ]


def _sections(evaluation: RatingEvaluation) -> Group:
    counts = evaluation.counts
    lines = [Text(line) for line in rating_verdicts(evaluation)]
    notes = [Text(line, style="dim") for line in rating_protocol(evaluation)]
    return Group(
        Text(f"Per user: mean over {counts.n_users:,} users", style="bold cyan"),
        _table(evaluation, of="per_user"),
        Text(f"Pooled: {counts.n_rows:,} rows", style="bold cyan"),
        _table(evaluation, of="pooled"),
        *lines,
        Text(""),
        *notes,
    )


def _table(evaluation: RatingEvaluation, *, of: Literal["per_user", "pooled"]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("model", no_wrap=True)
    parts = PARTS if of == "pooled" else ()
    for head in (
        *(error.upper() for error in ERRORS),
        *(f"RMSE, {_HEADS[part]}" for part in parts),
    ):
        table.add_column(head, justify="right")
    for name, model in evaluation.models.items():
        found = model.pooled if of == "pooled" else model.per_user
        cells = [_with_half_width(found[error]) for error in ERRORS]
        table.add_row(name, *cells, *(_short(model.rmse_of[part]) for part in parts))
    return table


def _with_half_width(found: Interval) -> str:
    return f"{_short(found.mean)} ±{_short((found.high - found.low) / 2)}"


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}".removeprefix("0") if value < 1 else f"{value:.4f}"
