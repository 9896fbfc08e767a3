"""Snapshots written table by table, for tests of what reads them; no ingest runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_origin

import duckdb
from pydantic import BaseModel

from endcap.ingest.manifest import Config, Counts, Manifest, SourceFile, TimeSpan, file_entry
from endcap.schema.types import SECOND_US

START_US = 1_700_006_400 * SECOND_US  # 15 Nov 2023, midnight
HOUR_US = 3600 * SECOND_US

Model = TypeVar("Model", bound=BaseModel)

ITEM_COLUMNS = (
    *("item_id", "name", "department", "category", "brand", "price", "currency", "image_url"),
    "is_available",
)
INTERACTIONS = {
    "user_idx": "INTEGER",
    "item_idx": "INTEGER",
    "kind": "UTINYINT",
    "value": "FLOAT",
    "price": "FLOAT",
    "ts": "BIGINT",
    "position": "BIGINT",
}
ITEMS = {
    "item_idx": "INTEGER",
    **dict.fromkeys(ITEM_COLUMNS, "VARCHAR"),
    "price": "FLOAT",
    "is_available": "BOOLEAN",
}
QUARANTINE = {
    "source": "VARCHAR",
    "row_number": "BIGINT",
    "reasons": "VARCHAR[]",
    "raw": "VARCHAR",
    "position": "BIGINT",
}


@dataclass(frozen=True)
class Written:
    """A snapshot on disk."""

    path: Path
    manifest: Manifest

    @property
    def snapshot_id(self) -> str:
        return self.manifest.snapshot_id


@dataclass
class Rows:
    """What goes into a snapshot; ids are the texts that rows use, numbered by first use.

    interactions: (user, item, kind code, value, price, ts).
    items: item -> attributes; those that rows use need not stand here.
    users: user -> attributes.
    quarantine, quarantine_items: (source, row number, reasons, raw); the row number is the place
        among all rows that came in, too.
    """

    interactions: Sequence[tuple[str, str, int, float, float | None, int]]
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, str | None]] = field(default_factory=dict)
    quarantine: Sequence[tuple[str, int, list[str], str | None]] = ()
    quarantine_items: Sequence[tuple[str, int, list[str], str | None]] = ()


def write_snapshot(
    folder: Path,
    rows: Rows,
    *,
    snapshot_id: str = "aaaa",
    created_at: str = "2023-12-01T00:00:00+00:00",
    chunk: int = 1000,
    sources: Sequence[str] = ("log.csv",),
    parent: str | None = None,
    user_ids: str = "keep",
    rows_in: int | None = None,
) -> Written:
    """Write the tables and the manifest of a snapshot into a folder."""
    path = folder / snapshot_id
    path.mkdir(parents=True)
    users = list(dict.fromkeys([*rows.users, *(row[0] for row in rows.interactions)]))
    items = list(dict.fromkeys([*rows.items, *(row[1] for row in rows.interactions)]))
    user_of, item_of = ({text: n for n, text in enumerate(ids)} for ids in (users, items))
    indexed = [
        (user_of[row[0]], item_of[row[1]], *row[2:], place)
        for place, row in enumerate(rows.interactions, start=1)
    ]
    for start in range(0, len(indexed), chunk):
        name = f"interactions/{start // chunk:06d}.parquet"
        _write(path / name, INTERACTIONS, sorted(indexed[start : start + chunk], key=_ts))
    attributes = sorted({key for known in rows.users.values() for key in known})
    _write(
        path / "users.parquet",
        {"user_idx": "INTEGER", "user_id": "VARCHAR", **dict.fromkeys(attributes, "VARCHAR")},
        [(n, u, *(rows.users.get(u, {}).get(a) for a in attributes)) for n, u in enumerate(users)],
    )
    catalogue = [{"item_id": item, **rows.items.get(item, {})} for item in items]
    _write(
        path / "items.parquet",
        ITEMS,
        [(n, *(item.get(key) for key in ITEM_COLUMNS)) for n, item in enumerate(catalogue)],
    )
    if rows.quarantine:
        _write(path / "quarantine/000000.parquet", QUARANTINE, _placed(rows.quarantine))
    if rows.quarantine_items:
        _write(path / "quarantine_items.parquet", QUARANTINE, _placed(rows.quarantine_items))
    manifest = _blank(
        Manifest,
        snapshot_id=snapshot_id,
        parent=parent,
        created_at=created_at,
        source=sources[0],
        source_files=[SourceFile(path=name, sha256=name, n_bytes=1) for name in sources],
        config=_blank(Config, user_ids=user_ids),
        counts=_counts(rows, (len(users), len(items)), rows_in=rows_in),
        time_span=_span([row[-1] for row in rows.interactions]),
        files={str(file.relative_to(path)): file_entry(file) for file in path.rglob("*.parquet")},
    )
    (path / "manifest.json").write_text(manifest.model_dump_json())
    return Written(path, manifest)


def _blank(model: type[Model], **given: Any) -> Model:
    """Return a model with empty values where nothing is given: what no reader here looks at."""
    empty = {str: "", int: 0, float: 0.0, bool: False, list: [], dict: {}}
    values = {
        name: empty.get(get_origin(field.annotation) or field.annotation)
        for name, field in model.model_fields.items()
        if name not in given and field.is_required()
    }
    return model(**values, **given)


def _placed(rows: Sequence[tuple[str, int, list[str], str | None]]) -> list[tuple[Any, ...]]:
    return [(*row, row[1]) for row in rows]


def _ts(row: tuple[Any, ...]) -> int:
    return int(row[-2])


def _write(path: Path, columns: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    select = ", ".join(f'unnest(?::{kind}[]) AS "{name}"' for name, kind in columns.items())
    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT {select}) TO '{path}' (FORMAT parquet)", values)


def _counts(rows: Rows, sizes: tuple[int, int], *, rows_in: int | None) -> Counts:
    reasons = Counter(reason for _, _, why, _ in rows.quarantine for reason in why)
    n_kept, n_aside = len(rows.interactions), len(rows.quarantine)
    n_rows = n_kept + n_aside if rows_in is None else rows_in
    return _blank(
        Counts,
        rows_in=n_rows,
        kept=n_kept,
        quarantined=n_aside,
        removed_by_k_core=n_rows - n_kept - n_aside,
        users=sizes[0],
        items=sizes[1],
        items_with_interactions=len({row[1] for row in rows.interactions}),
        catalogue_rows_in=len(rows.items) + len(rows.quarantine_items),
        catalogue_quarantined=len(rows.quarantine_items),
        quarantined_by_reason=dict(reasons),
        catalogue_quarantined_by_reason=dict(
            Counter(reason for _, _, why, _ in rows.quarantine_items for reason in why)
        ),
    )


def _span(times: list[int]) -> TimeSpan:
    first_us, last_us = min(times), max(times)
    return TimeSpan(first_us=first_us, last_us=last_us, first=str(first_us), last=str(last_us))
