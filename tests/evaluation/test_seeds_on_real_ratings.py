"""The published protocols on real ratings, where they are at hand."""

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest

from endcap.evaluation.pointwise.evaluate import evaluate_ratings
from endcap.evaluation.pointwise.split import split_ratings
from endcap.evaluation.seeds.labels import split_labels
from endcap.evaluation.seeds.seed_1 import evaluate_seed_1, item_mean_labels
from endcap.evaluation.seeds.seed_2 import evaluate_seed_2, split_rows
from endcap.schema.types import DAY_US, SECOND_US
from rated import rated


@pytest.fixture(scope="module")
def table():
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", beside))
    path = folder / "amazon_electronics_ratings_head_2014" / "ratings.parquet"
    if not path.is_file():
        pytest.skip(f"no real ratings at {path}; set ENDCAP_TEST_DATA")
    with duckdb.connect() as db:
        columns = db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchnumpy()
    users = np.unique(columns["user"], return_inverse=True)[1]
    items = np.unique(columns["asin"], return_inverse=True)[1]
    return users, items, columns["rating"].astype(int), columns["ts"].astype(np.int64) * SECOND_US


@pytest.fixture(scope="module")
def in_time(table):
    users, items, stars, ts = table
    return rated(users, items, stars, ts=ts)


@pytest.fixture(scope="module")
def in_file_order(table):
    users, items, stars, _ = table
    return rated(users, items, stars)


def labelled(data, ties):
    split = split_labels(data, ties=ties, rng=np.random.default_rng(1))
    return evaluate_seed_1(
        split,
        {"item_mean": item_mean_labels(split)},
        rng=np.random.default_rng(0),
        n_replicates=100,
    )


def test_constants_and_precision_are_those_of_the_labels(in_time):
    found = labelled(in_time, "published")
    half = found.rows["constant_half"]
    assert half["mse_validation"].low < 0.1795 < half["mse_validation"].high
    assert half["mae_validation"].low < 0.3950 < half["mae_validation"].high
    assert len({round(row["precision@10"].mean, 12) for row in found.rows.values()}) == 1
    assert found.blind == ("precision@10",)


def test_the_file_is_sorted_by_item_so_its_labels_can_be_learnt_from_the_item(in_file_order):
    published = labelled(in_file_order, "published").rows
    shuffled = labelled(in_file_order, "shuffled").rows
    gain = {
        name: 1
        - rows["item_mean"]["mse_validation"].mean / rows["constant_mean"]["mse_validation"].mean
        for name, rows in (("published", published), ("shuffled", shuffled))
    }
    assert gain["published"] > 0.3
    assert gain["shuffled"] < 0.05


def test_the_order_of_own_rows_says_nothing_of_precision(in_time):
    found = evaluate_seed_2(
        split_rows(in_time, min_ratings=1), {}, rng=np.random.default_rng(0), n_replicates=100
    )
    assert len({round(row["precision@10"].mean, 12) for row in found.rows.values()}) == 1
    assert found.facts["n_dropped"] > 8_000, "nearly everybody has one rating"
    base = found.facts["relevant_share_of_rows"]
    assert found.rows["random"]["precision@10"].mean == pytest.approx(base, abs=0.02)


def test_nobody_is_dropped_from_the_cut_in_time(in_time):
    split = split_ratings(in_time, cut_us=in_time.end_us - 180 * DAY_US)
    counts = split.counts
    assert counts.n_train + counts.n_rows == 50_009
    assert counts.n_rows_of_new_users > 0.9 * counts.n_rows
    found = evaluate_ratings({}, split, rng=np.random.default_rng(0), n_replicates=100)
    assert found.models["item_mean"].versus_reference["rmse"].high < 0, "items differ"
    assert found.models["user_mean"].versus_reference["rmse"].low > 0, "one rating is no mean"
