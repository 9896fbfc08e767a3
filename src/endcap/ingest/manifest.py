"""What a snapshot says of itself: `manifest.json`, its checks, and the identity of its content.

Reading and writing the tables is for `snapshot` and `write`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from endcap.schema.artefacts import file_sha256
from endcap.schema.errors import DataError

FORMAT = 2
MANIFEST_NAME = "manifest.json"
ID_CHARS = 16


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file of a snapshot."""

    sha256: str
    n_bytes: int


class SourceFile(_Part):
    """One raw file that a snapshot was made from.

    modified_ns: when it was last written; a file that was not written since needs no new look.
    log_offset: up to where an event log was read, when it was one.
    """

    path: str
    sha256: str
    n_bytes: int
    modified_ns: int | None = None
    log_offset: str | None = None


class Counts(_Part):
    """What became of every row; a row with two reasons counts under both.

    Cannot be made unless every row that came in is somewhere.
    """

    rows_in: int
    kept: int
    quarantined: int
    removed_by_sample: int
    removed_by_minimum: int
    removed_by_k_core: int
    users: int
    items: int
    items_with_interactions: int
    catalogue_rows_in: int
    catalogue_quarantined: int
    flagged: dict[str, int]
    quarantined_by_reason: dict[str, int]
    catalogue_quarantined_by_reason: dict[str, int]

    @model_validator(mode="after")
    def _add_up(self) -> Counts:
        gone = self.quarantined + self.removed_by_sample + self.removed_by_minimum
        gone += self.removed_by_k_core
        if self.rows_in != self.kept + gone:
            raise ValueError(
                f"{self.rows_in} rows came in, but {self.kept} were kept and {gone} put aside"
            )
        return self


class TimeSpan(_Part):
    """The first and the last interaction, UTC."""

    first_us: int
    last_us: int
    first: str
    last: str


class Reading(_Part):
    """How the rows of a file were understood.

    mapping: role -> column; a kind that all rows have stands there too.
    """

    mapping: dict[str, str]
    kinds: dict[str, str]
    ts_unit: str
    time_zone: str
    refused: list[str]


class Config(_Part):
    """How the source was read; part of the identity of a snapshot.

    readings: each way in which a file was read, in the order of first use.
    """

    readings: list[Reading]
    item_mapping: dict[str, str]
    has_catalogue: bool
    available_days: int | None
    sample_users: int | None
    min_per_user: int
    min_per_item: int
    k_core: int
    near_duplicate_s: float
    max_per_minute: int
    max_per_day: int
    dropped: list[str]
    user_ids: str
    attributes: dict[str, str]
    has_users_file: bool
    k_anonymity: int

    @property
    def is_thinned(self) -> bool:
        """Whether rows were left out for reasons that later rows could undo."""
        minimum = self.min_per_user > 0 or self.min_per_item > 0 or self.k_core > 0
        return minimum or self.sample_users is not None or bool(self.dropped)


class Manifest(_Part):
    """All that is known of a snapshot besides its tables.

    parent: the snapshot that this one adds to; None when all was read anew.
    k_report: how alike users are in their attributes; None when there are none.
    historical: whether the data ended so long ago that "last week" needs a shifted clock.
    """

    format: int = FORMAT
    snapshot_id: str
    parent: str | None
    created_at: str
    source: str
    source_files: list[SourceFile]
    config: Config
    counts: Counts
    time_span: TimeSpan
    tables: dict[str, dict[str, str]] = Field(description="table -> column -> type")
    files: dict[str, FileEntry]
    notes: list[str]
    warnings: list[str]
    k_report: dict[str, Any] | None
    historical: bool
    commit: str | None
    endcap_version: str

    @property
    def user_ids(self) -> str:
        """How users are known here: "keep", or the scheme of their pseudonyms."""
        return self.config.user_ids


def content_id(files: dict[str, FileEntry], config: Config) -> str:
    """Return the name of a snapshot: a hash of its tables and of how they were made.

    Neither the clock nor the place of the source goes into it, so the same input has one name.
    """
    content = {
        "format": FORMAT,
        "config": config.model_dump(),
        "files": {name: entry.sha256 for name, entry in sorted(files.items())},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:ID_CHARS]


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of the snapshot in a folder.

    Raises:
        DataError: the folder has no manifest, or one that this release cannot read.
    """
    file = path / MANIFEST_NAME
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            "this is no snapshot: it has no manifest",
            where=str(file),
            mend="Make one with: endcap ingest",
        ) from error
    try:
        stated = json.loads(text).get("format")
        if stated != FORMAT:
            raise DataError(
                f"the snapshot has format {stated}, this release reads {FORMAT}",
                where=str(file),
                mend="Ingest the source again",
            )
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        fault = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, AttributeError) as error:
        fault = str(error)
    raise DataError(
        f"the manifest is damaged: {fault}", where=str(file), mend="Ingest the source again"
    )


def file_entry(path: Path) -> FileEntry:
    """Return the hash and the size of a file as they are now."""
    return FileEntry(sha256=file_sha256(path), n_bytes=path.stat().st_size)


def verify(path: Path, manifest: Manifest, name: str) -> Path:
    """Return the path of a file of the snapshot whose content is what the manifest says.

    Raises:
        DataError: the file is missing or differs; names it.

    Cost: reads the file once.
    """
    file = path / name
    if not file.is_file():
        raise DataError("a file of the snapshot is missing", where=str(file))
    if file_entry(file) != manifest.files.get(name):
        raise DataError(
            "a file of the snapshot is not the one that was written",
            where=str(file),
            mend="Ingest the source again",
        )
    return file
