"""Laws of the measures of variety and exposure, whatever the lists."""

from itertools import combinations
from unittest.mock import patch

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from endcap.evaluation.metrics import variety
from endcap.evaluation.metrics.accuracy import find_hits, precision
from endcap.evaluation.metrics.calibration import STECK_ALPHA, calibration
from endcap.evaluation.metrics.exposure import entropy, exposure, exposure_of_an_item, gini
from endcap.evaluation.metrics.ground import ground_of, percentiles, tenths
from endcap.evaluation.metrics.group_shares import group_exposure, parts_of
from endcap.evaluation.metrics.variety import VARIETY, measure_variety
from endcap.schema.types import TopK
from varied_shop import items_of, lists_of, split_of

N_USERS, N_ITEMS, WIDTH = 5, 8, 5

item = st.integers(0, N_ITEMS - 1)
code = st.integers(-1, 3)
attribute = st.lists(code, min_size=N_ITEMS, max_size=N_ITEMS)
past = st.lists(st.tuples(st.integers(0, N_USERS - 1), item), min_size=1, max_size=25)
a_list = st.lists(item, max_size=WIDTH, unique=True)
lists = st.lists(a_list, min_size=N_USERS, max_size=N_USERS)
targets = st.lists(st.sets(item), min_size=N_USERS, max_size=N_USERS)
depth = st.integers(1, WIDTH)
EVERYBODY = np.arange(N_USERS, dtype=np.int32)


def ground_from(pairs, **attributes):
    return ground_of(split_of(pairs, [(0, 0)], n_users=N_USERS, items=items_of(**attributes)))


def measured(rows, wanted, ground, k):
    ranked = lists_of(*rows, k=WIDTH)
    hits = find_hits(ranked, [np.array(sorted(row), dtype=np.int32) for row in wanted])
    return measure_variety(ranked, hits, EVERYBODY, ground, k=k)


@given(past, attribute, attribute, lists, targets, depth)
def test_bounds(pairs, category, brand, rows, wanted, k):
    ground = ground_from(pairs, category=category, brand=brand)
    values = measured(rows, wanted, ground, k)
    ends = {
        "novelty": (0, np.log2(ground.n_users)),
        "popularity_bias": (-1, 1),
        "serendipity": (0, 1),
        "diversity": (0, 1),
        "calibration": (0, np.log2(1 / STECK_ALPHA)),
    }
    assert tuple(ends) == VARIETY
    for column, (low, high) in zip(values.T, ends.values(), strict=True):
        known = column[~np.isnan(column)]
        assert ((known >= low - 1e-12) & (known <= high + 1e-12)).all()


@given(past, attribute, attribute, lists, targets, depth, st.permutations(range(N_ITEMS)))
def test_names_of_items_do_not_matter(pairs, category, brand, rows, wanted, k, renamed):
    moved = {name: [0] * N_ITEMS for name in ("category", "brand")}
    for old, new in enumerate(renamed):
        moved["category"][new], moved["brand"][new] = category[old], brand[old]
    first = measured(rows, wanted, ground_from(pairs, category=category, brand=brand), k)
    other = measured(
        [[renamed[i] for i in row] for row in rows],
        [{renamed[i] for i in row} for row in wanted],
        ground_from([(user, renamed[i]) for user, i in pairs], **moved),
        k,
    )
    np.testing.assert_allclose(first, other, atol=1e-12)


@given(past, attribute, lists, targets, depth, st.permutations(range(N_USERS)))
def test_the_order_of_users_does_not_matter(pairs, category, rows, wanted, k, order):
    ground = ground_from(pairs, category=category)
    ranked = lists_of(*rows, k=WIDTH)
    hits = find_hits(ranked, [np.array(sorted(row), dtype=np.int32) for row in wanted])
    whole = measure_variety(ranked, hits, EVERYBODY, ground, k=k)
    moved = TopK(ranked.items[order], ranked.scores[order])
    other = find_hits(moved, [np.array(sorted(wanted[place]), dtype=np.int32) for place in order])
    found = measure_variety(moved, other, EVERYBODY[order], ground, k=k)
    np.testing.assert_array_equal(whole[order], found)


@given(past, attribute, lists, targets, depth)
def test_the_size_of_a_block_does_not_matter(pairs, category, rows, wanted, k):
    ground = ground_from(pairs, category=category)
    whole = measured(rows, wanted, ground, k)
    with patch.object(variety, "_BLOCK_CELLS", 1):
        np.testing.assert_array_equal(measured(rows, wanted, ground, k), whole)


@given(past, lists, targets, depth)
def test_serendipity_is_at_most_precision(pairs, rows, wanted, k):
    ranked = lists_of(*rows, k=WIDTH)
    hits = find_hits(ranked, [np.array(sorted(row), dtype=np.int32) for row in wanted])
    found = variety.serendipity(
        ranked.items[:, :k], hits, ground_from(pairs, category=[0] * 8), k=k
    )
    expected = precision(hits, k)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    assert (found <= expected)[~np.isnan(found)].all()


@given(st.permutations(range(N_ITEMS)), st.sets(item, min_size=1))
def test_the_popularity_ranking_is_never_serendipitous(order, wanted):
    # The item on rank r of `order` was had by N_ITEMS - r users: no ties.
    pairs = [(user, i) for place, i in enumerate(order) for user in range(N_ITEMS - place)]
    split = split_of(pairs, [(0, 0)], n_users=N_ITEMS, items=items_of(category=[0] * N_ITEMS))
    ranked = lists_of(order)
    hits = find_hits(ranked, [np.array(sorted(wanted), dtype=np.int32)])
    found = variety.serendipity(ranked.items, hits, ground_of(split), k=N_ITEMS)
    np.testing.assert_allclose(found, 0.0, atol=1e-12)


@given(attribute, attribute, a_list)
def test_diversity_is_the_mean_over_pairs(category, brand, row):
    ground = ground_from([(0, 0)], category=category, brand=brand)
    (found,) = variety.diversity(lists_of(row, k=WIDTH).items, ground.attributes)
    by_attribute = []
    for codes in (category, brand):
        known = [codes[i] for i in row if codes[i] >= 0]
        distances = [float(one != other) for one, other in combinations(known, 2)]
        by_attribute += [np.mean(distances)] if distances else []
    expected = np.mean(by_attribute) if by_attribute else np.nan
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(a_list, st.integers(0, 2**32 - 1))
def test_diversity_of_vectors_is_the_mean_over_pairs(row, seed):
    assume(len(row) > 1)
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 3))
    (found,) = variety.diversity_of_vectors(lists_of(row, k=WIDTH).items, vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.mean([1 - units[one] @ units[other] for one, other in combinations(row, 2)])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(past, attribute, a_list)
def test_calibration_agrees_with_scipy(pairs, category, row):
    ground = ground_from(pairs, category=category)
    had = [category[i] for i in {i for user, i in pairs if user == 0} if category[i] >= 0]
    listed = [category[i] for i in row if category[i] >= 0]
    items, whose = lists_of(row, k=WIDTH).items, EVERYBODY[:1]
    kl, js = (calibration(items, whose, ground.taste, divergence=name)[0] for name in ("kl", "js"))
    if not had or not listed:
        assert np.isnan(kl)
        assert np.isnan(js)
        return
    p = np.bincount(had, minlength=4) / len(had)
    q = np.bincount(listed, minlength=4) / len(listed)
    mixed = (1 - STECK_ALPHA) * q + STECK_ALPHA * p
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(kl, scipy_entropy(p, mixed, base=2), atol=1e-9)
        np.testing.assert_allclose(js, jensenshannon(p, q, base=2) ** 2, atol=1e-9)


amounts = st.lists(st.integers(0, 9), min_size=1, max_size=30).map(np.array)


@given(amounts)
def test_tenths_follow_popularity(counts):
    found, share = tenths(counts), percentiles(counts)
    assert ((found == -1) == (counts == 0)).all()
    assert found.max() <= 9
    for one, other in combinations(range(len(counts)), 2):
        if counts[one] == counts[other]:
            assert found[one] == found[other]
            assert share[one] == share[other]
        elif 0 < counts[one] < counts[other]:
            assert found[one] >= found[other]
            assert share[one] < share[other]
    np.testing.assert_allclose(share.mean(), 0.5)


@given(amounts)
def test_entropy_and_gini_agree_with_other_forms(counts):
    n, total = len(counts), counts.sum()
    assume(total > 0)
    apart = np.abs(counts[:, None] - counts).sum()
    np.testing.assert_allclose(gini(counts), apart / (2 * n * total), atol=1e-12)
    if n > 1:
        np.testing.assert_allclose(entropy(counts), scipy_entropy(counts) / np.log(n), atol=1e-12)


@given(lists, attribute, depth)
def test_shares_of_exposure_sum_to_what_is_in_a_group(rows, category, k):
    ranked = lists_of(*rows, k=WIDTH)
    groups = ground_from([(0, 0)], category=[*category[1:], 0]).groups["category"]
    shares = group_exposure(ranked, groups, k=k)
    for row, found in zip(rows, shares, strict=True):
        weights = 1 / np.log2(np.arange(len(row[:k])) + 2)
        if not row:
            assert np.isnan(found).all()
            continue
        expected = [weights[groups.codes[row[:k]] == group].sum() for group in range(len(found))]
        np.testing.assert_allclose(found, np.array(expected) / weights.sum(), atol=1e-12)


@given(lists, attribute, depth, st.integers(1, 4))
def test_parts_hold_every_item_once(rows, category, k, min_items):
    groups = ground_from([(0, 0)], category=[*category[1:], 0]).groups["category"]
    parts = parts_of(groups, min_items=min_items, max_named=2)
    assert parts.n_items.sum() == N_ITEMS
    assert (parts.groups.codes >= 0).all()
    assert (parts.n_items[: parts.n_named] >= min_items).all()
    assert parts.n_named <= 2
    assert parts.n_named + len(parts.pooled) == len(set(groups.codes.tolist()) - {-1})
    shares = group_exposure(lists_of(*rows, k=WIDTH), parts.groups, k=k)
    shown = np.array([bool(row) for row in rows])
    np.testing.assert_allclose(shares[shown].sum(axis=1), 1.0)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.integers(0, 5))
def test_parity_at_its_ends(sizes, chosen):
    catalogue = np.array(sizes) / sum(sizes)
    fair = exposure_of_an_item(catalogue, catalogue)
    np.testing.assert_allclose(fair, 1 / len(sizes))
    one = np.zeros(len(sizes))
    one[chosen % len(sizes)] = 1.0
    np.testing.assert_allclose(exposure_of_an_item(one, catalogue), one)
    assert np.isnan(exposure_of_an_item(np.zeros(len(sizes)), catalogue)).all()


@given(lists)
def test_exposure_counts_each_listed_item(rows):
    shown = exposure(lists_of(*rows, k=WIDTH).items, n_items=N_ITEMS)
    assert shown.tolist() == [sum(i in row for row in rows) for i in range(N_ITEMS)]
