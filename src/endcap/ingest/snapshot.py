"""Finds snapshots and reads them; making one is for `run`.

A snapshot is an immutable folder, named by a hash of its content: Parquet tables and a manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.ingest.engine import connect
from endcap.ingest.ids import IdMap
from endcap.ingest.manifest import MANIFEST_NAME, Manifest, read_manifest, verify
from endcap.ingest.write import POINTER
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.errors import DataError

__all__ = [
    "Ids",
    "Snapshot",
    "load_dataset",
    "open_snapshot",
    "read_catalogue",
    "read_descriptions",
    "read_ids",
    "read_manifest",
    "read_relations",
    "read_user_attributes",
]

READ_INTERACTIONS = """
    SELECT user_idx, item_idx, kind, value, coalesce(price, 'nan'::FLOAT) AS price, ts
    FROM read_parquet(?) ORDER BY ts, position
"""
READ_CODES = """
    SELECT
        CASE WHEN department IS NULL THEN -1
            ELSE dense_rank() OVER (ORDER BY department NULLS LAST) - 1 END AS department,
        CASE WHEN category IS NULL THEN -1
            ELSE dense_rank() OVER (ORDER BY category NULLS LAST) - 1 END AS category,
        CASE WHEN brand IS NULL THEN -1
            ELSE dense_rank() OVER (ORDER BY brand NULLS LAST) - 1 END AS brand
    FROM read_parquet(?) ORDER BY item_idx
"""
READ_NAMES = """
    SELECT
        list_sort(list(DISTINCT department) FILTER (WHERE department IS NOT NULL)),
        list_sort(list(DISTINCT category) FILTER (WHERE category IS NOT NULL)),
        list_sort(list(DISTINCT brand) FILTER (WHERE brand IS NOT NULL))
    FROM read_parquet(?)
"""
READ_CATALOGUE = (
    "SELECT * EXCLUDE (item_idx, listed_price, description) FROM read_parquet(?) ORDER BY item_idx"
)
READ_DESCRIPTIONS = "SELECT description FROM read_parquet(?) ORDER BY item_idx"
READ_RELATIONS = """
    SELECT relations.item_idx, items.item_idx AS related_idx
    FROM read_parquet(?) AS relations JOIN read_parquet(?) AS items ON related_id = item_id
    WHERE relation = ? ORDER BY ALL
"""
READ_USERS = "SELECT * EXCLUDE (user_idx) FROM read_parquet(?) ORDER BY user_idx"
READ_USER_IDS = "SELECT user_id FROM read_parquet(?) ORDER BY user_idx"
READ_ITEM_IDS = "SELECT item_id FROM read_parquet(?) ORDER BY item_idx"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot on disk, with what it says of itself."""

    path: Path
    manifest: Manifest

    @property
    def snapshot_id(self) -> str:
        """The hash of its content, which is also the name of its folder."""
        return self.manifest.snapshot_id


@dataclass(frozen=True, slots=True)
class Ids:
    """The text ids behind the indices of a snapshot."""

    users: IdMap
    items: IdMap


def open_snapshot(root: Path, which: str | Path = POINTER) -> Snapshot:
    """Return a snapshot by "latest", by its id (or the start of it), or by its path.

    Raises:
        DataError: there is none, or more than one whose id starts so; lists those there are.
    """
    if isinstance(which, Path) or (which and Path(which, MANIFEST_NAME).is_file()):
        return Snapshot(Path(which), read_manifest(Path(which)))
    pointer = root / POINTER
    if which == POINTER:
        if not pointer.is_file():
            raise DataError(
                "nothing has been ingested yet", where=str(root), mend="Run: endcap ingest"
            )
        which = pointer.read_text(encoding="utf-8", errors="replace").strip()
    folders = sorted(folder for folder in root.glob("[0-9a-f]*") if folder.is_dir())
    found = [folder for folder in folders if folder.name.startswith(which)]
    if len(found) != 1 or not which:
        raise DataError(
            f"{'more than one' if len(found) > 1 else 'no'} snapshot is called {which!r}",
            where=str(root),
            mend=f"There are: {', '.join(folder.name for folder in folders) or 'none'}",
        )
    return Snapshot(found[0], read_manifest(found[0]))


def load_dataset(path: Path) -> Dataset:
    """Return the interactions and item attributes of a snapshot, in memory.

    Raises:
        DataError: a file is missing or is not what was written; names it.

    Cost: 25 bytes an interaction.
    """
    manifest = read_manifest(path)
    interactions = [
        str(verify(path, manifest, name))
        for name in manifest.files
        if name.startswith("interactions/")
    ]
    items = verify(path, manifest, "items.parquet")
    with connect(path) as db:
        columns = db.execute(READ_INTERACTIONS, [interactions]).fetchnumpy()
        codes = db.execute(READ_CODES, [str(items)]).fetchnumpy()
        names = db.execute(READ_NAMES, [str(items)]).fetchone() or ((), (), ())
    departments, categories, brands = (tuple(column or ()) for column in names)
    return Dataset(
        interactions=Interactions(**{name: _plain(column) for name, column in columns.items()}),
        n_users=manifest.counts.users,
        n_items=manifest.counts.items,
        items=Items(
            department=_plain(codes["department"]).astype(np.int32),
            category=_plain(codes["category"]).astype(np.int32),
            brand=_plain(codes["brand"]).astype(np.int32),
            department_names=departments,
            category_names=categories,
            brand_names=brands,
        ),
    )


def read_catalogue(path: Path) -> list[dict[str, Any]]:
    """Return what there is to show of each item, in the order of the indices.

    Keys: item_id, name, department, category, brand, price, currency, image_url, is_available;
    None where unknown. Prices and availability come from the whole time span: fit to show, not
    to learn from.
    """
    file = verify(path, read_manifest(path), "items.parquet")
    with connect(path) as db:
        result = db.execute(READ_CATALOGUE, [str(file)])
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def read_descriptions(path: Path) -> list[str | None]:
    """Return the text that describes each item, in the order of the indices; None where unknown."""
    file = verify(path, read_manifest(path), "items.parquet")
    with connect(path) as db:
        return [text for (text,) in db.execute(READ_DESCRIPTIONS, [str(file)]).fetchall()]


def read_relations(path: Path, relation: str) -> NDArray[np.int32]:
    """Return the pairs of items that the catalogue relates, shape (n, 2), ordered.

    Pairs with an item that the snapshot does not know are left out.

    Args:
        path: of the snapshot.
        relation: "also_bought" or "also_viewed".
    """
    manifest = read_manifest(path)
    files = [str(verify(path, manifest, f"{name}.parquet")) for name in ("relations", "items")]
    with connect(path) as db:
        pairs = db.execute(READ_RELATIONS, [*files, relation]).fetchnumpy()
    return np.stack([_plain(pairs[name]) for name in ("item_idx", "related_idx")], axis=1)


def read_ids(path: Path) -> Ids:
    """Return the id maps of a snapshot."""
    manifest = read_manifest(path)
    users = verify(path, manifest, "users.parquet")
    items = verify(path, manifest, "items.parquet")
    with connect(path) as db:
        return Ids(
            users=IdMap([row[0] for row in db.execute(READ_USER_IDS, [str(users)]).fetchall()]),
            items=IdMap([row[0] for row in db.execute(READ_ITEM_IDS, [str(items)]).fetchall()]),
        )


def read_user_attributes(path: Path) -> dict[str, list[str | None]]:
    """Return what is known of each user, by attribute, in the order of the indices.

    As text, None where unknown; empty when the snapshot knows nothing but ids.
    """
    file = verify(path, read_manifest(path), "users.parquet")
    with connect(path) as db:
        result = db.execute(READ_USERS, [str(file)])
        names = [column[0] for column in result.description or ()]
        rows = result.fetchall()
    return {
        name: [None if row[place] is None else str(row[place]) for row in rows]
        for place, name in enumerate(names)
        if name != "user_id"
    }


def _plain(column: Any) -> NDArray[Any]:
    """Return a column without a mask; the queries above leave no NULL in it."""
    return np.ascontiguousarray(np.asarray(column))
