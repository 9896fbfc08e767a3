"""Protocols on real clicks and baskets, against the same said in SQL."""

import duckdb
import numpy as np
import pytest
from real_data import dataset_from, folder_of

from endcap.evaluation.check_split import check_split
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import split_by
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US

RANKED = """
    CREATE TABLE {name} AS
    SELECT ts, dense_rank() OVER (ORDER BY who) - 1 AS u, dense_rank() OVER (ORDER BY what) - 1 AS i
    FROM ({source}) ORDER BY ts, u, place
"""


@pytest.fixture(scope="module")
def clicks():
    path = folder_of("yoochoose_100k_clicks_timed") / "clicks.parquet"
    source = f"""SELECT CAST(Time * 1e6 AS BIGINT) AS ts, SessionId AS who, ItemId AS what,
        row_number() OVER () AS place FROM read_parquet('{path}')"""
    with duckdb.connect() as db:
        db.execute(RANKED.format(name="clicks", source=source))
        yield db


@pytest.fixture(scope="module")
def sales():
    path = folder_of("online_retail_ii") / "online_retail_ii.parquet"
    source = f"""SELECT epoch_us(invoice_date) AS ts, customer_id AS who, stock_code AS what,
        row_number() OVER () AS place FROM read_parquet('{path}')
        WHERE customer_id IS NOT NULL AND quantity > 0"""
    with duckdb.connect() as db:
        db.execute(RANKED.format(name="sales", source=source))
        yield db


def data_of(db, name, kind):
    rows = db.sql(f"SELECT * FROM {name}").fetchnumpy()
    return dataset_from(rows["ts"], rows["u"], rows["i"], kind)


def answers(db, query):
    [row] = db.sql(query).fetchall()
    return [int(value) for value in row]


def test_every_click_but_the_first_of_the_sessions_of_the_last_day(clicks):
    data = data_of(clicks, "clicks", Kind.VIEW)
    choices = ProtocolConfig(test_days=1, validation_days=1)
    session_of = data.interactions.user_idx.astype(np.int64)
    split = split_by("sessions", data, choices=choices, session_of=session_of)
    check_split(split)
    cut_us = data.end_us - DAY_US
    asked = f"(SELECT count(*) AS n FROM clicks GROUP BY u HAVING min(ts) >= {cut_us})"
    n_clicks, n_sessions = answers(clicks, f"SELECT sum(n), count(*) FROM {asked}")
    facts = split.facts
    assert (facts["n_queries"], facts["n_first_clicks"]) == (n_clicks - n_sessions, n_sessions)
    assert n_sessions > 3000
    (n_under_way,) = answers(
        clicks,
        f"""SELECT count(*) FROM clicks WHERE ts >= {cut_us} AND u IN
            (SELECT u FROM clicks WHERE ts < {cut_us})""",
    )
    assert facts["n_clicks_under_way"] == n_under_way > 0
    lengths = np.bincount(split.history.interactions.user_idx, minlength=split.history.n_users)
    (n_told,) = answers(clicks, f"SELECT sum(n * (n - 1) / 2) FROM {asked}")
    assert lengths.sum() == n_told
    assert lengths.min() == 1


def test_the_first_basket_of_each_customer_of_the_last_four_weeks(sales):
    data = data_of(sales, "sales", Kind.PURCHASE)
    split = split_by("next-basket", data)
    check_split(split)
    basket = f"""SELECT u, i FROM sales SEMI JOIN
        (SELECT u, min(ts) AS ts FROM sales WHERE ts >= {data.end_us - 28 * DAY_US} GROUP BY u)
        USING (u, ts)"""
    n_rows, n_targets, n_users = answers(
        sales, f"SELECT count(*), count(DISTINCT (u, i)), count(DISTINCT u) FROM ({basket})"
    )
    assert split.facts["n_basket_rows"] == n_rows
    assert (split.counts.n_targets, split.counts.n_test_users) == (n_targets, n_users)
    (n_repeat,) = answers(
        sales,
        f"""SELECT count(*) FROM (SELECT DISTINCT u, i FROM ({basket})) SEMI JOIN
            (SELECT u, i FROM sales WHERE ts < {data.end_us - 28 * DAY_US}) USING (u, i)""",
    )
    assert len(split.targets["repeat"].items) == n_repeat > 1000
