"""An evaluation as one table for people: on a terminal, as plain text, as Markdown.

Shows only what is in the `Evaluation`; computes nothing new.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias, get_args

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.bootstrap import Difference, Verdict
from endcap.evaluation.metrics import MEASURES
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult
from endcap.evaluation.rivals import RANDOM
from endcap.schema.types import DAY_US, SECOND_US

WIDTH = 110
VERDICT_METRIC = "ndcg"

_ROOMY = 104  # columns; in fewer, each interval goes below its mean, which needs 80
_LABELS = {"recall": "Recall", "ndcg": "NDCG", "hit_rate": "HitRate", "mrr": "MRR"}
_MEANINGS = {
    "all": "whatever the user took; seen items may be listed",
    "repeat": "had before the cut; seen items may be listed",
    "discovery": "new to the user; seen items are not listed",
}
_EXPOSURE = ("coverage", "gini")

_Cell: TypeAlias = tuple[list[str], bool]
"""The texts of a cell, and whether it is the best of its column."""


def render_terminal(evaluation: Evaluation, console: Console | None = None) -> None:
    """Print the tables, the verdicts and the protocol; plain text of 110 columns off a terminal.

    Args:
        evaluation: what to show.
        console: standard output when None.
    """
    console = console or Console()
    if console.is_terminal:
        width = min(console.width, WIDTH)
        sections = _sections(evaluation, width=width)
        console.print(sections, width=width, highlight=False, soft_wrap=False)
    else:
        console.out(render_text(evaluation), end="", highlight=False)


def render_text(evaluation: Evaluation, *, width: int = WIDTH) -> str:
    """Return the report as plain text, no line wider than `width`."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(_sections(evaluation, width=width))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def render_markdown(evaluation: Evaluation) -> str:
    """Return the same tables, verdicts and protocol as Markdown."""
    lines: list[str] = []
    for name, view in evaluation.views.items():
        labels = _columns(evaluation)
        lines += [f"**{_title(name, view)}**", ""]
        lines += [f"| model | {' | '.join(labels)} |", "|---|" + "---:|" * len(labels)]
        for model, cells in _rows(evaluation, view):
            texts = [(" ".join(parts), is_best) for parts, is_best in cells]
            marked = [f"**{text}**" if is_best else text for text, is_best in texts]
            lines.append(f"| {model} | {' | '.join(marked)} |")
        lines.append("")
    lines += [f"- {line}" for line in verdicts(evaluation)]
    lines += ["", *protocol(evaluation)]
    return "\n".join(lines) + "\n"


def verdicts(evaluation: Evaluation) -> list[str]:
    """Return for each view who beats the reference, who is not shown to, and who loses to it.

    A further line names the models that are not shown to beat a random ranking.
    """
    lines = []
    for view_name, view in evaluation.views.items():
        groups: dict[Verdict, list[str]] = {verdict: [] for verdict in get_args(Verdict)}
        near_random = []
        for name, model in view.models.items():
            if name == RANDOM or view.n_users == 0:
                continue
            if name != evaluation.reference:
                against = model.versus_reference[VERDICT_METRIC]
                groups[against.verdict].append(f"{name} {_difference(against)}")
            if not model.versus_random[VERDICT_METRIC].low > 0:
                near_random.append(name)
        measured = f"{_at(VERDICT_METRIC, evaluation)} on {view_name}"
        for verdict, claims in groups.items():
            if claims:
                lines.append(f"{measured}, {verdict} {evaluation.reference}: {', '.join(claims)}")
        if near_random:
            lines.append(f"{measured}, not shown to beat random: {', '.join(near_random)}")
    return lines


def protocol(evaluation: Evaluation) -> list[str]:
    """Return the sentences without which the numbers mean nothing."""
    counts, k, views = evaluation.counts, evaluation.k, evaluation.views
    days = (evaluation.end_us - evaluation.cut_us) / DAY_US
    who = f"all {counts.n_test_users:,} test users"
    if evaluation.n_drawn_users is not None:
        who = f"{evaluation.n_drawn_users:,} of {counts.n_test_users:,} test users, drawn at random"
    best = ", ".join(f"{name} {_short(view.best_recall)}" for name, view in views.items())
    chance = ", ".join(
        f"{name} {view.expected_random[VERDICT_METRIC]:.2g}"
        for name, view in views.items()
        if view.n_users
    )
    return [
        f"Protocol: one cut in time for everybody, {_date(evaluation.cut_us)}. Models know the "
        f"{counts.n_train:,} interactions before it. Targets are each user's distinct items in the "
        f"{days:.1f} days up to {_date(evaluation.end_us)}: {counts.n_targets:,} from "
        f"{counts.n_window:,} interactions ({counts.n_after:,} later ones unused).",
        *_kinds(evaluation),
        f"Ranked: {who}, k = {k}, the full catalogue of {evaluation.n_items:,} items, no sampled "
        "negatives, equal scores in random order.",
        f"Denominators: users with a target of the kind. Not measured: {counts.n_silent_users:,} "
        f"users with a history who took nothing in the window. Measured: {counts.n_cold_users:,} "
        f"test users without a history, and {counts.n_cold_targets:,} cold targets "
        f"({counts.n_cold_items:,} items that nobody had before the cut), as misses where a model "
        "cannot know them.",
        f"Recall divides by all targets of a user, also by more than {k}; best possible: {best}. "
        "Coverage and Gini are over the catalogue; random shows what so few lists allow.",
        "±: half the width of the 95 % percentile bootstrap interval over users "
        f"({evaluation.n_replicates:,} replicates); differences are paired by user. Bold: best of "
        "the column, random aside. Random: exact expected values, which a constant score shares "
        f"({_at(VERDICT_METRIC, evaluation)}: {chance or 'none'}); coverage and Gini of one draw.",
        *_remarks(evaluation),
    ]


def _sections(evaluation: Evaluation, *, width: int) -> Group:
    parts: list[Table | Text] = []
    for name, view in evaluation.views.items():
        parts.append(Text(_title(name, view), style="bold cyan"))
        if view.n_users:
            parts.append(_table(evaluation, view, separator=" " if width >= _ROOMY else "\n"))
        else:
            parts.append(Text(""))
    parts += [Text(line) for line in verdicts(evaluation)]
    parts += [Text(""), *(Text(line, style="dim") for line in protocol(evaluation))]
    return Group(*parts)


def _difference(against: Difference) -> str:
    return f"{_signed(against.mean)} [{_signed(against.low)}, {_signed(against.high)}]"


def _kinds(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.target_kinds:
        return
    counts = evaluation.counts
    sentence = f"Kinds that make a target: {', '.join(evaluation.target_kinds)}"
    if counts.n_window_unused:
        sentence += f" ({counts.n_window_unused:,} interactions of the window make none)"
    if evaluation.weights:
        weights = ", ".join(f"{kind} {weight:.3g}" for kind, weight in evaluation.weights.items())
        sentence += f". Weights of what is learnt from: {weights}"
    if counts.n_train_unused:
        sentence += f" ({counts.n_train_unused:,} interactions before the cut are no interest)"
    yield sentence + "."


def _remarks(evaluation: Evaluation) -> Iterator[str]:
    short = f"Lists with fewer than {evaluation.k} items, the rest a miss"
    cut = "Lists that end within equal scores, where chance decides"
    for what, field in ((short, "n_short_lists"), (cut, "n_cut_ties")):
        found = [
            f"{name} {getattr(model, field):,} on {view_name}"
            for view_name, view in evaluation.views.items()
            for name, model in view.models.items()
            if getattr(model, field)
        ]
        if found:
            yield f"{what}: {', '.join(found)}."


def _title(name: str, view: ViewResult) -> str:
    if view.n_users == 0:
        return f"{name} targets ({_MEANINGS[name]}): none in this window"
    share = view.n_cold_targets / view.n_targets
    return (
        f"{name} targets ({_MEANINGS[name]}): "
        f"{view.n_users:,} users, {view.n_targets:,} targets, {share:.1%} cold"
    )


def _table(evaluation: Evaluation, view: ViewResult, *, separator: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("model", no_wrap=True, min_width=12, max_width=18)
    for label in _columns(evaluation):
        table.add_column(label, justify="right", no_wrap=True, min_width=len(label))
    for model, cells in _rows(evaluation, view):
        marked = [
            Text(separator.join(parts), style="bold" if is_best else "") for parts, is_best in cells
        ]
        table.add_row(model, *marked, style="dim" if model == RANDOM else "")
    return table


def _columns(evaluation: Evaluation) -> list[str]:
    accuracy = [_at(name, evaluation) for name in MEASURES]
    return [*accuracy, f"Cover@{evaluation.k}", f"Gini@{evaluation.k}"]


def _rows(evaluation: Evaluation, view: ViewResult) -> Iterator[tuple[str, list[_Cell]]]:
    if view.n_users == 0:
        return
    best = _best(view)
    for name, model in view.models.items():
        cells: list[_Cell] = []
        for column, value in _values(model).items():
            parts = [_short(value)]
            if name == RANDOM and column in MEASURES:
                parts = [_short(view.expected_random[column]), " exact"]
            elif column in MEASURES:
                interval = model.metrics[column]
                parts.append(f"±{_short((interval.high - interval.low) / 2)}")
            cells.append((parts, name != RANDOM and value == best[column]))
        yield name, cells


def _best(view: ViewResult) -> dict[str, float]:
    contenders = [_values(model) for name, model in view.models.items() if name != RANDOM]
    best = {}
    for column in (*MEASURES, *_EXPOSURE):
        known = [values[column] for values in contenders if not math.isnan(values[column])]
        pick = min if column == "gini" else max
        best[column] = pick(known, default=math.nan)
    return best


def _values(model: ModelResult) -> dict[str, float]:
    means = {name: model.metrics[name].mean for name in MEASURES}
    return {**means, "coverage": model.coverage, "gini": model.gini}


def _at(metric: str, evaluation: Evaluation) -> str:
    return f"{_LABELS[metric]}@{evaluation.k}"


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}" if abs(value) >= 0.001 else f"{value:+.1g}"


def _date(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us / SECOND_US, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
