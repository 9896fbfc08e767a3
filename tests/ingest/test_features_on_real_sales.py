"""The features of a real shop, reckoned a second time in SQL."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from endcap.features.point_in_time import item_features, totals_of, user_features
from endcap.features.sessions import session_starts
from endcap.features.spec import FeatureSpec
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions, Items
from endcap.schema.types import DAY_US

SPEC = FeatureSpec()
# Ids from 0 by their order, and rows that can be told apart, so that both sides see one order.
SALES = """
    CREATE TABLE sales AS
    SELECT
        dense_rank() OVER (ORDER BY customer_id)::INTEGER - 1 AS user_idx,
        dense_rank() OVER (ORDER BY stock_code)::INTEGER - 1 AS item_idx,
        price, epoch_us(invoice_date) AS ts,
        row_number() OVER (ORDER BY invoice_date, position) AS n
    FROM (SELECT *, row_number() OVER () AS position FROM read_parquet(?))
    WHERE customer_id IS NOT NULL AND quantity > 0
"""
BY_USER = """
    WITH past AS (SELECT * FROM sales WHERE ts < $at),
    lag AS (
        SELECT *, ts - lag(ts) OVER (PARTITION BY user_idx ORDER BY n) > $gap AS is_start FROM past
    ),
    latest AS (
        SELECT user_idx, max(ts) FILTER (WHERE coalesce(is_start, true)) AS began
        FROM lag GROUP BY user_idx
    ),
    paid AS (
        SELECT user_idx, quantile_disc(price, 0.5) AS level FROM (
            SELECT *, row_number() OVER (PARTITION BY user_idx ORDER BY n DESC) AS place
            FROM past WHERE price > 0
        ) WHERE place <= 20 GROUP BY user_idx
    )
    SELECT
        user_idx, count(DISTINCT item_idx), ($at - min(ts)) / $day, ($at - max(ts)) / $day,
        count(*) FILTER (WHERE ts >= $at - 7 * $day),
        count(DISTINCT item_idx) FILTER (WHERE ts >= $at - 7 * $day),
        any_value(level), count(*) FILTER (WHERE ts >= began), (max(ts) - any_value(began)) / 1e6
    FROM past JOIN latest USING (user_idx) LEFT JOIN paid USING (user_idx)
    GROUP BY user_idx ORDER BY user_idx
"""
BY_ITEM = """
    SELECT
        item_idx, count(*), count(DISTINCT user_idx), count(*) FILTER (WHERE ts >= $at - 7 * $day),
        sum(pow(2, -($at - ts) / $day / 7)), sum(pow(2, -($at - ts) / $day / 90)),
        ($at - min(ts)) / $day, ($at - max(ts)) / $day
    FROM sales WHERE ts < $at GROUP BY item_idx ORDER BY item_idx
"""


@pytest.fixture(scope="module")
def sales(shared_data):
    file = shared_data / "online_retail_ii" / "online_retail_ii.parquet"
    with duckdb.connect() as db:
        db.execute(SALES, [str(file)])
        yield db


@pytest.fixture(scope="module")
def told(sales):
    found = sales.execute("SELECT user_idx, item_idx, price, ts FROM sales ORDER BY n").fetchnumpy()
    n_rows = len(found["ts"])
    return Interactions(
        **{name: np.ascontiguousarray(np.asarray(column)) for name, column in found.items()},
        kind=np.full(n_rows, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
        value=np.ones(n_rows, dtype=np.float32),
    )


@pytest.fixture(scope="module")
def items(told):
    nameless = np.full(int(told.item_idx.max()) + 1, -1, dtype=np.int32)
    return Items(department=nameless, category=nameless, brand=nameless)


@pytest.fixture(scope="module")
def at_us(told):
    return int(told.ts[-1]) - 100 * DAY_US


def columns(sales, query, at_us, **more):
    rows = sales.execute(query, {"at": at_us, "day": DAY_US, **more}).fetchall()
    return [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]


def test_what_users_did(sales, told, items, at_us):
    n_users = int(told.user_idx.max()) + 1
    found = user_features(
        told, items, users=np.arange(n_users, dtype=np.int32), at_us=at_us, spec=SPEC
    )
    index, *expected = columns(sales, BY_USER, at_us, gap=SPEC.session_gap_us)
    rows = index.astype(np.int64)
    assert 3000 < len(rows) < n_users
    for name, values in zip(
        (
            *("n_items", "days_since_first_event", "days_since_last_event", "n_events_recent"),
            *("n_items_recent", "price_level", "session_n_events", "session_length_s"),
        ),
        expected,
        strict=True,
    ):
        np.testing.assert_allclose(getattr(found, name)[rows], values, rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(found.n_items_bought_recent, found.n_items_recent)
    assert not found.n_items[np.setdiff1d(np.arange(n_users), rows)].any()


def test_what_items_had(sales, told, items, at_us):
    found = item_features(told, items, at_us=at_us, spec=SPEC)
    index, *expected = columns(sales, BY_ITEM, at_us)
    rows = index.astype(np.int64)
    for name, values in zip(
        (
            *("n_events", "n_users", "n_events_recent", "trend", "popularity"),
            *("days_since_first_seen", "days_since_last_seen"),
        ),
        expected,
        strict=True,
    ):
        np.testing.assert_allclose(getattr(found, name)[rows], values, rtol=1e-5, err_msg=name)
    sizes = np.bincount(found.price_band[found.price_band >= 0])
    assert len(sizes) == SPEC.n_price_bands
    totals = totals_of(found, items, spec=SPEC)
    assert np.all(np.diff(totals.shop_price_edges) > 0)


def test_how_many_sessions_there_were(sales, told):
    starts = session_starts(told.user_idx, told.ts, gap_s=SPEC.session_gap_s)
    ((n_expected,),) = sales.execute(
        "SELECT count(*) FILTER (WHERE d IS NULL OR d > ?) FROM "
        "(SELECT ts - lag(ts) OVER (PARTITION BY user_idx ORDER BY n) AS d FROM sales)",
        [SPEC.session_gap_us],
    ).fetchall()
    assert starts.sum() == n_expected
