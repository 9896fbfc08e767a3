"""The grids of `seed-2` for people: what was published, what comes out here, and why so."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.seeds.report import seed_facts, seed_verdicts
from endcap.evaluation.seeds.result import ORACLE
from endcap.figures.printed import WIDTH, as_text, show
from endcap.training.grid import BESIDE, CHOSEN_BY, METRICS, Grid, row_name

_HEADS = {"rmse": "RMSE", "precision@10": "P@10", "ndcg@10": "NDCG@10"}
_DIGITS = {"rmse": 2, "precision@10": 4, "ndcg@10": 4}


def render_grid(grid: Grid, console: Console | None = None) -> None:
    """Print one table a round, and what its numbers cannot tell."""
    show(_sections(grid), console)


def render_grid_text(grid: Grid, *, width: int = WIDTH) -> str:
    """Return the report as plain text, no line wider than `width`."""
    return as_text(_sections(grid), width=width)


def _sections(grid: Grid) -> Group:
    tables = [part for name in grid.rounds for part in (_title(grid, name), _table(grid, name))]
    note = (
        "Each number as it was published, on Electronics of 2014, then as it comes out here with "
        "half of its 95 % interval. Settings are chosen on the rows that are reported, as then."
    )
    return Group(
        *tables,
        *(Text(line) for line in seed_verdicts(grid.evaluation)),
        Text(""),
        Text(seed_facts(grid.evaluation), style="dim"),
        Text(note, style="dim"),
    )


def _title(grid: Grid, name: str) -> Text:
    by = _HEADS[CHOSEN_BY.get(name, "rmse")]
    return Text(f"ALS, {name}: {grid.best[name]} is the best by {by}", style="bold cyan")


def _table(grid: Grid, name: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in ("rank", "regParam"):
        table.add_column(head, justify="right")
    for metric in METRICS:
        for head in ("publ.", _HEADS[metric]):
            table.add_column(head, justify="right", no_wrap=True)
    rows = grid.evaluation.rows
    for trivial in (*(row for row in grid.evaluation.trivial if row != ORACLE), *BESIDE):
        cells = [cell for metric in METRICS for cell in ("", _cell(rows[trivial][metric]))]
        table.add_row(trivial, "", *cells, style="dim")
    for setting, told in grid.rounds[name].items():
        row = row_name(setting)
        cells = [
            cell
            for metric, value in zip(METRICS, told, strict=True)
            for cell in (f"{value:.{_DIGITS[metric]}f}", _cell(rows[row][metric]))
        ]
        style = "bold" if row == grid.best[name] else ""
        table.add_row(str(setting[0]), f"{setting[1]:.2f}", *cells, style=style)
    return table


def _cell(found: Interval) -> str:
    return f"{found.mean:.4f} ±{(found.high - found.low) / 2:.4f}"
