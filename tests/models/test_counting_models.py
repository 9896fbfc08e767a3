"""Popular, trending and repeat: what their settings mean."""

import numpy as np
import pytest

from endcap.models.popular import Popular, PopularConfig
from endcap.models.repeat import Repeat, RepeatConfig
from endcap.models.trending import Trending, TrendingConfig
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import dataset

NOBODY = np.array([-1], dtype=np.int32)
RNG = np.random.default_rng(0)


def shop(events, n_users=3, n_items=5):
    users, items, days = np.array(events).T
    return dataset(
        users.astype(np.int32),
        items.astype(np.int32),
        days * DAY_US,
        n_users=n_users,
        n_items=n_items,
    )


# Item 0 sold three times long ago, item 1 twice just now, item 2 once just now.
SOLD = [(0, 0, 0), (0, 0, 1), (1, 0, 2), (0, 1, 60), (1, 1, 60), (2, 2, 60)]


@pytest.mark.parametrize(
    ("model", "settings"), [(Popular, PopularConfig), (Trending, TrendingConfig)]
)
def test_a_short_memory_forgets_and_a_long_one_does_not(model, settings):
    short = model(settings(half_life_days=5.0)).fit(shop(SOLD), rng=RNG)
    long = model(settings(half_life_days=500.0)).fit(shop(SOLD), rng=RNG)
    assert short.recommend(NOBODY, 3).items.tolist() == [[1, 2, 0]]
    assert long.recommend(NOBODY, 3).items.tolist() == [[0, 1, 2]]


def test_trending_forgets_sooner_than_popular():
    assert TrendingConfig().half_life_days < PopularConfig().half_life_days


def test_counts_are_events_as_seen_from_the_end_of_the_data():
    model = Popular(PopularConfig(half_life_days=60.0)).fit(shop(SOLD), rng=RNG)
    assert model.origin_us_ == 60 * DAY_US + 1
    scores = model.recommend(NOBODY, 3).scores[0]
    np.testing.assert_allclose(scores[0], 2.0, rtol=1e-5)  # item 1, twice, now
    np.testing.assert_allclose(scores[1], 1 / 2 + 2 ** (-59 / 60) + 2 ** (-58 / 60), rtol=1e-5)


def test_repeat_ranks_own_items_first_and_then_what_sells():
    # User 0 had item 0 twice long ago, item 3 once lately; the shop sells item 4 most.
    events = [(0, 0, 0), (0, 0, 1), (0, 3, 59), *[(1, 4, 60)] * 3, (2, 2, 60), (1, 1, 2)]
    users = np.array([0], dtype=np.int32)
    lately = Repeat(RepeatConfig(half_life_days=10.0)).fit(shop(events), rng=RNG)
    often = Repeat(RepeatConfig(half_life_days=1000.0)).fit(shop(events), rng=RNG)
    ranked = lately.recommend(users, 5, exclude_seen=False)
    assert ranked.items.tolist() == [[3, 0, 4, 2, 1]]
    assert np.all(ranked.scores[0, :2] > 0)
    assert np.all(ranked.scores[0, 2:] < 0)
    assert often.recommend(users, 5, exclude_seen=False).items.tolist() == [[0, 3, 4, 2, 1]]


def test_repeat_without_frequency_asks_only_when():
    events = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 3, 3)]
    users = np.array([0], dtype=np.int32)
    model = Repeat(RepeatConfig(half_life_days=50.0, frequency_power=0.0)).fit(
        shop(events), rng=RNG
    )
    assert model.recommend(users, 2, exclude_seen=False).items.tolist() == [[3, 0]]
