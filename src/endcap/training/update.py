"""Let the models of the latest run go on learning from what has happened since.

Models that cannot are fitted anew, so that all of a run know the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, weigh
from endcap.ingest.snapshot import Snapshot, open_snapshot, read_ids
from endcap.models import registry
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError
from endcap.schema.protocols import Recommender, Updates
from endcap.telemetry import console
from endcap.training.compute import LOCAL
from endcap.training.run import (
    ModelRecord,
    Run,
    fit_models,
    model_rng,
    new_run,
    said_of_place,
    save_run,
    timed,
)

if TYPE_CHECKING:
    from endcap.training.on_spark import Cluster


def update(
    previous: Run,
    data: Dataset,
    names: Sequence[str],
    *,
    snapshot_id: str,
    root: Path,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    keep_in: Path | None = None,
    cluster: Cluster | None = None,
) -> tuple[Run, Path]:
    """Return a new run, and its folder, whose models went on from those of another.

    Args:
        previous: whose seed and weights of the kinds are those of the new one.
        data: a whole snapshot that continues the one of `previous`; see `why_not_continued`.
        names: models of the new run.
        snapshot_id: of the data.
        root: the folder of runs.
        params: settings of each model by name that differ from its defaults.
        keep_in: see `fit_models`.
        cluster: fits what is fitted anew; what goes on, goes on here.
    """
    prepared = interest(weigh(data, previous.weights))
    models, records = update_models(
        previous,
        prepared,
        names,
        seed=previous.seed,
        params=params,
        keep_in=keep_in,
        cluster=cluster,
    )
    run = new_run(
        models,
        records,
        snapshot_id=snapshot_id,
        trained_until_us=data.end_us,
        seed=previous.seed,
        weights=previous.weights,
        updated_from=previous.run_id,
    )
    return save_run(run, root=root)


def update_models(
    previous: Run,
    data: Dataset,
    names: Sequence[str],
    *,
    seed: int,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    keep_in: Path | None = None,
    cluster: Cluster | None = None,
) -> tuple[dict[str, Recommender], dict[str, ModelRecord]]:
    """Return the models by name, those that can having gone on from the run, and what each took.

    A model goes on when it can be updated and has the same settings as in the run.

    Args:
        previous: the run to go on from.
        data: prepared as for `fit_models`; everything up to now.
        names: of the models.
        seed: of all that is random.
        params: settings of each model by name that differ from its defaults.
        keep_in: see `fit_models`.
        cluster: fits what is fitted anew; what goes on, goes on here.
    """
    models: dict[str, Recommender] = {}
    records: dict[str, ModelRecord] = {}
    for name in names:
        known, wanted = previous.models.get(name), (params or {}).get(name)
        settings = registry.params(registry.create(name, wanted))
        if isinstance(known, Updates) and registry.params(known) == settings:
            learn = partial(
                known.update,
                data,
                since_us=previous.trained_until_us,
                rng=model_rng(seed, name),
            )
            where = said_of_place(LOCAL, cluster)
            models[name], records[name] = timed(name, learn, where=where)
        else:
            console.print(f"  {name}: fitted anew, {_reason(known)}")
            fitted, took = fit_models(
                data, (name,), seed=seed, params=params, keep_in=keep_in, cluster=cluster
            )
            models |= fitted
            records |= took
    return models, records


def why_not_continued(
    previous: Run, snapshot: Snapshot, data: Dataset, *, root: Path, weights: KindWeights
) -> str:
    """Return why the models of a run cannot go on with a snapshot; empty where they can.

    Events that came late, with times before the end of the run, are counted and told: models that
    go on may never learn them, the next full training does.

    Args:
        previous: the run.
        snapshot: of now, with its data.
        data: of the snapshot.
        root: the folder of snapshots.
        weights: of each kind of interaction, as they are set now.

    Cost: reads the ids of both snapshots.
    """
    if previous.weights != weights:
        return "the weights of the kinds have changed"
    try:
        before = open_snapshot(root, previous.snapshot_id)
    except DataError:
        return f"its snapshot {previous.snapshot_id} is gone"
    old, new = read_ids(before.path), read_ids(snapshot.path)
    if not (
        _begins_with(new.users.ids, old.users.ids) and _begins_with(new.items.ids, old.items.ids)
    ):
        return (
            "the snapshot numbers users and items anew; add to one with endcap ingest --since last"
        )
    n_late = len(data.between(None, previous.trained_until_us).interactions)
    n_late -= before.manifest.counts.kept
    if n_late < 0:
        return f"{-n_late:,} interactions that it was fitted on are gone"
    if n_late:
        console.print(f"  {n_late:,} events came late; models that go on may not know them")
    return ""


def training_folder(
    var: Path,
    *,
    snapshot_id: str,
    seed: int,
    weights: KindWeights = DEFAULT_WEIGHTS,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Return where the state of one unfinished training lies, so that the same command finds it."""
    told = {
        "snapshot_id": snapshot_id,
        "seed": seed,
        "weights": weights.model_dump(mode="json"),
        "params": {name: dict(values) for name, values in (params or {}).items()},
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return var / "training" / digest[:16]


def _begins_with(ids: Sequence[str], first: Sequence[str]) -> bool:
    return list(ids[: len(first)]) == list(first)


def _reason(known: Recommender | None) -> str:
    if known is None:
        return "as the run has none"
    if not isinstance(known, Updates):
        return "as it cannot be updated"
    return "as its settings have changed"
