import numpy as np
import pytest

from endcap.features.history import build_history
from endcap.features.taste import taste_of
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US
from feature_events import interactions

CODES = np.array([0, 0, 1, 2, -1], dtype=np.int32)
NOW_US = 100 * DAY_US


def taste(*events, n_tastes=10, n_users=2):
    rows = [
        (user, item, Kind.VIEW, 1.0, 0.0, NOW_US - days * DAY_US) for user, item, days in events
    ]
    history = build_history(interactions(rows), n_users)
    return taste_of(history, CODES, at_us=NOW_US, half_life_days=10.0, n_tastes=n_tastes)


def test_shares_halve_with_each_half_life():
    found = taste((0, 0, 0), (0, 2, 10), (0, 3, 20))
    assert found.code.tolist() == [0, 1, 2]
    assert found.share.tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert found.user.tolist() == [0, 0, 0]
    assert found.indptr.tolist() == [0, 3, 3]


def test_items_of_one_code_add_up_and_repeats_are_damped():
    found = taste((1, 0, 0), (1, 1, 0), (1, 2, 0), (1, 2, 0))
    of_two, once = 2 * np.log1p(1), np.log1p(2)
    assert found.code.tolist() == [0, 1]
    assert found.share[0] == pytest.approx(of_two / (of_two + once))


def test_what_is_unknown_has_no_share():
    assert len(taste((0, 4, 0)).code) == 0
    found = taste((0, 4, 0), (0, 3, 5))
    assert (found.code.tolist(), found.share.tolist()) == ([2], [1.0])


def test_only_the_largest_shares_are_kept_and_stay_parts_of_the_whole():
    found = taste((0, 0, 0), (0, 2, 10), (0, 3, 20), (1, 3, 0), n_tastes=2)
    assert found.indptr.tolist() == [0, 2, 3]
    assert found.code.tolist() == [0, 1, 2]
    assert found.share.tolist() == pytest.approx([4 / 7, 2 / 7, 1.0])


def test_equal_shares_go_to_the_smaller_code():
    assert taste((0, 3, 0), (0, 2, 0), (0, 0, 0)).code.tolist() == [0, 1, 2]


def test_nobody_has_no_taste():
    found = taste(n_users=3)
    assert found.indptr.tolist() == [0, 0, 0, 0]
    assert len(found.code) == len(found.share) == 0
    assert found.share.dtype == np.float32


def test_what_is_too_old_to_weigh_anything_says_nothing():
    assert len(taste((0, 0, -0), (0, 2, 99)).code) == 2
    ancient = taste_of(
        build_history(interactions([(0, 0, Kind.VIEW, 1.0, 0.0, 0)]), 1),
        CODES,
        at_us=20_000 * DAY_US,
        half_life_days=1.0,
        n_tastes=3,
    )
    assert len(ancient.code) == 0
