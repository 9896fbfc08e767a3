"""The verbs that look at what was ingested: check-contract, contract, drift, quarantine."""

from __future__ import annotations

import sys
import time
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from endcap.cli.context import settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import DataError
from endcap.schema.types import SECOND_US

if TYPE_CHECKING:
    from endcap.ingest.drift import DriftReport
    from endcap.ingest.quarantine import Exported, QuarantinedRow, ReasonSummary
    from endcap.ingest.snapshot import Snapshot
    from endcap.ingest.stored import Stored

CHECK_CONTRACT_EXAMPLES = """
**Examples**: `endcap check-contract latest --contract contract.toml`,
`endcap check-contract 0123abcd --contract contract.toml --previous latest --json`.
Exit code 7 when the contract is broken.
"""
CONTRACT_EXAMPLES = """
**Examples**: `endcap contract propose latest > contract.toml`, `endcap contract explain`
"""
DRIFT_EXAMPLES = """
**Examples**: `endcap drift`, `endcap drift 0123abcd latest --whole`, `endcap drift --days 7 --json`
"""
QUARANTINE_EXAMPLES = """
**Examples**: `endcap quarantine`, `endcap quarantine latest --reason "ts is in the future"`,
`endcap quarantine --reason missing --export repair.jsonl`, then, once mended,
`endcap ingest repair.jsonl --since last`
"""
RAW_CHARS = 160
LISTED_ROWS = 20

NOT_RAW = (
    "{n:,} of them name their user by a pseudonym: mended, they would belong to somebody unknown. "
    "Ingest the source again with privacy.keep_raw_records = true, or mend the source itself."
)


class ContractAction(StrEnum):
    """What `endcap contract` does."""

    PROPOSE = "propose"
    EXPLAIN = "explain"


def check_contract(
    snapshot: Annotated[
        str, typer.Argument(help="A snapshot id, its folder, or `latest`.")
    ] = "latest",
    contract: Annotated[
        Path, typer.Option(help="The file that says what the snapshot must be like.")
    ] = Path("contract.toml"),
    previous: Annotated[
        str | None,
        typer.Option(help="The snapshot to compare with; the one made before it when left out."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold a snapshot to a data contract; say what is wrong, since when, and what to do."""
    root = settings_with().var / "snapshots"
    with training_libraries():
        from endcap.ingest.contract import check, load_contract, print_contract
        from endcap.ingest.snapshot import open_snapshot
    demands = load_contract(contract)
    opened = open_snapshot(root, snapshot)
    before = open_snapshot(root, previous) if previous else made_before(root, opened)
    report = check(opened, demands, previous=before, now_us=int(time.time() * SECOND_US))
    if as_json:
        emit_json(report.model_dump(mode="json"))
    else:
        print_contract(report, out)
    report.require()


def contract(
    action: Annotated[
        ContractAction,
        typer.Argument(
            help="`propose` writes a contract that a snapshot fulfils, with margins; `explain` "
            "says what can be demanded."
        ),
    ],
    snapshot: Annotated[
        str, typer.Argument(help="For `propose`: a snapshot id, its folder, or `latest`.")
    ] = "latest",
    as_json: JsonFlag = False,
) -> None:
    """Write a first data contract, or say what one can demand."""
    with training_libraries():
        from endcap.ingest.expectations import expectations
    if action is ContractAction.EXPLAIN:
        explain(dict(expectations()), as_json=as_json)
        return
    from endcap.ingest.checks.propose import propose
    from endcap.ingest.snapshot import open_snapshot

    root = settings_with().var / "snapshots"
    opened = open_snapshot(root, snapshot)
    text = propose(opened, previous=made_before(root, opened), now_us=int(time.time() * SECOND_US))
    if as_json:
        emit_json(tomllib.loads(text))
        return
    sys.stdout.write(text)


def explain(expectations: dict[str, str], *, as_json: bool) -> None:
    """Print what a contract can demand."""
    if as_json:
        emit_json({"expectations": expectations})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("expectation", no_wrap=True)
    table.add_column("meaning")
    for name, meaning in expectations.items():
        table.add_row(Text(name), Text(meaning))
    out.print(table)


def drift(
    before: Annotated[
        str | None, typer.Argument(help="The earlier snapshot; the one before the newest.")
    ] = None,
    after: Annotated[str | None, typer.Argument(help="The later snapshot; the newest.")] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Compare all rows of both, not only those since the earlier one's end."
        ),
    ] = False,
    days: Annotated[
        int, typer.Option(min=1, help="How many last days of the earlier snapshot to look at.")
    ] = 28,
    as_json: JsonFlag = False,
) -> None:
    """Compare two snapshots: volume, new users and items, and how each distribution moved."""
    root = settings_with().var / "snapshots"
    with training_libraries():
        from endcap.ingest.drift import compare
        from endcap.ingest.snapshot import open_snapshot
        from endcap.ingest.stored import newest
    last = newest(root, 2)
    if len(last) < 2 and (before is None or after is None):
        raise DataError(
            f"there {'is one snapshot' if last else 'are no snapshots'}, and it takes two",
            where=str(root),
            mend="Ingest again, or name two: endcap drift BEFORE AFTER",
        )
    old: Stored = open_snapshot(root, before) if before else last[1]
    new: Stored = open_snapshot(root, after) if after else last[0]
    report = compare(old, new, whole=whole, days=days)
    if as_json:
        emit_json(report.model_dump(mode="json"))
        return
    print_drift(report)


def print_drift(report: DriftReport) -> None:
    """Print what moved in words, then every distribution in a table."""
    from endcap.ingest.drift import drift_lines
    from endcap.ingest.wording import per_cent

    for line in drift_lines(report):
        out.print(Text(line))
    out.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("distribution", no_wrap=True)
    for heading in ("PSI", "by chance"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("reading", no_wrap=True)
    table.add_column("moved most")
    for facet in report.facets:
        movers = "; ".join(
            f"{one.label} {per_cent(one.share_before)} -> {per_cent(one.share_after)}"
            for one in facet.movers()
        )
        table.add_row(
            facet.name,
            f"{facet.psi:.3f}",
            f"{facet.chance:.3f}",
            facet.reading.value,
            Text(movers),
        )
    for name, why in report.skipped.items():
        table.add_row(name, "", "", "not compared", Text(why))
    out.print(table)


def quarantine(
    snapshot: Annotated[
        str, typer.Argument(help="A snapshot id, its folder, or `latest`.")
    ] = "latest",
    reason: Annotated[
        str | None, typer.Option(help="Only rows with a reason that has this text in it.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only rows of the file of this name.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="List so many rows, besides the reasons.")
    ] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Lines of the catalogue, not interactions.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the records as JSON lines into this new file, to be mended."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show which rows were put aside and why; export them, so that they can be mended."""
    root = settings_with().var / "snapshots"
    with training_libraries():
        from endcap.ingest.quarantine import (
            Selection,
            export_quarantine,
            read_quarantine,
            summarise_quarantine,
        )
        from endcap.ingest.snapshot import open_snapshot
    opened = open_snapshot(root, snapshot)
    chosen = Selection(reason, source, catalogue)
    reasons = summarise_quarantine(opened.path, chosen)
    if export is not None:
        exported = export_quarantine(opened.path, export, chosen)
        emit_json({"exported": exported}) if as_json else print_exported(exported)
        return
    rows: list[QuarantinedRow] = []
    if limit is not None or reason is not None or source is not None:
        rows = read_quarantine(
            opened.path,
            reason=reason,
            source=source,
            limit=limit or LISTED_ROWS,
            catalogue=catalogue,
        )
    if as_json:
        emit_json({"snapshot_id": opened.snapshot_id, "reasons": reasons, "rows": rows})
        return
    print_quarantine(opened, reasons, rows, catalogue=catalogue)


def print_quarantine(
    snapshot: Snapshot,
    reasons: list[ReasonSummary],
    rows: list[QuarantinedRow],
    *,
    catalogue: bool,
) -> None:
    """Print the reasons with their first rows, or the rows that were asked for."""
    from endcap.ingest.wording import per_cent

    counts = snapshot.manifest.counts
    n_in = counts.catalogue_rows_in if catalogue else counts.rows_in
    n_aside = counts.catalogue_quarantined if catalogue else counts.quarantined
    what = "lines of the catalogue" if catalogue else "rows"
    share = per_cent(n_aside / n_in) if n_in else "0 %"
    out.print(f"snapshot {snapshot.snapshot_id}: {n_aside:,} of {n_in:,} {what} put aside, {share}")
    for one in reasons:
        files = f" in {one.n_sources} files" if one.n_sources > 1 else ""
        out.print(Text(f"{one.n_rows:>11,}  {one.reason}{files}"))
        for place, row_number, raw in one.examples if not rows else ():
            out.print(Text(f"{'':13}{place}, row {row_number:,}: {shown(raw)}", style="dim"))
    for row in rows:
        text = f"{row.source}, row {row.row_number:,} ({'; '.join(row.reasons)}): {shown(row.raw)}"
        out.print(Text(text))


def print_exported(exported: Exported) -> None:
    """Print what an export has written, and what it could not write."""
    out.print(Text(f"{exported.n_rows:,} records in {exported.file}"))
    for n, places, what in (
        (exported.n_unparsed, exported.unparsed, 'are no records, written as {"_raw": …}'),
        (exported.n_absent, exported.absent, "are not in the file: nothing of them was kept"),
    ):
        if n:
            listed = "; ".join(f"{source}, row {row:,}" for source, row in places)
            more = f" and {n - len(places):,} more" if n > len(places) else ""
            out.print(Text(f"  {n:,} {what}: {listed}{more}"))
    if exported.n_pseudonyms:
        out.print(Text("  " + NOT_RAW.format(n=exported.n_pseudonyms)))
    out.print(Text(f"mend them, then: endcap ingest {exported.file} --since last"))


def shown(raw: str | None) -> str:
    """Return a record as an example shows it."""
    from endcap.ingest.wording import short

    return "(nothing of it was kept)" if raw is None else short(raw, limit=RAW_CHARS)


def made_before(root: Path, snapshot: Stored) -> Stored | None:
    """Return the snapshot that this one adds to, or else the one that was made before it."""
    from endcap.ingest.stored import newest

    manifest = snapshot.manifest
    others = [
        one for one in newest(root, sys.maxsize) if one.path.resolve() != snapshot.path.resolve()
    ]
    parent = [one for one in others if one.manifest.snapshot_id == manifest.parent]
    earlier = [one for one in others if one.manifest.created_at <= manifest.created_at]
    return next(iter(parent + earlier), None)
