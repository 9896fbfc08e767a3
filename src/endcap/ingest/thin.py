"""Leaves fewer users or items: a sample of users, minimum counts, a k-core.

All are exact and depend on nothing but the rows: no random numbers.
"""

from __future__ import annotations

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill

# The order of hashes is as good as a random one, and the same everywhere.
SAMPLED = """
    SELECT $rows.* FROM $rows SEMI JOIN (
        SELECT user_id FROM (SELECT user_id FROM $rows GROUP BY user_id) AS known
        ORDER BY md5(user_id), user_id LIMIT $n_users
    ) AS chosen USING (user_id)
"""
FREQUENT = """
    SELECT $rows.* FROM $rows
    SEMI JOIN (
        SELECT user_id FROM $rows GROUP BY user_id HAVING count(*) >= $min_per_user
    ) AS users USING (user_id)
    SEMI JOIN (
        SELECT item_id FROM $rows GROUP BY item_id HAVING count(*) >= $min_per_item
    ) AS items USING (item_id)
"""

ANY_RARE = """
    SELECT 1 FROM $rows GROUP BY user_id HAVING count(*) < $k
    UNION ALL
    SELECT 1 FROM $rows GROUP BY item_id HAVING count(*) < $k
    LIMIT 1
"""


def sample_users(compute: Compute, name: str, rows: str, n_users: int) -> None:
    """Make the table `name` of the rows of `n_users` users."""
    compute.make(name, fill(SAMPLED, rows=rows, n_users=str(n_users)))


def minimum_counts(
    compute: Compute, name: str, rows: str, *, min_per_user: int, min_per_item: int
) -> None:
    """Make the table `name` of the rows whose user and item have enough rows in `rows`.

    Counted once: what is left may have fewer, see `k_core`.
    """
    wanted = {"min_per_user": str(min_per_user), "min_per_item": str(min_per_item)}
    compute.make(name, fill(FREQUENT, rows=rows, **wanted))


def k_core(compute: Compute, name: str, rows: str, k: int) -> None:
    """Make the table `name` of the largest set of rows in which each user and item has k.

    Rows are counted, not pairs: five purchases of one item are five.

    Cost: rounds of a few passes until nothing changes; some ten rounds on review data.
    """
    left, nth = rows, 0
    while compute.rows(fill(ANY_RARE, rows=left, k=str(k))):
        # By turns in two tables, because a table cannot be made of itself.
        target = f"{name}_{nth % 2}"
        minimum_counts(compute, target, left, min_per_user=k, min_per_item=k)
        left, nth = target, nth + 1
    compute.make(name, f"SELECT * FROM {left}")
    for nth in (0, 1):
        compute.drop(f"{name}_{nth}")


def count_rows(compute: Compute, table: str) -> int:
    """Return how many rows a table has."""
    return int(compute.rows(f"SELECT count(*) FROM {table}")[0][0])
