"""What an increment takes over from the snapshot before, so that it costs what is new, not all.

The rows of before are linked, not read; counts, ids and flags are read and added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill, identifier
from endcap.ingest.manifest import Config, Manifest, verify
from endcap.ingest.repeats import (
    BOT,
    BURST,
    MINUTE_US,
    NEAR_DUPLICATE,
    Suspicion,
    bot_days,
    bursts,
    mark_repeats,
    near_duplicates,
)
from endcap.ingest.write import CHUNK_ROWS, CHUNKED, Shelf, chunk_name
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

ROWS = "old_rows"
SETTLED = (
    *("available_days", "near_duplicate_s", "max_per_minute", "max_per_day", "dropped"),
    *("sample_users", "min_per_user", "min_per_item", "k_core"),
    *("user_ids", "attributes", "k_anonymity"),
)
WHOLE = ("users", "items", "flags", "user_stats", "popularity", "recent_sales", "relations")

# Only the rows that could repeat, be near or share a minute with new ones.
NEIGHBOURS = """
    SELECT position, user_idx, item_idx, kind, value, ts FROM indexed
    UNION ALL
    SELECT 0 - 1 AS position, user_idx, item_idx, kind, value, ts FROM $old
    WHERE ts >= $first_us AND ts <= $last_us
        AND user_idx IN (SELECT user_idx FROM indexed)
"""
TOUCHED = "SELECT DISTINCT user_idx, ts - ts % $width_us AS start_us FROM indexed"
RECOUNTED = """
    SELECT '$flag' AS flag, crowded.user_idx, CAST(NULL AS INTEGER) AS item_idx,
        first_us, last_us, n
    FROM ($crowded) AS crowded
    JOIN touched ON crowded.user_idx = touched.user_idx AND crowded.start_us = touched.start_us
    UNION ALL
    SELECT flag, old.user_idx, item_idx, first_us, last_us, n
    FROM old_flags AS old
    ANTI JOIN touched ON old.user_idx = touched.user_idx
        AND old.first_us - old.first_us % $width_us = touched.start_us
    WHERE flag = '$flag'
"""
NEAR_FLAGS = """
    SELECT '$flag' AS flag, user_idx, item_idx, min(first_us) AS first_us,
        max(last_us) AS last_us, CAST(sum(n) AS BIGINT) AS n
    FROM (
        SELECT user_idx, item_idx, ts AS first_us, ts AS last_us, 1 AS n FROM ($near) AS fresh
        $earlier
    ) AS merged GROUP BY user_idx, item_idx
"""
EARLIER_NEAR = """
    UNION ALL SELECT user_idx, item_idx, first_us, last_us, n
    FROM old_flags WHERE flag = '$flag'
"""
CROWDED_FLAGS = """
    SELECT '$flag' AS flag, user_idx, CAST(NULL AS INTEGER) AS item_idx, first_us, last_us, n
    FROM ($crowded) AS crowded
"""


@dataclass(frozen=True, slots=True)
class Parent:
    """The snapshot that an increment adds to."""

    path: Path
    manifest: Manifest

    @property
    def n_rows(self) -> int:
        """The last position of its sources."""
        return self.manifest.counts.rows_in

    @property
    def first_open_chunk(self) -> int:
        """The number of the chunk where new rows begin."""
        return self.n_rows // CHUNK_ROWS

    def check_extends(self, config: Config) -> None:
        """Raise `DataError` when rows read with this configuration cannot be added to it."""
        mine = self.manifest.config
        where = str(self.path)
        if mine.is_thinned or mine.k_anonymity:
            raise DataError(
                "this snapshot left rows or attributes out that later rows could bring back",
                where=where,
                mend="Ingest all sources again, without --since, or keep a snapshot that is not "
                "thinned for increments",
            )
        for name in SETTLED:
            if getattr(mine, name) != getattr(config, name):
                raise DataError(
                    f"{name} is {getattr(config, name)!r} now and was {getattr(mine, name)!r}",
                    where=where,
                    mend="Use the same settings, or ingest all sources again, without --since",
                )

    def check_users_are_said(self, where: str) -> None:
        """Raise `DataError` when rows would overrule the file of users that was read before.

        What that file says goes before what rows say, also of rows that come later.
        """
        if self.manifest.config.has_users_file:
            raise DataError(
                "these rows have attributes of users, and the file of users that goes before them "
                "is not given",
                where=where,
                mend="Name it again with --users-file",
            )


def load_parent(compute: Compute, parent: Parent) -> None:
    """Make the `old_` and `known_` tables of a snapshot.

    Raises:
        DataError: a file is missing or is not what was written; names it.

    Cost: reads its counts and ids; its rows are only looked into when a new one lies near.
    """
    for table in WHOLE:
        file = verify(parent.path, parent.manifest, f"{table}.parquet")
        compute.load(_old(table), [file])
    compute.make("known_users", "SELECT user_idx, user_id FROM old_users")
    compute.make("known_items", "SELECT item_idx, item_id FROM old_items")
    chunks = [
        _present(parent, name) for name in parent.manifest.files if name.startswith("interactions/")
    ]
    compute.load(ROWS, chunks)


def old_people(parent: Parent, *, place: int) -> str:
    """Return a SELECT of the attributes of users before, as a part for `gather_people`."""
    columns = "".join(f", {identifier(name)}" for name in parent.manifest.config.attributes)
    return f"(SELECT user_id, {place} AS place{columns} FROM old_users) AS old_people"


def take_over(parent: Parent, shelf: Shelf) -> None:
    """Link every chunk of the parent that new rows leave as it is."""
    for name, entry in parent.manifest.files.items():
        table, _, chunk = name.partition("/")
        if table in CHUNKED and int(chunk.removesuffix(".parquet")) < parent.first_open_chunk:
            shelf.link(parent.path, name, entry)


def open_chunk(compute: Compute, parent: Parent, table: str, fresh: str) -> str:
    """Return the name of a table of the new rows and those of the chunk that is not whole yet."""
    name = chunk_name(table, parent.first_open_chunk)
    if name not in parent.manifest.files:
        return fresh
    old = f"open_{table}"
    compute.load(old, [verify(parent.path, parent.manifest, name)])
    columns = ", ".join(identifier(column) for column in CHUNKED[table][0])
    both = f"{fresh}_and_open"
    compute.make(both, f"SELECT {columns} FROM {fresh} UNION ALL SELECT {columns} FROM {old}")
    return both


def repeats_of_old(compute: Compute, name: str, *, first_us: int, last_us: int) -> int:
    """Return how many new ratings repeat one of before; `name` holds their positions."""
    _neighbours(compute, first_us=first_us, last_us=last_us)
    mark_repeats(compute, name, "neighbours", by_index=True)
    compute.drop("neighbours")
    return int(compute.rows(f"SELECT count(*) FROM {name}")[0][0])


def flag(
    compute: Compute, suspicion: Suspicion, *, first_us: int, last_us: int, is_increment: bool
) -> None:
    """Make the table `flags` of all rows, looking only at what new rows can change.

    Args:
        compute: holds `indexed`, the new rows, and in an increment the tables of `load_parent`.
        suspicion: what is flagged.
        first_us: the time of the first new row.
        last_us: of the last one.
        is_increment: whether there were rows before.
    """
    if not is_increment:
        near = near_duplicates("indexed", suspicion, by_index=True)
        parts = [
            fill(NEAR_FLAGS, flag=NEAR_DUPLICATE, near=near, earlier=""),
            fill(CROWDED_FLAGS, flag=BURST, crowded=bursts("indexed", suspicion, by_index=True)),
            fill(CROWDED_FLAGS, flag=BOT, crowded=bot_days("indexed", suspicion, by_index=True)),
        ]
        compute.make("flags", " UNION ALL ".join(parts))
        return
    # A whole day on both sides holds every window.
    _neighbours(compute, first_us=first_us - 2 * DAY_US, last_us=last_us + 2 * DAY_US)
    near = near_duplicates("neighbours", suspicion, by_index=True, from_position=0)
    earlier = fill(EARLIER_NEAR, flag=NEAR_DUPLICATE)
    compute.make("flags_near", fill(NEAR_FLAGS, flag=NEAR_DUPLICATE, near=near, earlier=earlier))
    for name, width_us, crowded in (
        (BURST, MINUTE_US, bursts("neighbours", suspicion, by_index=True)),
        (BOT, DAY_US, bot_days("neighbours", suspicion, by_index=True)),
    ):
        compute.make("touched", fill(TOUCHED, width_us=str(width_us)))
        recounted = fill(RECOUNTED, flag=name, width_us=str(width_us), crowded=crowded)
        compute.make(f"flags_{name}", recounted)
    parts = [f"SELECT * FROM flags_{name}" for name in ("near", BURST, BOT)]
    compute.make("flags", " UNION ALL ".join(parts))
    compute.drop("neighbours")


def _neighbours(compute: Compute, *, first_us: int, last_us: int) -> None:
    compute.make(
        "neighbours", fill(NEIGHBOURS, old=ROWS, first_us=str(first_us), last_us=str(last_us))
    )


def _old(table: str) -> str:
    return "old_sales" if table == "recent_sales" else f"old_{table}"


def _present(parent: Parent, name: str) -> Path:
    """Return the path of a chunk of before; its size is checked, its content where it is read."""
    file = parent.path / name
    if not file.is_file() or file.stat().st_size != parent.manifest.files[name].n_bytes:
        raise DataError(
            "a file of the snapshot is missing or cut off",
            where=str(file),
            mend="Ingest all sources again, without --since",
        )
    return file
