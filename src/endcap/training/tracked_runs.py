"""What the book of runs holds, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from endcap.schema.errors import SettingsError
from endcap.training.tracking import KIND, NESTED, PARENT, Book


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One run as it stands in the book.

    parent_id: of the run that it belongs to; empty for one that stands alone.
    status: RUNNING, FINISHED, FAILED or KILLED.
    took_s: from its start to its end; None while it runs.
    snapshot: the data it was of.
    metrics: its main numbers, those without a slash in the name.
    """

    run_id: str
    parent_id: str
    name: str
    kind: str
    status: str
    started_us: int
    took_s: float | None
    snapshot: str
    metrics: Mapping[str, float]


def tracked_runs(
    book: Book, *, n_at_most: int = 20, kind: str = "", nested: bool = False
) -> list[TrackedRun]:
    """Return the runs of the book, newest first.

    Args:
        book: open.
        n_at_most: how many.
        kind: only of this kind; all when empty.
        nested: also each setting of a grid and each trial.

    Raises:
        SettingsError: the kind is no word.
    """
    if kind and not kind.replace(" ", "").isalpha():
        raise SettingsError(f"no run is of kind {kind!r}", where="--kind", mend="Say train or tune")
    wanted = [f"tags.{KIND} = '{kind}'"] if kind else []
    wanted += [] if nested else [f"tags.{NESTED} = 'no'"]
    found = book.ask(
        lambda client: client.search_runs(
            [book.experiment_id],
            filter_string=" AND ".join(wanted),
            max_results=n_at_most,
            order_by=["attributes.start_time DESC"],
        )
    )
    return [
        TrackedRun(
            run_id=run.info.run_id,
            parent_id=run.data.tags.get(PARENT, ""),
            name=run.info.run_name or "",
            kind=run.data.tags.get(KIND, ""),
            status=run.info.status,
            started_us=1000 * int(run.info.start_time),
            took_s=(run.info.end_time - run.info.start_time) / 1000 if run.info.end_time else None,
            snapshot=run.data.tags.get("snapshot", ""),
            metrics={name: value for name, value in run.data.metrics.items() if "/" not in name},
        )
        for run in found or ()
    ]
