"""What the book of runs is told of a training, an evaluation and a bundle."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from endcap import __version__
from endcap.evaluation.kept import EVALUATION
from endcap.evaluation.result import Evaluation, ModelResult
from endcap.figures.plots import name_axes, new_axes
from endcap.schema.artefacts import commit_hash
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Recommender
from endcap.training.run import MANIFEST, ModelRecord, Run, peak_memory_bytes
from endcap.training.tracking import Book, Entry, flat

if TYPE_CHECKING:
    from endcap.training.tune import Tuned

N_POINTS = 200
"""A curve has no more points; where there are more, each is the mean of several."""

RUN_ID = "endcap_run"
_LIBRARIES = (
    *("numpy", "scipy", "torch", "implicit", "lightgbm", "optuna", "scikit-learn", "duckdb"),
    *("mlflow", "pyspark", "sentence-transformers"),
)


def lineage(snapshot_id: str) -> dict[str, object]:
    """Return the tags that say what a result rests on: data, code, machine."""
    return {
        "snapshot": snapshot_id,
        "commit": commit_hash() or "",
        "endcap_version": __version__,
        "machine": f"{platform.platform()}, {os.cpu_count()} CPUs",
    }


def log_training(entry: Entry, run: Run, folder: Path, *, data: Dataset) -> None:
    """Note a finished training: settings, data, time, memory, curves, and its manifest.

    Args:
        entry: of the run.
        run: with its models.
        folder: where it was saved.
        data: what it was fitted on.
    """
    entry.tag(RUN_ID, run.run_id)
    entry.tag("folder", folder.resolve())
    entry.params({"seed": run.seed, "models": ",".join(run.records), **data_params(data)})
    for name, record in run.records.items():
        log_model(entry, name, run.models[name], record)
    total_s = sum(record.fit_s for record in run.records.values())
    entry.metrics({"fit_s": total_s, "machine/peak_memory_bytes": peak_memory_bytes()})
    entry.file(folder / MANIFEST, folder="run")
    entry.text("environment.json", environment_json())


def log_model(entry: Entry, name: str, model: Recommender, record: ModelRecord) -> None:
    """Note one fitted model: its settings, how long it took, and how its training went."""
    entry.params(flat(record.params, prefix=f"{name}."))
    entry.metrics({f"{name}/fit_s": record.fit_s})
    curves = training_curves(model)
    entry.curves({f"{name}/{what}": values.tolist() for what, values in curves.items()})
    for what, values in curves.items():
        entry.text(f"plots/{name}-{what}.svg", curve_svg(values, f"{what} of {name}"))


def log_evaluation(
    book: Book,
    evaluation: Evaluation,
    folder: Path,
    *,
    snapshot_id: str,
    on: str,
    params: Mapping[str, Mapping[str, Any]],
) -> None:
    """Note an evaluation as a run: every number with its interval, and the files it was kept as.

    `VIEW/MODEL/METRIC` is the mean, with `_low` and `_high` the ends of its 95 % interval. The
    main numbers, `ndcg.MODEL`, are those of the headline view.

    Args:
        book: of runs.
        evaluation: what was measured.
        folder: where it is kept, with its page if there is one.
        snapshot_id: of the data.
        on: `test` or `validation`.
        params: settings of each model by name.
    """
    tags = {**lineage(snapshot_id), "folder": folder.resolve()}
    with book.entry(f"{evaluation.protocol}, {on}", kind="evaluate", tags=tags) as entry:
        entry.params({"protocol": evaluation.protocol, "on": on, "k": evaluation.k})
        entry.params({"split": evaluation.split_id, "n_seeds": evaluation.n_seeds})
        entry.params(flat(params))
        entry.metrics(evaluation_metrics(evaluation))
        entry.metrics({"machine/peak_memory_bytes": peak_memory_bytes()})
        for path in (folder / EVALUATION, folder / "report.html"):
            if path.is_file():
                entry.file(path, folder="evaluation")
        entry.text("environment.json", environment_json())


def log_tuning(entry: Entry, tuned: Tuned) -> None:
    """Note what a search has found so far."""
    entry.tag("study", tuned.study)
    entry.metrics({"n_trials": len(tuned.trials)})
    if tuned.best is not None and tuned.best.value is not None:
        entry.metrics({"ndcg": tuned.best.value})
        entry.params({f"best.{name}": value for name, value in tuned.best.settings.items()})
    if tuned.as_set is not None and tuned.as_set.value is not None:
        entry.metrics({"ndcg_as_set": tuned.as_set.value})


def log_bundle(book: Book, run_id: str, manifest: Path) -> None:
    """Keep the manifest of a bundle with the training that it was made from, if that is known."""
    found = book.ask(
        lambda client: client.search_runs(
            [book.experiment_id], filter_string=f"tags.{RUN_ID} = '{run_id}'", max_results=1
        )
    )
    for run in found or ():
        Entry(book, run.info.run_id).file(manifest, folder="bundle")


def evaluation_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return all numbers of an evaluation by the names under which they are noted."""
    headline = next(iter(evaluation.views))
    found = {
        f"ndcg.{name}": model.metrics["ndcg"].mean
        for name, model in evaluation.views[headline].models.items()
    }
    for view, result in evaluation.views.items():
        for name, model in result.models.items():
            found |= {f"{view}/{name}/{key}": value for key, value in _numbers(model).items()}
    return found


def training_curves(model: Recommender) -> dict[str, NDArray[np.float64]]:
    """Return how the training of a model went, `loss` and `quality`, where it tells."""
    trained = getattr(model, "trained_", None)
    curves = {
        "loss": getattr(trained, "losses", getattr(model, "losses_", ())),
        "quality": getattr(trained, "qualities", ()),
    }
    return {what: thinned(values) for what, values in curves.items() if len(values)}


def thinned(values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return at most `N_POINTS` values, means of neighbours where there are more."""
    parts = np.array_split(np.asarray(values, dtype=np.float64), min(len(values), N_POINTS))
    return np.array([part.mean() for part in parts])


def curve_svg(values: NDArray[np.float64], title: str) -> str:
    """Return the picture of a curve as SVG."""
    figure, axes = new_axes()
    axes.plot(np.arange(1, len(values) + 1), values, marker="." if len(values) < 50 else None)
    name_axes(axes, "part of the training", title)
    text = StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()


def data_params(data: Dataset) -> dict[str, object]:
    """Return how much there was to learn from, and until when."""
    return {
        "n_users": data.n_users,
        "n_items": data.n_items,
        "n_interactions": len(data.interactions),
        "data_end": datetime.fromtimestamp(data.end_us / 1e6, tz=UTC).isoformat(),
    }


def environment_json() -> str:
    """Return what a result was made with: versions, the machine and the code, as JSON."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    told = {
        "endcap": __version__,
        "commit": commit_hash(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "n_cpus": os.cpu_count(),
        "libraries": versions,
    }
    return json.dumps(told, indent=2) + "\n"


def _numbers(model: ModelResult) -> dict[str, float]:
    found: dict[str, float] = dict(model.catalogue)
    for metric, interval in model.metrics.items():
        ends = asdict(interval)
        found |= {
            metric: ends["mean"],
            f"{metric}_low": ends["low"],
            f"{metric}_high": ends["high"],
        }
    return found
