"""The verbs that turn a snapshot into a bundle: train, bundle; `evaluate` has a file of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endcap.cli.context import (
    Engine,
    Models,
    SnapshotName,
    settings_with,
    split_names,
    training_libraries,
)
from endcap.cli.learn_published import train_grid, train_preset
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError
from endcap.settings import Settings
from endcap.telemetry import console

if TYPE_CHECKING:
    from endcap.ingest.snapshot import Snapshot
    from endcap.schema.dataset import Dataset
    from endcap.training.on_spark import Cluster
    from endcap.training.run import Run

TRAIN_EXAMPLES = """
**Examples**: `endcap train`, `endcap train item_knn als`, `endcap train --update`,
`endcap train als --grid`, `endcap train two_tower --preset seed-1`,
`endcap train als --compute spark://host:7077`
"""
BUNDLE_EXAMPLES = """
**Examples**: `endcap bundle`, `endcap bundle --run 20260101T120000-0a1b2c3d`
"""

ModelNames = Annotated[
    list[str] | None,
    typer.Argument(help="Models to fit, in this order; the configured ones when left out."),
]
Grid = Annotated[
    bool, typer.Option("--grid", help="`als`: the published grids of seed-2, with their table.")
]
PresetName = Annotated[
    str, typer.Option(help="`two_tower`: `seed-1`, the network as it was published.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin anew, whatever an interrupted training has left.")
]
UpdateFlag = Annotated[
    bool,
    typer.Option("--update", help="Go on from the latest run with what has happened since."),
]


def train(
    names: ModelNames = None,
    snapshot: SnapshotName = "latest",
    models: Models = "",
    update: UpdateFlag = False,
    fresh: Fresh = False,
    grid: Grid = False,
    preset: PresetName = "",
    compute: Engine = None,
    as_json: JsonFlag = False,
) -> None:
    """Fit models on all of a snapshot and keep them as a run; `bundle` makes it servable.

    Ctrl-C keeps the state of a long training; the same command goes on from there. A Spark master
    fits ALS and the networks, this machine the others.
    """
    settings = settings_with({"training": {"compute": compute}})
    named = (*(names or ()), *split_names(models))
    _check_together(named, update=update, fresh=fresh, grid=grid, preset=preset)
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.training.texts import with_wanted_texts
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    if grid:
        train_grid(opened, settings, as_json=as_json)
        return
    if preset:
        train_preset(named[0], preset, opened, settings, as_json=as_json)
        return
    chosen = named or settings.training.models
    data = with_wanted_texts(
        load_dataset(opened.path),
        chosen,
        opened.path,
        cache=settings.var / "texts",
        config=settings.training,
    )
    training = _Training(opened, data, chosen, settings, is_update=update)
    run, path = training.run(fresh=fresh)
    if as_json:
        emit_json(
            {
                "path": path,
                "run_id": run.run_id,
                "records": run.records,
                "updated_from": run.updated_from,
            }
        )
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
        from endcap.training.run import load_run
        from endcap.training.tracked import log_bundle
        from endcap.training.tracking import open_book
    found = load_run(settings.var / "models", run)
    config = settings.training
    path = export(found, var=settings.var, config=config, asking=settings.evaluation)
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    log_bundle(book, found.run_id, path / "manifest.json")
    if as_json:
        emit_json({"path": path})
        return
    out.print(f"bundle {path.name} in {path}")


@dataclass(frozen=True, slots=True)
class _Training:
    """One training of models that are to be served."""

    snapshot: Snapshot
    data: Dataset
    names: Sequence[str]
    settings: Settings
    is_update: bool

    def run(self, *, fresh: bool) -> tuple[Run, Path]:
        """Fit or update, noted in the book of runs; what an interruption leaves stays."""
        from endcap.models import registry
        from endcap.training.tracked import lineage, log_training
        from endcap.training.tracking import open_book
        from endcap.training.update import training_folder

        config, var = self.settings.training, self.settings.var
        unfinished = training_folder(
            var,
            snapshot_id=self.snapshot.snapshot_id,
            seed=config.seed,
            weights=self.settings.kinds,
            params=config.params,
        )
        if fresh:
            shutil.rmtree(unfinished, ignore_errors=True)
        for name in self.names:
            registry.create(name, config.params.get(name))  # before anything is fitted
        book = open_book(config.tracking, var=var, experiment=config.experiment)
        kind = "update" if self.is_update else "train"
        tags = lineage(self.snapshot.snapshot_id)
        with book.entry(", ".join(self.names), kind=kind, tags=tags) as entry:
            run, path = self._interruptible(unfinished)
            log_training(entry, run, path, data=self.data)
            entry.params({f"{name}.compute": one.compute for name, one in run.records.items()})
        shutil.rmtree(unfinished, ignore_errors=True)
        return run, path

    def _interruptible(self, unfinished: Path) -> tuple[Run, Path]:
        from endcap.training.compute import open_compute

        config = self.settings.training
        try:
            with open_compute(
                config.compute, root=self.settings.var / "training", memory_gb=config.memory_gb
            ) as cluster:
                return self._learn(unfinished, cluster)
        except KeyboardInterrupt:
            if unfinished.is_dir():
                console.print(f"  stopped; the same command goes on from {unfinished}")
            raise

    def _learn(self, unfinished: Path, cluster: Cluster | None) -> tuple[Run, Path]:
        from endcap.training.run import load_run, train
        from endcap.training.update import update, why_not_continued

        config, var, weights = self.settings.training, self.settings.var, self.settings.kinds
        snapshot_id, root = self.snapshot.snapshot_id, var / "models"
        if self.is_update:
            previous = load_run(root)
            reason = why_not_continued(
                previous, self.snapshot, self.data, root=var / "snapshots", weights=weights
            )
            if not reason:
                return update(
                    previous,
                    self.data,
                    self.names,
                    snapshot_id=snapshot_id,
                    root=root,
                    params=config.params,
                    keep_in=unfinished,
                    cluster=cluster,
                )
            console.print(f"  all models are fitted anew, not from {previous.run_id}: {reason}")
        return train(
            self.data,
            self.names,
            seed=config.seed,
            snapshot_id=snapshot_id,
            root=root,
            weights=weights,
            params=config.params,
            keep_in=unfinished,
            cluster=cluster,
        )


def _check_together(
    named: Sequence[str], *, update: bool, fresh: bool, grid: bool, preset: str
) -> None:
    """Refuse flags that mean nothing together."""
    said = {"--grid": grid, "--preset": bool(preset), "--update": update, "--fresh": fresh}
    flags = [flag for flag, is_said in said.items() if is_said]
    if len(flags) > 1 and flags != ["--update", "--fresh"]:
        raise SettingsError(
            f"{' and '.join(flags)} do not go together", where="endcap train", mend="Say one"
        )
    if grid and tuple(named) != ("als",):
        raise SettingsError(
            "--grid is for als alone", where="--grid", mend="Say endcap train als --grid"
        )
    if preset and len(named) != 1:
        raise SettingsError(
            "--preset is of one model", where="--preset", mend="Name the model before it"
        )
