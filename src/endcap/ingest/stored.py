"""The Parquet files of a written snapshot as relations that SQL can name.

For what judges a snapshot before or after it is published; reading one for training is for
`snapshot`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from endcap.ingest.engine import literal, plain_path
from endcap.ingest.manifest import MANIFEST_NAME, Manifest, read_manifest
from endcap.schema.errors import DataError

_ASIDE = (
    "NULL::VARCHAR AS source, NULL::BIGINT AS row_number, NULL::VARCHAR[] AS reasons,"
    " NULL::VARCHAR AS raw"
)
EMPTY = {"quarantine": f"{_ASIDE}, NULL::BIGINT AS position", "quarantine_items": _ASIDE}
"""What a table looks like that may have no file, when it has none."""


class Stored(Protocol):
    """A snapshot whose tables are written, published or not."""

    @property
    def path(self) -> Path:
        """The folder that holds the tables."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What it says of itself; need not lie in the folder yet."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A snapshot on disk, by its folder and its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def of(cls, path: Path) -> StoredFolder:
        """Return the snapshot in a folder.

        Raises:
            DataError: it has no manifest, or one that cannot be read.
        """
        return cls(path, read_manifest(path))


def newest(root: Path, n: int) -> list[StoredFolder]:
    """Return the snapshots that were made last, the newest first.

    Those that are damaged or of another release are left out.
    """
    found = []
    for file in root.glob(f"[0-9a-f]*/{MANIFEST_NAME}"):
        try:
            found.append(StoredFolder.of(file.parent))
        except DataError:
            continue
    found.sort(key=lambda one: (one.manifest.created_at, one.path.name), reverse=True)
    return found[:n]


def table_files(stored: Stored, table: str) -> list[Path]:
    """Return the files of a table in order; none when the snapshot has no such table.

    Raises:
        DataError: the manifest names a file that is not there.
    """
    names = sorted(
        name
        for name in stored.manifest.files
        if name == f"{table}.parquet" or name.startswith(f"{table}/")
    )
    files = [stored.path / name for name in names]
    for file in files:
        if not file.is_file():
            raise DataError(
                "a file of the snapshot is missing",
                where=str(file),
                mend="Ingest the source again",
            )
    return files


def relation(stored: Stored, table: str) -> str:
    """Return SQL that stands for a table of the snapshot behind FROM.

    Raises:
        DataError: the snapshot lacks a table that every snapshot has.
    """
    files = table_files(stored, table)
    if files:
        return f"read_parquet([{', '.join(literal(plain_path(file)) for file in files)}])"
    if table in EMPTY:
        return f"(SELECT {EMPTY[table]} WHERE false)"
    raise DataError(
        f"the snapshot has no table {table}",
        where=str(stored.path),
        mend="Ingest the source again",
    )


def continues(after: Stored, before: Stored) -> bool:
    """Return whether `after` is an increment on `before`: its files and others besides."""
    if after.manifest.parent == before.manifest.snapshot_id:
        return True
    old = {file.sha256 for file in before.manifest.source_files}
    new = {file.sha256 for file in after.manifest.source_files}
    return old < new
