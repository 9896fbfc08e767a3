"""Measures of variety against values worked out by hand, with the working beside them."""

from math import log2

import numpy as np
import pytest

from endcap.evaluation.metrics.accuracy import find_hits
from endcap.evaluation.metrics.calibration import calibration
from endcap.evaluation.metrics.ground import ground_of
from endcap.evaluation.metrics.variety import (
    diversity,
    diversity_of_vectors,
    novelty,
    popularity_bias,
    serendipity,
)
from varied_shop import items_of, lists_of, split_of, varied_ground, varied_split

GROUND = varied_ground()
NAN = float("nan")


def users(*indices):
    return np.array(indices, dtype=np.int32)


def test_percentiles_share_equal_popularity():
    assert GROUND.n_users_who_had.tolist() == [4, 2, 1, 1, 0, 0]
    # below + half of the equals, itself too, of 6: 5 + 1/2, 4 + 1/2, 2 + 2/2 twice, 0 + 2/2 twice
    np.testing.assert_allclose(GROUND.percentile, np.array([5.5, 4.5, 3, 3, 1, 1]) / 6, atol=1e-12)


def test_novelty():
    # four users had something: -log2 of 4/4, 2/4, 1/4, 1/4; nobody's items count as had by one
    found = novelty(lists_of([0], [0, 1, 2], [4, 5], [3, 4], []).items, GROUND)
    np.testing.assert_allclose(found, [0, (0 + 1 + 2) / 3, 2, 2, NAN], atol=1e-12)


def test_popularity_bias():
    # history of user 0: items 0, 1, 2: (5.5 + 4.5 + 3) / 3 / 6 = 13/18; of user 3: item 0: 5.5/6
    lists = lists_of([0, 1], [0], [4, 5], [0], [])
    found = popularity_bias(lists.items, users(0, 3, 3, 4, 0), GROUND)
    np.testing.assert_allclose(found, [5 / 6 - 13 / 18, 0, 1 / 6 - 5.5 / 6, NAN, NAN], atol=1e-12)


def test_serendipity():
    # ranks by popularity 1, 2, 3.5, 3.5, 5.5, 5.5, so q = 1 - (rank - 1)/6:
    #   6/6, 5/6, 3.5/6, 3.5/6, 1.5/6, 1.5/6; and p = 6/6, 5/6, 4/6 at positions 0, 1, 2
    lists = lists_of([3, 4, 0], [0, 2, 1], [0, 1, 2], [4, 5, 3], [2, 3, 4])
    wanted = [[3, 4], [2], [0, 1, 2], [0], []]
    hits = find_hits(lists, [np.array(row, dtype=np.int32) for row in wanted])
    expected = [
        ((6 - 3.5) / 6 + (5 - 1.5) / 6) / 3,  # two hits
        ((5 - 3.5) / 6) / 3,  # one hit, on position 1
        (0 + 0 + (4 - 3.5) / 6) / 3,  # the popularity ranking: only the tie is unexpected
        0,  # no hit
        NAN,  # nothing relevant
    ]
    np.testing.assert_allclose(serendipity(lists.items, hits, GROUND, k=3), expected, atol=1e-12)


def test_serendipity_of_a_short_list_is_over_k():
    lists = lists_of([3])
    hits = find_hits(lists, [np.array([3], dtype=np.int32)])
    assert serendipity(lists.items, hits, GROUND, k=5) == pytest.approx((6 - 3.5) / 6 / 5)


def test_diversity():
    # categories a a b b c -, brands a b a b c c
    lists = lists_of([0, 1], [0, 1, 2], [0, 5], [4, 5], [3], [], [0, 1, 2, 3])
    expected = [
        (0 + 1) / 2,  # same category, another brand
        (2 / 3 + 2 / 3) / 2,  # of three pairs one agrees in category and one in brand
        1,  # no category to compare, another brand
        0,  # no category to compare, the same brand
        NAN,  # no pair
        NAN,
        (4 / 6 + 4 / 6) / 2,  # two of six pairs agree in each
    ]
    np.testing.assert_allclose(diversity(lists.items, GROUND.attributes), expected, atol=1e-12)


def test_diversity_of_vectors():
    vectors = np.array([[1, 0], [2, 0], [0, 3], [-1, 0], [0, 0]])
    lists = lists_of([0, 1], [0, 2], [0, 3], [0, 4], [0, 1, 2], [0], [])
    # cosine distances: 0, 1, 2, and 1 to a vector of zeros; then the mean of 0, 1 and 1
    expected = [0, 1, 2, 1, 2 / 3, NAN, NAN]
    np.testing.assert_allclose(diversity_of_vectors(lists.items, vectors), expected, atol=1e-12)


def test_calibration():
    # history of user 0: items 0, 1, 2: categories a 2/3, b 1/3; of user 3: a 1
    lists = lists_of([0, 1, 2], [0, 1, 5], [2, 3], [4], [5], [0], [])
    whose = users(0, 0, 0, 3, 0, 4, 0)
    a, b = 2 / 3, 1 / 3
    expected = [
        0,
        # q: a 1, and item 5 is of no category; q' of a 0.99 + 0.01 a, of b 0.01 b
        a * log2(a / (0.99 + 0.01 * a)) + b * log2(100),
        # q: b 1
        a * log2(100) + b * log2(b / (0.99 + 0.01 * b)),
        log2(100),  # nothing in common: the largest that there is
        NAN,  # the list has no known category
        NAN,  # the user has no history
        NAN,
    ]
    found = calibration(lists.items, whose, GROUND.taste)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_calibration_by_jensen_shannon():
    lists = lists_of([0, 1, 2], [0, 1], [4], [5])
    a, b = 2 / 3, 1 / 3
    expected = [
        0,
        # halfway between: a (2/3 + 1)/2 = 5/6, b 1/6
        (a * log2(a / (5 / 6)) + b * log2(b / (1 / 6)) + log2(1 / (5 / 6))) / 2,
        1,
        NAN,
    ]
    found = calibration(lists.items, users(0, 0, 0, 0), GROUND.taste, divergence="js")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tenths_are_of_what_somebody_had_and_never_part_equals():
    past = [(user, item) for item, n in enumerate([5, 4, 3, 2, *[1] * 6]) for user in range(n)]
    catalogue = items_of(category=[0] * 12)
    ground = ground_of(split_of(past, [(0, 9)], n_users=5, items=catalogue))
    # one item each for the first four; the six equals lie 4 to 10 from the top: 7 on the mean
    assert ground.tenth.tolist() == [0, 1, 2, 3, *[7] * 6, -1, -1]
    popularity = ground.groups["popularity"]
    assert popularity.names[0] == "most popular 10 %"
    assert [popularity.names[code] for code in popularity.codes[[4, 11]]] == [
        "70-80 %",
        "had by nobody",
    ]


def test_ground_knows_what_was_told_of_each_user():
    split = varied_split()
    assert GROUND.n_users == 4
    assert list(GROUND.groups) == ["category", "brand", "popularity"]
    assert GROUND.taste.attribute == "category"
    assert GROUND.taste.indptr.tolist() == [0, 2, 4, 5, 6, 6]
    np.testing.assert_allclose(GROUND.taste.shares, [2 / 3, 1 / 3, 2 / 3, 1 / 3, 1, 1])
    assert np.isnan(GROUND.history_percentile).tolist() == [False] * 4 + [True]
    assert split.targets["all"].users.tolist() == [0, 1, 2, 4]


# Three users, items 0 to 2 known and 3 not; counts 3, 2, 0, 0: an example that a library prints
# beside its definitions of inverse user frequency and of serendipity.
PRINTED = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_serendipity_of_known_items_is_what_another_definition_prints():
    ground = ground_of(split_of(PRINTED, [(0, 0)], n_users=4, items=items_of(category=[0] * 4)))
    lists = lists_of([0], [1], [2], [1])
    wanted = [[0, 1], [1, 2], [1], [1]]
    hits = find_hits(lists, [np.array(row, dtype=np.int32) for row in wanted])
    found = serendipity(lists.items, hits, ground, k=1)
    np.testing.assert_allclose(found, [0, 0.25, 0, 0.25], atol=1e-12)


def test_novelty_is_the_inverse_user_frequency_that_others_print():
    past = [(0, 0), (0, 1), (1, 0), (2, 0)]
    ground = ground_of(split_of(past, [(0, 2)], n_users=3, items=items_of(category=[0] * 3)))
    found = novelty(lists_of([2], [1, 2], [0, 1]).items, ground)
    np.testing.assert_allclose(found, [1.5849625007, 1.5849625007, 0.7924812504], atol=1e-9)
