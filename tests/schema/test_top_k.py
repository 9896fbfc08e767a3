import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from endcap.schema.selection import contenders, places, ranked
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


def columns_of(row, k, slack=0.0):
    """Return what should come back of one row, by a full sort."""
    order = [i for i in np.lexsort((np.arange(len(row)), -row)) if row[i] > -np.inf]
    if len(order) <= k:
        return order
    return (
        [i for i in order if row[i] >= row[order[k - 1]] - np.float32(slack)]
        if slack
        else order[:k]
    )


@pytest.mark.parametrize("k", [1, 7, 100, 700])
def test_long_rows_of_few_values_equal_a_full_sort(k):
    rng = np.random.default_rng(k)
    values = np.array([-np.inf, np.nan, -2.5, -0.0, 0.0, 1e-40, 3.0], dtype=np.float32)
    scores = rng.choice(values, size=(40, 3_001), p=[0.05, 0.05, 0.2, 0.2, 0.2, 0.2, 0.1])
    scores[0] = -np.inf
    scores[1] = np.nan
    scores[2] = 7.0
    found = top_k(scores, k)
    for row, columns in zip(scores, found.items, strict=True):
        expected = columns_of(np.where(np.isnan(row), -np.inf, row), k)
        assert columns[columns != NO_ITEM].tolist() == expected
    assert np.isneginf(found.scores[found.items == NO_ITEM]).all()


def test_rows_in_several_chunks_equal_a_full_sort():
    scores = np.random.default_rng(0).standard_normal((333, 5_000), dtype=np.float32)
    scores[:, ::9] = np.round(scores[:, ::9])
    found = top_k(scores, 20)
    for row, columns in zip(scores, found.items, strict=True):
        assert columns.tolist() == columns_of(row, 20)
    np.testing.assert_array_equal(found.scores, np.take_along_axis(scores, found.items, axis=1))


def test_slack_brings_what_is_almost_as_good():
    scores = np.random.default_rng(0).standard_normal((50, 4_000), dtype=np.float32)
    slack = np.linspace(0.0001, 0.05, 50, dtype=np.float32)
    found = contenders(scores, 10, slack=slack)
    expected = [columns_of(row, 10, each) for row, each in zip(scores, slack, strict=True)]
    assert found.shape[1] == max(map(len, expected)) > 12
    for columns, of_row in zip(found, expected, strict=True):
        assert columns[: len(of_row)].tolist() == of_row


def test_slack_does_not_make_a_long_tie_endless():
    found = contenders(np.zeros((2, 5_000), np.float32), 3, slack=np.zeros(2, np.float32))
    assert found.tolist() == [list(range(56))] * 2


def test_few_columns_are_ranked_anew_with_ties_to_the_smaller_one():
    columns = np.array([[5, 2, 9, -1]], dtype=np.int32)
    best = ranked(columns, np.array([[1.0, 1.0, 2.0, 99.0]], dtype=np.float32), 4)
    assert best.columns.tolist() == [[9, 2, 5, -1]]
    assert best.scores.tolist() == [[2.0, 1.0, 1.0, -np.inf]]


@given(arrays(np.float32, (3, 9), elements=st.sampled_from([-np.inf, -2.5, -0.0, 0.0, 1.0, 7.0])))
def test_places_are_those_of_a_stable_sort(scores):
    order = np.argsort(-scores, axis=1, kind="stable")
    found = places(scores)
    for row in range(3):
        assert found[row, order[row]].tolist() == list(range(9))
