"""Reads what ingest put aside, and writes it out as records that a person can mend.

Why a row is put aside is decided in `clean`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import connect, fill, literal
from endcap.ingest.stored import StoredFolder, relation
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import is_pseudonym

RAW = "_raw"
"""The one key of an exported line whose text is no record."""
N_EXAMPLES = 3
EXAMPLE_CHARS = 400
BATCH = 10_000
MAX_LISTED = 20

ROWS = """
    SELECT source, row_number, reasons, raw FROM $quarantine
    WHERE $condition ORDER BY source, row_number $limit
"""
SUMMARY = """
    SELECT reason, count(*) AS n, count(DISTINCT source),
        min_by(
            {'source': source, 'row_number': row_number, 'raw': left(raw, $chars)}, row_number, $n
        )
    FROM (
        SELECT source, row_number, raw, unnest(reasons) AS reason FROM $quarantine WHERE $condition
    )
    GROUP BY reason ORDER BY n DESC, reason
"""
KNOWN_SOURCES = "SELECT DISTINCT source FROM $quarantine ORDER BY 1"
KNOWN_REASONS = "SELECT DISTINCT unnest(reasons) AS reason FROM $quarantine ORDER BY 1"


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that was put aside.

    source: the name of its file. row_number: of the record in it, from 1.
    raw: the record as JSON, or its text when it is no record; None when the privacy policy let
        nothing of it stay.
    """

    source: str
    row_number: int
    reasons: tuple[str, ...]
    raw: str | None


@dataclass(frozen=True, slots=True)
class ReasonSummary:
    """A reason with how many rows have it, in how many files, and the first of them.

    examples: (source, row number, the beginning of the record or None).
    """

    reason: str
    n_rows: int
    n_sources: int
    examples: tuple[tuple[str, int, str | None], ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written.

    n_rows: lines of the file. n_pseudonyms: those of them that name their user by a pseudonym.
    n_unparsed: those that are no record, kept as {"_raw": text}; unparsed lists the first of them.
    n_absent: rows of which nothing was kept, so that they are not in the file; absent lists the
        first of them.
    """

    file: Path
    n_rows: int
    n_pseudonyms: int
    n_unparsed: int
    unparsed: tuple[tuple[str, int], ...]
    n_absent: int
    absent: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a quarantine are meant.

    reason: a part of a reason, upper and lower case alike. source: the name of a file.
    catalogue: lines of the catalogue rather than interactions.
    """

    reason: str | None = None
    source: str | None = None
    catalogue: bool = False

    @property
    def table(self) -> str:
        """The table of a snapshot that holds them."""
        return "quarantine_items" if self.catalogue else "quarantine"

    @property
    def condition(self) -> str:
        """SQL that is true for them."""
        parts = ["true"]
        if self.reason is not None:
            part = literal(self.reason.lower())
            parts.append(f"len(list_filter(reasons, lambda one: contains(lower(one), {part}))) > 0")
        if self.source is not None:
            parts.append(f"source = {literal(self.source)}")
        return " AND ".join(parts)


def read_quarantine(
    path: Path,
    *,
    reason: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    catalogue: bool = False,
) -> list[QuarantinedRow]:
    """Return the rows that were put aside, by file and row.

    Args:
        path: the folder of a snapshot.
        reason: only rows with a reason that has this text in it, in upper or lower case.
        source: only rows of the file of this name.
        limit: no more than so many rows; all when None.
        catalogue: lines of the catalogue rather than interactions.

    Raises:
        DataError: the folder holds no snapshot, or a file of it is missing.

    Cost: memory in proportion to what is returned; `limit` bounds it.
    """
    return list(_rows(path, Selection(reason, source, catalogue), limit=limit))


def summarise_quarantine(path: Path, selection: Selection) -> list[ReasonSummary]:
    """Return the reasons of the selected rows, the most frequent first, with examples.

    Raises:
        SettingsError: nothing is selected although rows were put aside; says which there are.
    """
    with _opened(path, selection) as (db, quarantine):
        query = fill(
            SUMMARY,
            quarantine=quarantine,
            condition=selection.condition,
            n=str(N_EXAMPLES),
            chars=str(EXAMPLE_CHARS),
        )
        found = [_summary(*row) for row in db.execute(query).fetchall()]
        if not found:
            _refuse_unknown(db, quarantine, selection)
    return found


def export_quarantine(path: Path, file: Path, selection: Selection) -> Exported:
    """Write the records of the selected rows as JSON lines, and return what was written.

    A line is the record as it was read and nothing else, so that it can be mended in place and
    ingested again. A row that is no record becomes {"_raw": its text}.

    Args:
        path: the folder of a snapshot.
        file: must not exist yet: it may hold somebody's repairs. Appears whole or not at all.
        selection: which rows.

    Raises:
        SettingsError: the file exists.
        DataError: the folder holds no snapshot, or its folder cannot take the file.

    Cost: constant memory.
    """
    if file.exists():
        raise SettingsError(
            "the file of the export exists, and may hold repairs",
            where=str(file),
            mend="Name another one, or remove it",
        )
    if not file.parent.is_dir():
        raise DataError("there is no such folder", where=str(file.parent))
    tally = _Tally()
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=file.parent, prefix=".writing-", delete=False
    ) as scratch:
        written = Path(scratch.name)
        try:
            for row in _rows(path, selection):
                line = tally.line_of(row)
                if line is not None:
                    scratch.write(line + "\n")
        except BaseException:
            written.unlink()
            raise
    written.rename(file)  # for its owner only: raw records name people
    return tally.exported(file)


class _Tally:
    """Counts what an export writes."""

    def __init__(self) -> None:
        self._n_rows = self._n_pseudonyms = 0
        self._unparsed: list[tuple[str, int]] = []
        self._absent: list[tuple[str, int]] = []
        self._n_unparsed = self._n_absent = 0

    def line_of(self, row: QuarantinedRow) -> str | None:
        """Return the line of the export for a row, None when nothing of it was kept."""
        place = (row.source, row.row_number)
        if row.raw is None:
            self._n_absent += 1
            self._absent += [place] if self._n_absent <= MAX_LISTED else []
            return None
        self._n_rows += 1
        record = _record(row.raw)
        if record is None:
            self._n_unparsed += 1
            self._unparsed += [place] if self._n_unparsed <= MAX_LISTED else []
            return json.dumps({RAW: row.raw}, ensure_ascii=False)
        self._n_pseudonyms += any(
            isinstance(value, str) and is_pseudonym(value) for value in record.values()
        )
        # Outside of its texts, where they may not stand, line ends mean nothing to JSON.
        return row.raw.replace("\r", " ").replace("\n", " ")

    def exported(self, file: Path) -> Exported:
        """Return the counts."""
        return Exported(
            file=file,
            n_rows=self._n_rows,
            n_pseudonyms=self._n_pseudonyms,
            n_unparsed=self._n_unparsed,
            unparsed=tuple(self._unparsed),
            n_absent=self._n_absent,
            absent=tuple(self._absent),
        )


def _record(raw: str) -> dict[str, Any] | None:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _opened(path: Path, selection: Selection) -> Iterator[tuple[DuckDBPyConnection, str]]:
    stored = StoredFolder.of(path)
    with (
        tempfile.TemporaryDirectory(prefix="endcap-quarantine-") as scratch,
        connect(Path(scratch)) as db,
    ):
        yield db, relation(stored, selection.table)


def _rows(
    path: Path, selection: Selection, *, limit: int | None = None
) -> Iterator[QuarantinedRow]:
    with _opened(path, selection) as (db, quarantine):
        result = db.execute(
            fill(
                ROWS,
                quarantine=quarantine,
                condition=selection.condition,
                limit="" if limit is None else f"LIMIT {limit}",
            )
        )
        while batch := result.fetchmany(BATCH):
            for source, row_number, reasons, raw in batch:
                yield QuarantinedRow(source, row_number, tuple(reasons), raw)


def _summary(
    reason: str, n_rows: int, n_sources: int, examples: list[dict[str, Any]]
) -> ReasonSummary:
    shown = tuple((one["source"], one["row_number"], one["raw"]) for one in examples)
    return ReasonSummary(reason, n_rows, n_sources, shown)


def _refuse_unknown(db: DuckDBPyConnection, quarantine: str, selection: Selection) -> None:
    """Raise when rows were put aside, but none from the file or for the reason asked for."""
    for query, wanted, what in (
        (KNOWN_SOURCES, selection.source, "source"),
        (KNOWN_REASONS, selection.reason, "reason"),
    ):
        known = [row[0] for row in db.execute(fill(query, quarantine=quarantine)).fetchall()]
        is_known = wanted in known or (
            what == "reason" and any((wanted or "").lower() in one.lower() for one in known)
        )
        if wanted is not None and known and not is_known:
            raise SettingsError(
                f"no row was put aside under the {what} {wanted!r}",
                where=f"--{what}",
                mend=f"There are: {'; '.join(known[:MAX_LISTED])}",
            )
