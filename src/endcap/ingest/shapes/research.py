"""Forms in which research passes data on: atomic files of RecBole, bundles, bare sequences."""

from __future__ import annotations

from endcap.ingest.shapes.shape import ORDER, Companion, Dialect, Holds, Pattern
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

TABS = Dialect(format=Format.CSV, delimiter="\t", quote="")
FIRST_AND_LAST = {"item_id": "item_id", "department": "department", "category": "category"}

# Paths are parted by commas without a space behind; a comma within a name has one.
PATH = """
    list_transform(
        string_split(replace({}, ', ', chr(31)), ','),
        lambda part: nullif(trim(replace(part, chr(31), ', ')), '')
    )
"""
# Of [[a,b],[c,d]] the first path.
FIRST_PATH = r"regexp_extract(categories, '^\[\[(.*?)\](?:,\[|\]$$)', 1)"

BUNDLES_SELECT = f"""
    SELECT
        titled.$itemid AS item_id, unescape_html(titled.$titles) AS name,
        path[1] AS department, path[-1] AS category
    FROM source AS titled
    LEFT JOIN (SELECT "item_ID" AS item, {PATH.format(FIRST_PATH)} AS path FROM categories)
        ON CAST(item AS VARCHAR) = CAST(titled.$itemid AS VARCHAR)
    ORDER BY TRY_CAST(item_id AS BIGINT), item_id
"""
TEXTS_SELECT = f"""
    SELECT item_id, name, path[1] AS department, path[-1] AS category, brand, description
    FROM (
        SELECT
            $item AS item_id, $title AS name, nullif(trim($brand), '') AS brand,
            nullif(trim($description), '') AS description,
            {PATH.format("$categories")} AS path
        FROM source
    )
    ORDER BY TRY_CAST(item_id AS BIGINT), item_id
"""
# The list of an item is its brand, if that is known, then its categories, the broadest first; the
# broadest is the one that most items have.
ATTRIBUTES_SELECT = """
    SELECT
        item AS item_id,
        names[widest] AS department,
        names[-1] AS category,
        CASE WHEN widest > 1 THEN nullif(names[1], 'Unknown') END AS brand
    FROM (
        SELECT item, list(name ORDER BY place) AS names, min_by(place, (-n_items, place)) AS widest
        FROM (
            SELECT $item AS item, unnest($attributes) AS attribute,
                generate_subscripts($attributes, 1) AS place
            FROM source
        )
        JOIN attributes USING (attribute)
        GROUP BY item
    )
    ORDER BY TRY_CAST(item AS BIGINT), item
"""

INTERACTIONS = (
    Pattern(
        name="recbole-ratings",
        title="ratings as an atomic file of RecBole",
        holds=Holds.INTERACTIONS,
        file_name=r".*\.inter",
        needs=("useridtoken", "itemidtoken", "ratingfloat", "timestampfloat"),
        mapping={
            "user_id": "useridtoken",
            "item_id": "itemidtoken",
            "value": "ratingfloat",
            "ts": "timestampfloat",
        },
        kind=Kind.RATING,
        dialect=TABS,
    ),
    Pattern(
        name="recbole",
        title="interactions as an atomic file of RecBole",
        holds=Holds.INTERACTIONS,
        file_name=r".*\.inter",
        needs=("useridtoken", "itemidtoken", "timestampfloat"),
        mapping={"user_id": "useridtoken", "item_id": "itemidtoken", "ts": "timestampfloat"},
        kind=Kind.VIEW,
        dialect=TABS,
    ),
    Pattern(
        name="timed-sequences",
        title="sequences of items with a position and a time",
        holds=Holds.INTERACTIONS,
        needs=("user", "item", "pos", "ts"),
        mapping={"user_id": "user", "item_id": "item", "ts": "ts"},
        kind=Kind.VIEW,
        tells=(("ts", "is a time, so the position is not needed"),),
    ),
    Pattern(
        name="sequences",
        title="sequences of items with a position and no time",
        holds=Holds.INTERACTIONS,
        needs=("user", "item", "pos"),
        without=("ts", "time", "timestamp"),
        mapping={"user_id": "user", "item_id": "item", "ts": "pos"},
        kind=Kind.VIEW,
        ts_unit=ORDER,
        tells=(("pos", "is the place within the user, and stands in for a time"),),
    ),
    Pattern(
        name="bundles",
        title="events of the bundle data (user, item, time)",
        holds=Holds.INTERACTIONS,
        file_name=r"user_item\.(csv|parquet)",
        needs=("userid", "itemid", "timestamp"),
        mapping={"user_id": "userid", "item_id": "itemid", "ts": "timestamp"},
        kind=Kind.VIEW,
        ts_unit="seconds",
    ),
)
ITEMS = (
    Pattern(
        name="bundle-items",
        title="titles of the bundle data",
        holds=Holds.ITEMS,
        needs=("itemid", "titles"),
        mapping={**FIRST_AND_LAST, "name": "name"},
        select=BUNDLES_SELECT,
        companions={
            "categories": Companion(r"item_categories\.(csv|parquet)", ("item_ID", "categories"))
        },
        notes=("Of several paths of categories the first is taken.",),
    ),
    Pattern(
        name="item-texts",
        title="items with texts and a path of categories",
        holds=Holds.ITEMS,
        needs=("item", "title", "description", "brand", "categories"),
        without=("user",),
        mapping={**FIRST_AND_LAST, "name": "name", "brand": "brand", "description": "description"},
        select=TEXTS_SELECT,
    ),
    Pattern(
        name="item-attributes",
        title="items with lists of attributes, named in attributes.parquet",
        holds=Holds.ITEMS,
        needs=("item", "attributes"),
        without=("user",),
        mapping={**FIRST_AND_LAST, "brand": "brand"},
        select=ATTRIBUTES_SELECT,
        companions={
            "attributes": Companion(r"attributes\.(csv|parquet)", ("attribute", "n_items", "name"))
        },
    ),
    Pattern(
        name="rechorus-items",
        title="items of ReChorus",
        holds=Holds.ITEMS,
        needs=("itemid", "icategory"),
        mapping={
            "item_id": "itemid",
            "category": "icategory",
            "also_bought": "rcomplement",
            "also_viewed": "rsubstitute",
        },
        tells=(
            ("rcomplement", "lists what is bought with it"),
            ("rsubstitute", "lists what is viewed instead"),
        ),
    ),
    Pattern(
        name="recbole-items",
        title="items as an atomic file of RecBole",
        holds=Holds.ITEMS,
        file_name=r".*\.item",
        needs=("itemidtoken",),
        mapping={
            "item_id": "itemidtoken",
            "name": "titletokenseq|movietitletokenseq|titletoken|nametokenseq",
            "category": "categoriestokenseq|classtokenseq|categorytokenseq|genretokenseq",
            "brand": "brandtoken|brandtokenseq",
            "price": "pricefloat",
        },
        dialect=TABS,
    ),
)
NOTHING = (
    Pattern(
        name="bundle-parts",
        title="a part of the bundle data that has no event or stands in another file too",
        holds=Holds.NOTHING,
        file_name=r"(user_(bundle|session)|session_item|bundle_(item|intent)|item_asin)\..*",
        needs=("userid|sessionid|bundleid|itemid",),
    ),
)
PATTERNS = (*NOTHING, *INTERACTIONS, *ITEMS)
