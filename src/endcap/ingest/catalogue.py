"""What is known of each item, as the table `catalogue`, and what its sales add to that.

The named set with its own rules is in `complete_journey`.
"""

from __future__ import annotations

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from endcap.ingest.clean import MAX_RAW_CHARS, presence
from endcap.ingest.engine import count, fill, literal
from endcap.ingest.mapping import ITEM_GUESSES
from endcap.ingest.readers import RawTable, read_faults
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.events import MAX_ID_LENGTH

PRICE_SALES = 20

EMPTY_CATALOGUE = """
    CREATE TABLE catalogue (
        item_id VARCHAR, name VARCHAR, department VARCHAR, category VARCHAR, brand VARCHAR,
        price DOUBLE, currency VARCHAR, image_url VARCHAR, is_available BOOLEAN
    );
    CREATE TABLE IF NOT EXISTS quarantine (
        source VARCHAR, row_number BIGINT, reasons VARCHAR[], raw VARCHAR
    )
"""

# Review sites give the path of categories as a JSON list, and the pictures too.
READ_ITEMS = """
    CREATE TEMP TABLE listed AS
    WITH source AS ($relation),
    present AS (SELECT row_number, broken, record, $presence FROM source),
    judged AS (
        SELECT *, CASE
            WHEN broken IS NOT NULL THEN broken
            WHEN item_id IS NULL THEN 'item_id is missing'
            WHEN length(item_id) > $max_id THEN 'item_id is longer than $max_id characters'
            WHEN row_number() OVER (PARTITION BY item_id ORDER BY row_number) > 1
            THEN 'item_id stands in the catalogue before'
        END AS why
        FROM present
    )
    SELECT
        row_number, item_id, name, department,
        CASE WHEN category LIKE '[%' AND json_valid(category)
            THEN json_extract_string(category, '$$[#-1]') ELSE category END AS category,
        brand,
        TRY_CAST(regexp_replace(price, '[$$,]', '', 'g') AS DOUBLE) AS price,
        currency,
        CASE WHEN image_url LIKE '[%' AND json_valid(image_url)
            THEN json_extract_string(image_url, '$$[0]') ELSE image_url END AS image_url,
        coalesce(TRY_CAST(is_available AS BOOLEAN), true) AS is_available,
        why AS reasons,
        CASE WHEN why IS NOT NULL THEN left($record, $max_raw) END AS raw
    FROM judged
"""
PART_ITEMS = """
    INSERT INTO quarantine
        SELECT $source, row_number, [reasons], raw
        FROM listed WHERE reasons IS NOT NULL ORDER BY row_number;
    INSERT INTO catalogue
        SELECT
            item_id, name, department, category, brand,
            CASE WHEN isfinite(price) AND price >= 0 THEN price END,
            currency, image_url, is_available
        FROM listed WHERE reasons IS NULL;
    DROP TABLE listed
"""

# A price that a shopper would meet today: the middle one of the last sales. Free pieces are left
# out, they were paid with a coupon.
PRICE_FROM_SALES = """
    UPDATE catalogue SET price = typical.price FROM (
        SELECT item_id, round(median(CAST(price AS DOUBLE)), 2) AS price
        FROM (
            SELECT item_id, price,
                row_number() OVER (PARTITION BY item_id ORDER BY ts DESC, row_number DESC) AS nth
            FROM kept WHERE price > 0 AND kind = $purchase
        ) WHERE nth <= $n_sales GROUP BY item_id
    ) AS typical
    WHERE catalogue.item_id = typical.item_id AND catalogue.price IS NULL
"""
OFFER_WHAT_SELLS = """
    UPDATE catalogue SET is_available = item_id IN (
        SELECT item_id FROM kept WHERE ts > (SELECT max(ts) FROM kept) - $window_us
    )
"""
LIST_KEPT_ITEMS = """
    INSERT INTO catalogue (item_id, is_available)
    SELECT item_id, $offered FROM (SELECT DISTINCT item_id FROM kept)
    WHERE item_id NOT IN (SELECT item_id FROM catalogue)
"""


def create_catalogue(db: DuckDBPyConnection) -> None:
    """Make the empty tables `catalogue` and `quarantine`."""
    db.execute(EMPTY_CATALOGUE)


def read_items(db: DuckDBPyConnection, table: RawTable, roles: Mapping[str, str]) -> int:
    """Fill `catalogue` from a file, bad lines into `quarantine`; return how many lines it has."""
    names = ", ".join(
        f"{presence(name) if name in roles else 'NULL::VARCHAR'} AS {name}" for name in ITEM_GUESSES
    )
    db.execute(
        fill(
            READ_ITEMS,
            relation=table.relation(dict(roles), keep_faults=True),
            presence=names,
            record=table.record,
            max_id=str(MAX_ID_LENGTH),
            max_raw=str(MAX_RAW_CHARS),
        )
    )
    for row_number, reason, raw in read_faults(db, where=table.file):
        db.execute(
            "INSERT INTO listed (row_number, reasons, raw) VALUES (?, ?, left(?, ?))",
            [row_number, reason, raw, MAX_RAW_CHARS],
        )
    n_rows = count(db, "SELECT count(*) FROM listed")
    db.execute(fill(PART_ITEMS, source=literal(table.file.original.name)))
    return n_rows


def complete_from_rows(
    db: DuckDBPyConnection, *, has_catalogue: bool, available_days: int | None
) -> None:
    """Add to `catalogue` what `kept` tells: missing items, prices, whether an item still sells.

    This looks at all rows, so it is for showing items, never for training or measuring a model.

    Args:
        db: holds both.
        has_catalogue: whether the shop gave a catalogue; an item it lacks is not offered.
        available_days: an item is offered if it was sold in so many days before the last sale;
            None to leave it as it is.
    """
    db.execute(fill(LIST_KEPT_ITEMS, offered=str(not has_catalogue).lower()))
    db.execute(
        fill(
            PRICE_FROM_SALES,
            purchase=str(KIND_CODES[Kind.PURCHASE]),
            n_sales=str(PRICE_SALES),
        )
    )
    if available_days is not None:
        db.execute(fill(OFFER_WHAT_SELLS, window_us=str(available_days * 86_400_000_000)))
