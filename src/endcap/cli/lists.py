"""`endcap lists`: what a model of a run recommends to each user, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from endcap.cli.context import Engine, settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError

LISTS_EXAMPLES = """
**Examples**: `endcap lists als --out lists.parquet`,
`endcap lists two_tower --out all.parquet --k 50 --seen`,
`endcap lists als --out lists.parquet --compute spark://host:7077`
"""


def lists(
    model: Annotated[str, typer.Argument(help="A model of the run.")],
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A new file that ends in .parquet.")
    ],
    run: Annotated[str, typer.Option(help="A run id of `train`, or `latest`.")] = "latest",
    k: Annotated[int, typer.Option(min=1, max=10_000, help="List length.")] = 100,
    seen: Annotated[
        bool, typer.Option("--seen", help="List also what a user has had already.")
    ] = False,
    compute: Engine = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the lists of all users: user_id, item_id, rank from 1, score.

    A Spark master shares the users out among its workers; its rows are the same.
    """
    settings = settings_with({"training": {"compute": compute}})
    with training_libraries():
        from endcap.ingest.snapshot import open_snapshot, read_ids
        from endcap.training.all_lists import Wish, check_place, write_lists
        from endcap.training.compute import open_compute
        from endcap.training.run import load_run
    check_place(out_file)  # before anything is started
    config, root = settings.training, settings.var / "models"
    found = load_run(root, run)
    if model not in found.models:
        raise SettingsError(
            f"the run {found.run_id} has no model {model!r}",
            where="endcap lists",
            mend=f"It has {', '.join(found.models)}",
        )
    ids = read_ids(open_snapshot(settings.var / "snapshots", found.snapshot_id).path)
    shared = settings.var / "training"
    with open_compute(config.compute, root=shared, memory_gb=config.memory_gb) as cluster:
        n_rows = write_lists(
            out_file,
            found.models[model],
            folder=root / found.run_id / model,
            ids=ids,
            wish=Wish(k, exclude_seen=not seen),
            cluster=cluster,
        )
    if as_json:
        told = {"path": out_file, "run_id": found.run_id, "model": model, "n_rows": n_rows}
        emit_json({**told, "n_users": len(ids.users.ids), "compute": config.compute})
        return
    out.print(f"{n_rows:,} rows for {len(ids.users.ids):,} users in {out_file}")
