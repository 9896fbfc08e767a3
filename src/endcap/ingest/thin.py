"""Leaves fewer users or items in the table `kept`: a sample of users, a k-core.

Both are exact and depend on nothing but the rows: no random numbers.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from endcap.ingest.engine import count

# The order of hashes is as good as a random one, and the same everywhere.
SAMPLE_USERS = """
    DELETE FROM kept WHERE user_id NOT IN (
        SELECT user_id FROM (SELECT DISTINCT user_id FROM kept)
        ORDER BY md5(user_id), user_id LIMIT ?
    )
"""
DROP_USERS_BELOW = """
    DELETE FROM kept WHERE user_id IN (
        SELECT user_id FROM kept GROUP BY user_id HAVING count(*) < ?
    )
"""
DROP_ITEMS_BELOW = """
    DELETE FROM kept WHERE item_id IN (
        SELECT item_id FROM kept GROUP BY item_id HAVING count(*) < ?
    )
"""


def sample_users(db: DuckDBPyConnection, n_users: int) -> int:
    """Keep the rows of `n_users` users; return how many rows went."""
    return count(db, SAMPLE_USERS, [n_users])


def k_core(db: DuckDBPyConnection, k: int) -> int:
    """Keep the largest set of rows in which each user and item has k; return how many rows went.

    Rows are counted, not pairs: five purchases of one item are five.

    Cost: rounds of two passes until nothing changes; some ten rounds on review data.
    """
    n_removed = 0
    while True:
        n_gone = count(db, DROP_USERS_BELOW, [k]) + count(db, DROP_ITEMS_BELOW, [k])
        if n_gone == 0:
            return n_removed
        n_removed += n_gone
