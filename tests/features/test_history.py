from dataclasses import replace

import numpy as np
import pytest

from endcap.features.history import (
    build_history,
    empty_history,
    merge_events,
    recency_weights,
    seed_weights,
    tower_weights,
)
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US


def interactions(events):
    """Interactions from (user, item, ts), in time order."""
    events = sorted(events, key=lambda event: event[2])
    n = len(events)
    columns = np.array(events, dtype=np.int64).reshape(n, 3)
    return Interactions(
        user_idx=columns[:, 0].astype(np.int32),
        item_idx=columns[:, 1].astype(np.int32),
        kind=np.full(n, 3, dtype=np.uint8),
        value=np.full(n, 4.0, dtype=np.float32),
        price=np.full(n, np.nan, dtype=np.float32),
        ts=columns[:, 2],
    )


def as_rows(history):
    return list(
        zip(
            history.items.tolist(),
            history.counts.tolist(),
            history.first_ts.tolist(),
            history.last_ts.tolist(),
            strict=True,
        )
    )


EVENTS = [(2, 7, 10), (0, 5, 20), (0, 3, 30), (0, 5, 40), (2, 7, 50), (0, 5, 60)]


def test_counts_events_not_quantities_and_sorts_by_item():
    history = build_history(interactions(EVENTS), 4)
    assert history.n_users == 4
    assert history.indptr.tolist() == [0, 2, 2, 3, 3]
    assert as_rows(history.row(0)) == [(3, 1.0, 30, 30), (5, 3.0, 20, 60)]
    assert as_rows(history.row(2)) == [(7, 2.0, 10, 50)]
    assert [a.dtype.name for a in (history.items, history.counts, history.first_ts)] == [
        "int32",
        "float32",
        "int64",
    ]


@pytest.mark.parametrize("user", [1, 3, 4, 99, -1])
def test_who_has_no_history_has_an_empty_row(user):
    history = build_history(interactions(EVENTS), 4)
    assert len(history.row(user)) == 0
    assert history.items[history.part(user)].tolist() == []


def test_no_interactions_at_all():
    history = build_history(interactions([]), 2)
    assert history.indptr.tolist() == [0, 0, 0]
    assert as_rows(history) == []


def test_the_largest_indices_are_told_apart():
    top = np.iinfo(np.int32).max
    history = build_history(interactions([(0, top, 1), (1, 0, 2), (1, top, 3)]), 2)
    assert history.row(0).items.tolist() == [top]
    assert history.row(1).items.tolist() == [0, top]


def test_merging_events_changes_nothing_of_the_old_row():
    row = build_history(interactions(EVENTS), 4).row(0)
    before = as_rows(row)
    merged = merge_events(row, np.array([9, 3, 9], dtype=np.int32), np.array([70, 5, 65]))
    assert as_rows(row) == before
    assert as_rows(merged) == [(3, 2.0, 5, 30), (5, 3.0, 20, 60), (9, 2.0, 65, 70)]


def test_merging_into_nothing_and_merging_nothing():
    merged = merge_events(empty_history(), np.array([4], dtype=np.int32), np.array([8]))
    assert as_rows(merged) == [(4, 1.0, 8, 8)]
    none = np.empty(0, dtype=np.int32)
    assert merge_events(merged, none, none.astype(np.int64)) is merged


def test_latest_keeps_the_newest_and_of_equals_the_smaller_item():
    row = build_history(interactions([(0, 1, 10), (0, 6, 30), (0, 4, 20), (0, 2, 20)]), 1).row(0)
    assert row.latest(1).items.tolist() == [6]
    assert row.latest(2).items.tolist() == [2, 6]
    assert row.latest(3).items.tolist() == [2, 4, 6]
    assert row.latest(4) is row
    assert as_rows(row.latest(2)) == [(2, 1.0, 20, 20), (6, 1.0, 30, 30)]


def test_recency_halves_every_half_life_and_never_exceeds_one():
    now = 100 * DAY_US
    ts = np.array([100, 93, 86, 130]) * DAY_US
    weights = recency_weights(ts, now_us=now, half_life_days=7.0)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [1, 0.5, 0.25, 1])


def test_seed_weights_grow_with_the_logarithm_of_the_count():
    history = build_history(interactions([(0, 1, 0), (0, 2, 0), (0, 2, 0), (0, 2, 0)]), 1)
    weights = seed_weights(history, now_us=30 * DAY_US, half_life_days=30.0)
    np.testing.assert_allclose(weights, 0.5 * np.log1p([1, 3]), rtol=1e-6)


def test_a_very_old_item_is_not_taken_for_padding():
    row = build_history(interactions([(0, 1, 0)]), 1).row(0)
    assert seed_weights(row, now_us=10**6 * DAY_US, half_life_days=1.0)[0] == 0
    assert tower_weights(row, 10**6 * DAY_US, 1.0)[0] > 0


def test_counts_are_sums_of_weights():
    told = replace(interactions(EVENTS), weight=np.array([1, 0.5, 1, 0.25, 1, 2], dtype=np.float32))
    assert as_rows(build_history(told, 4).row(0)) == [(3, 1.0, 30, 30), (5, 2.75, 20, 60)]


def test_a_weight_of_nothing_does_not_belong_into_a_history():
    told = replace(interactions(EVENTS), weight=np.array([1, 1, 0, 1, 1, 1], dtype=np.float32))
    with pytest.raises(ValueError, match="more than 0"):
        build_history(told, 4)


def test_what_was_refused_is_not_in_the_history():
    history = build_history(interactions(EVENTS), 4, refusals=interactions([(0, 5, 70), (3, 8, 1)]))
    assert as_rows(history.row(0)) == [(3, 1.0, 30, 30)]
    assert history.row(0).refused.tolist() == [5]
    assert history.seen_by(0).tolist() == [3, 5]
    assert history.row(3).refused.tolist() == [8]
    assert history.row(2).refused.tolist() == history.row(99).refused.tolist() == []
    assert history.indptr.tolist() == [0, 1, 1, 2, 2]


def test_a_refusal_in_the_row_stands_until_interest_follows():
    row = build_history(
        interactions(EVENTS), 4, refusals=interactions([(0, 5, 70), (0, 9, 1)])
    ).row(0)
    items, ts = np.array([5], dtype=np.int32), np.array([80])
    assert merge_events(row, items, ts).refused.tolist() == [9]
    nothing = merge_events(row, items, ts, weights=np.zeros(1, dtype=np.float32))
    assert nothing.refused.tolist() == [5, 9]
    assert as_rows(nothing) == as_rows(row)


def test_merging_tells_interest_removals_and_refusals_apart():
    row = build_history(interactions(EVENTS), 4).row(0)
    cart, remove, dislike, view = 2, 8, 6, 1
    merged = merge_events(
        row,
        np.array([4, 4, 3, 3, 6, 5], dtype=np.int32),
        np.array([90, 95, 80, 81, 82, 83]),
        kinds=np.array([cart, remove, dislike, view, cart, dislike], dtype=np.uint8),
        weights=np.array([0.5, -0.5, -1, 0.25, 0.5, -1], dtype=np.float32),
    )
    assert as_rows(merged) == [(3, 1.25, 30, 81), (6, 0.5, 82, 82)]
    assert merged.refused.tolist() == [5]
    assert merged.latest(1).refused.tolist() == [5]


def test_of_a_refusal_and_interest_at_the_same_time_the_refusal_holds():
    row = build_history(interactions(EVENTS), 4).row(0)  # item 5 last at 60, item 3 at 30
    merged = merge_events(
        row,
        np.array([5, 3, 3], dtype=np.int32),
        np.array([60, 29, 28]),
        weights=np.array([-1, -1, -1], dtype=np.float32),
    )
    assert merged.refused.tolist() == [5]
    assert merged.items.tolist() == [3]
