"""What a check of a contract has before it: the snapshot as views, and how a finding is stated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, computed_field

from endcap.ingest.checks.onset import Onset, bucket_us, find_onset
from endcap.ingest.engine import connect, fill
from endcap.ingest.expectations import Contract
from endcap.ingest.stored import Stored, continues, relation
from endcap.ingest.wording import date, number, per_cent
from endcap.schema.types import DAY_US

VIEWS = (
    "CREATE TEMP VIEW interactions AS SELECT * FROM $interactions",
    "CREATE TEMP VIEW items AS SELECT * FROM $items",
    "CREATE TEMP VIEW users AS SELECT * FROM $users",
    "CREATE TEMP VIEW quarantine AS SELECT * FROM $quarantine",
    "CREATE TEMP VIEW judged AS SELECT * FROM interactions WHERE ts > $after_us",
)
EARLIER = ("interactions", "items", "users")
VIEWS_OF_PREVIOUS = (
    "CREATE TEMP VIEW earlier AS SELECT * FROM $interactions",
    "CREATE TEMP VIEW earlier_items AS SELECT * FROM $items",
    "CREATE TEMP VIEW earlier_users AS SELECT * FROM $users",
)
BUCKETS = """
    SELECT ts // $bucket - $first, count(*) FILTER (WHERE $events), count(*)
    FROM $rows GROUP BY 1
"""


class CheckResult(BaseModel):
    """What became of one expectation.

    name: the key in the contract.
    expectation, found: what was demanded and what is, in words.
    passed: None when there is nothing to judge it by; `meaning` then says what is missing.
    since: when it began, or where it lies; empty when that cannot be told or all is well.
    meaning: what it probably means; mend: what to do about it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    expectation: str
    found: str
    passed: bool | None
    since: str = ""
    meaning: str = ""
    mend: str = ""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents it so
    @property
    def explanation(self) -> str:
        """Since when, what it probably means and how to mend it; empty when all is well."""
        since = f"Since: {self.since}." if self.since else ""
        return " ".join(part for part in (since, self.meaning, self.mend) if part)


@dataclass(frozen=True, slots=True)
class Case:
    """A snapshot before its judge.

    db: has the views `interactions`, `items`, `users`, `quarantine`, and `judged`: the
        interactions that shares are taken of; `earlier`, `earlier_items` and `earlier_users` are
        of the previous snapshot, if there is one.
    """

    db: DuckDBPyConnection
    snapshot: Stored
    contract: Contract
    previous: Stored | None
    now_us: int

    @property
    def last_us(self) -> int:
        """The newest event."""
        return self.snapshot.manifest.time_span.last_us

    @property
    def sources(self) -> str:
        """The names of the raw files, the newest first, no more than three."""
        names = [Path(file.path).name for file in self.snapshot.manifest.source_files][::-1]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more

    @property
    def adds(self) -> bool:
        """Whether the snapshot is an increment on the previous one."""
        return self.previous is not None and continues(self.snapshot, self.previous)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query yields."""
        return self.db.execute(query).fetchall()

    def row(self, query: str) -> tuple[Any, ...]:
        """Return the one row that a query yields."""
        return self.rows(query)[0]

    def since(self, events: str, *, rows: str = "judged", low: bool = False) -> str:
        """Return when rows of a kind became too many (or too few), in words.

        Args:
            events: SQL that is true for such a row.
            rows: the relation to look at.
            low: too few rather than too many.
        """
        first_us, last_us = self.row(fill("SELECT min(ts), max(ts) FROM $rows", rows=rows))
        bucket = bucket_us(last_us - first_us)
        start = first_us // bucket
        counts = {
            place: (n_events, n_rows)
            for place, n_events, n_rows in self.rows(
                fill(BUCKETS, bucket=str(bucket), first=str(start), events=events, rows=rows)
            )
        }
        series = [counts.get(place, (0, 0)) for place in range(last_us // bucket - start + 1)]
        n_events, n_rows = zip(*series, strict=True)
        onset = find_onset(n_events, n_rows, low=low)
        return self.stretch(onset, first_us=first_us, last_us=last_us, bucket=bucket)

    def since_volume(self, *, low: bool, days: int | None = None) -> str:
        """Return when there became too many (or too few) rows at all, in words."""
        first_us = self.snapshot.manifest.time_span.first_us
        if days is not None:
            first_us = max(first_us, self.last_us - days * DAY_US + 1)
        bucket = bucket_us(self.last_us - first_us)
        start, stop = first_us // bucket, self.last_us // bucket + 1
        rows = f"(SELECT ts FROM interactions WHERE ts >= {first_us})"
        counts = {
            place: n_rows
            for place, n_rows, _ in self.rows(
                fill(BUCKETS, bucket=str(bucket), first=str(start), events="true", rows=rows)
            )
        }
        onset = find_onset(
            [counts.get(place, 0) for place in range(stop - start)], [1.0] * (stop - start), low=low
        )
        if onset is None:
            return ""
        a_day = DAY_US / bucket
        when = _when(onset, first_us=first_us, bucket=bucket)
        return (
            f"{when}: {number(round(onset.rate_inside * a_day))} rows a day, "
            f"{number(round(onset.rate_outside * a_day))} {_otherwise(onset)}"
        )

    def stretch(self, onset: Onset | None, *, first_us: int, last_us: int, bucket: int) -> str:
        """Return a stretch of shares in words."""
        if onset is None:
            return f"no day stands out from {date(first_us)} to {date(last_us)}"
        when = _when(onset, first_us=first_us, bucket=bucket)
        return (
            f"{when}: {per_cent(onset.rate_inside)} of the rows, "
            f"{per_cent(onset.rate_outside)} {_otherwise(onset)}"
        )


def _when(onset: Onset, *, first_us: int, bucket: int) -> str:
    start_us = max(first_us, (first_us // bucket + onset.start) * bucket)
    if onset.lasts:
        return date(start_us)
    return f"{date(start_us)} to {date((first_us // bucket + onset.stop) * bucket)}"


def _otherwise(onset: Onset) -> str:
    if onset.start == 0:
        return "after it"
    return "before" if onset.lasts else "before and after"


@contextmanager
def opened(
    snapshot: Stored, contract: Contract, *, previous: Stored | None, now_us: int
) -> Iterator[Case]:
    """Yield the case, with its views open."""
    span = snapshot.manifest.time_span
    days = contract.judge_days
    after_us = span.first_us - 1 if days is None else span.last_us - days * DAY_US
    parts = {
        table: relation(snapshot, table)
        for table in ("interactions", "items", "users", "quarantine")
    }
    with (
        tempfile.TemporaryDirectory(prefix="endcap-contract-") as scratch,
        connect(Path(scratch)) as db,
    ):
        for view in VIEWS:
            db.execute(fill(view, after_us=str(after_us), **parts))
        if previous is not None:
            for view in VIEWS_OF_PREVIOUS:
                named = {table: relation(previous, table) for table in EARLIER}
                db.execute(fill(view, **named))
        yield Case(db, snapshot, contract, previous, now_us)
