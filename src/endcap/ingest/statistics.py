"""Exact counts of each user and item, as tables that increments can be added to.

Sums are of whole numbers, so their order does not matter. What decays or needs a cut in time is a
feature, and is computed by `endcap.features`.
"""

from __future__ import annotations

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import DAY_US

RECENT_US = 7 * DAY_US
MICRO = 1_000_000

USER_COUNTS = """
    SELECT
        user_idx, count(*) AS n_events,
        sum(CASE WHEN kind = $purchase THEN 1 ELSE 0 END) AS n_purchases,
        min(ts) AS first_us, max(ts) AS last_us
    FROM indexed GROUP BY user_idx
"""
ITEM_COUNTS = """
    SELECT
        item_idx, count(*) AS n_events,
        sum(CASE WHEN kind = $view THEN 1 ELSE 0 END) AS n_views,
        sum(CASE WHEN kind = $cart THEN 1 ELSE 0 END) AS n_carts,
        sum(CASE WHEN kind = $purchase THEN 1 ELSE 0 END) AS n_purchases,
        sum(CASE WHEN kind = $rating THEN 1 ELSE 0 END) AS count_ratings,
        sum(CASE WHEN kind = $rating THEN CAST(round(CAST(value AS DOUBLE) * $micro) AS BIGINT)
            ELSE 0 END) AS rating_total_micro,
        min(ts) AS first_us, max(ts) AS last_us
    FROM indexed GROUP BY item_idx
"""
USER_SUMS = ("n_events", "n_purchases")
ITEM_SUMS = (
    *("n_events", "n_views", "n_carts", "n_purchases", "count_ratings", "rating_total_micro"),
)
RECENT = """
    SELECT user_idx, count(*) AS n_last_7d FROM (
        SELECT user_idx FROM indexed WHERE ts > $since_us
        UNION ALL SELECT user_idx FROM $old WHERE ts > $since_us
    ) AS recent GROUP BY user_idx
"""
USER_STATS = """
    SELECT user_counts.*, coalesce(n_last_7d, 0) AS n_last_7d
    FROM user_counts LEFT JOIN recent_counts USING (user_idx)
"""
POPULARITY = """
    SELECT
        item_idx, item_id, coalesce(count_ratings, 0) AS count_ratings,
        CASE WHEN count_ratings > 0
            THEN CAST(rating_total_micro AS DOUBLE) / $micro / count_ratings END AS avg_rating,
        coalesce(n_events, 0) AS n_events, coalesce(n_views, 0) AS n_views,
        coalesce(n_carts, 0) AS n_carts, coalesce(n_purchases, 0) AS n_purchases,
        coalesce(rating_total_micro, 0) AS rating_total_micro, first_us, last_us
    FROM item_ids LEFT JOIN item_counts USING (item_idx)
"""
USER_STATS_TYPES = {
    "user_idx": "INTEGER",
    "n_events": "BIGINT",
    "n_purchases": "BIGINT",
    "n_last_7d": "BIGINT",
    "first_us": "BIGINT",
    "last_us": "BIGINT",
}
POPULARITY_TYPES = {
    "item_idx": "INTEGER",
    "item_id": "VARCHAR",
    "count_ratings": "BIGINT",
    "avg_rating": "DOUBLE",
    "n_events": "BIGINT",
    "n_views": "BIGINT",
    "n_carts": "BIGINT",
    "n_purchases": "BIGINT",
    "rating_total_micro": "BIGINT",
    "first_us": "BIGINT",
    "last_us": "BIGINT",
}


def count_events(compute: Compute, *, last_us: int, old: str | None = None) -> None:
    """Make the tables `user_stats` and `popularity` of all rows.

    Args:
        compute: holds `indexed`, `item_ids`, and in an increment `old_user_stats` and
            `old_popularity`.
        last_us: the time of the last interaction of all; the last 7 days end there.
        old: the table of the rows before the increment; None when there are none.
    """
    codes = {kind.value: str(KIND_CODES[kind]) for kind in (Kind.VIEW, Kind.CART)}
    codes |= {kind.value: str(KIND_CODES[kind]) for kind in (Kind.PURCHASE, Kind.RATING)}
    compute.make("user_counts", _merged(USER_COUNTS, "user_idx", USER_SUMS, codes, old))
    compute.make("item_counts", _merged(ITEM_COUNTS, "item_idx", ITEM_SUMS, codes, old))
    since_us = str(last_us - RECENT_US)
    nobody = "(SELECT user_idx, ts FROM indexed WHERE ts < 0) AS nobody"
    compute.make("recent_counts", fill(RECENT, since_us=since_us, old=old or nobody))
    compute.make("user_stats", USER_STATS)
    compute.make("popularity", fill(POPULARITY, micro=str(MICRO)))


def _merged(
    counts: str, key: str, sums: tuple[str, ...], codes: dict[str, str], old: str | None
) -> str:
    new = fill(counts, **codes, micro=str(MICRO))
    if old is None:
        return new
    kept = "old_user_stats" if key == "user_idx" else "old_popularity"
    columns = f"{key}, {', '.join(sums)}, first_us, last_us"
    summed = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in sums)
    return f"""
        SELECT {key}, {summed}, min(first_us) AS first_us, max(last_us) AS last_us
        FROM (
            SELECT {columns} FROM ({new}) AS fresh
            UNION ALL SELECT {columns} FROM {kept} WHERE n_events > 0
        ) AS merged GROUP BY {key}
    """
