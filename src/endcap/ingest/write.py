"""Puts the finished tables into a snapshot folder that appears whole or not at all.

Rows lie in chunks by their position in the sources, so that an increment adds chunks, and only
the last one of before is written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from endcap.ingest.catalogue import ITEM_TYPES, RELATION_TYPES, SALE_TYPES
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.manifest import (
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    file_entry,
    read_manifest,
    verify,
)
from endcap.ingest.statistics import POPULARITY_TYPES, USER_STATS_TYPES
from endcap.schema.artefacts import publish_folder
from endcap.schema.errors import DataError

POINTER = "latest"
CHUNK_ROWS = 250_000

INTERACTION_TYPES = {
    "user_idx": "INTEGER",
    "item_idx": "INTEGER",
    "kind": "UTINYINT",
    "value": "FLOAT",
    "price": "FLOAT",
    "ts": "BIGINT",
    "position": "BIGINT",
}
QUARANTINE_TYPES = {
    "source": "VARCHAR",
    "row_number": "BIGINT",
    "reasons": "VARCHAR[]",
    "raw": "VARCHAR",
    "position": "BIGINT",
}
FLAG_TYPES = {
    "flag": "VARCHAR",
    "user_idx": "INTEGER",
    "item_idx": "INTEGER",
    "first_us": "BIGINT",
    "last_us": "BIGINT",
    "n": "BIGINT",
}
# Each has an order that is the same on every run and machine: the hash of the file depends on it.
TABLES: dict[str, tuple[str, dict[str, str], str]] = {
    "items": ("SELECT * FROM items", ITEM_TYPES, "item_idx"),
    "flags": (
        "SELECT * FROM flags",
        FLAG_TYPES,
        "flag, user_idx, item_idx NULLS FIRST, first_us",
    ),
    "user_stats": ("SELECT * FROM user_stats", USER_STATS_TYPES, "user_idx"),
    "popularity": ("SELECT * FROM popularity", POPULARITY_TYPES, "item_idx"),
    "relations": (
        "SELECT * FROM relations",
        RELATION_TYPES,
        "item_idx, relation, related_id",
    ),
    "recent_sales": ("SELECT * FROM recent_sales", SALE_TYPES, "item_idx, ts, position"),
    "quarantine_items": (
        "SELECT source, row_number, reasons, raw FROM quarantine_items",
        {name: kind for name, kind in QUARANTINE_TYPES.items() if name != "position"},
        "source, row_number",
    ),
}
CHUNKED: dict[str, tuple[dict[str, str], str]] = {
    "interactions": (INTERACTION_TYPES, "ts, position"),
    "quarantine": (QUARANTINE_TYPES, "position"),
}


class Shelf:
    """The folder of a snapshot in the making, with what lies in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.files: dict[str, FileEntry] = {}
        self.types: dict[str, dict[str, str]] = {}

    def write(self, compute: Compute, attributes: Sequence[str]) -> None:
        """Write every table that is one file."""
        users = {
            "user_idx": "INTEGER",
            "user_id": "VARCHAR",
            **dict.fromkeys(attributes, "VARCHAR"),
        }
        tables = {"users": ("SELECT * FROM users", users, "user_idx"), **TABLES}
        for table, (source, columns, order) in tables.items():
            self._write_file(compute, table, f"{table}.parquet", source, columns, order)

    def write_chunks(
        self, compute: Compute, tables: Mapping[str, str], n_rows: int, *, first: int = 0
    ) -> None:
        """Write the rows of all chunks from `first` on.

        Args:
            compute: holds the tables.
            tables: of `CHUNKED` -> the table that holds its rows.
            n_rows: of all sources, which is the last position.
            first: the number of the first chunk that is not whole yet.
        """
        for table, (columns, order) in CHUNKED.items():
            self.types[table], source = columns, tables[table]
            for nth, low, high in chunks(n_rows, first=first):
                within = f"position > {low} AND position <= {high}"
                if not compute.rows(f"SELECT 1 FROM {source} WHERE {within} LIMIT 1"):
                    continue
                select = f"SELECT * FROM {source} WHERE {within}"
                name = chunk_name(table, nth)
                self._write_file(compute, table, name, select, columns, order)

    def link(self, origin: Path, name: str, entry: FileEntry) -> None:
        """Take a file of another snapshot over, without a copy where the disk allows it."""
        target = self.folder / name
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(origin / name, target)
        except OSError:
            shutil.copyfile(origin / name, target)
        self.files[name] = entry

    def _write_file(
        self,
        compute: Compute,
        table: str,
        name: str,
        source: str,
        columns: dict[str, str],
        order: str,
    ) -> None:
        file = self.folder / name
        compute.write(source, columns=columns, order=order, path=file)
        self.files[name] = file_entry(file)
        self.types[table] = columns


def chunks(n_rows: int, *, first: int = 0) -> Iterator[tuple[int, int, int]]:
    """Yield (number, position before, last position) of each chunk; positions begin at 1."""
    for nth in range(first, -(-n_rows // CHUNK_ROWS)):
        yield nth, nth * CHUNK_ROWS, (nth + 1) * CHUNK_ROWS


def chunk_name(table: str, nth: int) -> str:
    """Return the name of a chunk inside a snapshot."""
    return f"{table}/{nth:06d}.parquet"


def publish(folder: Path, root: Path, manifest: Manifest, *, becomes_latest: bool = True) -> Path:
    """Move the folder to its name under `root` and point `latest` to it; return where it is.

    A snapshot that is there already and whole is kept; it is the same one.
    """
    target = root / manifest.snapshot_id
    if target.exists() and not _is_whole(target):
        shutil.rmtree(target)
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")
    return publish_folder(folder, target, pointer=root / POINTER if becomes_latest else None)


def _is_whole(path: Path) -> bool:
    try:
        manifest = read_manifest(path)
        for name in manifest.files:
            verify(path, manifest, name)
    except DataError:
        return False
    return True
