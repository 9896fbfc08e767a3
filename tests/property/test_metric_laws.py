"""Laws that every ranking metric obeys, whatever the lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.metrics import (
    AtK,
    coverage,
    exposure,
    find_hits,
    gini,
    hit_rate,
    mrr,
    ndcg,
    precision,
    recall,
)
from endcap.schema.types import NO_ITEM, TopK

MEASURES = (recall, precision, ndcg, hit_rate, mrr)
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
a_set = st.sets(item, min_size=1)
users = st.lists(st.tuples(a_list, a_set), min_size=1, max_size=6)
depth = st.integers(1, WIDTH + 2)


def measure(cases, k):
    ranked, relevant = ranking([row for row, _ in cases]), sets(wanted for _, wanted in cases)
    return np.stack([AtK(each, k)(ranked, relevant) for each in MEASURES])


@given(users, depth)
def test_bounds(cases, k):
    values = measure(cases, k)
    assert (values >= 0).all()
    assert (values <= 1 + 1e-12).all()


@given(users, depth)
def test_a_slow_definition_agrees(cases, k):
    by_hand = []
    for row, wanted in cases:
        hits = [position for position, item in enumerate(row[:k]) if item in wanted]
        ideal = sum(1 / np.log2(position + 2) for position in range(min(k, len(wanted))))
        by_hand.append(
            [
                len(hits) / len(wanted),
                len(hits) / k,
                sum(1 / np.log2(position + 2) for position in hits) / ideal,
                float(bool(hits)),
                1 / (hits[0] + 1) if hits else 0.0,
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
            assert gain[2, 0] > 0, "NDCG must see the move"


@given(a_list, a_set, depth)
def test_padding_never_hits(row, wanted, k):
    hits = find_hits(ranking([row]), sets([wanted]))
    assert not hits.is_hit[0, len(row) :].any()
    # Padding is -1, and -1 counted from the end would be the last item.
    assert hits.is_hit.sum() == len(set(row) & wanted)


@given(a_set, depth)
def test_the_best_list_scores_one(wanted, k):
    best = sorted(wanted)[:WIDTH]
    values = measure([(best, wanted)], min(k, WIDTH))
    assert np.allclose(values[2:], 1.0)


@given(st.lists(a_list, min_size=1, max_size=6))
def test_exposure_bounds(rows):
    shown = exposure(ranking(rows).items, n_items=N_ITEMS)
    assert shown.sum() == sum(len(row) for row in rows)
    assert coverage(shown) == len({i for row in rows for i in row}) / N_ITEMS
    if shown.sum():
        assert -1e-12 <= gini(shown) <= 1 - 1 / N_ITEMS + 1e-12
