"""The verbs that turn a snapshot into a bundle: train, evaluate, bundle."""

from __future__ import annotations

import sys
from typing import Annotated, get_args

import typer

from endcap.cli.context import (
    Models,
    SnapshotName,
    model_names,
    settings_with,
    training_libraries,
)
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError

TRAIN_EXAMPLES = """
**Examples**: `endcap train`, `endcap train --models popular,item_knn`
"""
EVALUATE_EXAMPLES = """
**Examples**: `endcap evaluate`, `endcap evaluate --on validation --models als,two_tower`,
`endcap evaluate --markdown > table.md`
"""
BUNDLE_EXAMPLES = """
**Examples**: `endcap bundle`, `endcap bundle --run 20260101T120000-0a1b2c3d`
"""


def train(
    snapshot: SnapshotName = "latest", models: Models = "", as_json: JsonFlag = False
) -> None:
    """Fit models on all of a snapshot and keep them as a run; `bundle` makes it servable."""
    settings = settings_with()
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.training.run import train as train_models
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    run, path = train_models(
        load_dataset(opened.path),
        model_names(models, settings),
        seed=settings.training.seed,
        snapshot_id=opened.snapshot_id,
        root=settings.var / "models",
        weights=settings.kinds,
    )
    if as_json:
        emit_json({"path": path, "run_id": run.run_id, "records": run.records})
        return
    out.print(f"run {run.run_id} in {path}")


def evaluate(
    snapshot: SnapshotName = "latest",
    models: Models = "",
    on: Annotated[
        str, typer.Option(help="`test`: the last days; `validation`: as many days before those.")
    ] = "test",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit models on the past, rank the full catalogue for the future, print what that shows."""
    settings = settings_with()
    with training_libraries():
        from endcap.evaluation.report import render_markdown, render_terminal
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.training.judge import Part, Setup, judge, save_evaluation
    part: Part = "validation" if on == "validation" else "test"
    if on != part:
        raise SettingsError(
            f"--on {on} is unknown", where="--on", mend=f"Say {' or '.join(get_args(Part))}"
        )
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    names, config = model_names(models, settings), settings.training
    data, weights = load_dataset(opened.path), settings.kinds
    evaluation = judge(data, names, config=config, weights=weights, on=part)
    setup = Setup.of(names, snapshot_id=opened.snapshot_id, config=config, weights=weights, on=part)
    path = save_evaluation(evaluation, setup, root=settings.var / "evaluations")
    if as_json:
        emit_json(evaluation.to_dict())
    elif markdown:
        sys.stdout.write(render_markdown(evaluation) + "\n")
    else:
        render_terminal(evaluation, out)
        out.print(f"[dim]kept in {path}[/dim]")


def bundle(
    run: Annotated[str, typer.Option(help="A run id of `train`, or `latest`.")] = "latest",
    as_json: JsonFlag = False,
) -> None:
    """Write what serving needs as one immutable folder, and make it the current bundle."""
    settings = settings_with()
    with training_libraries():
        from endcap.training.export import export
    path = export(run, var=settings.var, config=settings.training)
    if as_json:
        emit_json({"path": path})
        return
    out.print(f"bundle {path.name} in {path}")
