"""Fit the configured models on one stretch of time, and keep a fitted set as a run.

A run is a folder of saved models with a manifest; it never changes once written. Evaluation of
models lives in `training/judge.py`, and what serving needs of them in `training/export.py`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, weigh
from endcap.models import registry
from endcap.schema.artefacts import commit_hash, publish_folder, read_pointer, scratch_folder
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError
from endcap.schema.protocols import Persistent, Recommender, Resumes
from endcap.telemetry import console
from endcap.training.compute import LOCAL

if TYPE_CHECKING:
    from endcap.training.on_spark import Cluster

FORMAT = 2
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is known about one fitted model besides its state.

    compute: where it was fitted: local://, or a Spark master.
    """

    params: Mapping[str, Any]
    fit_s: float
    compute: str = LOCAL


@dataclass(frozen=True, slots=True)
class Run:
    """A set of models fitted on the same data with the same seed and weights of the kinds.

    updated_from: the run whose models went on learning here; None where all were fitted anew.
    """

    run_id: str
    snapshot_id: str
    trained_until_us: int
    seed: int
    weights: KindWeights
    created_at: str
    commit: str | None
    records: Mapping[str, ModelRecord]
    models: Mapping[str, Recommender] = field(repr=False)
    updated_from: str | None = None


def fit_models(
    data: Dataset,
    names: Sequence[str],
    *,
    seed: int,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    keep_in: Path | None = None,
    cluster: Cluster | None = None,
) -> tuple[dict[str, Recommender], dict[str, ModelRecord]]:
    """Return the models by name, fitted on what may be learnt from, and what each took.

    Each model draws from its own stream, derived from (seed, name): adding or leaving out a model
    does not change the others.

    Args:
        data: prepared: weighed, refusals told apart.
        names: of the models.
        seed: of all that is random.
        params: settings of each model by name that differ from its defaults.
        keep_in: a folder for the state of trainings that take long, so that they can go on after
            an interruption; each has one of its own there.
        cluster: fits the models that it takes; all are fitted here when None.
    """
    models: dict[str, Recommender] = {}
    records: dict[str, ModelRecord] = {}
    for name in names:
        model, folder = registry.create(name, (params or {}).get(name)), None
        if keep_in is not None and isinstance(model, Resumes):
            folder = keep_in / name
            model = model.keep_training_in(folder)
        asked = registry.params(model)  # a fit may fill in what follows from the data
        learn, compute = partial(model.fit, data, rng=model_rng(seed, name)), LOCAL
        if cluster is not None and cluster.takes(model):
            learn = partial(cluster.fit, model, data, rng=model_rng(seed, name), keep_in=folder)
            compute = cluster.master
        models[name], record = timed(name, learn, where=said_of_place(compute, cluster))
        records[name] = replace(record, params=asked, compute=compute)
    return models, records


def timed(
    name: str, learn: Callable[[], Recommender], *, where: str = ""
) -> tuple[Recommender, ModelRecord]:
    """Return the model that has learnt, and what that took; says so in one line, with `where`."""
    started_s = time.perf_counter()
    model = learn()
    fit_s = time.perf_counter() - started_s
    memory = f"peak memory {peak_memory_bytes() / 1e9:.1f} GB"
    console.print(f"  {name:<10} {fit_s:6.1f} s   {memory}{where}", highlight=False)
    return model, ModelRecord(params=registry.params(model), fit_s=fit_s)


def said_of_place(compute: str, cluster: Cluster | None) -> str:
    """Return what is said of the place of a fit; nothing where there is but one."""
    if cluster is None:
        return ""
    return "   on this machine" if compute == LOCAL else f"   on {compute}"


def model_rng(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one model in a run."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def train(
    data: Dataset,
    names: Sequence[str],
    *,
    seed: int,
    snapshot_id: str,
    root: Path,
    weights: KindWeights = DEFAULT_WEIGHTS,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    keep_in: Path | None = None,
    cluster: Cluster | None = None,
) -> tuple[Run, Path]:
    """Fit the models on all of the data, save them under `root`, and return the run and its folder.

    `root/latest` names the newest run; an interrupted call leaves no half-written one behind.

    Args:
        data: a whole snapshot.
        names: models to fit.
        seed: of all that is random.
        snapshot_id: of the data.
        root: the folder of runs.
        weights: of each kind of interaction; kept with the run.
        params: settings of each model by name that differ from its defaults.
        keep_in: see `fit_models`; the caller removes it when the run is there.
        cluster: see `fit_models`.
    """
    prepared = interest(weigh(data, weights))
    models, records = fit_models(
        prepared, names, seed=seed, params=params, keep_in=keep_in, cluster=cluster
    )
    run = new_run(
        models,
        records,
        snapshot_id=snapshot_id,
        trained_until_us=data.end_us,
        seed=seed,
        weights=weights,
    )
    return save_run(run, root=root)


def new_run(
    models: Mapping[str, Recommender],
    records: Mapping[str, ModelRecord],
    *,
    snapshot_id: str,
    trained_until_us: int,
    seed: int,
    weights: KindWeights,
    updated_from: str | None = None,
) -> Run:
    """Return the run of fitted models, named by the moment and the data."""
    created = datetime.now(UTC)
    return Run(
        run_id=f"{created:%Y%m%dT%H%M%S}-{snapshot_id[:8]}",
        snapshot_id=snapshot_id,
        trained_until_us=trained_until_us,
        seed=seed,
        weights=weights,
        created_at=created.isoformat(timespec="seconds"),
        commit=commit_hash(),
        records=records,
        models=models,
        updated_from=updated_from,
    )


def save_run(run: Run, *, root: Path) -> tuple[Run, Path]:
    """Write the run under `root`, let `root/latest` name it, and return it with its folder.

    Of two runs of one second the later one gets a number behind its name.

    Raises:
        DataError: a model cannot be saved; nothing is left behind.
    """
    names = (run.run_id, *(f"{run.run_id}-{n}" for n in range(2, 100)))
    run = replace(run, run_id=next(name for name in names if not (root / name).exists()))
    with scratch_folder(root) as folder:
        for name, model in run.models.items():
            if not isinstance(model, Persistent):
                raise DataError(f"model {name} cannot be saved", mend="Give it save and load")
            (folder / name).mkdir()
            model.save(folder / name)
        manifest = {
            "format": FORMAT,
            **{key: value for key, value in asdict_shallow(run).items() if key != "models"},
            "weights": run.weights.model_dump(mode="json"),
            "records": {name: asdict(record) for name, record in run.records.items()},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str))
        return run, publish_folder(folder, root / run.run_id, pointer=root / "latest")


def load_run(root: Path, name: str = "latest") -> Run:
    """Return a saved run with its models.

    Args:
        root: the folder of runs.
        name: a run id, or `latest`.

    Raises:
        DataError: there is no such run, or it is damaged or of an unknown format.
    """
    folder = read_pointer(root / "latest") if name == "latest" else root / name
    if folder is None or not (folder / MANIFEST).is_file():
        raise DataError(
            "there is no such training run", where=str(root / name), mend="Run endcap train first"
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except json.JSONDecodeError as error:
        raise DataError(
            f"the manifest of the training run is damaged: {error}",
            where=str(folder),
            mend="Train again",
        ) from error
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"the training run is of an unknown format, {manifest.get('format')!r} where this "
            f"release reads {FORMAT}",
            where=str(folder),
            mend="Train again with this release",
        )
    records = {key: ModelRecord(**value) for key, value in manifest["records"].items()}
    return Run(
        run_id=manifest["run_id"],
        snapshot_id=manifest["snapshot_id"],
        trained_until_us=manifest["trained_until_us"],
        seed=manifest["seed"],
        weights=KindWeights(**manifest["weights"]),
        created_at=manifest["created_at"],
        commit=manifest["commit"],
        records=records,
        models={key: registry.load(key, folder / key) for key in records},
        updated_from=manifest.get("updated_from"),
    )


def asdict_shallow(run: Run) -> dict[str, Any]:
    """Return the fields of a run without copying its models."""
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}
