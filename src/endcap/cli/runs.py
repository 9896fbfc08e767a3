"""`endcap runs`: what was trained and measured, newest first, and the page that shows it all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from endcap.cli.context import settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError

if TYPE_CHECKING:
    from endcap.training.tracked_runs import TrackedRun

RUNS_EXAMPLES = """
**Examples**: `endcap runs`, `endcap runs --kind evaluate --last 5`, `endcap runs --nested --json`,
`endcap runs --ui`
"""
N_METRICS_SHOWN = 4


def runs(
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many, at most.")] = 20,
    kind: Annotated[
        str, typer.Option(help="Only train, update, evaluate, grid or tune; all when empty.")
    ] = "",
    nested: Annotated[
        bool, typer.Option("--nested", help="Also each setting of a grid and each trial.")
    ] = False,
    ui: Annotated[bool, typer.Option("--ui", help="Start MLflow's page, until Ctrl-C.")] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of that page, on this machine alone.")
    ] = 5000,
    as_json: JsonFlag = False,
) -> None:
    """List what was trained, tuned and evaluated, newest first, with main numbers and seconds."""
    settings = settings_with()
    with training_libraries():
        from endcap.training.tracked_runs import tracked_runs
        from endcap.training.tracking import open_book
        from endcap.training.tracking_page import serve_page
    config = settings.training
    if ui:
        raise typer.Exit(serve_page(config.tracking, var=settings.var, port=port))
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    if not book.is_open:
        raise SettingsError(
            "there is no book of runs", where="training.tracking", mend="See above why"
        )
    found = tracked_runs(book, n_at_most=last, kind=kind, nested=nested)
    if as_json:
        emit_json({"runs": found, "book": book.address})
        return
    out.print(_table(found) if found else "no run has been tracked yet")
    out.print(f"[dim]{book.address}[/dim]")


def _table(found: list[TrackedRun]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in ("started, UTC", "kind", "run", "data", "main numbers"):
        table.add_column(head)
    table.add_column("seconds", justify="right")
    for run in found:
        main = sorted(run.metrics.items(), key=lambda pair: -pair[1])[:N_METRICS_SHOWN]
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in main)
        status = "" if run.status == "FINISHED" else f" ({run.status.lower()})"
        table.add_row(
            f"{datetime.fromtimestamp(run.started_us / 1e6, tz=UTC):%Y-%m-%d %H:%M}",
            run.kind,
            f"{run.name}{status}",
            run.snapshot[:8],
            numbers,
            "" if run.took_s is None else f"{run.took_s:.1f}",
        )
    return table
