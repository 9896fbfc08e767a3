"""`endcap ingest`: raw facts into a clean, versioned snapshot; and how a snapshot is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from endcap.cli.context import (
    CatalogueFile,
    ColumnPairs,
    Engine,
    KCore,
    SampleUsers,
    settings_with,
    training_libraries,
)
from endcap.cli.output import JsonFlag, day, emit_json, moment, out
from endcap.schema.errors import SettingsError

if TYPE_CHECKING:
    from endcap.ingest.manifest import Counts
    from endcap.ingest.preview import Preview
    from endcap.ingest.run import Places
    from endcap.ingest.snapshot import Snapshot
    from endcap.ingest.toml_mapping import GivenMapping
    from endcap.settings import Settings

INGEST_EXAMPLES = """
**Examples**: `endcap ingest complete-journey`,
`endcap ingest clicks.csv.gz --map user_id=visitor --map item_id=sku --items catalogue.csv`,
`endcap ingest exports/ --mapping shop.toml --dry-run`,
`endcap ingest events --since last --contract contract.toml`,
`endcap ingest reviews.json.gz --k-core 5 --json`
"""

Sources = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders, globs, `-` for standard input, `events` for the event log, or data "
        "sets by name: complete-journey, amazon-electronics-2014, …"
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", help="A TOML file that says which column is which, and more."),
]
UsersFile = Annotated[
    Path | None, typer.Option(help="A file with attributes of the users; see privacy.columns.")
]
FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format", help="csv, tsv, jsonl or parquet, where the name of a file does not tell."
    ),
]
Since = Annotated[
    str | None,
    typer.Option(help="Only add what is new to a snapshot: `last`, or the id of another one."),
]
ContractFile = Annotated[
    Path | None,
    typer.Option(help="A file of expectations; a snapshot that breaks them never is the latest."),
]
MinPerUser = Annotated[
    int, typer.Option(min=0, help="Keep users with this many interactions, counted once.")
]
MinPerItem = Annotated[
    int, typer.Option(min=0, help="Keep items with this many interactions, counted once.")
]
UserIds = Annotated[
    str | None,
    typer.Option(help="`hash`: users are known by pseudonyms; `keep`: by their ids as they are."),
]


def ingest(
    sources: Sources,
    mapping_file: MappingFile = None,
    mapping: ColumnPairs = None,
    items: CatalogueFile = None,
    users_file: UsersFile = None,
    file_format: FileFormat = None,
    since: Since = None,
    contract: ContractFile = None,
    k_core: KCore = 0,
    min_per_user: MinPerUser = 0,
    min_per_item: MinPerItem = 0,
    sample_users: SampleUsers = None,
    compute: Engine = None,
    user_ids: UserIds = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the first rows as they will be read; keep none.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read raw facts into a clean, versioned snapshot; bad rows go to a quarantine."""
    settings = settings_with({"ingest": {"compute": compute}, "privacy": {"user_id": user_ids}})
    with training_libraries():
        from endcap.ingest.run import Given, preview
        from endcap.ingest.run import ingest as ingest_sources
        from endcap.ingest.work import Thinning
    given = Given(
        mapping=given_mapping(mapping_file, mapping or []),
        items=items,
        users=users_file,
        file_format=file_format,
        since=since,
        contract=contract,
    )
    places = places_of(settings)
    if dry_run:
        config, privacy = settings.ingest, settings.privacy
        shown = preview(
            sources, root=places.root, places=places, given=given, config=config, privacy=privacy
        )
        print_preview(shown, as_json=as_json)
        if not as_json:
            _say_what_is_unused(since, contract, sample_users, min_per_user, min_per_item, k_core)
        return
    snapshot = ingest_sources(
        sources,
        root=places.root,
        places=places,
        given=given,
        thinning=Thinning(sample_users, min_per_user, min_per_item, k_core),
        config=settings.ingest,
        privacy=settings.privacy,
    )
    if as_json:
        emit_json({"path": snapshot.path, **snapshot.manifest.model_dump()})
    else:
        print_snapshot(snapshot)


def _say_what_is_unused(*values: object) -> None:
    flags = ("since", "contract", "sample-users", "min-per-user", "min-per-item", "k-core")
    unused = [f"--{flag}" for flag, value in zip(flags, values, strict=True) if value]
    if unused:
        out.print(f"  a dry run is without {', '.join(unused)}: they need all of the rows")


def places_of(settings: Settings) -> Places:
    """Return where an ingest reads and writes, as the settings say."""
    from endcap.ingest.run import Places

    return Places(
        root=settings.var / "snapshots",
        downloads=settings.var / "downloads",
        var=settings.var,
        events=settings.stores.events,
    )


def given_mapping(file: Path | None, pairs: list[str]) -> GivenMapping:
    """Return what a mapping file and `ours=theirs` pairs say together; the pairs go first.

    Raises:
        SettingsError: the file or a pair is wrong.
    """
    from endcap.ingest.toml_mapping import mapping_of_pairs, read_mapping

    said = mapping_of_pairs(column_mapping(pairs))
    return said.over(read_mapping(file)) if file is not None else said


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


def print_snapshot(snapshot: Snapshot) -> None:
    """Print what became of every row, what kind of data it is, and where it lies."""
    manifest, counts = snapshot.manifest, snapshot.manifest.counts
    out.print(
        f"  {counts.kept:,} of {counts.rows_in:,} rows kept: {counts.users:,} users, "
        f"{counts.items_with_interactions:,} items with interactions of {counts.items:,} in the "
        f"catalogue, {day(manifest.time_span.first_us)} to {day(manifest.time_span.last_us)}"
    )
    if manifest.parent is None:  # of an increment, the old rows stay unread
        _print_profile(snapshot)
    _print_counts(counts)
    if manifest.user_ids != "keep":
        out.print(f"  users are known by pseudonyms ({manifest.user_ids}), not by their ids")
    if manifest.k_report:
        k, names = manifest.k_report["k"], ", ".join(manifest.config.attributes)
        out.print(
            f"  every user shares {names} with at least {max(k - 1, 0):,} others (k = {k})",
            markup=False,
        )
    for warning in manifest.warnings:
        out.print(Text.assemble("  ", ("note", "yellow"), " ", warning))
    if manifest.parent:
        out.print(f"  added to snapshot {manifest.parent}")
    out.print(f"  snapshot {snapshot.snapshot_id} in {snapshot.path}", markup=False)


def _print_profile(snapshot: Snapshot) -> None:
    from endcap.ingest.profile import profile
    from endcap.ingest.snapshot import load_dataset

    facts = profile(load_dataset(snapshot.path))
    out.print(
        f"  a user has {facts.median_per_user:,.0f} interactions in the median; "
        f"{facts.repeat_share:.0%} of all are with an item that the user had before; "
        f"{facts.density:.2%} of all pairs of user and item occur"
    )


def _print_counts(counts: Counts) -> None:
    for reason, n_rows in counts.quarantined_by_reason.items():
        out.print(f"  {n_rows:,} rows put aside: {reason}", markup=False)
    for reason, n_rows in counts.catalogue_quarantined_by_reason.items():
        out.print(f"  {n_rows:,} lines of the catalogue put aside: {reason}", markup=False)
    for removed, rule in (
        (counts.removed_by_sample, "not among the sampled users"),
        (counts.removed_by_minimum, "user or item with too few"),
        (counts.removed_by_k_core, "below the k-core"),
    ):
        if removed:
            out.print(f"  {removed:,} rows left out: {rule}")
    for flag, n_rows in sorted(counts.flagged.items()):
        out.print(f"  {n_rows:,} rows kept but flagged: {flag.replace('_', ' ')}")


def print_preview(shown: Preview, *, as_json: bool) -> None:
    """Print what the sources are, the first rows as they will be read, and a profile."""
    counts, facts = shown.counts, shown.profile
    if as_json:
        emit_json(
            {
                "explanation": shown.explanation,
                "readings": [reading.model_dump() for reading in shown.readings],
                "rows": shown.rows,
                "counts": counts.model_dump(),
                "profile": facts,
            }
        )
        return
    for line in shown.explanation:
        out.print(line, markup=False)
    for reading in shown.readings:
        columns = ", ".join(f"{role} = {column}" for role, column in reading.mapping.items())
        out.print(f"  read as: {columns}; times are {reading.ts_unit}", markup=False)
    table = Table(box=None, header_style="bold")
    for name in ("user_id", "item_id", "kind", "value", "price", "ts", "name"):
        table.add_column(name)
    for row in shown.rows:
        cells = {**row, "ts": moment(row["ts"])}
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in cells.values()))
    out.print(table)
    out.print(
        f"  of the first {counts.rows_in:,} records {counts.kept:,} would be kept: "
        f"{counts.users:,} users, {counts.items_with_interactions:,} items, "
        + ", ".join(f"{n:,} {kind}s" for kind, n in facts.kinds.items())
    )
    for reason, n_rows in counts.quarantined_by_reason.items():
        out.print(f"  {n_rows:,} would be put aside: {reason}", markup=False)
    out.print("  nothing was kept; leave out --dry-run to ingest all of it")
