"""The sales of a British online retailer, UCI's Online Retail and Online Retail II."""

from __future__ import annotations

from endcap.ingest.shapes.shape import Derived, Holds, Pattern, Rule
from endcap.schema.columns import Kind

NOT_GOODS = (
    r"^(POST|DOT|M|m|D|S|B|C2|C3|PADS|CRUK|GIFT|BANK CHARGES|AMAZONFEE|ADJUST[0-9]*|TEST[0-9]*"
    r"|gift_.*)$"
)
# The commonest spelling of a name; the text decides between equally common ones.
CATALOGUE = f"""
    SELECT item_id, name, 'GBP' AS currency FROM (
        SELECT item_id, name, row_number() OVER (
            PARTITION BY item_id ORDER BY name IS NULL, n DESC, name
        ) AS nth
        FROM (
            SELECT item_id, name, count(*) AS n FROM (
                SELECT trim($stockcode) AS item_id,
                    nullif(trim($description), '') AS name
                FROM source
                WHERE TRY_CAST($quantity AS DOUBLE) > 0 AND TRY_CAST($price AS DOUBLE) > 0
            )
            WHERE item_id <> '' AND NOT regexp_matches(item_id, '{NOT_GOODS.replace("$", "$$")}')
            GROUP BY item_id, name
        )
    ) WHERE nth = 1 ORDER BY item_id
"""

PATTERNS = (
    Pattern(
        name="online-retail",
        title="Online Retail of UCI",
        holds=Holds.INTERACTIONS,
        needs=(
            "invoice|invoiceno",
            "stockcode",
            "description",
            "quantity",
            "invoicedate",
            "price|unitprice",
            "customerid",
        ),
        mapping={
            "user_id": "customerid",
            "item_id": "stockcode",
            "ts": "invoicedate",
            "value": "quantity",
            "price": "price|unitprice",
        },
        kind=Kind.PURCHASE,
        refuse=(
            Rule("invoice", "^C", "a cancellation"),
            Rule("invoiceno", "^C", "a cancellation"),
            Rule("quantity", "^-", "a return or a correction"),
            Rule("stockcode", NOT_GOODS, "not goods: postage, fees, vouchers, corrections"),
        ),
        items=Derived(
            CATALOGUE,
            {"item_id": "item_id", "name": "name", "currency": "currency"},
            "the commonest description of each stock code",
        ),
        tells=(
            ("invoice", "begins with C for a cancellation"),
            ("invoiceno", "begins with C for a cancellation"),
            ("quantity", "is negative for a return"),
        ),
        notes=(
            "Returns and cancellations are no purchases: they are quarantined, and the purchase "
            "they undo is kept, because the source does not say which one that is.",
        ),
    ),
)
