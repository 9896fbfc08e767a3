import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.history import UserHistory, empty_history
from endcap.features.tower_context import N_CONTEXT, tower_context, tower_contexts
from endcap.schema.types import DAY_US

HOUR_US = DAY_US // 24
CATEGORIES = np.array([0, 0, 1, -1, -1, 2], dtype=np.int32)


def row(items, last_ts):
    ts = np.array(last_ts, dtype=np.int64)
    return UserHistory(np.array(items, dtype=np.int32), np.ones(len(ts), np.float32), ts, ts)


def test_the_numbers_are_those_they_are_said_to_be():
    now_us = 100 * DAY_US + 6 * HOUR_US
    known = row([0, 1, 2, 5], now_us - np.array([1, 6, 20, 300]) * DAY_US)
    found = tower_context(known, now_us, categories=CATEGORIES)
    logs = np.log1p([4, 2, 3, 3, 1]) / 4
    # 100 days after a Thursday is a Saturday.
    np.testing.assert_allclose(found, [*logs, 1, 0, 1], atol=1e-6)


def test_who_has_nothing_has_a_context_too():
    found = tower_context(empty_history(), 5 * DAY_US, categories=CATEGORIES)
    assert found.shape == (N_CONTEXT,)
    np.testing.assert_allclose(found[:5], [0, 0, 0, 0, np.log1p(60) / 4], atol=1e-6)


def test_unknown_categories_count_as_one():
    found = tower_context(row([3, 4], [0, 0]), DAY_US, categories=CATEGORIES)
    assert found[3] == pytest.approx(np.log1p(1) / 4)


histories = st.lists(
    st.dictionaries(st.integers(0, 5), st.integers(0, 99), max_size=6), min_size=1, max_size=5
)


@given(histories)
def test_many_at_once_are_as_each_alone(told):
    now_us = (np.arange(len(told)) + 100) * DAY_US + 17 * HOUR_US
    rows = [row(list(one), np.array(list(one.values())) * DAY_US) for one in told]
    together = tower_contexts(
        np.repeat(np.arange(len(rows)), [len(one) for one in rows]),
        np.concatenate([one.items for one in rows]),
        np.concatenate([one.last_ts for one in rows]),
        now_us,
        categories=CATEGORIES,
    )
    for one, found, moment in zip(rows, together, now_us.tolist(), strict=True):
        np.testing.assert_array_equal(found, tower_context(one, moment, categories=CATEGORIES))
