"""Laws that every ranking metric obeys, whatever the lists."""

import itertools
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.metrics.accuracy import (
    MEASURES,
    AtK,
    auc,
    auc_of_scores,
    find_hits,
    measure_all,
)
from endcap.evaluation.metrics.exposure import coverage, exposure, gini
from endcap.schema.types import NO_ITEM, TopK

NAMES = tuple(MEASURES)
N_ITEMS = 12
WIDTH = 6


def ranking(rows):
    items = np.full((len(rows), WIDTH), NO_ITEM, dtype=np.int32)
    for place, row in enumerate(rows):
        items[place, : len(row)] = row
    return TopK(items, np.zeros(items.shape, dtype=np.float32))


def sets(rows):
    return [np.array(sorted(row), dtype=np.int32) for row in rows]


item = st.integers(0, N_ITEMS - 1)
a_list = st.lists(item, max_size=WIDTH, unique=True)
a_set = st.sets(item, min_size=1, max_size=N_ITEMS - 1)
users = st.lists(st.tuples(a_list, a_set), min_size=1, max_size=6)
depth = st.integers(1, WIDTH + 2)


def measure(cases, k):
    """Return the metrics by name, shape (n_measures, n_users)."""
    ranked, relevant = ranking([row for row, _ in cases]), sets(wanted for _, wanted in cases)
    everything = np.full(len(cases), N_ITEMS)
    return measure_all(find_hits(ranked, relevant, n_candidates=everything), k).T


@given(users, depth)
def test_bounds(cases, k):
    values = measure(cases, k)
    assert (values >= 0).all()
    assert (values <= 1 + 1e-12).all()


def share_in_order(row, wanted):
    """Return the share of (target, other) pairs in right order, what is not listed tied behind."""
    places = {item: position for position, item in enumerate(row)}
    pairs = [(target, other) for target in wanted for other in set(range(N_ITEMS)) - wanted]
    behind = len(row)
    right = [
        np.sign(places.get(other, behind) - places.get(target, behind)) for target, other in pairs
    ]
    return sum((sign + 1) / 2 for sign in right) / len(pairs)


@given(users, depth)
def test_a_slow_definition_agrees(cases, k):
    by_hand = []
    for row, wanted in cases:
        hits = [position for position, item in enumerate(row[:k]) if item in wanted]
        ideal = sum(1 / np.log2(position + 2) for position in range(min(k, len(wanted))))
        precisions = [len(set(row[: position + 1]) & wanted) / (position + 1) for position in hits]
        by_hand.append(
            [
                len(hits) / len(wanted),
                len(hits) / k,
                sum(1 / np.log2(position + 2) for position in hits) / ideal,
                float(bool(hits)),
                sum(precisions) / min(k, len(wanted)),
                1 / (hits[0] + 1) if hits else 0.0,
                share_in_order(row[:k], wanted),
            ]
        )
    np.testing.assert_allclose(measure(cases, k), np.transpose(by_hand), atol=1e-12)


@given(users, depth, st.randoms(use_true_random=False))
def test_the_order_of_users_does_not_matter(cases, k, random):
    order = list(range(len(cases)))
    random.shuffle(order)
    shuffled = measure([cases[place] for place in order], k)
    np.testing.assert_array_equal(measure(cases, k)[:, order], shuffled)


@given(users, depth, st.permutations(range(N_ITEMS)))
def test_names_of_items_do_not_matter(cases, k, renamed):
    other = [([renamed[i] for i in row], {renamed[i] for i in wanted}) for row, wanted in cases]
    np.testing.assert_array_equal(measure(cases, k), measure(other, k))


@given(users, depth)
def test_moving_a_relevant_item_up_never_hurts(cases, k):
    row, wanted = cases[0]
    for position in range(1, len(row)):
        if row[position] in wanted and row[position - 1] not in wanted:
            better = row.copy()
            better[position - 1], better[position] = better[position], better[position - 1]
            assert (measure([(better, wanted)], k) >= measure([(row, wanted)], k) - 1e-12).all()
            gain = measure([(better, wanted)], WIDTH) - measure([(row, wanted)], WIDTH)
            for name in ("ndcg", "map", "auc"):
                assert gain[NAMES.index(name), 0] > 0, f"{name} must see the move"


@given(a_list, a_set, depth)
def test_padding_never_hits(row, wanted, k):
    hits = find_hits(ranking([row]), sets([wanted]))
    assert not hits.is_hit[0, len(row) :].any()
    # Padding is -1, and -1 counted from the end would be the last item.
    assert hits.is_hit.sum() == len(set(row) & wanted)


@given(users, st.integers(1, 3))
def test_hits_do_not_depend_on_how_many_users_are_marked_at_once(cases, n_at_once):
    ranked, relevant = ranking([row for row, _ in cases]), sets(wanted for _, wanted in cases)
    whole = find_hits(ranked, relevant)
    with mock.patch("endcap.evaluation.metrics.accuracy._MARKS", n_at_once * N_ITEMS):
        parts = find_hits(ranked, relevant)
    np.testing.assert_array_equal(whole.is_hit, parts.is_hit)


@given(a_set, depth)
def test_the_best_list_scores_one(wanted, k):
    best = sorted(wanted)[:WIDTH]
    values = dict(zip(NAMES, measure([(best, wanted)], min(k, WIDTH))[:, 0], strict=True))
    for name in ("ndcg", "hit_rate", "map", "mrr"):
        assert np.isclose(values[name], 1.0), name
    if len(wanted) <= min(k, WIDTH):
        assert np.isclose(values["recall"], 1.0)
        assert np.isclose(values["auc"], 1.0)


few_scores = st.lists(st.integers(0, 2), min_size=5, max_size=5)
some_of_five = st.sets(st.integers(0, 4), min_size=1, max_size=4)


@given(few_scores, some_of_five)
def test_exact_auc_is_the_mean_over_all_orders_of_equal_scores(scores, wanted):
    orders = [
        order
        for order in itertools.permutations(range(5))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    items = np.array(orders, dtype=np.int32)
    ranked = TopK(items, np.zeros(items.shape, dtype=np.float32))
    hits = find_hits(ranked, sets([wanted]) * len(orders), n_candidates=np.full(len(orders), 5))
    exact = auc_of_scores(np.array([scores], dtype=np.float32), sets([wanted]))
    assert np.isclose(exact[0], auc(hits, 5).mean())


@given(few_scores, some_of_five, st.floats(0.5, 4), st.integers(-3, 3))
def test_exact_auc_asks_for_the_order_of_scores_alone(scores, wanted, scale, shift):
    row = np.array([scores], dtype=np.float32)
    found = auc_of_scores(row, sets([wanted]))
    np.testing.assert_array_equal(
        found, auc_of_scores((row * scale + shift).astype(np.float32), sets([wanted]))
    )
    np.testing.assert_allclose(found, 1.0 - auc_of_scores(-row, sets([wanted])))


@given(a_list, a_set, depth)
def test_without_the_number_of_candidates_auc_alone_is_unknown(row, wanted, k):
    unknown = measure_all(find_hits(ranking([row]), sets([wanted])), k)[0]
    known = measure([(row, wanted)], k)[:, 0]
    np.testing.assert_array_equal(unknown[:-1], known[:-1])
    assert np.isnan(unknown[-1])
    np.testing.assert_array_equal(
        AtK(MEASURES["map"], k)(ranking([row]), sets([wanted])), known[[NAMES.index("map")]]
    )


@given(st.lists(a_list, min_size=1, max_size=6))
def test_exposure_bounds(rows):
    shown = exposure(ranking(rows).items, n_items=N_ITEMS)
    assert shown.sum() == sum(len(row) for row in rows)
    assert coverage(shown) == len({i for row in rows for i in row}) / N_ITEMS
    if shown.sum():
        assert -1e-12 <= gini(shown) <= 1 - 1 / N_ITEMS + 1e-12
