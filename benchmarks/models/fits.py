"""Fitted models kept on disk, so that a benchmark of hours can be stopped and gone on with.

A fit is kept under a hash of the model's own source files, its settings, the seed and the data.
Each is made by a process of its own, on one thread, as many at a time as there are cores.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.data import folder_of, learnt_sessions, leave_one_out_data, tenth_of
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import split_by
from endcap.evaluation.split import TEMPORAL, Split
from endcap.features.weights import interest
from endcap.models import registry
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Persistent, Recommender
from endcap.training.run import model_rng, peak_memory_bytes

KEPT = Path("var/benchmarks/fits")
WINDOW_DAYS = 70
"""What is foreseen under a cut in time: on Amazon Beauty a tenth of the events."""

SESSIONS = "sessions"
"""The part of a set of sessions that is not for validation."""

_FACTS = "fit.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One fit: of a model, on the part of a data set that a split lets it learn.

    params: settings that differ from the defaults, as JSON.
    part: one of `PARTS`, or `SESSIONS`.
    """

    folder: str
    name: str
    seed: int
    params: str = "{}"
    part: str = "leave-one-out"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with what its fit took."""

    model: Recommender
    fit_s: float
    peak_bytes: int


def fit_all(wanted: Sequence[Wanted], data: Dataset) -> Iterator[Fitted]:
    """Yield the fitted models in order; those that are not kept yet are fitted first, in parallel.

    Args:
        wanted: what to fit.
        data: what all of them learn from, the training data of their part.
    """
    missing = [one for one in wanted if not (kept_at(one, data) / _FACTS).is_file()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_fit_apart, missing))
    for one in wanted:
        folder = kept_at(one, data)
        facts = json.loads((folder / _FACTS).read_text())
        yield Fitted(registry.load(one.name, folder / "model"), facts["fit_s"], facts["peak_bytes"])


def stale(data: Dataset, on: str) -> Split:
    """Return the leave-one-out split without refit: last item, or the one before on validation."""
    choices = ProtocolConfig(refit=False, on="validation" if on == "validation" else "test")
    return split_by("leave-one-out", data, choices=choices, prepare=interest)


def dated(data: Dataset, n_windows_back: int) -> Split:
    """Return the cut in time before the last days of the data, or so many windows before that."""
    choices = ProtocolConfig(
        on="validation" if n_windows_back else "test",
        test_days=WINDOW_DAYS * max(n_windows_back, 1),
        validation_days=WINDOW_DAYS,
    )
    return split_by(TEMPORAL, data, choices=choices, prepare=interest)


def _dated_tenth(data: Dataset, n_windows_back: int) -> Split:
    return dated(tenth_of(data), n_windows_back)


PARTS: Mapping[str, Callable[[Dataset], Split]] = {
    "leave-one-out": partial(stale, on="test"),
    **{f"temporal-{n}": partial(dated, n_windows_back=n) for n in range(4)},
    **{f"tenth-temporal-{n}": partial(_dated_tenth, n_windows_back=n) for n in range(4)},
}
"""Splits by name, of whose training data models are fitted."""


def _learnt(folder: Path, part: str) -> Dataset:
    if part == SESSIONS:
        return learnt_sessions(folder)
    return PARTS[part](leave_one_out_data(folder)).train


def kept_at(one: Wanted, data: Dataset) -> Path:
    """Return the folder of a fit."""
    digest = hashlib.sha256(json.dumps([one.name, one.seed, _settings(one)]).encode())
    for path in _sources(one.name):
        digest.update(path.read_bytes())
    told = data.interactions
    for column in (told.user_idx, told.item_idx, told.ts):
        digest.update(np.ascontiguousarray(column).data)
    return KEPT / f"{one.name}-{one.seed}-{digest.hexdigest()[:16]}"


def _sources(name: str) -> list[Path]:
    """Return the source files of a model: its room, or its file where it has none of its own."""
    told = importlib.import_module(registry.MODELS[name][0]).__file__
    file = Path(told or "")
    return sorted(file.parent.glob("*.py")) if file.name == "model.py" else [file]


def _settings(one: Wanted) -> Mapping[str, Any]:
    return registry.params(registry.create(one.name, json.loads(one.params)))


def _fit_apart(one: Wanted) -> None:
    """Fit in a process of its own, so that peak memory is that of the fit alone."""
    print(f"fitting {one.name}, seed {one.seed}", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.models.fits"]
    asked = [one.folder, one.name, str(one.seed), one.params, one.part]
    subprocess.run([*command, *asked], env=environment, check=True, capture_output=True)


def _fit_here(one: Wanted) -> None:
    data = _learnt(folder_of(one.folder), one.part)
    folder = kept_at(one, data)
    (folder / "model").mkdir(parents=True, exist_ok=True)
    model = registry.create(one.name, json.loads(one.params))
    started_s = time.perf_counter()
    model.fit(data, rng=model_rng(one.seed, one.name))
    fit_s = time.perf_counter() - started_s
    if not isinstance(model, Persistent):
        raise TypeError(f"{one.name} cannot be saved")
    model.save(folder / "model")
    facts = {"fit_s": fit_s, "peak_bytes": peak_memory_bytes()}
    (folder / _FACTS).write_text(json.dumps(facts))


if __name__ == "__main__":
    _fit_here(Wanted(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
