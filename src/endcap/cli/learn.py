"""The verbs that turn facts into a bundle: ingest, train, evaluate, bundle."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from endcap.cli.context import (
    CatalogueFile,
    ColumnPairs,
    KCore,
    Models,
    SampleUsers,
    SnapshotName,
    model_names,
    settings_with,
    training_libraries,
)
from endcap.cli.output import JsonFlag, day, emit_json, out
from endcap.schema.errors import SettingsError

if TYPE_CHECKING:
    from endcap.ingest.snapshot import Snapshot

INGEST_EXAMPLES = """
**Examples**: `endcap ingest complete-journey`,
`endcap ingest clicks.csv.gz --map user_id=visitor --map item_id=sku --items catalogue.csv`,
`endcap ingest reviews.json.gz --k-core 5 --json`
"""
TRAIN_EXAMPLES = """
**Examples**: `endcap train`, `endcap train --models popular,item_knn`
"""
EVALUATE_EXAMPLES = """
**Examples**: `endcap evaluate`, `endcap evaluate --on validation --models als,two_tower`,
`endcap evaluate --markdown > table.md`
"""
BUNDLE_EXAMPLES = """
**Examples**: `endcap bundle`, `endcap bundle --run 20260101T120000-0a1b2c3d`
"""


def ingest(
    source: Annotated[
        str, typer.Argument(help="A file, or complete-journey, amazon-electronics-2014 or -2018.")
    ],
    mapping: ColumnPairs = None,
    items: CatalogueFile = None,
    k_core: KCore = 0,
    sample_users: SampleUsers = None,
    as_json: JsonFlag = False,
) -> None:
    """Read raw facts into a clean, versioned snapshot; bad rows go to a quarantine file."""
    settings = settings_with()
    with training_libraries():
        from endcap.ingest.snapshot import ingest as ingest_source
    snapshot = ingest_source(
        source,
        root=settings.var / "snapshots",
        downloads=settings.var / "downloads",
        mapping=column_mapping(mapping or []),
        items_file=items,
        k_core=k_core,
        sample_users=sample_users,
    )
    if as_json:
        emit_json({"path": snapshot.path, **snapshot.manifest.model_dump()})
        return
    print_snapshot(snapshot)


def train(
    snapshot: SnapshotName = "latest", models: Models = "", as_json: JsonFlag = False
) -> None:
    """Fit models on all of a snapshot and keep them as a run; `bundle` makes it servable."""
    settings = settings_with()
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.training.run import train as train_models
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    run, path = train_models(
        load_dataset(opened.path),
        model_names(models, settings),
        seed=settings.training.seed,
        snapshot_id=opened.snapshot_id,
        root=settings.var / "models",
        weights=settings.kinds,
    )
    if as_json:
        emit_json({"path": path, "run_id": run.run_id, "records": run.records})
        return
    out.print(f"run {run.run_id} in {path}")


def evaluate(
    snapshot: SnapshotName = "latest",
    models: Models = "",
    on: Annotated[
        str, typer.Option(help="`test`: the last days; `validation`: as many days before those.")
    ] = "test",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit models on the past, rank the full catalogue for the future, print what that shows."""
    settings = settings_with()
    with training_libraries():
        from endcap.evaluation.report import render_markdown, render_terminal
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.training.judge import Part, Setup, judge, save_evaluation
    part: Part = "validation" if on == "validation" else "test"
    if on != part:
        raise SettingsError(
            f"--on {on} is unknown", where="--on", mend=f"Say {' or '.join(get_args(Part))}"
        )
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    names, config = model_names(models, settings), settings.training
    data, weights = load_dataset(opened.path), settings.kinds
    evaluation = judge(data, names, config=config, weights=weights, on=part)
    setup = Setup.of(names, snapshot_id=opened.snapshot_id, config=config, weights=weights, on=part)
    path = save_evaluation(evaluation, setup, root=settings.var / "evaluations")
    if as_json:
        emit_json(evaluation.to_dict())
    elif markdown:
        sys.stdout.write(render_markdown(evaluation) + "\n")
    else:
        render_terminal(evaluation, out)
        out.print(f"[dim]kept in {path}[/dim]")


def bundle(
    run: Annotated[str, typer.Option(help="A run id of `train`, or `latest`.")] = "latest",
    as_json: JsonFlag = False,
) -> None:
    """Write what serving needs as one immutable folder, and make it the current bundle."""
    settings = settings_with()
    with training_libraries():
        from endcap.training.export import export
    path = export(run, var=settings.var, config=settings.training)
    if as_json:
        emit_json({"path": path})
        return
    out.print(f"bundle {path.name} in {path}")


def print_snapshot(snapshot: Snapshot) -> None:
    """Print what became of every row, what kind of data it is, and where it lies."""
    from endcap.ingest.profile import profile
    from endcap.ingest.snapshot import load_dataset

    manifest, counts = snapshot.manifest, snapshot.manifest.counts
    out.print(
        f"  {counts.kept:,} of {counts.rows_in:,} rows kept: {counts.users:,} users, "
        f"{counts.items_with_interactions:,} items with interactions of {counts.items:,} in the "
        f"catalogue, {day(manifest.time_span.first_us)} to {day(manifest.time_span.last_us)}"
    )
    facts = profile(load_dataset(snapshot.path))
    out.print(
        f"  a user has {facts.median_per_user:,.0f} interactions in the median; "
        f"{facts.repeat_share:.0%} of all are with an item that the user had before; "
        f"{facts.density:.2%} of all pairs of user and item occur"
    )
    for reason, n_rows in counts.quarantined_by_reason.items():
        out.print(f"  {n_rows:,} rows put aside: {reason}")
    for reason, n_rows in counts.catalogue_quarantined_by_reason.items():
        out.print(f"  {n_rows:,} lines of the catalogue put aside: {reason}")
    for removed, rule in (
        (counts.removed_by_sample, "not among the sampled users"),
        (counts.removed_by_k_core, "below the k-core"),
    ):
        if removed:
            out.print(f"  {removed:,} rows left out: {rule}")
    for warning in manifest.warnings:
        out.print(f"  [yellow]note[/yellow] {warning}")
    out.print(f"  snapshot {snapshot.snapshot_id} in {snapshot.path}")


def column_mapping(pairs: list[str]) -> dict[str, str]:
    """Return `ours=theirs` pairs as a mapping.

    Raises:
        SettingsError: a pair has no equals sign.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise SettingsError(
                f"{pair!r} is no mapping", where="--map", mend="Write --map user_id=reviewerID"
            )
        mapping[ours.strip()] = theirs.strip()
    return mapping
