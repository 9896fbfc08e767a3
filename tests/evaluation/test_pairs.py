"""Sets of pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.lists.pairs import pair_set

PAIRS = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=20)


@given(PAIRS, st.lists(st.integers(0, 8), max_size=8))
def test_the_pairs_of_some_rows(pairs, rows):
    first, second = (np.array([pair[place] for pair in pairs], dtype=np.int64) for place in (0, 1))
    found = pair_set(first, second, stride=5)
    places, items = found.of_rows(np.array(rows, dtype=np.int32))
    expected = [
        (place, item) for place, row in enumerate(rows) for item in range(5) if (row, item) in pairs
    ]
    assert list(zip(places.tolist(), items.tolist(), strict=True)) == expected


@given(PAIRS)
def test_what_is_in_a_set(pairs):
    first, second = (np.array([pair[place] for pair in pairs], dtype=np.int64) for place in (0, 1))
    found = pair_set(first, second, stride=5)
    rows, items = np.meshgrid(np.arange(8), np.arange(-1, 6), indexing="ij")
    inside = found.contain(rows, items)
    for row, item, is_in in zip(rows.ravel(), items.ravel(), inside.ravel(), strict=True):
        assert is_in == ((row, item) in pairs)
