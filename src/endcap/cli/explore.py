"""The verb that shows what a snapshot holds: at the terminal, and as one HTML file."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endcap.cli.context import settings_with, training_libraries
from endcap.cli.output import JsonFlag, day, emit_json, out
from endcap.schema.errors import SettingsError
from endcap.schema.types import SECOND_US
from endcap.telemetry import step

if TYPE_CHECKING:
    from endcap.explore.page import About
    from endcap.ingest.snapshot import Snapshot
    from endcap.schema.dataset import Dataset

EXPLORE_EXAMPLES = """
**Examples**: `endcap explore`, `endcap explore latest --out shop.html`,
`endcap explore --split-at 2017-12-01 --json`
"""

MAX_NAMED_ITEMS = 1_000_000
"""A larger catalogue is not read for the names of its ten best sellers."""


def explore(
    snapshot: Annotated[
        str, typer.Argument(help="A snapshot id, its folder, or `latest`.")
    ] = "latest",
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Where the report goes; var/explore/ID.html when left out."),
    ] = None,
    split_at: Annotated[
        str | None,
        typer.Option(help="Where the test part begins, for the cold-start shares: 2017-12-01."),
    ] = None,
    test_days: Annotated[
        float | None,
        typer.Option(min=0.0, help="Or its length in days; setting training.test_days if neither."),
    ] = None,
    session_gap_min: Annotated[
        float | None,
        typer.Option(min=0.0, help="A silence of more minutes than this ends a session."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a snapshot holds, in words and numbers, and write a report with pictures."""
    settings = settings_with()
    with training_libraries():
        from endcap.explore.exploration import explore as explore_data
        from endcap.explore.page import render_page
        from endcap.explore.quarantine import quarantine
        from endcap.explore.terminal import render_terminal
        from endcap.ingest.snapshot import load_dataset, open_snapshot
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    data = load_dataset(opened.path)
    cut_us = cut_of(data, split_at, test_days, default_days=settings.training.test_days)
    gap_s = settings.ingest.session_gap_s if session_gap_min is None else 60.0 * session_gap_min
    with step("Looking"):
        found = explore_data(
            data,
            cut_us=cut_us,
            session_gap_s=gap_s,
            near_duplicate_s=opened.manifest.config.near_duplicate_s,
            rows=quarantine(opened.manifest),
            item_names=_item_names(opened, data),
        )
    path = out_file or settings.var / "explore" / f"{opened.snapshot_id}.html"
    with step("Drawing"):
        page = render_page(found, _about(opened))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    if as_json:
        results = {field.name: getattr(found, field.name) for field in fields(found)}
        emit_json({"path": path, "snapshot_id": opened.snapshot_id, **results})
        return
    render_terminal(found, out)
    out.print(f"\nreport in {path}", markup=False)


def cut_of(
    data: Dataset, split_at: str | None, test_days: float | None, *, default_days: float
) -> int:
    """Return where the test part begins, in microseconds.

    Raises:
        SettingsError: both flags were given, the date cannot be read, or one side of the cut that
            a flag asks for is empty.
    """
    from endcap.evaluation.split import days_before_end

    if split_at is None and test_days is None:
        return days_before_end(data, default_days)
    if split_at is not None and test_days is not None:
        raise SettingsError(
            "--split-at and --test-days say the same in two ways", mend="Give one of them"
        )
    flag = "--test-days" if split_at is None else "--split-at"
    cut_us = days_before_end(data, test_days or 0.0) if split_at is None else _moment_us(split_at)
    ts = data.interactions.ts
    if len(ts) and not ts[0] < cut_us <= ts[-1]:
        raise SettingsError(
            f"{flag} leaves nothing before the cut, or nothing after it",
            where=f"the data begins on {day(int(ts[0]))} and ends on {day(int(ts[-1]))}",
            mend="Choose a time between them",
        )
    return cut_us


def _moment_us(text: str) -> int:
    """Return a date or a time, UTC unless it says otherwise, in microseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is no date", where="--split-at", mend="Write --split-at 2017-12-01"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * SECOND_US)


def _about(opened: Snapshot) -> About:
    """Return what the page says of the snapshot; of a file only its name, not where it lies."""
    from endcap.explore.page import About

    manifest = opened.manifest
    made = datetime.fromisoformat(manifest.created_at).astimezone(UTC)
    return About(
        source=Path(manifest.source).name or manifest.source,
        snapshot_id=manifest.snapshot_id,
        made=f"{made:%-d %b %Y, %H:%M} UTC",
        warnings=tuple(manifest.warnings),
        notes=tuple(manifest.notes),
    )


def _item_names(opened: Snapshot, data: Dataset) -> list[str | None]:
    from endcap.ingest.snapshot import read_catalogue

    if data.n_items > MAX_NAMED_ITEMS:
        return []
    return [entry["name"] for entry in read_catalogue(opened.path)]
