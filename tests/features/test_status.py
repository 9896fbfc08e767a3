from __future__ import annotations

import numpy as np
import pytest

from endcap.features.status import (
    STATUS_OF_KIND,
    pair_status,
    status_from_kinds,
    status_from_rating_ranks,
)
from endcap.schema.columns import KIND_CODES, Kind
from feature_events import interactions

STEPS = [1.0, 0.6, 0.3, 0.0]


def counts(status):
    assert status.dtype == np.float32
    return [int((status == np.float32(step)).sum()) for step in STEPS]


def test_every_kind_has_a_status():
    assert set(STATUS_OF_KIND) == set(Kind)
    kinds = [Kind.IMPRESSION, Kind.VIEW, Kind.LIKE, Kind.CART, Kind.PURCHASE, Kind.RATING]
    codes = np.array([KIND_CODES[kind] for kind in kinds], dtype=np.uint8)
    expected = np.array([0.0, 0.3, 0.3, 0.6, 1.0, 1.0], dtype=np.float32)
    np.testing.assert_array_equal(status_from_kinds(codes), expected)


def test_a_code_of_no_kind_is_refused():
    with pytest.raises(ValueError, match="code 200"):
        status_from_kinds(np.array([1, 200], dtype=np.uint8))


def test_of_a_pair_the_strongest_counts():
    told = interactions(
        [
            (1, 3, Kind.VIEW, 1.0, 0.0, 1),
            (1, 3, Kind.CART, 1.0, 0.0, 2),
            (1, 3, Kind.REMOVE, 1.0, 0.0, 3),
            (0, 3, Kind.PURCHASE, 1.0, 0.0, 4),
            (0, 3, Kind.DISLIKE, 1.0, 0.0, 5),
            (1, 2, Kind.IMPRESSION, 1.0, 0.0, 6),
        ]
    )
    found = pair_status(told)
    assert found.user_idx.tolist() == [0, 1, 1]
    assert found.item_idx.tolist() == [3, 2, 3]
    np.testing.assert_array_equal(found.status, np.array([1.0, 0.0, 0.6], dtype=np.float32))
    assert len(found) == 3
    assert len(pair_status(interactions([]))) == 0


def test_ranks_go_by_rating_then_by_row():
    ratings = np.array([1, 5, 4, 5, 5, 3] * 20, dtype=np.float32)
    status = status_from_rating_ranks(ratings)
    assert counts(status) == [3, 9, 30, 78]
    # Sixty of the 120 rows have five stars: all steps above the lowest fall among them.
    five = np.flatnonzero(ratings == 5)
    expected = np.repeat(np.array(STEPS, dtype=np.float32), [3, 9, 30, 18])
    np.testing.assert_array_equal(status[five], expected)
    assert not status[ratings < 5].any()


def test_rows_without_a_rating_come_last():
    ratings = np.array([np.nan, 2.0, 5.0], dtype=np.float32)
    assert status_from_rating_ranks(ratings).tolist() == pytest.approx([0.0, 0.0, 0.3])
    assert status_from_rating_ranks(np.empty(0, dtype=np.float32)).tolist() == []


def test_the_counts_at_the_size_of_the_published_file():
    # Of few different ratings a stable sort is a counting sort, so this takes no second.
    ratings = np.full(6_738_382, 5, dtype=np.float32)
    assert counts(status_from_rating_ranks(ratings)) == [168_459, 505_379, 1_684_595, 4_379_949]
