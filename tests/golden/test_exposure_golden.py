"""Exposure of groups against values worked out by hand, with the working beside them."""

from math import log2

import numpy as np
import pytest

from endcap.evaluation.metrics.exposure import (
    coverage,
    entropy,
    exposure,
    exposure_of_an_item,
    gini,
    measure_exposure,
)
from endcap.evaluation.metrics.group_shares import group_exposure, parts_of
from varied_shop import lists_of, varied_ground, varied_split

# Weights of positions 0, 1, 2: 1, 0.6309297536, 0.5
SECOND = 1 / log2(3)
NAN = float("nan")


def test_exposure_over_the_full_catalogue():
    shown = exposure(lists_of([0, 1], [0], [0]).items, n_items=5)
    assert shown.tolist() == [3, 1, 0, 0, 0]
    assert coverage(shown) == 2 / 5
    # ascending 0 0 0 1 3; (2 i - 6) x_i: 2 * 1 + 4 * 3 = 14; / (5 * 4)
    assert gini(shown) == pytest.approx(0.7)
    # shares 3/4 and 1/4 in bits, over log2 of five items
    assert entropy(shown) == pytest.approx((0.75 * log2(4 / 3) + 0.25 * 2) / log2(5))


def test_exposure_measures_at_their_ends():
    even, one, none = np.full(8, 3), np.array([0, 0, 0, 9]), np.zeros(4, dtype=np.int64)
    assert (coverage(even), coverage(one), coverage(none)) == (1, 1 / 4, 0)
    assert (gini(even), gini(one)) == (pytest.approx(0), pytest.approx(1 - 1 / 4))
    assert (entropy(even), entropy(one)) == (pytest.approx(1), 0)
    assert np.isnan([gini(none), entropy(none), entropy(np.array([3]))]).all()
    assert np.isnan([coverage(none[:0]), gini(none[:0]), entropy(none[:0])]).all()


def test_shares_of_a_list():
    # categories a a b b c -
    groups = varied_ground().groups["category"]
    lists = lists_of([0, 2, 1], [5, 4], [3], [5], [])
    total = 1 + SECOND + 0.5
    expected = [
        [1.5 / total, SECOND / total, 0],
        [0, 0, SECOND / (1 + SECOND)],  # what is of no category is part of the whole
        [0, 1, 0],
        [0, 0, 0],
        [NAN, NAN, NAN],
    ]
    np.testing.assert_allclose(group_exposure(lists, groups, k=3), expected, atol=1e-12)
    np.testing.assert_allclose(group_exposure(lists, groups, k=1)[0], [1, 0, 0], atol=1e-12)


def test_parts_are_named_by_size_and_the_small_are_pooled():
    # category a: items 0 and 1, b: 2 and 3, c: 4, unknown: 5
    groups = varied_ground().groups["category"]
    parts = parts_of(groups, min_items=2)
    assert parts.groups.names == ("a", "b", "1 others", "unknown")
    assert parts.groups.codes.tolist() == [0, 0, 1, 1, 2, 3]
    assert (parts.n_named, parts.pooled) == (2, ("c",))
    np.testing.assert_allclose(parts.catalogue_shares, [2 / 6, 2 / 6, 1 / 6, 1 / 6])
    allowed = np.array([2, 3, 4], dtype=np.int32)
    confined = parts_of(groups, allowed=allowed, min_items=1, max_named=1)
    assert confined.groups.names == ("b", "1 others")
    assert confined.groups.codes.tolist() == [-1, -1, 0, 0, 1, -1]


def test_parity_of_three_groups():
    # an item of each gets 0.5/0.25 = 2, 0.3/0.5 = 0.6 and 0.2/0.25 = 0.8 of the average: 3.4 in all
    found = exposure_of_an_item(np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.5, 0.25]))
    np.testing.assert_allclose(found, [2 / 3.4, 0.6 / 3.4, 0.8 / 3.4])


def test_what_a_model_gives_to_the_categories():
    # targets: user 0: items 3 and 4 (b, c); 1: 2 (b); 2: 1 (a); 4: 0 (a)
    lists = lists_of([3, 0, 4], [0, 2], [1, 2], [2])
    found = measure_exposure(
        {"model": lists},
        varied_split().targets["all"],
        varied_ground(),
        k=2,
        n_replicates=20,
        rng=np.random.default_rng(0),
        min_items=1,
        min_users=1,
    )
    result = found["category"]["model"]
    a, b, c, unknown = result.rows
    assert [row.name for row in result.rows] == ["a", "b", "c", "unknown"]
    assert [row.n_items for row in result.rows] == [2, 2, 1, 1]
    assert [row.n_groups for row in result.rows] == [1, 1, 1, 0]
    # of the 8 pairs of user and item before the cut
    assert [row.history_share for row in result.rows] == [6 / 8, 2 / 8, 0, 0]
    first, second = 1 / (1 + SECOND), SECOND / (1 + SECOND)
    assert a.exposure_share.mean == pytest.approx((second + first + first + 0) / 4)
    assert b.exposure_share.mean == pytest.approx((first + second + second + 1) / 4)
    assert c.exposure_share.mean == unknown.exposure_share.mean == 0
    # a: users 2 (listed) and 4 (not); b: users 0 and 1, the latter on position 1; c: user 0, whose
    # list has it on position 2 and so too late
    assert [row.hit_share.mean for row in (a, b, c)] == [1 / 2, 1, 0]
    assert [row.hit_share.n_users for row in result.rows] == [2, 2, 1, 0]
    assert np.isnan(unknown.hit_share.mean)
    # a and b have a third of the items each, c a sixth and nothing; unknown is not compared
    of_a, of_b = a.exposure_share.mean * 3, b.exposure_share.mean * 3
    expected = max(of_a, of_b) / (of_a + of_b)
    assert result.parity_difference.mean == pytest.approx(expected)
    assert result.parity_difference.n_users == 4
    assert result.opportunity_difference.mean == pytest.approx(1)
    assert result.opportunity_difference.n_users == 4
