"""What is counted live equals what is counted in batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.history import History, build_history, merge_events
from endcap.features.popularity import as_of, decay_weights, decayed_counts, first_seen
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US

N_USERS, N_ITEMS = 4, 6
ORIGIN_US = 400 * DAY_US
HALF_LIFE = 9.0

event = st.tuples(
    st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 500 * DAY_US)
)
events = st.lists(event, max_size=40)


def interactions(happened):
    happened = sorted(happened, key=lambda one: one[2])
    columns = np.array(happened, dtype=np.int64).reshape(len(happened), 3)
    n = len(happened)
    return Interactions(
        user_idx=columns[:, 0].astype(np.int32),
        item_idx=columns[:, 1].astype(np.int32),
        kind=np.full(n, 3, dtype=np.uint8),
        value=np.ones(n, dtype=np.float32),
        price=np.ones(n, dtype=np.float32),
        ts=columns[:, 2].copy(),
    )


def equal_rows(one, other):
    for name in ("items", "counts", "first_ts", "last_ts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


@given(events, events, st.randoms(use_true_random=False))
def test_merging_live_events_equals_building_from_all(before, live, random):
    known = build_history(interactions(before), N_USERS)
    whole = build_history(interactions(before + live), N_USERS)
    random.shuffle(live)
    for user in range(N_USERS):
        own = [(item, ts) for who, item, ts in live if who == user]
        items = np.array([item for item, _ in own], dtype=np.int32)
        ts = np.array([ts for _, ts in own], dtype=np.int64)
        equal_rows(merge_events(known.row(user), items, ts), whole.row(user))


@given(events)
def test_a_history_forgets_nobody(happened):
    history = build_history(interactions(happened), N_USERS)
    assert history.counts.sum() == len(happened)
    for user in range(N_USERS):
        row = history.row(user)
        assert np.all(np.diff(row.items) > 0)
        assert set(row.items.tolist()) == {item for who, item, _ in happened if who == user}


@given(events, st.integers(1, 8))
def test_latest_is_what_a_full_sort_gives(happened, limit):
    for user in range(N_USERS):
        row = build_history(interactions(happened), N_USERS).row(user)
        best = sorted(zip(-row.last_ts, row.items, strict=True))[:limit]
        assert row.latest(limit).items.tolist() == sorted(int(item) for _, item in best)


@given(events, st.randoms(use_true_random=False))
def test_decayed_counts_do_not_depend_on_order(happened, random):
    def count(some):
        return decayed_counts(
            np.array([item for _, item, _ in some], dtype=np.int32),
            np.array([ts for _, _, ts in some], dtype=np.int64),
            n_items=N_ITEMS,
            half_life_days=HALF_LIFE,
            origin_us=ORIGIN_US,
        )

    shuffled = list(happened)
    random.shuffle(shuffled)
    np.testing.assert_allclose(count(shuffled), count(happened), rtol=1e-12)


@given(events, st.integers(500, 600))
def test_one_event_is_one_addition(happened, day):
    live = np.zeros(N_ITEMS)
    for _, item, ts in happened:
        live[item] += decay_weights(np.array([ts]), half_life_days=HALF_LIFE, origin_us=ORIGIN_US)[
            0
        ]
    told = interactions(happened)
    batch = decayed_counts(
        told.item_idx, told.ts, n_items=N_ITEMS, half_life_days=HALF_LIFE, origin_us=ORIGIN_US
    )
    np.testing.assert_allclose(live, batch, rtol=1e-12)
    # And as seen from one moment: each event weighs half a half-life later.
    now = day * DAY_US
    seen = as_of(batch, now_us=now, origin_us=ORIGIN_US, half_life_days=HALF_LIFE)
    expected = np.zeros(N_ITEMS)
    for _, item, ts in happened:
        expected[item] += 0.5 ** ((now - ts) / DAY_US / HALF_LIFE)
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-300)


@given(events)
def test_first_seen_is_the_first_ts_of_the_histories(happened):
    told = interactions(happened)
    history: History = build_history(told, N_USERS)
    seen = first_seen(told.item_idx, told.ts, N_ITEMS)
    for item in range(N_ITEMS):
        times = history.first_ts[history.items == item]
        assert seen[item] == (times.min() if len(times) else -1)
