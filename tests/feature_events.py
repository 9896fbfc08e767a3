"""Events of a small shop for the tests of features, by hand and by hypothesis.

`import feature_events` works in every test, because this folder holds the conftest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
from hypothesis import strategies as st

from endcap.features.taste import Taste
from endcap.features.weights import KindWeights, interaction_weights
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions, Items
from endcap.schema.types import DAY_US

N_USERS, N_ITEMS = 4, 7
CUT_US = 200 * DAY_US

ITEMS = Items(
    department=np.array([0, 0, 0, 1, 1, -1, 2], dtype=np.int32),
    category=np.array([0, 1, 1, 2, 2, -1, 3], dtype=np.int32),
    brand=np.full(N_ITEMS, -1, dtype=np.int32),
    department_names=("Food", "Garden", "Toys"),
    category_names=("Bread", "Tea", "Seeds", "Kites"),
)
"""The catalogue; nothing is known of item 5."""

WEIGHTS = KindWeights(liked_from_stars=2.0)

Row = tuple[int, int, Kind, float, float, int]
"""user, item, kind, value, price, time"""

# Times crowd around the cut and within sessions, where the rules have their edges.
_times = st.one_of(
    st.integers(0, 400 * DAY_US),
    st.integers(CUT_US - 8 * DAY_US, CUT_US + DAY_US),
    st.sampled_from([CUT_US - 7 * DAY_US, CUT_US - 1, CUT_US, CUT_US + 1]),
    st.integers(0, 40).map(lambda n: CUT_US - n * 1_200_000_000),
)
rows = st.tuples(
    st.integers(0, N_USERS - 1),
    st.integers(0, N_ITEMS - 1),
    st.sampled_from(list(Kind)),
    st.sampled_from([1.0, 2.0, 5.0]),
    st.sampled_from([float("nan"), 0.0, 0.99, 2.5, 3.0, 7.25, 40.0]),
    _times,
)
event_rows = st.lists(rows, max_size=40)
few_rows = st.lists(rows, max_size=12)


def interactions(told: Iterable[Row], *, weights: KindWeights | None = None) -> Interactions:
    """Return the rows in time order, simultaneous ones in the order given; weighed if asked."""
    ordered = sorted(told, key=lambda row: row[-1])
    users, items, kinds, values, prices, times = zip(*ordered, strict=True) if ordered else [()] * 6
    kind = np.array([KIND_CODES[one] for one in kinds], dtype=np.uint8)
    value = np.array(values, dtype=np.float32)
    return Interactions(
        user_idx=np.array(users, dtype=np.int32),
        item_idx=np.array(items, dtype=np.int32),
        kind=kind,
        value=value,
        price=np.array(prices, dtype=np.float32),
        ts=np.array(times, dtype=np.int64),
        weight=None if weights is None else interaction_weights(kind, value, weights),
    )


def assert_same_bits(one, other):
    """Assert that two structs of arrays have the same types and the same bits."""
    for part in fields(one):
        left, right = getattr(one, part.name), getattr(other, part.name)
        if isinstance(left, Taste):
            assert_same_bits(left, right)
            continue
        assert left.dtype == right.dtype, part.name
        np.testing.assert_array_equal(left, right, err_msg=part.name)


def taken(features, rows):
    """Return some rows of a struct of arrays; of a taste as well."""
    values = {
        part.name: taken_taste(value, rows) if isinstance(value, Taste) else value[rows]
        for part in fields(features)
        for value in [getattr(features, part.name)]
    }
    return type(features)(**values)


def taken_taste(taste: Taste, rows) -> Taste:
    """Return the tastes of some users."""
    n_each = np.diff(taste.indptr)[rows]
    entries = [
        np.arange(taste.indptr[row], taste.indptr[row + 1]) for row in np.asarray(rows).tolist()
    ]
    chosen = np.concatenate([np.empty(0, dtype=np.int64), *entries]).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(n_each)]).astype(np.int64)
    return Taste(indptr=indptr, code=taste.code[chosen], share=taste.share[chosen])
