"""RetailRocket's clickstream of 2015: events, properties of items over time, tree of categories.

Also its sessions as research on session-based models passes them on.
"""

from __future__ import annotations

from endcap.ingest.shapes.shape import ORDER, Companion, Holds, Pattern
from endcap.schema.columns import Kind

# As of the newest time of each property: what a page would show once the data end. What an item
# was at the time of an event is for `write_changes`. A category whose parents run in a circle
# has no root.
NEWEST_PROPERTIES = """
    WITH RECURSIVE said AS (
        SELECT itemid, property, value, TRY_CAST("timestamp" AS BIGINT) AS ts FROM source
    ),
    newest AS (
        SELECT itemid,
            max_by(value, ts) FILTER (property = 'categoryid') AS category,
            max_by(value, ts) FILTER (property = 'available') AS available,
            count(DISTINCT property) AS n_properties
        FROM said WHERE itemid IS NOT NULL GROUP BY itemid
    ),
    climb AS (
        SELECT categoryid, categoryid AS ancestor, parentid, 1 AS depth FROM tree
        UNION ALL
        SELECT climb.categoryid, tree.categoryid, tree.parentid, climb.depth + 1
        FROM climb JOIN tree ON tree.categoryid = climb.parentid WHERE climb.depth < 50
    ),
    roots AS (
        SELECT categoryid, min(ancestor) AS root FROM climb
        WHERE parentid IS NULL OR parentid = '' GROUP BY categoryid
    )
    SELECT
        itemid AS item_id, root AS department, category, available <> '0' AS available,
        n_properties
    FROM newest LEFT JOIN roots ON roots.categoryid = newest.category
    ORDER BY TRY_CAST(itemid AS BIGINT), itemid
"""
PROPERTY_COLUMNS = ("timestamp", "itemid", "property", "value")

PATTERNS = (
    Pattern(
        name="retailrocket-events",
        title="events of RetailRocket",
        holds=Holds.INTERACTIONS,
        needs=("timestamp", "visitorid", "event", "itemid"),
        mapping={
            "user_id": "visitorid",
            "item_id": "itemid",
            "ts": "timestamp",
            "kind": "event",
        },
        kinds={"view": Kind.VIEW, "addtocart": Kind.CART, "transaction": Kind.PURCHASE},
        ts_unit="milliseconds",
        tells=(("event", "is view, addtocart or transaction"), ("timestamp", "is in milliseconds")),
    ),
    Pattern(
        name="retailrocket-properties",
        title="properties of RetailRocket's items over time",
        holds=Holds.ITEMS,
        needs=PROPERTY_COLUMNS,
        mapping={
            "item_id": "item_id",
            "department": "department",
            "category": "category",
            "is_available": "available",
        },
        select=NEWEST_PROPERTIES,
        companions={
            "source": Companion(r"item_properties.*\.csv", PROPERTY_COLUMNS),
            "tree": Companion(r"category_tree\.csv", ("categoryid", "parentid")),
        },
        notes=(
            "An item is as it stood last: the newest categoryid and the newest available. Its "
            "department is the root of its category in category_tree.csv.",
        ),
    ),
    Pattern(
        name="retailrocket-categories",
        title="the tree of RetailRocket's categories, which goes with the properties",
        holds=Holds.NOTHING,
        needs=("categoryid", "parentid"),
    ),
    Pattern(
        name="sessions",
        title="sessions with a list of items in the order of the clicks",
        holds=Holds.INTERACTIONS,
        needs=("session|sessionid", "items"),
        without=("user", "userid", "ts", "timestamp", "time"),
        select="""
            SELECT
                $session AS session, unnest(list) AS item,
                generate_subscripts(list, 1) - 1 AS pos
            FROM (SELECT $session, CAST($items AS VARCHAR[]) AS list FROM source)
        """,
        mapping={"user_id": "session", "item_id": "item", "ts": "pos"},
        kind=Kind.VIEW,
        ts_unit=ORDER,
        tells=(
            ("items", "is opened: one click a row, with its position"),
            ("split", "is not used: test sessions are read like the others"),
        ),
    ),
)
