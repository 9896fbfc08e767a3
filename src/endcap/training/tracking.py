"""The book of runs: what was trained and measured, when, on which data, and what it came to.

The book is MLflow's: a SQLite file with files beside it, or any server of theirs. It is a witness
and no more: whatever befalls it, the work that it is told of goes on. What is told of a training
and of an evaluation is in `tracked.py`.
"""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from endcap.stores.urls import redact
from endcap.telemetry import console

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

LOCAL, OFF = "local", "off"
EXPERIMENT = "endcap"
DATABASE, FILES = "runs.db", "files"
NESTED, KIND = "endcap_nested", "endcap_kind"
PARENT = "mlflow.parentRunId"  # MLflow's own name, by which its page draws the tree

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server that does not answer costs seconds, not the minutes of seven patient retries.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
Tags: TypeAlias = Mapping[str, object]
Answer = TypeVar("Answer")


class Book:
    """Takes down runs; without a client it takes down nothing, and nobody has to ask.

    client: of MLflow.
    experiment_id: under which runs stand.
    address: where the book lies, secrets redacted.
    """

    def __init__(
        self, client: MlflowClient | None = None, experiment_id: str = "", address: str = ""
    ) -> None:
        self.client, self.experiment_id, self.address = client, experiment_id, address

    @property
    def is_open(self) -> bool:
        """Whether anything is taken down."""
        return self.client is not None

    def ask(self, question: Callable[[MlflowClient], Answer]) -> Answer | None:
        """Return what MLflow answers; None, and a closed book, when it fails or was closed."""
        if self.client is None:
            return None
        try:
            with _undisturbed():
                return question(self.client)
        except Exception as error:  # any: a book that burns must not take hours of work with it
            self.client = None
            _complain(error)
            return None

    @contextmanager
    def entry(self, name: str, *, kind: str, tags: Tags | None = None) -> Iterator[Entry]:
        """Yield a new entry, which ends with the block: finished, failed, or killed by Ctrl-C.

        Args:
            name: shown to people.
            kind: train, update, evaluate, grid, tune.
            tags: short texts to find it by.
        """
        with self._entry(name, {KIND: kind, NESTED: "no", **(tags or {})}) as entry:
            yield entry

    @contextmanager
    def _entry(self, name: str, tags: Tags) -> Iterator[Entry]:
        said = {key: str(value) for key, value in tags.items() if value is not None}
        begun = self.ask(
            lambda client: client.create_run(self.experiment_id, run_name=name, tags=said)
        )
        entry = Entry(self, begun.info.run_id if begun else "")
        status = "FAILED"
        try:
            yield entry
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            entry.end(status)


class Entry:
    """One run in the book; it can be added to after its end.

    run_id: MLflow's; empty where nothing is taken down.
    """

    def __init__(self, book: Book, run_id: str) -> None:
        self.book, self.run_id = book, run_id

    def params(self, params: Mapping[str, object]) -> None:
        """Note settings; each can be said once."""
        if self.run_id:
            from mlflow.entities import Param

            for some in _pieces([Param(key, _text(value)) for key, value in params.items()], 100):
                self._note(params=some)

    def metrics(self, metrics: Mapping[str, float]) -> None:
        """Note numbers; those that are not defined are left out.

        A name without a slash is a main one, which `endcap runs` shows.
        """
        self.curves({name: [value] for name, value in metrics.items()}, first_step=0)

    def curves(self, curves: Mapping[str, Sequence[float]], *, first_step: int = 1) -> None:
        """Note numbers that were measured again and again, such as the loss of each epoch."""
        if self.run_id:
            from mlflow.entities import Metric

            now_ms = time.time_ns() // 1_000_000
            points = [
                Metric(metric_name(name), float(value), now_ms, step)
                for name, values in curves.items()
                for step, value in enumerate(values, first_step)
                if math.isfinite(value)
            ]
            for some in _pieces(points, 1000):
                self._note(metrics=some)

    def tag(self, name: str, value: object) -> None:
        """Note a short text to find the run by."""
        if self.run_id:
            self.book.ask(lambda client: client.set_tag(self.run_id, name, str(value)))

    def text(self, name: str, text: str) -> None:
        """Keep a text as a file of the run, under a path with slashes."""
        if self.run_id:
            self.book.ask(lambda client: client.log_text(self.run_id, text, name))

    def file(self, path: Path, *, folder: str | None = None) -> None:
        """Keep a copy of a file with the run."""
        if self.run_id:
            self.book.ask(lambda client: client.log_artifact(self.run_id, str(path), folder))

    def end(self, status: str) -> None:
        """Say that the run is over, and how it ended."""
        if self.run_id:
            self.book.ask(lambda client: client.set_terminated(self.run_id, status))

    @contextmanager
    def part(self, name: str, *, kind: str, tags: Tags | None = None) -> Iterator[Entry]:
        """Yield a nested entry: one setting of a grid, one trial."""
        parts = {KIND: kind, NESTED: "yes", PARENT: self.run_id, **(tags or {})}
        with self.book._entry(name, parts) as entry:
            yield entry

    def _note(self, *, metrics: Sequence[Metric] = (), params: Sequence[Param] = ()) -> None:
        self.book.ask(lambda client: client.log_batch(self.run_id, metrics, params))


CLOSED = Book()
"""Takes down nothing."""


def open_book(where: str, *, var: Path, experiment: str = EXPERIMENT) -> Book:
    """Return the book of runs; a closed one, and one line that says why, where there can be none.

    Args:
        where: `local`, `off`, or the URI of a server or a database that MLflow knows.
        var: the folder with everything; `var/runs` holds the local book.
        experiment: under which runs stand; made when it is not there.

    Cost: four seconds for the library, and eight once for the tables of a new local book.
    """
    if where == OFF:
        console.print("  runs are not tracked: training.tracking is off")
        return CLOSED
    prepare_environment()
    try:
        with _undisturbed():
            from mlflow.tracking import MlflowClient

            if where == LOCAL:
                (var / "runs").mkdir(parents=True, exist_ok=True)
            uri = uri_of(where, var=var)
            client = MlflowClient(tracking_uri=uri)
            files = (var / "runs" / FILES).resolve().as_uri() if where == LOCAL else None
            return Book(client, _experiment(client, experiment, files), redact(uri))
    except Exception as error:  # any, as in `Book.ask`
        _complain(error)
        return CLOSED


def uri_of(where: str, *, var: Path) -> str:
    """Return the URI by which MLflow knows the book."""
    return f"sqlite:///{(var / 'runs' / DATABASE).resolve()}" if where == LOCAL else where


def metric_name(name: str) -> str:
    """Return a name that MLflow takes: `ndcg@10` is written `ndcg_at_10`."""
    return name.replace("@", "_at_")


def prepare_environment() -> None:
    """Keep MLflow from telling its makers what is done here, and from talking much."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _experiment(client: MlflowClient, name: str, files: str | None) -> str:
    if (found := client.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=files))


def _complain(error: Exception) -> None:
    if isinstance(error, ModuleNotFoundError):
        reason = f"{error.name} is not installed; pip install 'endcap[tracking]'"
    else:
        reason = redact(str(error).strip().partition("\n")[0]) or type(error).__name__
    console.print(f"  runs are not tracked: {reason}", markup=False)


def _pieces(values: Sequence[Answer], n_at_most: int) -> Iterator[Sequence[Answer]]:
    """Yield the values in order; no more go into one request to a server."""
    for start in range(0, len(values), n_at_most):
        yield values[start : start + n_at_most]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep warnings of libraries about each other from people who can do nothing about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _text(value: object) -> str:
    return "" if value is None else str(value)


def flat(settings: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Return nested settings under names with dots."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, prefix=f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
