"""A comparison in words, for people and for machines; computes nothing new."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.power import POWER
from endcap.evaluation.metrics.texts import label_of
from endcap.evaluation.undefined import without_nan
from endcap.evaluation.verdicts.compare import Compared, Comparison
from endcap.figures.printed import WIDTH, as_text, show

_COLUMNS = ("metric", "first", "second", "±", "rel.", "d", "p", "shows", "higher/=/lower", "users")


def verdict(row: Compared, comparison: Comparison) -> str:
    """Return one of "A beats B", "no difference shown", "B beats A", with the names.

    Where neither end of a metric is better it is "A is higher than B"; where nobody has values of
    both it is "not measured".
    """
    first, second = names(comparison)
    if row.finding in ("unmeasured", "neither"):
        return "not measured" if row.finding == "unmeasured" else "no difference shown"
    if row.finding == "second":
        first, second = second, first
    return f"{first} {'is higher than' if row.better == 'neither' else 'beats'} {second}"


def names(comparison: Comparison) -> tuple[str, str]:
    """Return what the two are called: by model alone when that tells them apart."""
    short = [name.rpartition(":")[2] for name in (comparison.first, comparison.second)]
    if short[0] != short[1]:
        return short[0], short[1]
    return comparison.first, comparison.second


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print verdicts, numbers and what they cover; off a terminal as text of 110 columns."""
    show(_sections(comparison), console)


def comparison_text(comparison: Comparison, *, width: int = WIDTH) -> str:
    """Return the same as plain text, no line wider than `width`."""
    return as_text(_sections(comparison), width=width)


def label(row: Compared, comparison: Comparison) -> str:
    """Return the name of a metric as the tables of an evaluation head its column."""
    return label_of(row.metric, comparison.k)


def sentence(row: Compared, comparison: Comparison) -> str:
    """Return the verdict with the size of the difference, and what could have been shown."""
    said, difference = verdict(row, comparison), row.difference
    if row.finding == "unmeasured":
        return said
    size = f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    if not math.isnan(row.effect.relative):
        size += f", {row.effect.relative:+.1%}"
    said += f" ({size}, {row.effect.size} beside how users differ)"
    if row.finding != "neither" or math.isnan(row.smallest_difference):
        return said
    said += f"; a difference of {row.smallest_difference:.4f} would have been"
    if row.n_users_needed is not None:
        said += f", this one takes {row.n_users_needed:,} users"
    return said


def scope(comparison: Comparison) -> list[str]:
    """Return the sentences without which the verdicts mean nothing."""
    n = comparison.n_comparisons
    family = "one comparison" if n == 1 else f"all {n} metrics here as one family"
    seeds = (
        "Chance of which users came is covered; of the training seed it is not, as there is one"
        if comparison.n_seeds == 1
        else f"Chance of which users came and of the training seed ({comparison.n_seeds} of each "
        "model) is covered: p is no less than that of t for both; shows counts users alone"
    )
    return [
        f"Protocol {comparison.protocol}, k = {comparison.k}. Paired by user, and by those users "
        "for whom both are defined. Brackets: 95 % percentile bootstrap interval. p: sign-flip "
        f"test, two-sided, corrected (Holm) for {family}; a verdict needs p <= 0.05 and an "
        "interval that leaves out 0.",
        f"{seeds}; nothing is said of another window.",
        "rel.: the difference over the second's mean. d: the difference over its standard "
        "deviation between users; below 0.2 very small, 0.5 small, 0.8 medium. shows: the "
        f"smallest difference found with a chance of {POWER:.0%} after the correction. "
        "higher/=/lower: users for whom the first is higher, the same, lower.",
    ]


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain JSON values, verdicts included; None is not defined."""
    record: dict[str, Any] = without_nan(asdict(comparison))
    for row, of_row in zip(comparison.rows, record["rows"], strict=True):
        of_row |= {"verdict": verdict(row, comparison), "finding": row.finding}
        of_row["effect"]["size"] = row.effect.size
    return {**record, "scope": scope(comparison)}


def _sections(comparison: Comparison) -> Group:
    first, second = names(comparison)
    evaluations = dict.fromkeys(
        name.rpartition(":")[0] for name in (comparison.first, comparison.second)
    )
    heading = (
        f"{first} (first) against {second} (second), {comparison.view} targets "
        f"({comparison.meaning}): {comparison.n_users:,} users of {' and '.join(evaluations)}"
    )
    lines = [
        Text(f"{label(row, comparison)}: {sentence(row, comparison)}") for row in comparison.rows
    ]
    notes = [Text(note, style="dim") for note in scope(comparison)]
    return Group(Text(heading, style="bold cyan"), *lines, _table(comparison), *notes)


def _table(comparison: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in _COLUMNS:
        table.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
    for row in comparison.rows:
        difference, effect = row.difference, row.effect
        table.add_row(
            label(row, comparison),
            _number(row.first),
            _number(row.second),
            _number((difference.high - difference.low) / 2),
            "-" if math.isnan(effect.relative) else f"{effect.relative:+.1%}",
            "-" if math.isnan(effect.d) else f"{effect.d:+.3f}",
            _number(difference.p_adjusted),
            _number(row.smallest_difference),
            f"{effect.n_higher:,}/{effect.n_equal:,}/{effect.n_lower:,}",
            f"{difference.n_users:,}",
        )
    return table


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
