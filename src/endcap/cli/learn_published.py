"""`endcap train` of what was published: the grids of `seed-2`, the network of `seed-1`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from endcap.cli.context import training_libraries
from endcap.cli.output import emit_json, out
from endcap.schema.artefacts import write_atomically
from endcap.settings import Settings

if TYPE_CHECKING:
    from endcap.ingest.snapshot import Snapshot


def train_grid(opened: Snapshot, settings: Settings, *, as_json: bool) -> None:
    """Run the grids of `seed-2`, each setting a nested run; print their tables and keep them."""
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset
        from endcap.training.compute import open_compute
        from endcap.training.grid import run_grid
        from endcap.training.grid_report import render_grid, render_grid_text
        from endcap.training.tracked import lineage
        from endcap.training.tracking import open_book
    config = settings.training
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    tags = lineage(opened.snapshot_id)
    compute = open_compute(
        config.compute, root=settings.var / "training", memory_gb=config.memory_gb
    )
    with book.entry("als, grids of seed-2", kind="grid", tags=tags) as entry:
        entry.params({"compute": config.compute})
        with compute as cluster:
            grid = run_grid(load_dataset(opened.path), config=config, entry=entry, cluster=cluster)
        path = _kept(f"{opened.snapshot_id}-seed-2-grid", grid.to_dict(), settings)
        entry.file(path, folder="grid")
        entry.text("grid/table.txt", render_grid_text(grid))
    if as_json:
        emit_json({**grid.to_dict(), "path": path})
        return
    render_grid(grid, out)
    out.print(Text(f"kept in {path}", style="dim"))


def train_preset(
    model: str, preset: str, opened: Snapshot, settings: Settings, *, as_json: bool
) -> None:
    """Train a model as it was published, print what it comes to by its protocol, and keep that."""
    with training_libraries():
        from endcap.evaluation.seeds.report import render_seed
        from endcap.ingest.snapshot import load_dataset
        from endcap.training.presets import preset_of, where_predictions_lie
        from endcap.training.tracked import lineage
        from endcap.training.tracking import open_book
    learn, config = preset_of(model, preset), settings.training
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    tags = lineage(opened.snapshot_id)
    with book.entry(f"{model}, {preset} as published", kind="train", tags=tags) as entry:
        found = learn(load_dataset(opened.path), config, settings.kinds)
        path = _kept(f"{opened.snapshot_id}-{model}-{preset}", found.to_dict(), settings)
        entry.metrics(
            {
                f"{row}/{metric}": interval.mean
                for row, intervals in found.rows.items()
                for metric, interval in intervals.items()
            }
        )
        entry.file(path, folder="preset")
    if as_json:
        emit_json({**found.to_dict(), "path": path})
        return
    render_seed(found, out)
    out.print(where_predictions_lie(found))
    out.print(Text(f"kept in {path}", style="dim"))


def _kept(name: str, record: dict[str, Any], settings: Settings) -> Path:
    folder = settings.var / "ratings"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_atomically(path, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return path
