"""Compares two snapshots: volume, who and what is new, and how each distribution has moved.

SQL over the Parquet files, out of core; what the numbers mean in words is in `drift_report`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from endcap.ingest.drift_report import (
    Bin,
    DriftReport,
    Facet,
    Window,
    drift_lines,
    save_drift,
)
from endcap.ingest.engine import blaming, connect, count, fill
from endcap.ingest.manifest import Manifest
from endcap.ingest.psi import chance_level, contributions, reading
from endcap.ingest.stored import Stored, continues, relation
from endcap.ingest.wording import HOUR_US, number
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import SettingsError
from endcap.schema.types import DAY_US

__all__ = ["DriftReport", "compare", "drift_lines", "save_drift"]

DAYS = 28
MAX_BINS = 50
MAX_VALUES = 20
N_PARTS = 10
UNKNOWN = "(unknown)"
OTHER = "(other)"

ATTRIBUTES = ("department", "category", "brand")
FACETS = ("kind", *ATTRIBUTES, "price", "rating", "quantity", "activity", "hour")
UNITS = {"activity": "the days of a user"}
ROWS = "rows"

WINDOW = (
    """
    CREATE TEMP VIEW $side AS
        SELECT user_idx, item_idx, kind, value, price, ts FROM $interactions WHERE ts > $after_us
    """,
    """
    CREATE TEMP TABLE ${side}_items AS
        SELECT item_idx, item_id, department, category, brand, n
        FROM (SELECT item_idx, count(*) AS n FROM $side GROUP BY item_idx)
        JOIN $items AS items USING (item_idx)
    """,
    """
    CREATE TEMP TABLE ${side}_users AS
        SELECT user_id FROM (SELECT DISTINCT user_idx FROM $side)
        JOIN $users AS users USING (user_idx)
    """,
)
EXTENT = "SELECT count(*), min(ts), max(ts) FROM $side"
ABSENT = "SELECT count(*) FROM $side ANTI JOIN $known AS known USING ($id)"

BY_KIND = "SELECT kind, count(*) FROM $side GROUP BY kind"
BY_ATTRIBUTE = "SELECT $attribute, sum(n)::BIGINT FROM ${side}_items GROUP BY $attribute"
BY_HOUR = """
    SELECT (ts // $hour) % 24, count(*) FROM $side WHERE ts > $from_us GROUP BY ALL
"""
# A day of a user is a unit that windows of any length have alike; a user's total is not.
BY_ACTIVITY = """
    SELECT least(floor(log2(n)), 6)::INTEGER, count(*)
    FROM (SELECT count(*) AS n FROM $side GROUP BY user_idx, ts // $day) GROUP BY ALL
"""
ACTIVITY_LABELS = ("1", "2-3", "4-7", "8-15", "16-31", "32-63", "64 or more")

VALUES = """
    SELECT DISTINCT $column FROM $side WHERE $condition AND $column IS NOT NULL
    ORDER BY $column LIMIT $limit
"""
BY_VALUE = "SELECT $column, count(*) FROM $side WHERE $condition GROUP BY $column"
# Counting each distinct value first leaves little to sort, and spills where that is not so.
CUTS = """
    WITH counted AS (
        SELECT $column AS number, count(*) AS n FROM $side
        WHERE $condition AND $column IS NOT NULL GROUP BY $column
    ),
    running AS (
        SELECT number, sum(n) OVER (ORDER BY number) AS so_far, sum(n) OVER () AS total FROM counted
    )
    SELECT part, min(number) FROM running, range(1, $n_parts) AS parts(part)
    WHERE so_far * $n_parts >= total * part GROUP BY part ORDER BY part
"""
BY_PART = """
    SELECT CASE WHEN $column IS NULL THEN -1 $branches ELSE $last END, count(*)
    FROM $side WHERE $condition GROUP BY ALL
"""

Counts = dict[object, int]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both windows, open: views `before` and `after` of `db`, and tables of their items, users."""

    db: DuckDBPyConnection
    before: Window
    after: Window


def compare(before: Stored, after: Stored, *, whole: bool = False, days: int = DAYS) -> DriftReport:
    """Return how the rows of `after` differ from those of `before`.

    When `after` goes on where `before` ended, its rows since then are compared with the last days
    of `before`: against all that both share, a bad day could not be seen. Otherwise, as with two
    data sets of other times, all rows are compared with all.

    Bins: each kind; the 50 departments, categories and brands with the largest shares, the others
    together; the deciles of prices and of quantities in the rows before; each rating, or deciles
    when there are more than 20; rows of a user on a day in powers of two; the hour of the day, UTC.
    What is unknown is a bin of its own.

    Args:
        before: the earlier snapshot.
        after: the later one; need not be published.
        whole: compare all rows in any case.
        days: how many of the last days of `before` are looked at.

    Raises:
        SettingsError: days is not positive.
        DataError: a file is missing.

    Cost: about ten passes over the columns of both, 2 GiB of memory at most.
    """
    if days < 1:
        raise SettingsError("there is nothing to compare in no day", where="--days")
    goes_on = not whole and _goes_on(before.manifest, after.manifest)
    last_us = before.manifest.time_span.last_us
    old_from = last_us - days * DAY_US if goes_on else None
    new_from = last_us if goes_on else None
    with _opened(before, after, old_from, new_from) as pair:
        facets, skipped = _facets(pair)
        n_unknown_items = count(
            pair.db, fill(ABSENT, side="after_items", known=relation(before, "items"), id="item_id")
        )
        n_gone_items = count(
            pair.db, fill(ABSENT, side="before_items", known=relation(after, "items"), id="item_id")
        )
        return DriftReport(
            before=pair.before,
            after=pair.after,
            continues=goes_on,
            volume_ratio=pair.after.rows_per_day / pair.before.rows_per_day,
            new_user_share=_new_user_share(pair, before, after),
            new_item_share=n_unknown_items / pair.after.n_items,
            vanished_item_share=n_gone_items / pair.before.n_items,
            quarantined_share=_quarantined(before, after),
            facets=tuple(facets),
            skipped=skipped,
        )


def _goes_on(before: Manifest, after: Manifest) -> bool:
    old, new = before.time_span, after.time_span
    return new.first_us <= old.last_us < new.last_us


@contextmanager
def _opened(
    before: Stored, after: Stored, old_from: int | None, new_from: int | None
) -> Iterator[_Pair]:
    with (
        tempfile.TemporaryDirectory(prefix="endcap-drift-") as scratch,
        connect(Path(scratch)) as db,
    ):
        old = _window(db, before, "before", old_from)
        yield _Pair(db, old, _window(db, after, "after", new_from))


def _window(db: DuckDBPyConnection, stored: Stored, side: str, after_us: int | None) -> Window:
    """Open one side; its length runs from where it begins to its last row, silence included."""
    parts = {table: relation(stored, table) for table in ("interactions", "items", "users")}
    earliest = stored.manifest.time_span.first_us - 1
    start_us = earliest if after_us is None else max(after_us, earliest)
    with blaming(stored.path):
        for statement in WINDOW:
            db.execute(fill(statement, side=side, after_us=str(start_us), **parts))
    n_rows, first_us, last_us = db.execute(fill(EXTENT, side=side)).fetchone() or (0, 0, 0)
    return Window(
        snapshot_id=stored.manifest.snapshot_id,
        after_us=after_us,
        first_us=first_us,
        last_us=last_us,
        n_rows=n_rows,
        n_days=max((last_us - start_us) / DAY_US, 1 / 24),
        n_users=count(db, f"SELECT count(*) FROM {side}_users"),
        n_items=count(db, f"SELECT count(*) FROM {side}_items"),
    )


def _new_user_share(pair: _Pair, before: Stored, after: Stored) -> float | None:
    """Return the share of unknown users; None when both name users in different ways."""
    if before.manifest.user_ids != after.manifest.user_ids:
        return None
    known = relation(before, "users")
    n_new = count(pair.db, fill(ABSENT, side="after_users", known=known, id="user_id"))
    return n_new / pair.after.n_users


def _quarantined(before: Stored, after: Stored) -> tuple[float, float]:
    old, new = before.manifest.counts, after.manifest.counts
    n_rows, n_aside = new.rows_in, new.quarantined
    if continues(after, before) and n_rows > old.rows_in:
        n_rows, n_aside = n_rows - old.rows_in, n_aside - old.quarantined
    return old.quarantined / old.rows_in, n_aside / n_rows


def _facets(pair: _Pair) -> tuple[list[Facet], dict[str, str]]:
    facets, skipped = [], {}
    for name in FACETS:
        labels, old, new = _bins(pair, name)
        if sum(old) == 0 or sum(new) == 0:
            skipped[name] = _why_empty(name, is_before=sum(old) == 0)
        else:
            facets.append(_facet(name, labels, old, new))
    return facets, skipped


def _why_empty(name: str, *, is_before: bool) -> str:
    if name == "hour":
        return "it takes a whole day on both sides"
    return f"nothing to count {'before' if is_before else 'after'}"


def _facet(name: str, labels: list[str], old: list[int], new: list[int]) -> Facet:
    parts = contributions(old, new)
    n_old, n_new = sum(old), sum(new)
    value, chance = float(parts.sum()), chance_level(len(labels), n_old, n_new)
    return Facet(
        name=name,
        unit=UNITS.get(name, ROWS),
        psi=value,
        chance=chance,
        reading=reading(value, chance=chance),
        bins=tuple(
            Bin(
                label=label,
                n_before=before,
                n_after=after,
                share_before=before / n_old,
                share_after=after / n_new,
                contribution=part,
            )
            for label, before, after, part in zip(labels, old, new, parts.tolist(), strict=True)
        ),
    )


def _bins(pair: _Pair, name: str) -> tuple[list[str], list[int], list[int]]:
    """Return the labels of the bins of a facet and the counts of both sides."""
    if name == "kind":
        names = {code: kind.value for kind, code in KIND_CODES.items()}
        return _aligned(*_counts(pair, BY_KIND), names)
    if name in ATTRIBUTES:
        return _largest(*_counts(pair, BY_ATTRIBUTE, attribute=name))
    if name == "activity":
        names = dict(enumerate(ACTIVITY_LABELS))
        return _aligned(*_counts(pair, BY_ACTIVITY, day=str(DAY_US)), names)
    if name == "hour":
        return _hours(pair)
    if name == "price":
        return _parts(pair, "price", "true")
    kind = KIND_CODES[Kind.RATING if name == "rating" else Kind.PURCHASE]
    if name == "rating":
        return _values(pair, "value", f"kind = {kind}")
    return _parts(pair, "value", f"kind = {kind}")


def _counts(pair: _Pair, query: str, **parts: str) -> tuple[Counts, Counts]:
    """Return what a query of (bin, n) yields of each side."""
    old, new = (
        dict(pair.db.execute(fill(query, side=side, **parts)).fetchall())
        for side in ("before", "after")
    )
    return old, new


def _aligned(
    old: Counts, new: Counts, names: Mapping[int, str]
) -> tuple[list[str], list[int], list[int]]:
    """Return the bins that either side has, in the order of their names."""
    found = [key for key in names if key in old or key in new]
    return (
        [names[key] for key in found],
        [old.get(key, 0) for key in found],
        [new.get(key, 0) for key in found],
    )


def _largest(old: Counts, new: Counts) -> tuple[list[str], list[int], list[int]]:
    """Return the bins with the largest shares of both sides together, and one of all others."""
    n_old, n_new = sum(old.values()) or 1, sum(new.values()) or 1

    def weight(key: object) -> float:
        return old.get(key, 0) / n_old + new.get(key, 0) / n_new

    ranked = sorted({*old, *new}, key=lambda key: (-weight(key), str(key)))
    shown, rest = ranked[:MAX_BINS], ranked[MAX_BINS:]
    labels = [UNKNOWN if key is None else str(key) for key in shown]
    sides = [[side.get(key, 0) for key in shown] for side in (old, new)]
    if rest:
        labels.append(OTHER)
        for column, side in zip(sides, (old, new), strict=True):
            column.append(sum(side.get(key, 0) for key in rest))
    return labels, sides[0], sides[1]


def _hours(pair: _Pair) -> tuple[list[str], list[int], list[int]]:
    """Count by hour over the last whole days of each side: half a day has other hours only.

    A day may lack an hour: the last row before midnight comes before midnight.
    """
    sides: list[Counts] = []
    for side, window in (("before", pair.before), ("after", pair.after)):
        from_us = window.last_us - int(window.n_days + 1 / 24) * DAY_US
        query = fill(BY_HOUR, side=side, hour=str(HOUR_US), from_us=str(from_us))
        sides.append(dict(pair.db.execute(query).fetchall()))
    return _aligned(sides[0], sides[1], {hour: f"{hour:02d} h" for hour in range(24)})


def _values(pair: _Pair, column: str, condition: str) -> tuple[list[str], list[int], list[int]]:
    """Return a bin for each value, or parts when there are too many."""
    parts = {"column": column, "condition": condition, "limit": str(MAX_VALUES + 1)}
    found = {
        row[0]
        for side in ("before", "after")
        for row in pair.db.execute(fill(VALUES, side=side, **parts)).fetchall()
    }
    if len(found) > MAX_VALUES:
        return _parts(pair, column, condition)
    old, new = _counts(pair, BY_VALUE, column=column, condition=condition)
    keys = sorted(found)
    labels = [number(key) for key in keys]
    return labels, [old.get(key, 0) for key in keys], [new.get(key, 0) for key in keys]


def _parts(pair: _Pair, column: str, condition: str) -> tuple[list[str], list[int], list[int]]:
    """Return the tenths of the rows before; fewer where one value fills more than a tenth."""
    where = {"column": column, "condition": condition}
    found = pair.db.execute(fill(CUTS, side="before", n_parts=str(N_PARTS), **where)).fetchall()
    cuts = sorted({cut for _, cut in found})
    branches = " ".join(
        f"WHEN {column} <= {cut!r}::FLOAT THEN {place}" for place, cut in enumerate(cuts)
    )
    old, new = _counts(pair, BY_PART, branches=branches, last=str(len(cuts)), **where)
    names = {-1: UNKNOWN}
    names |= {place: _range(low, cut) for place, (low, cut) in enumerate(_steps(cuts))}
    names[len(cuts)] = f"above {number(cuts[-1])}" if cuts else "any"
    return _aligned(old, new, names)


def _steps(cuts: list[float]) -> Iterator[tuple[float | None, float]]:
    low: float | None = None
    for cut in cuts:
        yield low, cut
        low = cut


def _range(low: float | None, high: float) -> str:
    return f"up to {number(high)}" if low is None else f"{number(low)} to {number(high)}"
