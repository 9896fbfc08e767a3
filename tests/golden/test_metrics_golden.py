"""Metrics against values worked out by hand, with the working beside them."""

import numpy as np
import pytest

from endcap.evaluation.metrics.accuracy import (
    MEASURES,
    AtK,
    auc,
    auc_of_scores,
    average_precision,
    find_hits,
    hit_rate,
    measure_all,
    mrr,
    ndcg,
    precision,
    recall,
)
from endcap.evaluation.metrics.exposure import coverage, exposure, gini
from endcap.schema.errors import RankingError
from endcap.schema.types import NO_ITEM, TopK

# Discounts 1 / log2(position + 2) of positions 0 to 4:
#   1, 0.6309297536, 0.5, 0.4306765581, 0.3868528072
# Ideal DCG of 1, 2, 3 relevant items: 1, 1.6309297536, 2.1309297536
LISTS = [
    [10, 20, 30, 40, 50],
    [7, NO_ITEM, NO_ITEM, NO_ITEM, NO_ITEM],
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4, 5],
    [3, 0, 6, NO_ITEM, NO_ITEM],
]
RELEVANT = [[20, 50, 99], [7], [8, 9], [1, 2, 3, 4, 5, 6, 7], []]
N_CANDIDATES = 100

NAN = float("nan")
AT_5 = {
    # hits on positions 1 and 4 of 3 relevant; all; none; 5 of 7; nothing relevant
    recall: [2 / 3, 1, 0, 5 / 7, NAN],
    precision: [2 / 5, 1 / 5, 0, 1, NAN],
    hit_rate: [1, 1, 0, 1, NAN],
    mrr: [1 / 2, 1, 0, 1, NAN],
    # (0.6309297536 + 0.3868528072) / 2.1309297536
    ndcg: [0.4776237035, 1, 0, 1, NAN],
    # (1/2 + 2/5) / 3; the fourth could hit five times, and did
    average_precision: [0.3, 1, 0, 1, NAN],
    # Other candidates behind each hit, then half of (targets not listed) (others not listed):
    # (96 + 94 + 1 * 94 / 2) / (3 * 97); 99 / 99; (2 * 93 / 2) / (2 * 98); (5 * 93 + 2 * 93 / 2) /
    # (7 * 93)
    auc: [237 / 291, 1, 93 / 196, 558 / 651, NAN],
}
AT_3 = {
    recall: [1 / 3, 1, 0, 3 / 7, NAN],
    precision: [1 / 3, 1 / 3, 0, 1, NAN],
    hit_rate: [1, 1, 0, 1, NAN],
    mrr: [1 / 2, 1, 0, 1, NAN],
    # 0.6309297536 / 2.1309297536
    ndcg: [0.2960819109, 1, 0, 1, NAN],
    # (1/2) / 3; of the fourth's seven, three can be listed
    average_precision: [1 / 6, 1, 0, 1, NAN],
    # (96 + 2 * 95 / 2) / (3 * 97); 1; (2 * 95 / 2) / (2 * 98); (3 * 93 + 4 * 93 / 2) / (7 * 93)
    auc: [191 / 291, 1, 95 / 196, 465 / 651, NAN],
}
AT_1 = {
    recall: [0, 1, 0, 1 / 7, NAN],
    precision: [0, 1, 0, 1, NAN],
    hit_rate: [0, 1, 0, 1, NAN],
    mrr: [0, 1, 0, 1, NAN],
    ndcg: [0, 1, 0, 1, NAN],
    average_precision: [0, 1, 0, 1, NAN],
    # (3 * 96 / 2) / (3 * 97); 1; (2 * 97 / 2) / (2 * 98); (93 + 6 * 93 / 2) / (7 * 93)
    auc: [144 / 291, 1, 97 / 196, 372 / 651, NAN],
}


def ranking(rows):
    items = np.array(rows, dtype=np.int32)
    return TopK(items, np.zeros(items.shape, dtype=np.float32))


def sets(rows):
    return [np.array(row, dtype=np.int32) for row in rows]


@pytest.mark.parametrize(("k", "expected"), [(5, AT_5), (3, AT_3), (1, AT_1)])
def test_accuracy(k, expected):
    hits = find_hits(ranking(LISTS), sets(RELEVANT), n_candidates=np.full(5, N_CANDIDATES))
    assert set(expected) == set(MEASURES.values())
    for measure, values in expected.items():
        np.testing.assert_allclose(measure(hits, k), values, atol=1e-9, err_msg=measure.__name__)


def test_columns_come_in_the_order_of_the_report():
    assert tuple(MEASURES) == ("recall", "precision", "ndcg", "hit_rate", "map", "mrr", "auc")
    hits = find_hits(ranking(LISTS), sets(RELEVANT), n_candidates=np.full(5, N_CANDIDATES))
    columns = measure_all(hits, 5)
    for place, measure in enumerate(MEASURES.values()):
        np.testing.assert_array_equal(columns[:, place], measure(hits, 5))


def test_no_auc_where_the_number_of_candidates_is_not_known():
    assert np.isnan(AtK(auc, 5)(ranking(LISTS), sets(RELEVANT))).all()


def test_no_auc_where_every_candidate_is_relevant():
    hits = find_hits(ranking([[1, 0]]), sets([[0, 1]]), n_candidates=np.array([2]))
    assert np.isnan(auc(hits, 2)).all()
    assert average_precision(hits, 2) == [1.0]


def test_fewer_candidates_than_items_are_refused():
    with pytest.raises(ValueError, match="n_candidates"):
        find_hits(ranking([[1, 0, 2]]), sets([[5]]), n_candidates=np.array([3]))


# Scores 5 3 3 1 of items 0 to 3.
@pytest.mark.parametrize(
    ("targets", "candidates", "expected"),
    [
        ([1], [0, 1, 2, 3], 1.5 / 3),  # before 3, ties with 2, behind 0
        ([0, 2], [0, 1, 2, 3], 3.5 / 4),  # 0 before both others; 2 before 3, ties with 1
        ([2], [1, 2, 3], 1.5 / 2),
        ([0, 2], [1, 2, 3], 1.5 / 4),  # 0 cannot be listed: behind both others
        ([0], [1, 2, 3], 0.0),
        ([], [0, 1, 2, 3], NAN),
        ([0, 1, 2, 3], [0, 1, 2, 3], NAN),
        ([0], [0], NAN),
    ],
)
def test_auc_of_scores(targets, candidates, expected):
    scores = np.array([[5, 3, 3, 1]], dtype=np.float32)
    may_list = np.isin(np.arange(4), candidates)[None, :]
    found = auc_of_scores(scores, sets([targets]), may_list)
    np.testing.assert_allclose(found, [expected])
    if len(candidates) == 4:
        np.testing.assert_allclose(auc_of_scores(scores, sets([targets])), [expected])


def test_auc_of_scores_refuses_a_score_in_no_order():
    scores = np.array([[1, 2], [np.nan, 1]], dtype=np.float32)
    with pytest.raises(RankingError, match="row 1"):
        auc_of_scores(scores, sets([[0], [0]]))


def test_a_list_shorter_than_k_counts_as_padded():
    ranked = TopK(np.array([[4, 2]], np.int32), np.zeros((1, 2), np.float32))
    relevant = [np.array([2, 3, 4], np.int32)]
    assert AtK(recall, 10)(ranked, relevant) == pytest.approx(2 / 3)
    assert AtK(precision, 10)(ranked, relevant) == pytest.approx(2 / 10)
    # (1 + 0.6309297536) / 2.1309297536
    assert AtK(ndcg, 10)(ranked, relevant) == pytest.approx(0.7653606369)


def test_exposure_over_the_full_catalogue():
    lists = np.array([[0, 1], [0, NO_ITEM], [0, NO_ITEM]], dtype=np.int32)
    shown = exposure(lists, n_items=5)
    assert shown.tolist() == [3, 1, 0, 0, 0]
    assert coverage(shown) == 2 / 5
    # ascending 0 0 0 1 3; (2 i - 6) x_i: 2 * 1 + 4 * 3 = 14; / (5 * 4)
    assert gini(shown) == pytest.approx(0.7)


def test_gini_at_its_ends():
    assert gini(np.full(8, 3)) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(1 - 1 / 4)
    assert np.isnan(gini(np.zeros(4, dtype=np.int64)))
