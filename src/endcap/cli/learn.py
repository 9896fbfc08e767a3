"""The verbs that turn a snapshot into a bundle: train, bundle; `evaluate` has a file of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from endcap.cli.context import (
    Models,
    SnapshotName,
    model_names,
    settings_with,
    training_libraries,
)
from endcap.cli.output import JsonFlag, emit_json, out

TRAIN_EXAMPLES = """
**Examples**: `endcap train`, `endcap train --models popular,item_knn`
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
        params=settings.training.params,
    )
    if as_json:
        emit_json({"path": path, "run_id": run.run_id, "records": run.records})
        return
    out.print(f"run {run.run_id} in {path}")


def bundle(
    run: Annotated[str, typer.Option(help="A run id of `train`, or `latest`.")] = "latest",
    as_json: JsonFlag = False,
) -> None:
    """Write what serving needs as one immutable folder, and make it the current bundle."""
    settings = settings_with()
    with training_libraries():
        from endcap.training.export import export
    path = export(run, var=settings.var, config=settings.training, asking=settings.evaluation)
    if as_json:
        emit_json({"path": path})
        return
    out.print(f"bundle {path.name} in {path}")
