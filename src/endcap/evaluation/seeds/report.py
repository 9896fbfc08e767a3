"""The table of a published protocol for people, and in words what it cannot show."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.discern import Room
from endcap.evaluation.seeds.result import RANDOM, SeedEvaluation
from endcap.evaluation.split import Fact
from endcap.figures.printed import WIDTH, as_text, show

_MEANINGS = {
    "seed-1": "labels by the order of ratings; rows split at random 88.5 / 10 / 1.5 %; P@10 of a "
    "user's own test rows, divided by 10",
    "seed-2": "rows split at random 80 / 20 %; unknown rows dropped; P@10 and NDCG@10 of a user's "
    "own held-out rows, rating >= 4 is relevant",
}


_HEADS = {
    "mse_validation": "val. MSE",
    "mae_validation": "val. MAE",
    "mse": "test MSE",
    "mae": "test MAE",
    "rmse": "RMSE",
    "precision@10": "P@10",
    "ndcg@10": "NDCG@10",
}


def render_seed(evaluation: SeedEvaluation, console: Console | None = None) -> None:
    """Print the table, what it cannot tell, and the facts; plain text off a terminal."""
    show(_sections(evaluation), console)


def render_seed_text(evaluation: SeedEvaluation, *, width: int = WIDTH) -> str:
    """Return the report as plain text, no line wider than `width`."""
    return as_text(_sections(evaluation), width=width)


def seed_verdicts(evaluation: SeedEvaluation) -> list[str]:
    """Return for each metric whether it can tell models apart, and which lose to a constant."""
    lines = []
    for metric in evaluation.better:
        room = evaluation.room(metric)
        span = f"random {room.random.mean:.4f}, perfect {room.oracle.mean:.4f}"
        if room.is_blind:
            lines.append(
                f"{_HEADS[metric]}: this number cannot tell models apart: {span}, {_apart(room)} "
                f"apart; other users would change it by ±{room.noise:.4f}"
            )
        elif behind := evaluation.behind(metric):
            bar = evaluation.best_trivial(metric)
            value = evaluation.rows[bar][metric].mean
            lines.append(
                f"{_HEADS[metric]}: no better than {bar} ({value:.4f}): {', '.join(behind)}"
            )
    return lines


def seed_facts(evaluation: SeedEvaluation) -> str:
    """Return what the protocol made of the data, denominators and all, in one sentence."""
    parts = [f"{name} {_fact(value)}" for name, value in evaluation.facts.items()]
    return f"{'; '.join(parts)}."


def _sections(evaluation: SeedEvaluation) -> Group:
    title = f"Protocol {evaluation.protocol}: {_MEANINGS[evaluation.protocol]}"
    notes = [
        seed_facts(evaluation),
        f"{RANDOM} is the mean of {evaluation.n_draws} draws; equal scores are in random order. "
        f"±: half the width of the 95 % bootstrap interval over users ({evaluation.n_replicates:,} "
        "replicates; errors are ratios of resampled sums). This protocol is for comparison with "
        "what was published; it leaks the future and ranks no catalogue.",
    ]
    return Group(
        Text(title, style="bold cyan"),
        _table(evaluation),
        *(Text(line) for line in seed_verdicts(evaluation)),
        Text(""),
        *(Text(note, style="dim") for note in notes),
    )


def _table(evaluation: SeedEvaluation) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("row", no_wrap=True)
    for metric in evaluation.better:
        mark = " (blind)" if metric in evaluation.blind else ""
        table.add_column(f"{_HEADS[metric]}{mark}", justify="right")
    for name, row in evaluation.rows.items():
        style = "dim" if name in evaluation.trivial else ""
        table.add_row(name, *(_cell(row[metric]) for metric in evaluation.better), style=style)
    return table


def _cell(found: Interval) -> str:
    if math.isnan(found.mean):
        return "-"
    return f"{found.mean:.4f} ±{(found.high - found.low) / 2:.4f}"


def _apart(room: Room) -> str:
    largest = max(abs(room.oracle.mean), abs(room.random.mean))
    return f"{room.span / largest if largest else 0.0:.2%}"


def _fact(value: Fact) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
