"""Endcap against scikit-learn, which averages ties in NDCG and AUC as Endcap does."""

import itertools

import numpy as np
import pytest
from peer_cases import check_page, ours, random_case
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from endcap.evaluation.lists.rivals import expected_metrics_of_random
from endcap.evaluation.metrics.accuracy import MEASURES, auc_of_scores, find_hits, measure_all
from endcap.schema.types import TopK, top_k

N_ITEMS = 40


def scored(*, n_users, n_values, seed):
    """Return random scores of `n_values` different values, and which items are relevant."""
    rng = np.random.default_rng(seed)
    scores = (rng.integers(n_values, size=(n_users, N_ITEMS)) / n_values).astype(np.float32)
    truth = rng.random((n_users, N_ITEMS)) < rng.uniform(0.05, 0.6, size=(n_users, 1))
    truth[:, 0], truth[:, 1] = True, False
    return scores, truth


def rows_of(truth):
    return [np.flatnonzero(row).astype(np.int32) for row in truth]


@pytest.mark.parametrize("n_values", [1, 2, 7, 1 << 20])
def test_scikit_learn_agrees_on_auc_of_scores_with_and_without_ties(n_values):
    scores, truth = scored(n_users=150, n_values=n_values, seed=n_values)
    theirs = [roc_auc_score(wanted, row) for wanted, row in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(auc_of_scores(scores, rows_of(truth)), theirs, atol=1e-9)


def test_scikit_learn_agrees_on_auc_among_some_candidates():
    scores, truth = scored(n_users=100, n_values=9, seed=3)
    may_list = np.random.default_rng(4).random(scores.shape) < 0.7
    may_list |= truth
    may_list[:, 1] = True
    theirs = [
        roc_auc_score(wanted[kept], row[kept])
        for wanted, row, kept in zip(truth, scores, may_list, strict=True)
    ]
    found = auc_of_scores(scores, rows_of(truth), may_list)
    np.testing.assert_allclose(found, theirs, atol=1e-9)


def test_scikit_learn_agrees_on_metrics_of_whole_lists():
    case = random_case(n_users=100, n_items=N_ITEMS, seed=5, whole=True)
    truth, scores = np.zeros((2, 100, N_ITEMS))
    for user, (row, wanted) in enumerate(zip(case["lists"], case["relevant"], strict=True)):
        scores[user, row] = np.arange(len(row), 0, -1)
        truth[user, wanted] = 1
    found = ours(case, N_ITEMS)
    is_whole = np.array([len(row) == N_ITEMS for row in case["lists"]])
    assert is_whole.sum() == 80
    for user in np.flatnonzero(is_whole):
        wanted, row = truth[user], scores[user]
        assert found["auc"][user] == pytest.approx(roc_auc_score(wanted, row), abs=1e-9)
        assert found["map"][user] == pytest.approx(average_precision_score(wanted, row), abs=1e-9)
        assert found["ndcg"][user] == pytest.approx(ndcg_score([wanted], [row]), abs=1e-9)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_scikit_learn_agrees_on_ndcg_at_k(k):
    scores, truth = scored(n_users=200, n_values=1 << 20, seed=6)
    hits = find_hits(top_k(scores, k), rows_of(truth))
    theirs = [ndcg_score([w], [s], k=k) for w, s in zip(truth.astype(float), scores, strict=True)]
    np.testing.assert_allclose(MEASURES["ndcg"](hits, k), theirs, atol=1e-9)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_scikit_learn_averages_the_ndcg_of_a_constant_score_as_we_expect_of_it(k):
    _, truth = scored(n_users=50, n_values=1, seed=7)
    n_relevant = truth.sum(axis=1)
    expected = expected_metrics_of_random(n_relevant, np.full(50, N_ITEMS), k=k)["ndcg"]
    constant = np.full(N_ITEMS, 0.5)
    theirs = [ndcg_score([row.astype(float)], [constant], k=k) for row in truth]
    np.testing.assert_allclose(expected, theirs, atol=1e-9)


def test_scikit_learn_averages_ties_of_ndcg_but_not_of_average_precision():
    """Endcap's value is the mean over all orders of equal scores, for every metric."""
    scores, truth = np.array([3.0, 2.0, 2.0, 2.0, 1.0]), np.array([0, 1, 0, 0, 1])
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    lists = TopK(np.array(orders, dtype=np.int32), np.zeros((6, 5), np.float32))
    hits = find_hits(lists, [np.array([1, 4], np.int32)] * 6, n_candidates=np.full(6, 5))
    means = dict(zip(MEASURES, measure_all(hits, 5).mean(axis=0), strict=True))
    assert means["ndcg"] == pytest.approx(ndcg_score([truth], [scores]), abs=1e-9)
    assert means["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    # By hand: the hit is 2nd, 3rd or 4th, the other 5th: (1/2 + 1/3 + 1/4) / 3 and 2/5, halved.
    assert means["map"] == pytest.approx((13 / 36 + 2 / 5) / 2)
    theirs = average_precision_score(truth, scores)
    assert theirs == pytest.approx((1 / 4 + 2 / 5) / 2)
    check_page(
        {"scikit-learn `average_precision_score`, three equal scores": (theirs, means["map"])},
        libraries=("scikit-learn",),
    )
