"""The account of a run: how everything was read, what became of every row, the manifest."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from endcap import __version__
from endcap.ingest.arrive import mapping_of
from endcap.ingest.event_log import EVENTS_FILE, SOURCE
from endcap.ingest.fresh import place_of
from endcap.ingest.manifest import (
    Config,
    Counts,
    Manifest,
    Reading,
    SourceFile,
    TimeSpan,
    content_id,
)
from endcap.ingest.quarantine_rows import reason_counts
from endcap.ingest.staging import StagedFile
from endcap.ingest.thin import count_rows
from endcap.ingest.work import Thinning, Work
from endcap.ingest.write import Shelf
from endcap.schema.artefacts import commit_hash
from endcap.schema.types import DAY_US, SECOND_US

HISTORICAL_AFTER_US = 30 * DAY_US


def config_of(work: Work) -> Config:
    """Return how everything was read, which is part of the identity of the snapshot."""
    plan, parent = work.plan, work.plan.parent
    before = parent.manifest.config if parent is not None else None
    readings = list(before.readings) if before else []
    for arrival in work.arrivals:
        reading = Reading(
            mapping=dict(mapping_of(arrival)),
            kinds={word: kind.value for word, kind in sorted(arrival.recipe.kinds.items())},
            ts_unit=arrival.ts_unit,
            time_zone=arrival.recipe.time_zone or "UTC",
            refused=[f"{rule.column}: {rule.matches}" for rule in arrival.recipe.refuse],
        )
        if reading not in readings:
            readings.append(reading)
    described = plan.door.policy.described()
    return Config(
        readings=readings,
        item_mapping=work.item_mapping or (before.item_mapping if before else {}),
        has_catalogue=work.has_catalogue,
        available_days=work.available_days,
        sample_users=plan.thinning.sample_users,
        min_per_user=plan.thinning.min_per_user,
        min_per_item=plan.thinning.min_per_item,
        k_core=plan.thinning.k_core,
        near_duplicate_s=plan.suspicion.near_duplicate_us / SECOND_US,
        max_per_minute=plan.suspicion.max_per_minute,
        max_per_day=plan.suspicion.max_per_day,
        dropped=list(plan.suspicion.dropped),
        user_ids=plan.door.scheme,
        attributes={name: described[name] for name in work.attributes},
        has_users_file=bool(work.people) or (before is not None and before.has_users_file),
        k_anonymity=plan.k_anonymity,
    )


def manifest_of(work: Work, shelf: Shelf, config: Config, span: TimeSpan) -> Manifest:
    """Return what the snapshot says of itself."""
    plan, parent = work.plan, work.plan.parent
    before = parent.manifest if parent is not None else None
    counts = _counts(work, before.counts if before else None)
    files = dict(sorted(shelf.files.items()))
    names = list(dict.fromkeys(recipe.name for recipe in plan.recipes))
    notes = [note for recipe in plan.recipes for note in recipe.notes]
    warnings = list(before.warnings if before else []) + work.desk.warnings
    return Manifest(
        snapshot_id=content_id(files, config),
        parent=before.snapshot_id if before else None,
        created_at=iso(plan.now_us),
        source=before.source if before else ", ".join(names[:5]) + (" …" if names[5:] else ""),
        source_files=[
            *(before.source_files if before else []),
            *(_source_file(file, work) for file in work.desk.files),
        ],
        config=config,
        counts=counts,
        time_span=span,
        tables=shelf.types,
        files=files,
        notes=list(dict.fromkeys([*(before.notes if before else []), *notes])),
        warnings=list(dict.fromkeys([*warnings, *_published_warnings(work, counts)])),
        k_report=work.k_report.model_dump() if work.k_report else None,
        historical=plan.now_us - span.last_us > HISTORICAL_AFTER_US,
        commit=commit_hash(),
        endcap_version=__version__,
    )


def _published_warnings(work: Work, counts: Counts) -> list[str]:
    """Return where the size is not the published one, when all of one named set was read."""
    published = work.plan.recipes[0].published
    if published is None or work.plan.parent is not None or len(work.plan.recipes) > 1:
        return []
    found = {"rows": counts.rows_in, "users": counts.users}
    wanted = {"rows": published.n_rows, "users": published.n_users}
    found["items"], wanted["items"] = counts.items_with_interactions, published.n_items
    if work.plan.thinning != Thinning():
        found = {"rows": counts.rows_in}
    return [
        f"{found[what]:,} {what}, but {wanted[what]:,} are published"
        for what in found
        if found[what] != wanted[what]
    ]


def _counts(work: Work, before: Counts | None) -> Counts:
    compute = work.compute
    aside = reason_counts(compute, "quarantine")
    listed = reason_counts(compute, "bad_items")
    touched = compute.rows("SELECT count(*) FROM popularity WHERE n_events > 0")
    fresh = Counts(
        rows_in=sum(arrival.n_rows for arrival in work.arrivals),
        kept=count_rows(compute, "indexed"),
        quarantined=count_rows(compute, "quarantine"),
        removed_by_sample=work.removed["sample"],
        removed_by_minimum=work.removed["minimum"],
        removed_by_k_core=work.removed["k_core"],
        users=count_rows(compute, "users"),
        items=count_rows(compute, "items"),
        items_with_interactions=int(touched[0][0]),
        catalogue_rows_in=work.n_catalogue_rows,
        catalogue_quarantined=count_rows(compute, "quarantine_items"),
        flagged=dict(compute.rows("SELECT flag, CAST(sum(n) AS BIGINT) FROM flags GROUP BY flag")),
        quarantined_by_reason=dict(aside.most_common()),
        catalogue_quarantined_by_reason=dict(listed.most_common()),
    )
    return fresh if before is None else _added(before, fresh)


def _added(before: Counts, fresh: Counts) -> Counts:
    """Return the counts of both runs together."""
    reasons = Counter(before.quarantined_by_reason) + Counter(fresh.quarantined_by_reason)
    catalogue = fresh if fresh.catalogue_rows_in else before
    return fresh.model_copy(
        update={
            "rows_in": before.rows_in + fresh.rows_in,
            "kept": before.kept + fresh.kept,
            "quarantined": before.quarantined + fresh.quarantined,
            "quarantined_by_reason": dict(reasons.most_common()),
            "catalogue_rows_in": catalogue.catalogue_rows_in,
            "catalogue_quarantined": catalogue.catalogue_quarantined,
            "catalogue_quarantined_by_reason": catalogue.catalogue_quarantined_by_reason,
        }
    )


def _source_file(file: StagedFile, work: Work) -> SourceFile:
    scratch = work.desk.scratch
    if file.original == scratch / EVENTS_FILE:
        path, offset = SOURCE, work.plan.log_offset
    else:
        path, offset = place_of(file.original, scratch), None
    return SourceFile(
        path=path,
        sha256=file.sha256,
        n_bytes=file.n_bytes,
        modified_ns=file.original.stat().st_mtime_ns,
        log_offset=offset,
    )


def iso(ts_us: int) -> str:
    """Return a time as text, in UTC, to the second."""
    return datetime.fromtimestamp(ts_us / SECOND_US, tz=UTC).isoformat(timespec="seconds")
