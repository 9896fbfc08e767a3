import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.models.ranker.candidates import NOT_LISTED, merge_lists
from endcap.schema.types import NO_ITEM, TopK


def lists_of(*rows, k):
    items = np.array([row + [NO_ITEM] * (k - len(row)) for row in rows], dtype=np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, -np.arange(k, dtype=np.float32))
    return TopK(items, scores.astype(np.float32))


def test_each_item_is_a_candidate_once_with_its_places():
    merged = merge_lists([lists_of([5, 2], [], k=3), lists_of([2, 9, 5], [7], k=3)])
    assert merged.items.tolist() == [[2, 5, 9], [7, NO_ITEM, NO_ITEM]]
    assert merged.places.tolist() == [
        [[1, 0, NOT_LISTED], [NOT_LISTED] * 3],
        [[0, 2, 1], [0, NOT_LISTED, NOT_LISTED]],
    ]
    np.testing.assert_array_equal(merged.scores[0, 0], [-1, 0, np.nan])
    assert merged.n_each.tolist() == [3, 1]


ROWS = st.lists(st.integers(0, 12), unique=True, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=5))
def test_merged_lists_hold_what_the_lists_held(rows):
    one, other = (lists_of(*(row[n] for row in rows), k=6) for n in (0, 1))
    merged = merge_lists([one, other])
    for number, (first, second) in enumerate(rows):
        own = merged.items[number][merged.is_real[number]].tolist()
        assert own == sorted({*first, *second})
        for places, row in zip(merged.places[:, number], (first, second), strict=True):
            found = {item: place for item, place in zip(own, places, strict=False) if place >= 0}
            assert found == {item: place for place, item in enumerate(row)}


def test_the_best_come_first_and_of_equals_the_smaller_item():
    merged = merge_lists([lists_of([4, 1, 8], [3], k=3)])
    best = merged.best(np.array([[1, 2, 2], [0, 9, 9]], dtype=np.float32))
    assert best.items.tolist() == [[4, 8, 1], [3, NO_ITEM, NO_ITEM]]
    assert np.isneginf(best.scores[1, 1:]).all()
