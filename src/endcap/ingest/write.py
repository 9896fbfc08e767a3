"""Puts the finished tables into a snapshot folder that appears whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import fill
from endcap.ingest.manifest import (
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    file_entry,
    read_manifest,
    verify,
)
from endcap.schema.artefacts import publish_folder
from endcap.schema.errors import DataError

POINTER = "latest"

# Each has an order that is the same on every run and machine: the hash of the file depends on it.
# Equal times stay in the order of the source.
TABLES = {
    "interactions": """
        SELECT user_idx, item_idx, kind, value, kept.price, ts
        FROM kept JOIN users USING (user_id) JOIN items USING (item_id)
        ORDER BY ts, row_number
    """,
    "users": "SELECT user_idx, user_id FROM users ORDER BY user_idx",
    "items": "SELECT * FROM items ORDER BY item_idx",
    "quarantine": "SELECT * FROM quarantine ORDER BY source, row_number, reasons",
}
WRITE = "COPY ($query) TO ? (FORMAT parquet, COMPRESSION zstd)"


def write_tables(
    db: DuckDBPyConnection, folder: Path
) -> tuple[dict[str, FileEntry], dict[str, dict[str, str]]]:
    """Write the tables as Parquet; return the files by name, and column types by table."""
    files, types = {}, {}
    folder.mkdir()
    for table, query in TABLES.items():
        file = folder / f"{table}.parquet"
        db.execute(fill(WRITE, query=query), [str(file)])
        files[file.name] = file_entry(file)
        columns = db.execute(fill("DESCRIBE $query", query=query)).fetchall()
        types[table] = {name: kind for name, kind, *_ in columns}
    return files, types


def publish(folder: Path, root: Path, manifest: Manifest) -> Path:
    """Move the folder to its name under `root` and point `latest` to it; return where it is.

    A snapshot that is there already and whole is kept; it is the same one.
    """
    target = root / manifest.snapshot_id
    if target.exists() and not _is_whole(target):
        shutil.rmtree(target)
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")
    return publish_folder(folder, target, pointer=root / POINTER)


def _is_whole(path: Path) -> bool:
    try:
        manifest = read_manifest(path)
        for name in manifest.files:
            verify(path, manifest, name)
    except DataError:
        return False
    return True
