import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.history import build_history, tower_weights
from endcap.models.histories import has_baskets
from endcap.models.learning.baskets import WINDOW, build_baskets
from endcap.models.two_tower.network import places_of
from endcap.testing.toy_data import dataset

N_USERS, N_ITEMS = 3, 5
DAY_US = 86_400_000_000

events = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 9)),
    max_size=30,
)


def shop(happened):
    columns = np.array(happened, dtype=np.int64).reshape(-1, 3)
    users, items = columns[:, 0].astype(np.int32), columns[:, 1].astype(np.int32)
    return dataset(users, items, columns[:, 2] * DAY_US, n_users=N_USERS, n_items=N_ITEMS)


def everything(baskets):
    return np.arange(len(baskets))


@given(events, st.integers(1, 6))
def test_seeds_are_the_history_strictly_before_the_basket(happened, limit):
    data = shop(happened)
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    # A window wide enough that no event is out of sight: then the rule is exact.
    wide = max(limit, len(happened))
    seeds = baskets.seeds(everything(baskets), max_history=wide, half_life_days=3.0)
    ends = np.append(seeds.offsets, len(seeds.items))
    users = data.interactions.user_idx
    rows = 0
    for user in range(N_USERS):
        for moment in sorted(set(data.interactions.ts[users == user].tolist()))[1:]:
            before = data.between(None, moment).interactions
            row = build_history(before, N_USERS).row(user).latest(wide)
            weights = tower_weights(row, moment, 3.0)
            found = slice(ends[rows], ends[rows + 1])
            order = np.argsort(seeds.items[found])
            np.testing.assert_array_equal(seeds.items[found][order], row.items)
            np.testing.assert_allclose(
                seeds.weights[found][order], weights / weights.sum(), rtol=1e-5
            )
            rows += 1
    assert rows == len(baskets)


@given(events, st.integers(1, 3))
def test_a_short_history_is_the_latest_items_within_the_window(happened, limit):
    data = shop(happened)
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    seeds = baskets.seeds(everything(baskets), max_history=limit, half_life_days=3.0)
    ends = np.append(seeds.offsets, len(seeds.items))
    for place, start in enumerate(baskets.start.tolist()):
        first = max(int(baskets.user_start[place]), start - WINDOW * limit)
        newest_first = baskets.item_idx[first:start][::-1].tolist()
        expected = list(dict.fromkeys(newest_first))[:limit]
        assert seeds.items[ends[place] : ends[place + 1]].tolist()[::-1] == expected


def test_of_equally_late_items_the_smaller_is_kept():
    data = shop([(0, 3, 1), (0, 1, 1), (0, 2, 1), (0, 0, 5)])
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    seeds = baskets.seeds(everything(baskets), max_history=2, half_life_days=3.0)
    row = build_history(data.between(None, 5 * DAY_US).interactions, 1).row(0)
    assert sorted(seeds.items.tolist()) == row.latest(2).items.tolist() == [1, 2]


def test_the_first_basket_of_a_user_is_no_example():
    data = shop([(0, 1, 2), (0, 2, 2), (1, 3, 1), (1, 4, 5)])
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    rows, items = baskets.contents(everything(baskets))
    assert (rows.tolist(), items.tolist()) == ([0], [4])


def test_contents_are_whole_baskets():
    data = shop([(0, 1, 1), (0, 2, 3), (0, 3, 3), (0, 4, 4), (2, 0, 0), (2, 1, 9)])
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    rows, items = baskets.contents(np.array([2, 0, 0]))
    assert sorted(zip(rows.tolist(), items.tolist(), strict=True)) == [
        *[(0, 1), (1, 2), (1, 3), (2, 2), (2, 3)]
    ]


def test_targets_are_drawn_by_weight():
    # The second basket holds item 1, had before, and item 2, new.
    data = shop([(0, 1, 1), (0, 1, 3), (0, 2, 3)])
    chosen = np.zeros(200, dtype=np.int64)
    rng = np.random.default_rng(0)
    drawn = build_baskets(data.interactions, repeat_weight=0.25).targets(chosen, 50, rng=rng)
    assert drawn.shape == (200, 50)
    np.testing.assert_allclose(np.mean(drawn == 1), 0.25 / 1.25, atol=0.02)
    new_only = build_baskets(data.interactions, repeat_weight=0.0)
    assert set(new_only.targets(chosen, 50, rng=rng).ravel().tolist()) == {2}
    np.testing.assert_array_equal(new_only.target_weight(N_ITEMS), [0, 1, 1, 0, 0])


def test_without_weight_a_basket_is_no_example():
    data = shop([(0, 1, 1), (0, 1, 3), (1, 0, 0), (1, 2, 1)])
    assert len(build_baskets(data.interactions, repeat_weight=0.1)) == 2
    assert len(build_baskets(data.interactions, repeat_weight=0.0)) == 1


def test_no_interactions_no_baskets():
    baskets = build_baskets(shop([]).interactions, repeat_weight=1.0)
    assert len(baskets) == 0
    assert baskets.target_weight(N_ITEMS).tolist() == [0.0] * N_ITEMS


@given(events, st.integers(1, 6))
def test_places_are_those_that_are_served(happened, limit):
    baskets = build_baskets(shop(happened).interactions, repeat_weight=1.0)
    seeds = baskets.seeds(everything(baskets), max_history=limit, half_life_days=3.0)
    ends = np.append(seeds.offsets, len(seeds.items))
    found, columns = seeds.places(), seeds.columns()
    for row in range(len(baskets)):
        part = slice(ends[row], ends[row + 1])
        served = places_of(torch.from_numpy(seeds.weights[part])[None])[0].numpy()
        np.testing.assert_array_equal(found[part], served)
        assert columns[part].tolist() == list(range(part.stop - part.start))


def test_one_by_one_each_event_is_foreseen_from_those_before_it():
    data = shop([(0, 3, 1), (0, 1, 1), (0, 2, 1), (1, 0, 5)])
    baskets = build_baskets(data.interactions, repeat_weight=1.0, one_by_one=True)
    assert baskets.is_one_by_one
    seeds = baskets.seeds(everything(baskets), max_history=9, half_life_days=3.0)
    rows, targets = baskets.contents(everything(baskets))
    assert (rows.tolist(), targets.tolist()) == ([0, 1], [1, 2]), "in the order of the data"
    assert (seeds.rows.tolist(), seeds.items.tolist()) == ([0, 1, 1], [3, 3, 1])
    assert baskets.lengths().tolist() == [1, 2]
    assert baskets.masses().tolist() == [1.0, 1.0]
    assert baskets.last_of_each_user().tolist() == [1]


def test_baskets_are_two_events_a_moment_or_more():
    assert has_baskets(shop([(0, 1, 1), (0, 2, 1), (1, 2, 1), (1, 3, 1)]).interactions)
    assert not has_baskets(shop([(0, 1, 1), (0, 2, 1), (1, 2, 1)]).interactions)
    assert not has_baskets(shop([]).interactions)
