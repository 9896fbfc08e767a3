"""One fit of a network in several processes of a Spark cluster, by pyspark's TorchDistributor.

How processes share a training is said in `models/learning/loop.py`; here they are started, given
the data, and the fitted model is fetched from the first of them.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from pydantic import BaseModel
from torch import distributed

from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.errors import StoreError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA, TASK, MODEL, FAILURE = "data.npz", "task.json", "model", "failure-"

_PYTHON_ERROR = re.compile(r"(?:\[rank\d+\]: ?)?\w+(?:\.\w+)*(?:Error|Exception|Interrupt): ")
_WRAPPED = (
    "RuntimeError: Command",
    "RuntimeError: TorchDistributor",
    "org.apache",
    "pyspark.",
    "torch.distributed.elastic",
)
"""How the programs around a process report that it failed."""


@runtime_checkable
class Network(Protocol):
    """What a model must be, so that it can be made anew elsewhere and come back."""

    @property
    def config(self) -> BaseModel:
        """The settings, of which alone it is made."""
        ...

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Train by `models.loop.train_network`."""
        ...

    def save(self, folder: Path) -> None:
        """See `Persistent`."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Persistent`."""
        ...

    def keep_training_in(self, folder: Path | None) -> Self:
        """See `Resumes`."""
        ...


Model = TypeVar("Model", bound=Network)


def fit_on_spark(
    session: SparkSession,
    model: Model,
    data: Dataset,
    *,
    rng: np.random.Generator,
    shared: Path,
    n_processes: int,
    training: Path | None = None,
    use_gpu: bool = False,
) -> Model:
    """Return the model of those settings, fitted by several processes as if by one.

    Each takes a part of every batch; gradients are averaged, by gloo or on GPUs by NCCL. What is
    drawn at random while a loss is computed is drawn by each process for itself, so the losses are
    those of one process but for noise.

    Args:
        session: whose workers have Python with this package; each has a free core, or GPU, for as
            many of the processes as it has.
        model: unfitted; it is left so.
        data: prepared as for `fit`.
        rng: each process begins with a copy of it.
        shared: an existing folder at the same place for every worker; empty again at the end.
        n_processes: at most as many as the workers have cores together.
        training: where the state is kept, as of `Resumes.keep_training_in`; a shared place.
        use_gpu: whether each process has a GPU of its own.

    Raises:
        StoreError: a process failed; what it said is part of the message.

    Cost: the data once through the shared folder, and all gradients once a batch between the
    processes: worth it where a batch takes far longer than that.
    """
    launch: Any = import_module("pyspark.ml.torch.distributor").TorchDistributor
    with tempfile.TemporaryDirectory(dir=shared, prefix="fit-") as place:
        folder = Path(place)
        _write_data(data, folder / DATA)
        (folder / TASK).write_text(task_of(model, training=training))
        (folder / MODEL).mkdir()
        together = launch(num_processes=n_processes, local_mode=False, use_gpu=use_gpu)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", FutureWarning
                )  # of the pandas that it passes through
                together.run(fit_one_of, str(folder.resolve()), rng, "nccl" if use_gpu else "gloo")
        except Exception as error:  # pyspark's own, or torchrun's through it
            told = [path.read_text() for path in sorted(folder.glob(f"{FAILURE}*"))]
            raise StoreError(
                f"the training failed on Spark: {_reason(chr(10).join([*told, str(error)]))}",
                where=session.sparkContext.master or "",
            ) from error
        return type(model).load(folder / MODEL)


def n_slots(session: SparkSession) -> int:
    """Return how many processes the workers that are there can run at a time, at least one."""
    context: Any = session.sparkContext
    of_jvm = context._jsc.sc()  # Spark's own count of cores has a floor of two
    usual = of_jvm.resourceProfileManager().defaultResourceProfile()
    return max(int(of_jvm.maxNumConcurrentTasks(usual)), 1)


def task_of(model: Network, *, training: Path | None = None) -> str:
    """Return what `unfitted` needs to make the model anew, as JSON."""
    task = {
        "module": type(model).__module__,
        "name": type(model).__qualname__,
        # What was not set may follow from the data, so it must not be set there either.
        "config": model.config.model_dump(mode="json", exclude_unset=True),
        "training": None if training is None else str(training.resolve()),
    }
    return json.dumps(task)


def unfitted(folder: Path) -> Any:
    """Return the model of the task in the folder, with its settings, not fitted."""
    task = json.loads((folder / TASK).read_text())
    kind: Any = getattr(import_module(task["module"]), task["name"])
    model = kind(type(kind().config).model_validate(task["config"]))
    return model if task["training"] is None else model.keep_training_in(Path(task["training"]))


def fit_one_of(folder: str, rng: np.random.Generator, backend: str) -> int:
    """Return how many processes took part in the fit that the folder describes; saves the model.

    This runs in each of the processes, which torchrun has told about each other.
    """
    place = Path(folder)
    model = unfitted(place)
    distributed.init_process_group(backend)
    rank, n_processes = distributed.get_rank(), distributed.get_world_size()
    try:
        model.fit(read_data(place / DATA), rng=rng)
        if rank == 0:
            model.save(place / MODEL)
        distributed.barrier()
    except Exception as error:
        # What a process prints reaches the caller by chance only.
        (place / f"{FAILURE}{rank}").write_text(f"{type(error).__name__}: {error}")
        raise
    finally:
        distributed.destroy_process_group()
    return n_processes


def _reason(said: str) -> str:
    """Return the first line in a heap of tracebacks that names an error of Python's, or the end."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if _PYTHON_ERROR.match(line)]
    inner = [line for line in errors if not line.startswith(_WRAPPED)]
    return (inner or errors or lines or ["nothing was said"])[0]


def _write_data(data: Dataset, path: Path) -> None:
    """Write the data as one file of plain arrays."""
    arrays: dict[str, Any] = {"sizes": np.array([data.n_users, data.n_items])}
    parts = {"interactions": data.interactions, "refusals": data.refusals, "items": data.items}
    for part, told in parts.items():
        for column in fields(told) if told is not None else ():
            if (values := getattr(told, column.name)) is not None:
                arrays[f"{part}.{column.name}"] = np.asarray(values)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_data(path: Path) -> Dataset:
    """Return the data that a fit was given."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def part(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): values
            for name, values in arrays.items()
            if name.startswith(prefix)
        }

    items: dict[str, Any] = {
        name: tuple(values.tolist()) if name.endswith("_names") else values
        for name, values in part("items.").items()
    }
    refusals = part("refusals.")
    n_users, n_items = arrays["sizes"].tolist()
    return Dataset(
        Interactions(**part("interactions.")),
        n_users=n_users,
        n_items=n_items,
        items=Items(**items),
        refusals=Interactions(**refusals) if refusals else None,
    )
