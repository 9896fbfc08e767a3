"""Amazon reviews and metadata as the groups of McAuley published them in 2014, 2018 and 2023."""

from __future__ import annotations

from endcap.ingest.shapes.shape import Dialect, Holds, Pattern
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

ASIN = r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]"
REVIEWER = r"A[0-9A-Z]{9,}|#oc-R[0-9A-Z]+"
STARS = r"[0-5](\.[0-9]+)?"
SECONDS = r"[0-9]{9,10}"

IS_SECONDS = "is in seconds"
IS_MILLISECONDS = "is in milliseconds"

ITEM_MAPPING = {
    "name": "title",
    "department": "department",
    "category": "category",
    "brand": "brand",
    "price": "price",
    "currency": "currency",
    "image_url": "image",
    "description": "description",
}
BARE_CSV = Dialect(format=Format.CSV, delimiter=",", has_header=False)

REVIEWS = (
    Pattern(
        name="amazon-reviews-2023",
        title="Amazon reviews of 2023",
        holds=Holds.INTERACTIONS,
        needs=("userid", "parentasin", "rating", "timestamp|sorttimestamp"),
        mapping={
            "user_id": "userid",
            "item_id": "parentasin",
            "value": "rating",
            "ts": "timestamp|sorttimestamp",
        },
        kind=Kind.RATING,
        ts_unit="milliseconds",
        tells=(
            ("asin", "is a variant of the product, `parent_asin` the product itself"),
            ("timestamp", IS_MILLISECONDS),
            ("sorttimestamp", IS_MILLISECONDS),
        ),
    ),
    Pattern(
        name="amazon-reviews",
        title="Amazon reviews of 2014 or 2018",
        holds=Holds.INTERACTIONS,
        needs=("reviewerid|user|userid", "asin", "overall", "unixreviewtime"),
        mapping={
            "user_id": "reviewerid|user|userid",
            "item_id": "asin",
            "value": "overall",
            "ts": "unixreviewtime",
        },
        kind=Kind.RATING,
        ts_unit="seconds",
        tells=(
            ("unixreviewtime", IS_SECONDS),
            ("helpful", "says 2014"),
            ("verified", "says 2018"),
            ("style", "says 2018"),
            ("vote", "says 2018"),
        ),
    ),
    Pattern(
        name="amazon-ratings",
        title="ratings of Amazon products",
        holds=Holds.INTERACTIONS,
        needs=("user|userid|reviewerid", "asin", "rating", "ts|timestamp"),
        mapping={
            "user_id": "user|userid|reviewerid",
            "item_id": "asin",
            "value": "rating",
            "ts": "ts|timestamp",
        },
        kind=Kind.RATING,
    ),
    Pattern(
        name="amazon-ratings-2014",
        title="Amazon ratings of 2014: user, item, rating, time in seconds",
        holds=Holds.INTERACTIONS,
        cells=(REVIEWER, ASIN, STARS, SECONDS),
        mapping={"user_id": "#1", "item_id": "#2", "value": "#3", "ts": "#4"},
        kind=Kind.RATING,
        dialect=BARE_CSV,
        ts_unit="seconds",
    ),
    Pattern(
        name="amazon-ratings-2018",
        title="Amazon ratings of 2018: item, user, rating, time in seconds",
        holds=Holds.INTERACTIONS,
        cells=(ASIN, REVIEWER, STARS, SECONDS),
        mapping={"user_id": "#2", "item_id": "#1", "value": "#3", "ts": "#4"},
        kind=Kind.RATING,
        dialect=BARE_CSV,
        ts_unit="seconds",
    ),
)
METADATA = (
    Pattern(
        name="amazon-metadata-2023",
        title="metadata of Amazon products of 2023",
        holds=Holds.ITEMS,
        needs=("parentasin", "title", "maincategory", "store"),
        mapping={"item_id": "parent_asin", **ITEM_MAPPING, "also_bought": "bought_together"},
        converter="amazon_meta",
    ),
    Pattern(
        name="amazon-metadata-2018",
        title="metadata of Amazon products of 2018",
        holds=Holds.ITEMS,
        needs=("asin", "title", "category", "alsobuy|alsoview|maincat|imageurl|imageurlhighres"),
        without=("overall", "unixreviewtime"),
        mapping={
            "item_id": "asin",
            **ITEM_MAPPING,
            "also_bought": "also_buy",
            "also_viewed": "also_view",
        },
        converter="amazon_meta",
        tells=(("price", "is text such as $5.00 - $9.99; the lower end is taken"),),
    ),
    Pattern(
        name="amazon-metadata-2014",
        title="metadata of Amazon products of 2014",
        holds=Holds.ITEMS,
        needs=("asin", "categories", "title|imurl|related|salesrank"),
        without=("overall", "unixreviewtime"),
        mapping={
            "item_id": "asin",
            **ITEM_MAPPING,
            "also_bought": "also_bought",
            "also_viewed": "also_viewed",
        },
        converter="amazon_meta",
    ),
)
PATTERNS = (*REVIEWS, *METADATA)
