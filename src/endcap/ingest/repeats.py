"""Rows that say again what was said: exact repeats, near duplicates, bursts and bots.

Exact repeats of a rating are put aside; the rest is only flagged, unless the settings ask for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import DAY_US, SECOND_US

MINUTE_US = 60 * SECOND_US
NO_LIMIT = 1 << 62
NEAR_DUPLICATE = "near_duplicate"
BURST = "burst"
BOT = "bot"
FLAG_REASONS = {
    NEAR_DUPLICATE: "a near duplicate of an earlier row",
    BURST: "part of a burst",
    BOT: "of a bot",
}

# One opinion is one opinion. Purchases that repeat stay: a till scans each piece.
REPEATED = """
    SELECT again.position AS position
    FROM $rows AS again JOIN (
        SELECT $user, $item, value, ts, min(position) AS first_position
        FROM $rows WHERE kind = $rating GROUP BY $user, $item, value, ts HAVING count(*) > 1
    ) AS first
    ON again.$user = first.$user AND again.$item = first.$item
        AND again.value = first.value AND again.ts = first.ts
    WHERE again.kind = $rating AND again.position > first.first_position
"""

# Only what came before in the source makes a row a near duplicate, so that rows which come later
# never change what is said of earlier ones.
NEAR = """
    WITH pairs AS (
        SELECT $user, $item, kind FROM $rows GROUP BY $user, $item, kind HAVING count(*) > 1
    ),
    neighbours AS (
        SELECT
            $rows.position, $rows.$user, $rows.$item, $rows.ts,
            min($rows.position) OVER (
                PARTITION BY $rows.$user, $rows.$item, $rows.kind ORDER BY $rows.ts
                RANGE BETWEEN $window_us PRECEDING AND $window_us FOLLOWING
            ) AS first_near
        FROM $rows JOIN pairs
            ON $rows.$user = pairs.$user AND $rows.$item = pairs.$item AND $rows.kind = pairs.kind
    )
    SELECT position, $user, $item, ts FROM neighbours
    WHERE first_near < position AND position >= $from_position
"""
CROWDED = """
    SELECT $user, ts - ts % $width_us AS start_us, min(ts) AS first_us, max(ts) AS last_us,
        count(*) AS n
    FROM $rows $where GROUP BY $user, ts - ts % $width_us HAVING count(*) > $limit
"""
# A basket goes through a till in a minute, however full it is.
NO_PURCHASE = "WHERE kind <> $purchase"

NEAR_TO_DROP = """
    SELECT position FROM $rows SEMI JOIN ($near) AS near USING (position)
    WHERE kind <> $purchase
"""
ROWS_OF_CROWDED = """
    SELECT position FROM $rows JOIN ($crowded) AS crowded
        ON $rows.user_id = crowded.user_id AND $rows.ts - $rows.ts % $width_us = crowded.start_us
"""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """From when on rows look as if no person made them.

    near_duplicate_us: the same user, item and kind within so long.
    max_per_minute, max_per_day: more interactions of one user in a UTC minute are a burst, in a
        UTC day the work of a bot.
    dropped: flags whose rows are put aside, in the order of `FLAG_REASONS`. A purchase never is
        for being near another one: a till scans each piece.
    """

    near_duplicate_us: int
    max_per_minute: int
    max_per_day: int
    dropped: Sequence[str] = ()

    def of_made_up_times(self) -> Suspicion:
        """Return what is suspicious where times only say the order: nothing about pace."""
        return replace(self, near_duplicate_us=0, max_per_minute=NO_LIMIT, max_per_day=NO_LIMIT)

    def rows_of(self, flag: str, rows: str) -> str:
        """Return a SELECT of the positions of the rows, by id, that deserve a flag."""
        if flag == NEAR_DUPLICATE:
            near = near_duplicates(rows, self, by_index=False)
            return fill(NEAR_TO_DROP, near=near, rows=rows, purchase=str(KIND_CODES[Kind.PURCHASE]))
        width_us = MINUTE_US if flag == BURST else DAY_US
        crowded = bursts(rows, self, by_index=False)
        if flag == BOT:
            crowded = bot_days(rows, self, by_index=False)
        return fill(ROWS_OF_CROWDED, rows=rows, crowded=crowded, width_us=str(width_us))


def mark_repeats(compute: Compute, name: str, rows: str, *, by_index: bool = False) -> int:
    """Return how many ratings repeat an earlier one; the table `name` holds their positions.

    Args:
        compute: holds the tables.
        name: of the new table.
        rows: a table with position, kind, value, ts and the ids.
        by_index: whether users and items stand there by index, not by id.
    """
    rating = str(KIND_CODES[Kind.RATING])
    compute.make(name, fill(REPEATED, rows=rows, rating=rating, **_keys(by_index)))
    return int(compute.rows(f"SELECT count(*) FROM {name}")[0][0])


def near_duplicates(
    rows: str, suspicion: Suspicion, *, by_index: bool, from_position: int = 0
) -> str:
    """Return a SELECT of position, user, item and ts of the near duplicates from a position on."""
    return fill(
        NEAR,
        rows=rows,
        window_us=str(suspicion.near_duplicate_us),
        from_position=str(from_position),
        **_keys(by_index),
    )


def bursts(rows: str, suspicion: Suspicion, *, by_index: bool) -> str:
    """Return a SELECT of user, start_us, first_us, last_us and n of each crowded minute.

    Purchases do not count.
    """
    limit = str(suspicion.max_per_minute)
    where = fill(NO_PURCHASE, purchase=str(KIND_CODES[Kind.PURCHASE]))
    width_us = str(MINUTE_US)
    return fill(CROWDED, rows=rows, width_us=width_us, limit=limit, where=where, **_keys(by_index))


def bot_days(rows: str, suspicion: Suspicion, *, by_index: bool) -> str:
    """Return a SELECT of user, start_us, first_us, last_us and n of each crowded day."""
    limit = str(suspicion.max_per_day)
    width_us = str(DAY_US)
    return fill(CROWDED, rows=rows, width_us=width_us, limit=limit, where="", **_keys(by_index))


def _keys(by_index: bool) -> dict[str, str]:
    return (
        {"user": "user_idx", "item": "item_idx"}
        if by_index
        else {"user": "user_id", "item": "item_id"}
    )
