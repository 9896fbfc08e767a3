from __future__ import annotations

import numpy as np
import pytest

from endcap.bundle.index.exact import ExactIndex
from endcap.schema.types import NO_ITEM


@pytest.fixture
def vectors():
    return np.random.default_rng(3).normal(size=(50, 6)).astype(np.float32)


def test_finds_what_a_full_sort_finds(vectors):
    queries = vectors[:4] + 0.1
    found = ExactIndex(vectors).search(queries, 7)
    expected = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(found.items, expected)
    np.testing.assert_allclose(
        found.scores, np.take_along_axis(queries @ vectors.T, expected, 1), rtol=1e-5
    )


def test_finds_only_the_items_it_may(vectors):
    items = np.array([3, 4, 10, 44], dtype=np.int32)
    index = ExactIndex(vectors, items=items)
    found = index.search(vectors[10:11], 6)
    assert len(index) == 4
    assert found.items[0, 0] == 10
    assert set(found.items[0].tolist()) == {3, 4, 10, 44, NO_ITEM}


def test_leaves_out_what_is_excluded_whether_it_has_it_or_not(vectors):
    items = np.array([3, 4, 10, 44], dtype=np.int32)
    found = ExactIndex(vectors, items=items).search(
        vectors[10:11], 4, exclude=np.array([0, 10], dtype=np.int32)
    )
    assert sorted(found.items[0].tolist()) == [NO_ITEM, 3, 4, 44]


def test_an_index_of_nothing_finds_nothing(vectors):
    found = ExactIndex(vectors, items=np.empty(0, dtype=np.int32)).search(vectors[:2], 3)
    assert (found.items == NO_ITEM).all()
    assert found.items.shape == (2, 3)
