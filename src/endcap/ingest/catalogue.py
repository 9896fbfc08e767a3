"""What is known of each item, as the table `catalogue`, and what its sales add to that.

The named set with its own rules is in `complete_journey`.
"""

from __future__ import annotations

from collections.abc import Mapping

from endcap.ingest.clean import id_faults
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill, literal
from endcap.ingest.mapping import ITEM_GUESSES
from endcap.ingest.values import number, presence
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import DAY_US

PRICE_SALES = 20
NOT_AVAILABLE = ("false", "f", "no", "n", "0", "out of stock", "outofstock", "sold out")

CATALOGUE = {
    "line": "BIGINT",
    "item_id": "VARCHAR",
    "name": "VARCHAR",
    "department": "VARCHAR",
    "category": "VARCHAR",
    "brand": "VARCHAR",
    "price": "DOUBLE",
    "currency": "VARCHAR",
    "image_url": "VARCHAR",
    "is_available": "BOOLEAN",
    "description": "VARCHAR",
    "also_bought": "VARCHAR",
    "also_viewed": "VARCHAR",
}
RELATIONS = ("also_bought", "also_viewed")
ITEM_TYPES = {
    "item_idx": "INTEGER",
    **{name: kind for name, kind in CATALOGUE.items() if name not in {"line", *RELATIONS}},
    "listed_price": "DOUBLE",
}
RELATION_TYPES = {"item_idx": "INTEGER", "relation": "VARCHAR", "related_id": "VARCHAR"}

# Review sites give the path of categories as a JSON list, and the pictures too.
LAST_OF_LIST = r'"((?:[^"\\]|\\.)*)"\s*\]+\s*$'
FIRST_OF_LIST = r'^\s*\[+\s*"((?:[^"\\]|\\.)*)"'

# 12,50 and 1.234,50 are of one half of the world, 1,234.50 and 12,34,567 of the other; 1,234 is
# taken for more than a thousand.
DECIMAL_COMMA = "^([0-9]+|[0-9]{1,3}([.][0-9]{3})+),[0-9]{1,2}$"
GROUPED = "^[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}([.][0-9]*)?$"

JUDGE_ITEMS = """
    WITH present AS (SELECT file_row, broken, $presence FROM $raw),
    judged AS (
        SELECT *, CASE
            WHEN broken IS NOT NULL THEN broken
            $id_faults
            WHEN row_number() OVER (PARTITION BY item_id ORDER BY file_row) > 1
            THEN 'item_id stands in the catalogue before'
        END AS why
        FROM present
    ),
    tidied AS (SELECT *, regexp_replace(price, '[$$£€ ]', '', 'g') AS figures FROM judged),
    priced AS (
        SELECT *, CASE
            WHEN regexp_matches(figures, '$decimal_comma')
            THEN regexp_replace(regexp_replace(figures, '[.]', '', 'g'), ',', '.', 'g')
            WHEN regexp_matches(figures, '$grouped') THEN regexp_replace(figures, ',', '', 'g')
            ELSE figures
        END AS amount FROM tidied
    )
    SELECT
        file_row, item_id, name, department,
        CASE WHEN left(category, 1) = '['
            THEN nullif(regexp_extract(category, $last, 1), '') ELSE category END AS category,
        brand,
        CASE WHEN $number >= 0 THEN $number END AS price,
        currency,
        CASE WHEN left(image_url, 1) = '['
            THEN nullif(regexp_extract(image_url, $first, 1), '') ELSE image_url END AS image_url,
        coalesce(lower(is_available) NOT IN ($unavailable), true) AS is_available,
        description, also_bought, also_viewed, why
    FROM priced
"""
GOOD_ITEMS = """
    SELECT file_row AS line, item_id, name, department, category, brand, price, currency,
        image_url, is_available, description, also_bought, also_viewed
    FROM $judged WHERE why IS NULL
"""
BAD_ITEMS = "SELECT file_row, why FROM $judged WHERE why IS NOT NULL"

# A price that a shopper would meet today: the middle one of the last sales. Free pieces are left
# out, they were paid with a coupon.
RECENT_SALES = """
    WITH sales AS (
        SELECT item_idx, ts, position, CAST(price AS DOUBLE) AS price
        FROM indexed WHERE price > 0 AND kind = $purchase
        $earlier
    ),
    numbered AS (
        SELECT *, row_number() OVER (PARTITION BY item_idx ORDER BY ts DESC, position DESC) AS nth
        FROM sales
    )
    SELECT item_idx, ts, position, price FROM numbered WHERE nth <= $n_sales
"""
TYPICAL_PRICES = """
    WITH numbered AS (
        SELECT item_idx, price,
            row_number() OVER (PARTITION BY item_idx ORDER BY price) AS nth,
            count(*) OVER (PARTITION BY item_idx) AS n
        FROM recent_sales
    )
    SELECT item_idx, floor(avg(price) * 100 + 0.5) / 100 AS typical
    FROM numbered WHERE 2 * nth >= n AND 2 * nth <= n + 2 GROUP BY item_idx
"""
SALE_TYPES = {"item_idx": "INTEGER", "ts": "BIGINT", "position": "BIGINT", "price": "DOUBLE"}

# What a new catalogue says of an item goes before what an older one said.
LISTED = """
    SELECT item_idx, item_id, name, department, category, brand, price, currency, image_url,
        is_available, description
    FROM item_ids JOIN catalogue USING (item_id)
    UNION ALL
    SELECT old.item_idx, old.item_id, old.name, old.department, old.category, old.brand,
        old.listed_price AS price, old.currency, old.image_url, old.is_available, old.description
    FROM $old AS old ANTI JOIN catalogue ON old.item_id = catalogue.item_id
"""
ITEMS = """
    SELECT
        item_ids.item_idx, item_ids.item_id, name, department, category, brand,
        coalesce(listed.price, typical) AS price, currency, image_url,
        CASE WHEN $window_us > 0 THEN coalesce(last_us > $last_us - $window_us, false)
            ELSE coalesce(is_available, $offered) END AS is_available,
        description, listed.price AS listed_price
    FROM item_ids
    LEFT JOIN listed ON listed.item_idx = item_ids.item_idx
    LEFT JOIN typical_prices ON typical_prices.item_idx = item_ids.item_idx
    LEFT JOIN popularity ON popularity.item_idx = item_ids.item_idx
"""

# The other item need not be known yet: rows or a catalogue may still bring it.
RELATED = """
    SELECT DISTINCT item_idx, relation, related_id FROM (
        SELECT item_id, relation, unnest(string_split(listing, ',')) AS related_id
        FROM (
            SELECT item_id, 'also_bought' AS relation,
                regexp_replace(also_bought, $punctuation, '', 'g') AS listing
            FROM catalogue WHERE also_bought IS NOT NULL
            UNION ALL
            SELECT item_id, 'also_viewed' AS relation,
                regexp_replace(also_viewed, $punctuation, '', 'g') AS listing
            FROM catalogue WHERE also_viewed IS NOT NULL
        ) AS listings
    ) AS named JOIN item_ids USING (item_id)
    WHERE related_id <> '' AND related_id <> item_id
"""
KEPT_RELATIONS = """
    UNION ALL
    SELECT old.item_idx, relation, related_id FROM old_relations AS old
    JOIN old_items ON old.item_idx = old_items.item_idx
    ANTI JOIN catalogue ON old_items.item_id = catalogue.item_id
"""
LIST_PUNCTUATION = r'[\[\]"\s]'


def relate_items(compute: Compute, *, is_increment: bool) -> None:
    """Make the table `relations`: item_idx, relation, related_id, as the catalogue lists them.

    Args:
        compute: holds `catalogue`, `item_ids`, and in an increment `old_items` and
            `old_relations`.
        is_increment: whether there was a snapshot before.
    """
    related = fill(RELATED, punctuation=literal(LIST_PUNCTUATION))
    compute.make("relations", related + (KEPT_RELATIONS if is_increment else ""))


def empty_catalogue(compute: Compute) -> None:
    """Make the empty table `catalogue`."""
    compute.put("catalogue", {name: (kind, ()) for name, kind in CATALOGUE.items()})


def read_items(compute: Compute, raw: str, roles: Mapping[str, str]) -> None:
    """Make the tables `catalogue` and `bad_items` of a table of text.

    Args:
        compute: holds the tables.
        raw: what `Compute.read` made, with a column a role.
        roles: role -> column; the columns of other roles are missing.
    """
    names = ", ".join(
        f"{presence(name) if name in roles else 'CAST(NULL AS VARCHAR)'} AS {name}"
        for name in ITEM_GUESSES
    )
    judged = fill(
        JUDGE_ITEMS,
        raw=raw,
        presence=names,
        id_faults=id_faults("item_id"),
        decimal_comma=DECIMAL_COMMA,
        grouped=GROUPED,
        last=literal(LAST_OF_LIST),
        first=literal(FIRST_OF_LIST),
        number=number("amount"),
        unavailable=", ".join(literal(word) for word in NOT_AVAILABLE),
    )
    compute.make("judged_items", judged)
    compute.make("catalogue", fill(GOOD_ITEMS, judged="judged_items"))
    compute.make("bad_items", fill(BAD_ITEMS, judged="judged_items"))
    compute.drop("judged_items")


def complete_items(
    compute: Compute,
    *,
    has_catalogue: bool,
    available_days: int | None,
    last_us: int,
    is_increment: bool,
) -> None:
    """Make the tables `items` and `recent_sales` of what is listed and of what the rows tell.

    This looks at all rows, so it is for showing items, never for training or measuring a model.

    Args:
        compute: holds `item_ids`, `indexed`, `catalogue`, `popularity`, and in an increment
            `old_items` and `old_sales`.
        has_catalogue: whether the shop gave a catalogue; an item it lacks is not offered.
        available_days: an item is offered if it was sold in so many days before the last sale;
            None to leave it as it is.
        last_us: the time of the last interaction.
        is_increment: whether there was a snapshot before.
    """
    earlier = "UNION ALL SELECT item_idx, ts, position, price FROM old_sales"
    compute.make(
        "recent_sales",
        fill(
            RECENT_SALES,
            purchase=str(KIND_CODES[Kind.PURCHASE]),
            n_sales=str(PRICE_SALES),
            earlier=earlier if is_increment else "",
        ),
    )
    compute.make("typical_prices", TYPICAL_PRICES)
    if not is_increment:
        no_items = {**{"item_idx": "INTEGER", "listed_price": "DOUBLE"}, **CATALOGUE}
        compute.put("old_items", {name: (kind, ()) for name, kind in no_items.items()})
    compute.make("listed", fill(LISTED, old="old_items"))
    compute.make(
        "items",
        fill(
            ITEMS,
            window_us=str((available_days or 0) * DAY_US),
            last_us=str(last_us),
            offered="false" if has_catalogue else "true",
        ),
    )
