"""The slices on a terminal: each model against the reference, and where it does worse."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.bootstrap import Difference
from endcap.evaluation.slices.measure import MIN_USERS, SliceResult, worse_than_reference

BETTER, WORSE = "▲", "▼"

_FIRST_COLUMNS = 51  # label, users, targets and the reference, with the room between them
_MODEL_COLUMNS = 12
_MAX_WORSE = 20


def render_slices(
    results: Sequence[SliceResult], *, reference: str = "popular", width: int = 110
) -> list[Table | Text]:
    """Return the tables of all slices, and of those where a model does worse; none of nothing.

    Args:
        results: of one view, as `measure_slices` returns them.
        reference: what the models were compared with.
        width: models that do not fit beside each other follow in a further table.
    """
    if not results:
        return []
    parts: list[Table | Text] = [Text("NDCG by slice, and the difference to it", style="bold cyan")]
    models = list(results[0].versus_reference)
    at_once = max(1, (width - _FIRST_COLUMNS) // _MODEL_COLUMNS)
    for start in range(0, max(len(models), 1), at_once):
        parts.append(_table(results, reference, models[start : start + at_once]))
    parts.append(Text(caption(), style="dim"))
    return [*parts, Text(""), *_render_worse(results, reference)]


def caption() -> str:
    """Return what the marks of the table mean."""
    return (
        f"{BETTER} better, {WORSE} worse than the reference when all these comparisons are counted "
        "(Student's t over users, 95 %, Holm); no mark: not shown to differ. In a slice of targets "
        f"the others are misses. Fewer than {MIN_USERS} users: no claim, in brackets."
    )


def marked(difference: Difference) -> str:
    """Return a difference with the mark of what it shows; in brackets when it may show nothing."""
    text = f"{difference.mean:+.4f}" if difference.mean else "0"
    if math.isnan(difference.low):
        return f"({text})"
    return text + {"better than": BETTER, "worse than": WORSE}.get(difference.verdict, " ")


def worse_sentence(results: Sequence[SliceResult], reference: str) -> str:
    """Return in a sentence how often a model does worse than the reference on a slice."""
    found = worse_than_reference(results)
    n_compared = sum(
        not math.isnan(difference.low)
        for result in results
        for difference in result.versus_reference.values()
    )
    n_sure = sum(one.is_sure for one in found)
    return (
        f"Worse than {reference} on slices: {len(found):,} of {n_compared:,} comparisons of a "
        f"model on a slice have an interval below zero, {n_sure:,} of them beyond chance when all "
        "are counted."
    )


def _table(results: Sequence[SliceResult], reference: str, models: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("slice", no_wrap=True, min_width=18, max_width=22)
    for label in ("users", "targets", reference):
        table.add_column(Text(label), justify="right", max_width=9)
    for model in models:
        table.add_column(
            Text(model), justify="right", overflow="fold", max_width=_MODEL_COLUMNS - 2
        )
    for by, group in itertools.groupby(results, key=lambda result: result.by):
        table.add_row(Text(by, style="bold"))
        for result in group:
            table.add_row(*_row(result, reference, models))
    return table


def _row(result: SliceResult, reference: str, models: Sequence[str]) -> Iterator[Text]:
    yield Text(f" {result.label}", overflow="ellipsis")
    yield Text(f"{result.n_users:,}")
    yield Text(f"{result.n_targets:,}")
    yield Text(f"{result.ndcg[reference].mean:.4f}")
    for model in models:
        difference = result.versus_reference[model]
        style = {"better than": "green", "worse than": "red"}.get(difference.verdict, "dim")
        yield Text(marked(difference), style=style)


def _render_worse(results: Sequence[SliceResult], reference: str) -> Iterator[Table | Text]:
    found = worse_than_reference(results)
    yield Text(worse_sentence(results, reference), style="bold" if found else "")
    if not found:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("model", max_width=18)
    table.add_column("worse on", max_width=44)
    for label in ("users", "by", "interval", "Holm's p"):
        table.add_column(label, justify="right", no_wrap=True)
    for one in found[:_MAX_WORSE]:
        apart = one.difference
        table.add_row(
            Text(one.model),
            Text(f"{one.by} {one.label}"),
            f"{one.n_users:,}",
            Text(marked(apart)),
            Text(f"[{apart.low:+.4f}, {apart.high:+.4f}]"),
            f"{apart.p_adjusted:.2g}",
        )
    yield table
    if len(found) > _MAX_WORSE:
        yield Text(f"and {len(found) - _MAX_WORSE:,} more in the JSON", style="dim")
