"""Metrics against values worked out by hand, with the working beside them."""

import numpy as np
import pytest

from endcap.evaluation.metrics import (
    AtK,
    coverage,
    exposure,
    gini,
    hit_rate,
    mrr,
    ndcg,
    precision,
    recall,
)
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

NAN = float("nan")
AT_5 = {
    # hits on positions 1 and 4 of 3 relevant; all; none; 5 of 7; nothing relevant
    recall: [2 / 3, 1, 0, 5 / 7, NAN],
    precision: [2 / 5, 1 / 5, 0, 1, NAN],
    hit_rate: [1, 1, 0, 1, NAN],
    mrr: [1 / 2, 1, 0, 1, NAN],
    # (0.6309297536 + 0.3868528072) / 2.1309297536
    ndcg: [0.4776237035, 1, 0, 1, NAN],
}
AT_3 = {
    recall: [1 / 3, 1, 0, 3 / 7, NAN],
    precision: [1 / 3, 1 / 3, 0, 1, NAN],
    hit_rate: [1, 1, 0, 1, NAN],
    mrr: [1 / 2, 1, 0, 1, NAN],
    # 0.6309297536 / 2.1309297536
    ndcg: [0.2960819109, 1, 0, 1, NAN],
}
AT_1 = {
    recall: [0, 1, 0, 1 / 7, NAN],
    precision: [0, 1, 0, 1, NAN],
    hit_rate: [0, 1, 0, 1, NAN],
    mrr: [0, 1, 0, 1, NAN],
    ndcg: [0, 1, 0, 1, NAN],
}


@pytest.mark.parametrize(("k", "expected"), [(5, AT_5), (3, AT_3), (1, AT_1)])
def test_accuracy(k, expected):
    items = np.array(LISTS, dtype=np.int32)
    ranked = TopK(items, np.zeros(items.shape, dtype=np.float32))
    relevant = [np.array(row, dtype=np.int32) for row in RELEVANT]
    for measure, values in expected.items():
        np.testing.assert_allclose(
            AtK(measure, k)(ranked, relevant), values, atol=1e-9, err_msg=measure.__name__
        )


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
