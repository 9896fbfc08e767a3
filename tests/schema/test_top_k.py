import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from endcap.schema.types import NO_ITEM, top_k


def test_best_first_and_ties_go_to_the_smaller_index():
    ranked = top_k(np.array([[1.0, 3.0, 2.0, 3.0]], dtype=np.float32), 3)
    assert ranked.items.tolist() == [[1, 3, 2]]
    assert ranked.scores.tolist() == [[3.0, 3.0, 2.0]]


def test_forbidden_items_never_come_back_and_short_rows_are_padded():
    scores = np.array([[-np.inf, 0.5, np.nan]], dtype=np.float32)
    ranked = top_k(scores, 3)
    assert ranked.items.tolist() == [[1, NO_ITEM, NO_ITEM]]
    assert ranked.scores[0, 1:].tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_nothing_to_rank_gives_padding(shape):
    ranked = top_k(np.zeros(shape, dtype=np.float32), 2)
    assert ranked.items.shape == (shape[0], 2)
    assert (ranked.items == NO_ITEM).all()


@given(
    arrays(np.float32, (3, 17), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 1.0, 2.0])),
    st.integers(1, 20),
)
def test_equals_a_full_sort(scores, k):
    before = scores.copy()
    ranked = top_k(scores, k)
    np.testing.assert_array_equal(scores, before)
    for row, found in zip(scores, ranked.items, strict=True):
        expected = [i for i in np.lexsort((np.arange(17), -row)) if row[i] > -np.inf][:k]
        assert [i for i in found if i != NO_ITEM] == expected
