"""`endcap evaluate` under the protocols of ratings: `rating`, `seed-1` and `seed-2`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from endcap.cli.context import split_names, training_libraries
from endcap.cli.output import emit_json, out
from endcap.schema.artefacts import write_atomically
from endcap.settings import Settings

if TYPE_CHECKING:
    from endcap.evaluation.pointwise.result import RatingEvaluation
    from endcap.evaluation.seeds.result import SeedEvaluation
    from endcap.ingest.snapshot import Snapshot
    from endcap.schema.dataset import Dataset

RATING_PROTOCOLS = ("rating", "seed-1", "seed-2")
"""As `evaluation.protocols.registry.OF_RATINGS`, which would load numpy for `--help`."""

DENSE_IDS = 50_000
"""With more users and items than this, the network of `seed-1` takes sparse steps."""


def evaluate_ratings_of(
    opened: Snapshot, settings: Settings, *, protocol: str, models: str = "", as_json: bool = False
) -> None:
    """Judge the ratings of a snapshot by one of `RATING_PROTOCOLS`, print and keep the result.

    Args:
        opened: the snapshot.
        settings: training settings, and where results are kept.
        protocol: one of `RATING_PROTOCOLS`.
        models: names with commas between; all that the protocol has when empty. For `seed-1`,
            models that rank, beside its own network; `seed-2` has its own.
        as_json: print the result as JSON.
    """
    names = split_names(models)
    with training_libraries():
        from endcap.evaluation.pointwise.report import render_ratings
        from endcap.evaluation.pointwise.result import RatingEvaluation
        from endcap.evaluation.seeds.report import render_seed
        from endcap.ingest.snapshot import load_dataset

        found = _judged(load_dataset(opened.path), protocol, names, settings)
    folder = settings.var / "ratings"
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / f"{opened.snapshot_id}-{protocol}.json"
    write_atomically(path, found.to_json() + "\n")
    if as_json:
        emit_json({**found.to_dict(), "path": path})
        return
    if isinstance(found, RatingEvaluation):
        render_ratings(found, out)
    else:
        render_seed(found, out)
    out.print(f"[dim]kept in {path}[/dim]")


def _judged(
    data: Dataset, protocol: str, names: tuple[str, ...], settings: Settings
) -> RatingEvaluation | SeedEvaluation:
    from endcap.training.judge_ratings import RATING_MODELS, judge_ratings
    from endcap.training.judge_seeds import judge_seed_1, judge_seed_2

    config = settings.training
    if protocol == "rating":
        return judge_ratings(data, names or tuple(RATING_MODELS), config=config)
    if protocol == "seed-2":
        return judge_seed_2(data, config=config)
    is_large = data.n_users + data.n_items > DENSE_IDS
    return judge_seed_1(data, names, config=config, sparse=is_large, weights=settings.kinds)
