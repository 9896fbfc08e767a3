"""The steps from raw files to finished tables, in order; each step is in its own file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from endcap import __version__
from endcap.ingest import complete_journey
from endcap.ingest.catalogue import complete_from_rows, create_catalogue, read_items
from endcap.ingest.clean import Cleaned, clean
from endcap.ingest.engine import blaming, connect, count
from endcap.ingest.ids import index_ids
from endcap.ingest.manifest import (
    Config,
    Counts,
    Manifest,
    SourceFile,
    TimeSpan,
    content_id,
)
from endcap.ingest.mapping import interaction_roles, is_positional, item_roles
from endcap.ingest.readers import RawTable, open_table
from endcap.ingest.sources import Recipe
from endcap.ingest.staging import StagedFile, stage
from endcap.ingest.thin import k_core, sample_users
from endcap.ingest.write import publish, write_tables
from endcap.schema.artefacts import commit_hash
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US, SECOND_US
from endcap.telemetry import step

HISTORICAL_AFTER_US = 30 * DAY_US

COUNT_REASONS = """
    SELECT reason, count(*) AS n FROM (SELECT unnest(reasons) AS reason FROM quarantine)
    GROUP BY reason ORDER BY n DESC, reason
"""
COUNT_KEPT = "SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id) FROM kept"
SPAN = "SELECT min(ts), max(ts) FROM kept"


@dataclass(frozen=True, slots=True)
class Thinning:
    """How much of the rows to leave: see `thin`. 0 and None leave all."""

    k_core: int = 0
    sample_users: int | None = None

    def __bool__(self) -> bool:
        return self.k_core > 0 or self.sample_users is not None


@dataclass(slots=True)
class _Job:
    """What one run has found out so far; the rows themselves are tables of `db`."""

    db: DuckDBPyConnection
    recipe: Recipe
    files: list[StagedFile]
    warnings: list[str]
    item_mapping: dict[str, str]
    n_catalogue_rows: int = 0
    n_refused_items: int = 0
    refused_by_reason: Counter[str] = field(default_factory=Counter)


def run(recipe: Recipe, root: Path, scratch: Path, *, thinning: Thinning, now_us: int) -> Path:
    """Return the folder of the snapshot that the recipe yields.

    Args:
        recipe: what to read and how.
        root: the snapshot appears in this folder.
        scratch: an empty folder on the same disk, for what is in the making.
        thinning: what to leave out.
        now_us: the present, for what is the future and what is history.

    Raises:
        DataError: a file cannot be read, or no row of it can be used.
    """
    with connect(scratch) as db:
        job = _Job(db, recipe, [], [], {})
        _read_catalogue(job, scratch)
        table = _open(job, recipe.interactions, scratch, label="interactions")
        roles = interaction_roles(table.columns, recipe.mapping, where=str(recipe.interactions))
        in_catalogue = recipe.name == complete_journey.NAME
        with step(f"Reading {recipe.interactions.name}"), blaming(recipe.interactions):
            cleaned = clean(db, table, roles, now_us=now_us, in_catalogue=in_catalogue)
        _check_usable(job, cleaned)
        with step("Thinning and indexing" if thinning else "Indexing"):
            removed = _finish(job, thinning)
        config = Config(
            mapping=dict(sorted(roles.columns.items())),
            item_mapping=dict(sorted(job.item_mapping.items())),
            kind=roles.kind,
            ts_unit=cleaned.ts_unit,
            k_core=thinning.k_core,
            sample_users=thinning.sample_users,
            available_days=recipe.available_days,
        )
        with step("Writing the snapshot"):
            folder = scratch / "snapshot"
            files, types = write_tables(db, folder)
            span = _span(db)
            manifest = Manifest(
                snapshot_id=content_id(files, config),
                created_at=_iso(now_us),
                source=recipe.name,
                source_files=[_source_file(file) for file in job.files],
                config=config,
                counts=_counts(job, cleaned, removed),
                time_span=span,
                tables=types,
                files=files,
                notes=list(recipe.notes),
                warnings=job.warnings,
                historical=now_us - span.last_us > HISTORICAL_AFTER_US,
                commit=commit_hash(),
                endcap_version=__version__,
            )
            return publish(folder, root, manifest)


def _open(job: _Job, path: Path, scratch: Path, *, label: str) -> RawTable:
    staged = stage(path, scratch, label=label)
    job.files.append(staged)
    if staged.n_replaced:
        job.warnings.append(f"{path.name}: {staged.n_replaced:,} characters were not UTF-8")
    positional = is_positional(job.recipe.mapping) and label == "interactions"
    return open_table(job.db, staged, positional=positional)


def _read_catalogue(job: _Job, scratch: Path) -> None:
    create_catalogue(job.db)
    path = job.recipe.items
    if path is None:
        return
    with step(f"Reading {path.name}"), blaming(path):
        table = _open(job, path, scratch, label="items")
        if job.recipe.name == complete_journey.NAME:
            job.n_catalogue_rows = complete_journey.read_products(job.db, table.file)
        else:
            job.item_mapping = item_roles(table.columns, job.recipe.mapping, where=str(path))
            job.n_catalogue_rows = read_items(job.db, table, job.item_mapping)
    job.n_refused_items = count(job.db, "SELECT count(*) FROM quarantine")
    job.refused_by_reason = _reasons(job.db)


def _check_usable(job: _Job, cleaned: Cleaned) -> None:
    """Complain when nothing is left, and warn when the size is not the published one."""
    if cleaned.n_kept == 0:
        reasons = (_reasons(job.db) - job.refused_by_reason).most_common(3)
        raise DataError(
            f"none of {cleaned.n_rows:,} rows can be used: "
            + (", ".join(f"{reason} ({n:,})" for reason, n in reasons) or "there are none"),
            where=str(job.recipe.interactions),
            mend="Check the mapping of the columns",
        )
    published = job.recipe.published
    if published is None:
        return
    row = job.db.execute(COUNT_KEPT).fetchone() or (0, 0, 0)
    found = (cleaned.n_rows, row[1], row[2])
    wanted = (published.n_rows, published.n_users, published.n_items)
    for what, n_found, n_wanted in zip(("rows", "users", "items"), found, wanted, strict=True):
        if n_found != n_wanted:
            job.warnings.append(f"{n_found:,} {what}, but {n_wanted:,} are published")


def _finish(job: _Job, thinning: Thinning) -> tuple[int, int]:
    """Complete the catalogue, thin the rows, index the ids; return the rows removed by each."""
    db, has_catalogue = job.db, job.recipe.items is not None
    complete_from_rows(db, has_catalogue=has_catalogue, available_days=job.recipe.available_days)
    n_sampled = 0 if thinning.sample_users is None else sample_users(db, thinning.sample_users)
    n_cored = k_core(db, thinning.k_core) if thinning.k_core else 0
    if count(db, "SELECT count(*) FROM kept") == 0:
        raise DataError(
            f"no user and item is left in the {thinning.k_core}-core",
            where=str(job.recipe.interactions),
            mend="Ask for a smaller k",
        )
    index_ids(db, whole_catalogue=has_catalogue and not thinning)
    return n_sampled, n_cored


def _counts(job: _Job, cleaned: Cleaned, removed: tuple[int, int]) -> Counts:
    db = job.db
    n_kept, n_users, n_touched = db.execute(COUNT_KEPT).fetchone() or (0, 0, 0)
    n_quarantined = count(db, "SELECT count(*) FROM quarantine")
    return Counts(
        rows_in=cleaned.n_rows,
        kept=n_kept,
        quarantined=n_quarantined - job.n_refused_items,
        removed_by_sample=removed[0],
        removed_by_k_core=removed[1],
        users=n_users,
        items=count(db, "SELECT count(*) FROM items"),
        items_with_interactions=n_touched,
        catalogue_rows_in=job.n_catalogue_rows,
        catalogue_quarantined=job.n_refused_items,
        quarantined_by_reason=dict((_reasons(db) - job.refused_by_reason).most_common()),
        catalogue_quarantined_by_reason=dict(job.refused_by_reason.most_common()),
    )


def _reasons(db: DuckDBPyConnection) -> Counter[str]:
    return Counter(dict(db.execute(COUNT_REASONS).fetchall()))


def _span(db: DuckDBPyConnection) -> TimeSpan:
    first_us, last_us = db.execute(SPAN).fetchone() or (0, 0)
    return TimeSpan(first_us=first_us, last_us=last_us, first=_iso(first_us), last=_iso(last_us))


def _source_file(file: StagedFile) -> SourceFile:
    return SourceFile(path=str(file.original), sha256=file.sha256, n_bytes=file.n_bytes)


def _iso(ts_us: int) -> str:
    return datetime.fromtimestamp(ts_us / SECOND_US, tz=UTC).isoformat(timespec="seconds")
