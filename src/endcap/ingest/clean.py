"""Text rows become typed rows, each with the reasons why it cannot be used, if any.

One rule stands here once, as SQL for both engines. What to do with the rows is for `pipeline`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill, identifier, literal
from endcap.ingest.mapping import Roles
from endcap.ingest.shapes import ORDER_EPOCH_S, Rule, rule_fields, rule_reasons
from endcap.ingest.values import NUMBER, SLASHED, number, presence, time_us
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.events import MAX_ID_LENGTH
from endcap.schema.types import DAY_US, SECOND_US

MIN_TS_US = 631_152_000 * SECOND_US  # 1990-01-01: shops had no web page before
MAX_AHEAD_US = DAY_US  # clocks differ, and so do time zones
MAX_VALUE = "1e9"  # a larger quantity or rating is a mistake, and sums stay exact
MAX_PRICE = "1e12"  # of whatever currency
TS_SAMPLE_ROWS = 1000
ORDER = "order"  # the unit of times that are made up of a position
SEPARATOR = "; "
REPEATS = "repeats an earlier row"

KIND_WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.VIEW: ("view", "click", "pageview", "page_view", "pv", "detail"),
    Kind.CART: ("cart", "addtocart", "add_to_cart", "add-to-cart"),
    Kind.PURCHASE: ("purchase", "buy", "order", "transaction", "sale"),
    Kind.RATING: ("rating", "review", "rate"),
    Kind.LIKE: ("like", "fav", "favourite", "favorite", "wishlist", "thumbs_up"),
    Kind.DISLIKE: ("dislike", "thumbs_down", "hide", "not_interested"),
    Kind.IMPRESSION: ("impression", "exposure", "shown"),
    Kind.REMOVE: ("remove", "removefromcart", "remove_from_cart", "remove-from-cart"),
}

# A magnitude up to the first number is in that unit: as seconds it would be after the year 5000.
TIME_UNITS: tuple[tuple[float, str, float], ...] = (
    (1e11, "seconds", 1e6),
    (1e14, "milliseconds", 1e3),
    (1e17, "microseconds", 1.0),
    (float("inf"), "nanoseconds", 1e-3),
)

TYPE_ROWS = """
    WITH present AS (SELECT file_row, broken$passed, $presence FROM $raw),
    numbers AS (
        SELECT
            *,
            $kind AS kind_code,
            $value AS value_number,
            $price AS price_number,
            $total AS total_number,
            $number AS ts_number
        FROM present
    ),
    timed AS (
        SELECT
            *,
            CASE
                WHEN abs(ts_number) * $scale < 9e18
                THEN CAST(round(ts_number * $scale) AS BIGINT) + $origin
                WHEN ts_number IS NULL THEN $time
            END AS ts_us
        FROM numbers
    ),
    judged AS (
        SELECT timed.*, CASE WHEN broken IS NULL THEN $reasons ELSE broken END AS why
        FROM timed $lookup
    )
    SELECT
        file_row + $base AS position, user_id, item_id, kind_code AS kind,
        TRY_CAST(CASE WHEN kind_code IN ($counted) THEN coalesce(value_number, 1) ELSE 1 END
            AS FLOAT) AS value,
        TRY_CAST(coalesce(price_number, total_number / coalesce(value_number, 1)) AS FLOAT)
            AS price,
        ts_us AS ts, why$passed
    FROM judged
"""


def id_faults(name: str) -> str:
    """Return the branches of a CASE that say why a column holds no id."""
    return (
        f"WHEN {name} IS NULL THEN '{name} is missing'"
        f" WHEN length({name}) > {MAX_ID_LENGTH}"
        f" THEN '{name} is longer than {MAX_ID_LENGTH} characters'"
        f" WHEN contains({name}, '\N{REPLACEMENT CHARACTER}') THEN '{name} is not UTF-8'"
        # What Python's str.isprintable refuses: events with such an id would be refused too.
        rf" WHEN regexp_matches({name}, '[\p{{C}}]|[^\P{{Z}} ]')"
        f" THEN '{name} has unprintable characters'"
    )


# What is larger than 12 is no month.
DATE_ORDER = f"""
    SELECT
        coalesce(sum(CASE WHEN TRY_CAST(regexp_extract(text, '{SLASHED}', 1) AS INTEGER) > 12
            THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN TRY_CAST(regexp_extract(text, '{SLASHED}', 2) AS INTEGER) > 12
            THEN 1 ELSE 0 END), 0)
    FROM (SELECT {presence("ts")} AS text FROM $raw) AS written
    WHERE regexp_matches(text, '{SLASHED}')
"""

REASONS = (
    *(f"CASE {id_faults(name)} END" for name in ("user_id", "item_id")),
    "CASE WHEN kind IS NULL THEN 'kind is missing' WHEN kind_code IS NULL THEN 'kind is unknown'"
    " END",
    "CASE WHEN ts IS NULL THEN 'ts is missing' WHEN ts_us IS NULL THEN 'ts is not a time'"
    f" WHEN ts_us < {MIN_TS_US} THEN 'ts is before 1990'"
    " WHEN ts_us > $latest THEN 'ts is in the future' END",
    "CASE WHEN kind_code IN ($counted) AND $has_value THEN"
    " CASE WHEN value IS NULL THEN 'value is missing'"
    " WHEN value_number IS NULL THEN 'value is not a number'"
    f" WHEN abs(value_number) > {MAX_VALUE} THEN 'value is beyond belief'"
    " WHEN kind_code = $purchase AND value_number <= 0 THEN 'no quantity sold' END END",
    *(
        f"CASE WHEN {name} IS NOT NULL AND {name}_number IS NULL THEN '{name} is not a number'"
        f" WHEN {name}_number < 0 THEN '{name} is negative'"
        f" WHEN {name}_number > {MAX_PRICE} THEN '{name} is beyond belief' END"
        for name in ("price", "total")
    ),
)
CATALOGUE_REASON = (
    "CASE WHEN item_id IS NULL THEN NULL WHEN known_id IS NULL"
    " THEN 'item not in the catalogue' ELSE refused END"
)
CATALOGUE_LOOKUP = "LEFT JOIN known ON known_id = item_id"

COUNTED = f"{KIND_CODES[Kind.PURCHASE]}, {KIND_CODES[Kind.RATING]}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How the rows of one file are to be understood.

    kinds: words of the file -> our kinds, besides the common words.
    time_zone: of times that state none.
    ts_unit: of numbers in the time column; told from the numbers when None.
    date_order: of dates such as 1/12/2010, "dmy" or "mdy"; told from the dates when None.
    refusals: what the file holds that is no interaction.
    latest_us: what is later than this is in the future.
    in_catalogue: whether an item must stand in the table `known(known_id, refused)`, and not be
        refused there.
    passed: further columns of text that go through as they are.
    """

    kinds: Mapping[str, Kind]
    time_zone: str
    ts_unit: str | None
    refusals: Sequence[Rule]
    latest_us: int
    in_catalogue: bool
    passed: Sequence[str] = ()
    date_order: str | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of a file were understood.

    unit: what its numbers are; "text" when there were none.
    scale: microseconds in one.
    order: of day, month and year, as `values.time_us` takes it.
    is_doubtful: whether days and months could not be told apart.
    """

    unit: str
    scale: float
    order: str
    is_doubtful: bool = False


def fields_to_read(roles: Roles, rules: Rules) -> dict[str, str]:
    """Return field -> column of the file, for what `judge` looks at besides `rules.passed`."""
    return {**roles.columns, **rule_fields(rules.refusals)}


def judge(compute: Compute, name: str, *, raw: str, roles: Roles, rules: Rules, base: int) -> Times:
    """Return how times were read, with `name` made: typed rows, and why each is refused.

    Its columns: position (`base` + number in the file), user_id, item_id, kind (a code of
    `KIND_CODES`), value, price, ts, `why` (reasons joined by `SEPARATOR`, empty for a good row),
    and what is passed.

    Args:
        compute: holds the tables.
        name: of the new table.
        raw: a table that `Compute.read` made with `fields_to_read`.
        roles: which column is which.
        rules: how to understand them.
        base: the number of records before this file.

    Cost: one pass over the table.
    """
    times = _times(compute, raw, rules)
    compute.make(
        name,
        fill(
            TYPE_ROWS,
            raw=raw,
            presence=_presence(roles, rules),
            passed="".join(f", {identifier(column)}" for column in rules.passed),
            kind=_kind(roles, rules),
            value=number("value"),
            price=number("price"),
            total=number("total"),
            number=number("ts"),
            scale=repr(times.scale),
            origin=str(ORDER_EPOCH_S * SECOND_US if times.unit == ORDER else 0),
            time=time_us("ts", zone=rules.time_zone, order=times.order),
            reasons=_reasons(roles, rules),
            lookup=CATALOGUE_LOOKUP if rules.in_catalogue else "",
            counted=COUNTED,
            base=str(base),
        ),
    )
    return times


def _presence(roles: Roles, rules: Rules) -> str:
    names = ("user_id", "item_id", "ts", "kind", "value", "price", "total")
    columns = [
        f"{presence(name) if name in roles.columns else 'CAST(NULL AS VARCHAR)'} AS {name}"
        if name != "kind" or roles.kind is None
        else f"{literal(roles.kind)} AS kind"
        for name in names
    ]
    columns += list(rule_fields(rules.refusals))
    return ", ".join(columns)


def _kind(roles: Roles, rules: Rules) -> str:
    if roles.kind is not None:
        return f"CAST({KIND_CODES[roles.kind]} AS SMALLINT)"
    words = {word: kind for kind, common in KIND_WORDS.items() for word in common}
    words |= {word.lower(): kind for word, kind in rules.kinds.items()}
    branches = []
    for kind in Kind:
        listed = ", ".join(literal(word) for word, meant in words.items() if meant is kind)
        if listed:
            branches.append(f"WHEN lower(kind) IN ({listed}) THEN {KIND_CODES[kind]}")
    return f"CAST(CASE {' '.join(branches)} END AS SMALLINT)"


def _reasons(roles: Roles, rules: Rules) -> str:
    catalogue = [CATALOGUE_REASON] if rules.in_catalogue else []
    judgements = fill(
        ", ".join(REASONS),
        latest=str(rules.latest_us),
        counted=COUNTED,
        has_value="true" if "value" in roles.columns else "false",
        purchase=str(KIND_CODES[Kind.PURCHASE]),
    )
    reasons = ", ".join([*rule_reasons(rules.refusals), judgements, *catalogue])
    return f"concat_ws({literal(SEPARATOR)}, {reasons})"


def _times(compute: Compute, raw: str, rules: Rules) -> Times:
    """Return how the column of times is to be read.

    The order of dates is that of `values.time_us`; where days and months cannot be told apart,
    the month comes first.
    """
    sample = [
        text.strip()
        for (text,) in compute.rows(
            f"SELECT ts FROM {raw} WHERE ts IS NOT NULL ORDER BY file_row LIMIT {TS_SAMPLE_ROWS}"
        )
    ]
    order, is_doubtful = "ymd", False
    if any(re.match(SLASHED, text) for text in sample):
        # The first thousand rows of a log may be of one day.
        n_days, n_months = compute.rows(fill(DATE_ORDER, raw=raw))[0]
        order = rules.date_order or ("dmy" if n_days > n_months else "mdy")
        is_doubtful = rules.date_order is None and n_days == n_months
    if rules.ts_unit is not None:
        scales = {name: scale for _, name, scale in TIME_UNITS}
        return Times(rules.ts_unit, scales.get(rules.ts_unit, 1e6), order, is_doubtful)
    amounts = (abs(float(text)) for text in sample if re.match(NUMBER, text))
    numbers = sorted(amount for amount in amounts if math.isfinite(amount))
    if not numbers:
        return Times("text", 1e6, order, is_doubtful)
    middle = numbers[(len(numbers) - 1) // 2]
    unit, scale = next((name, scale) for limit, name, scale in TIME_UNITS if middle < limit)
    return Times(unit, scale, order, is_doubtful)
