"""Text rows become typed rows, each with the reasons why it cannot be used, if any.

One rule stands here once. Nothing is dropped: a row goes to `kept` or to `quarantine`.
"""

from __future__ import annotations

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import count, fill, literal
from endcap.ingest.mapping import Roles
from endcap.ingest.readers import RawTable, read_faults
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.events import MAX_ID_LENGTH
from endcap.schema.types import DAY_US, SECOND_US

MAX_RAW_CHARS = 4096
MIN_TS_US = 631_152_000 * SECOND_US  # 1990-01-01: shops had no web page before
MAX_AHEAD_US = DAY_US  # clocks differ, and so do time zones
TS_SAMPLE_ROWS = 10_000
SEPARATOR = "; "

KIND_WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.VIEW: ("view", "click", "pageview", "page_view", "pv"),
    Kind.CART: ("cart", "addtocart", "add_to_cart", "add-to-cart"),
    Kind.PURCHASE: ("purchase", "buy", "order", "transaction", "sale"),
    Kind.RATING: ("rating", "review", "rate"),
}

# A magnitude up to the first number is in that unit: as seconds it would be after the year 5000.
TIME_UNITS: tuple[tuple[float, str, float], ...] = (
    (1e11, "seconds", 1e6),
    (1e14, "milliseconds", 1e3),
    (1e17, "microseconds", 1.0),
    (float("inf"), "nanoseconds", 1e-3),
)

MEDIAN_TS = """
    SELECT quantile_disc(abs(number), 0.5) FROM (
        SELECT TRY_CAST(ts AS DOUBLE) AS number FROM ($relation LIMIT $n_rows)
    ) WHERE isfinite(number)
"""

# `presence` makes NULL of what other tools write for it. TRY_CAST makes NULL of what is no number.
TYPE_ROWS = """
    CREATE TABLE typed AS
    WITH source AS ($relation),
    present AS (
        SELECT row_number, broken, record, $presence FROM source
    ),
    numbers AS (
        SELECT
            *,
            $kind AS kind_code,
            TRY_CAST(value AS FLOAT) AS value_number,
            TRY_CAST(price AS FLOAT) AS price_number,
            TRY_CAST(total AS FLOAT) AS total_number,
            TRY_CAST(ts AS DOUBLE) AS ts_number
        FROM present
    ),
    timed AS (
        SELECT
            *,
            CASE
                WHEN isfinite(ts_number) AND abs(ts_number) * $scale < 9e18
                THEN CAST(round(ts_number * $scale) AS BIGINT)
                WHEN ts_number IS NULL AND isfinite(TRY_CAST(ts AS TIMESTAMPTZ))
                THEN epoch_us(TRY_CAST(ts AS TIMESTAMPTZ))
            END AS ts_us
        FROM numbers
    ),
    judged AS (
        SELECT timed.*, concat_ws('; ', broken, CASE WHEN broken IS NULL THEN $reasons END) AS why
        FROM timed $lookup
    )
    SELECT
        row_number, user_id, item_id, kind_code AS kind,
        CAST(CASE WHEN kind_code IN ($counted) THEN coalesce(value_number, 1) ELSE 1 END AS FLOAT)
            AS value,
        CAST(coalesce(price_number, total_number / coalesce(value_number, 1)) AS FLOAT) AS price,
        ts_us AS ts, why AS reasons,
        CASE WHEN why <> '' THEN left($record, $max_raw) END AS raw
    FROM judged
"""

REASONS = (
    *(
        f"CASE WHEN {name} IS NULL THEN '{name} is missing'"
        f" WHEN length({name}) > {MAX_ID_LENGTH}"
        f" THEN '{name} is longer than {MAX_ID_LENGTH} characters'"
        f" WHEN contains({name}, '\N{REPLACEMENT CHARACTER}') THEN '{name} is not UTF-8'"
        # What Python's str.isprintable refuses: events with such an id would be refused too.
        rf" WHEN regexp_matches({name}, '[\p{{C}}]|[^\P{{Z}} ]')"
        f" THEN '{name} has unprintable characters' END"
        for name in ("user_id", "item_id")
    ),
    "CASE WHEN kind IS NULL THEN 'kind is missing' WHEN kind_code IS NULL THEN 'kind is unknown'"
    " END",
    "CASE WHEN ts IS NULL THEN 'ts is missing' WHEN ts_us IS NULL THEN 'ts is not a time'"
    f" WHEN ts_us < {MIN_TS_US} THEN 'ts is before 1990'"
    " WHEN ts_us > $latest THEN 'ts is in the future' END",
    "CASE WHEN kind_code IN ($counted) AND $has_value THEN"
    " CASE WHEN value IS NULL THEN 'value is missing'"
    " WHEN NOT coalesce(isfinite(value_number), false) THEN 'value is not a number'"
    " WHEN kind_code = $purchase AND value_number <= 0 THEN 'no quantity sold' END END",
    *(
        f"CASE WHEN {name} IS NOT NULL AND NOT coalesce(isfinite({name}_number), false)"
        f" THEN '{name} is not a number' WHEN {name}_number < 0 THEN '{name} is negative' END"
        for name in ("price", "total")
    ),
)
CATALOGUE_REASON = (
    "CASE WHEN item_id IS NULL THEN NULL WHEN known_id IS NULL"
    " THEN 'item not in the catalogue' ELSE refused END"
)
CATALOGUE_LOOKUP = "LEFT JOIN known ON known_id = item_id"

# Rows behind the n-th faulty record were numbered n too low, because it was not counted.
SHIFT_ROWS = """
    UPDATE typed SET row_number = row_number + behind.shift FROM (
        SELECT typed.row_number AS counted_as, steps.shift
        FROM typed ASOF JOIN (
            SELECT row_number - nth AS good_before, max(nth) AS shift FROM faulty GROUP BY ALL
        ) AS steps ON typed.row_number > steps.good_before
    ) AS behind WHERE row_number = counted_as
"""
ADD_FAULTY = """
    INSERT INTO typed (row_number, reasons, raw)
    SELECT row_number, reasons, left(raw, $max_raw) FROM faulty
"""
FAULTY = """
    CREATE OR REPLACE TEMP TABLE faulty AS
    SELECT
        unnest(?::BIGINT[]) AS row_number, unnest(?::BIGINT[]) AS nth,
        unnest(?::VARCHAR[]) AS reasons, unnest(?::VARCHAR[]) AS raw
"""

MARK_REPEATS = """
    UPDATE typed SET reasons = 'repeats an earlier row', raw = CAST(to_json({
        'user_id': typed.user_id, 'item_id': typed.item_id, 'value': typed.value, 'ts': typed.ts
    }) AS VARCHAR)
    FROM (
        SELECT user_id, item_id, value, ts, min(row_number) AS first_row
        FROM typed WHERE reasons = '' AND kind = $rating GROUP BY ALL HAVING count(*) > 1
    ) AS again
    WHERE typed.user_id = again.user_id AND typed.item_id = again.item_id
        AND typed.value = again.value AND typed.ts = again.ts AND typed.reasons = ''
        AND typed.kind = $rating AND typed.row_number > again.first_row
"""

PART_ROWS = """
    CREATE TABLE IF NOT EXISTS quarantine (
        source VARCHAR, row_number BIGINT, reasons VARCHAR[], raw VARCHAR
    );
    INSERT INTO quarantine
        SELECT $source, row_number, string_split(reasons, '; '), raw
        FROM typed WHERE reasons <> '' ORDER BY row_number;
    CREATE TABLE kept AS
        SELECT row_number, user_id, item_id, kind, value, price, ts
        FROM typed WHERE reasons = '';
    DROP TABLE typed
"""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of the rows: `kept` and `quarantine` are tables of the database now.

    ts_unit: what numbers in the time column were taken to be; "text" when there were none.
    """

    n_rows: int
    n_kept: int
    ts_unit: str


def clean(
    db: DuckDBPyConnection,
    table: RawTable,
    roles: Roles,
    *,
    now_us: int,
    in_catalogue: bool,
) -> Cleaned:
    """Return the counts, with every row of the file typed and put into `kept` or `quarantine`.

    Ratings that repeat an earlier row in user, item, value and time are quarantined: one opinion
    is one opinion. Purchases that repeat are kept: a till scans each piece.

    Args:
        db: holds the results.
        table: the file.
        roles: which column is which.
        now_us: later than a day after this is the future.
        in_catalogue: whether an item must stand in the table `known(known_id, refused)`, and
            not be refused there.

    Cost: one pass over the file, plus its first rows for the unit of time.
    """
    unit, scale = _time_unit(db, table, roles)
    db.execute(
        fill(
            TYPE_ROWS,
            relation=table.relation(dict(roles.columns), keep_faults=True),
            presence=_presence(roles),
            kind=_kind(roles),
            scale=repr(scale),
            reasons=_reasons(roles, now_us=now_us, in_catalogue=in_catalogue),
            lookup=CATALOGUE_LOOKUP if in_catalogue else "",
            counted=_COUNTED,
            record=table.record,
            max_raw=str(MAX_RAW_CHARS),
        )
    )
    _add_faults(db, table)
    if roles.kind in {None, Kind.RATING}:
        db.execute(fill(MARK_REPEATS, rating=str(KIND_CODES[Kind.RATING])))
    n_rows = count(db, "SELECT count(*) FROM typed")
    db.execute(fill(PART_ROWS, source=literal(table.file.original.name)))
    return Cleaned(n_rows, count(db, "SELECT count(*) FROM kept"), unit)


_COUNTED = f"{KIND_CODES[Kind.PURCHASE]}, {KIND_CODES[Kind.RATING]}"


def presence(expression: str) -> str:
    """Return SQL that is the trimmed text, or NULL for the words that other tools write for it."""
    trimmed = f"trim({expression}, E' \\t\\r\\n')"
    return (
        f"CASE WHEN lower({trimmed}) IN ('', 'nan', 'null', 'none', '\\n', '<na>')"
        f" THEN NULL ELSE {trimmed} END"
    )


def _presence(roles: Roles) -> str:
    names = ("user_id", "item_id", "ts", "kind", "value", "price", "total")
    return ", ".join(
        f"{presence(name) if name in roles.columns else 'NULL::VARCHAR'} AS {name}"
        if name != "kind" or roles.kind is None
        else f"{literal(roles.kind)} AS kind"
        for name in names
    )


def _kind(roles: Roles) -> str:
    if roles.kind is not None:
        return f"CAST({KIND_CODES[roles.kind]} AS UTINYINT)"
    branches = []
    for kind, words in KIND_WORDS.items():
        listed = ", ".join(literal(word) for word in words)
        branches.append(f"WHEN lower(kind) IN ({listed}) THEN {KIND_CODES[kind]}")
    return f"CAST(CASE {' '.join(branches)} END AS UTINYINT)"


def _reasons(roles: Roles, *, now_us: int, in_catalogue: bool) -> str:
    reasons = (*REASONS, CATALOGUE_REASON) if in_catalogue else REASONS
    return fill(
        f"concat_ws('{SEPARATOR}', {', '.join(reasons)})",
        latest=str(now_us + MAX_AHEAD_US),
        counted=_COUNTED,
        has_value=str("value" in roles.columns).lower(),
        purchase=str(KIND_CODES[Kind.PURCHASE]),
    )


def _time_unit(db: DuckDBPyConnection, table: RawTable, roles: Roles) -> tuple[str, float]:
    """Return the unit of numbers in the time column, and the microseconds in one."""
    relation = table.relation({"ts": roles.columns["ts"]}, keep_faults=False)
    row = db.execute(fill(MEDIAN_TS, relation=relation, n_rows=str(TS_SAMPLE_ROWS))).fetchone()
    if row is None or row[0] is None:
        return "text", 1e6
    return next((name, scale) for limit, name, scale in TIME_UNITS if row[0] < limit)


def _add_faults(db: DuckDBPyConnection, table: RawTable) -> None:
    """Add the records that are no rows, and give the others the numbers they have in the file."""
    faults = read_faults(db, where=table.file)
    if not faults:
        return
    numbers, reasons, texts = (list(column) for column in zip(*faults, strict=True))
    db.execute(FAULTY, [numbers, list(range(1, len(numbers) + 1)), reasons, texts])
    db.execute(SHIFT_ROWS)
    db.execute(fill(ADD_FAULTY, max_raw=str(MAX_RAW_CHARS)))
