from dataclasses import replace

import numpy as np
import pytest

from endcap.models.popular import Popular
from endcap.models.segments import Segments, SegmentsConfig
from endcap.schema.errors import NotFittedError
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import dataset

DAIRY, BREAD = 0, 1
NORTH, SOUTH, EMPTY = 0, 1, 2
REGIONS = np.array([NORTH, NORTH, SOUTH, SOUTH, -1], dtype=np.int32)
# Items 0 to 2 are dairy, 3 and 4 bread, of 5 nothing is known.
CATEGORY = np.array([DAIRY, DAIRY, DAIRY, BREAD, BREAD, -1], dtype=np.int32)


def shop(events):
    """Return sales as (user, item, day), with the categories above."""
    users, items, days = np.array(events, dtype=np.int64).reshape(-1, 3).T
    data = dataset(
        users.astype(np.int32), items.astype(np.int32), days * DAY_US, n_users=5, n_items=6
    )
    return replace(data, items=replace(data.items, category=CATEGORY))


# The north takes items 1 and 3, the south 0 and 4; the user of no region item 5.
SOLD = [
    *[(0, 1, 9)] * 3,
    *[(1, 3, 9)] * 2,
    *[(2, 0, 9)] * 5,
    *[(3, 4, 9)] * 3,
    *[(4, 5, 9)] * 4,
]


def fitted(events=SOLD, *, prior=1.0, half_life_days=28.0, regions=REGIONS):
    config = SegmentsConfig(prior=prior, half_life_days=half_life_days)
    return Segments(config).fit(shop(events), regions=regions)


def listed(segments, k=6, **asked):
    items = segments.best_of(k, **asked).items[0]
    return items[items >= 0].tolist()


def test_each_shelf_and_region_has_its_own_list():
    segments = fitted()
    assert listed(segments) == [0, 5, 1, 4, 3, 2]
    assert listed(segments, category=DAIRY) == [0, 1, 2]
    assert listed(segments, region=NORTH)[:2] == [1, 3]
    assert listed(segments, region=SOUTH)[:2] == [0, 4]
    assert listed(segments, category=BREAD, region=NORTH) == [3, 4]
    assert listed(segments, category=BREAD, region=SOUTH) == [4, 3]
    assert listed(segments, category=DAIRY, allowed=np.array([1, 5], dtype=np.int32)) == [1]
    assert listed(segments, category=7) == []


def test_the_whole_shop_is_that_of_popular():
    ranked = Popular().fit(shop(SOLD), rng=np.random.default_rng(0))
    stranger = np.array([-1], dtype=np.int32)
    assert listed(fitted()) == ranked.recommend(stranger, 6).items[0].tolist()


@pytest.mark.parametrize("region", [EMPTY, 40, -1, None])
def test_where_nothing_is_known_the_shop_speaks(region):
    segments = fitted(regions=np.where(REGIONS == NORTH, 3, REGIONS).astype(np.int32))
    assert listed(segments, region=region) == listed(segments)


def test_little_data_leans_on_the_shop_and_much_data_does_not():
    one_sale = [*SOLD, (1, 2, 9)]
    assert listed(fitted(one_sale, prior=1e6), region=NORTH)[0] == 0
    assert listed(fitted(one_sale, prior=1e-6), region=NORTH)[:3] == [1, 3, 2]


def test_shares_by_hand():
    segments = fitted(prior=2.0)
    # All sales are of the last day, so that each counts one but for a microsecond.
    shop_shares = np.array([5, 3, 0, 2, 3, 4]) / 17
    np.testing.assert_allclose(segments.shares(), shop_shares, rtol=1e-6)
    local = (np.array([0, 3, 0, 2, 0, 0]) + 2 * shop_shares) / 7
    np.testing.assert_allclose(segments.shares(NORTH), local, rtol=1e-6)
    assert segments.shares(NORTH).sum() == pytest.approx(1)


def test_a_short_memory_makes_it_a_trend():
    events = [*[(0, 0, 0)] * 5, *[(0, 1, 9)] * 2]
    assert listed(fitted(events, half_life_days=2.0), k=1, region=NORTH) == [1]
    assert listed(fitted(events, half_life_days=200.0), k=1, region=NORTH) == [0]


def test_what_a_list_rests_on():
    segments = fitted()
    assert segments.n_effective() == pytest.approx(17)
    assert segments.n_effective(category=DAIRY) == pytest.approx(8)
    assert segments.n_effective(category=DAIRY, region=SOUTH) == pytest.approx(5)
    assert segments.n_effective(category=BREAD, region=40) == pytest.approx(5)


def test_without_regions_there_are_shelves_alone():
    segments = fitted(regions=None)
    assert segments.counts_.shape == (1, 6)
    assert listed(segments, category=BREAD, region=NORTH) == [4, 3]


def test_nothing_sold_is_no_error():
    segments = fitted([])
    assert segments.shares(NORTH).tolist() == [0.0] * 6
    assert listed(segments, category=DAIRY) == [0, 1, 2]


def test_regions_are_those_of_all_users():
    with pytest.raises(ValueError, match="5 users, but regions of 3"):
        fitted(regions=REGIONS[:3])


def test_an_update_knows_what_is_new_and_leaves_the_old_one_alone():
    segments = fitted()
    later = segments.update(shop([*SOLD, *[(0, 2, 10)] * 9]), regions=REGIONS)
    assert listed(later, k=1, region=NORTH) == [2]
    assert listed(segments, k=1, region=NORTH) == [1]
    np.testing.assert_array_equal(later.counts_, fitted([*SOLD, *[(0, 2, 10)] * 9]).counts_)


def test_it_is_kept(tmp_path):
    segments = fitted()
    segments.save(tmp_path)
    loaded = Segments.load(tmp_path)
    assert loaded.config == segments.config
    for asked in ({}, {"region": NORTH}, {"category": BREAD, "region": SOUTH}):
        np.testing.assert_array_equal(
            loaded.best_of(6, **asked).scores, segments.best_of(6, **asked).scores
        )


def test_asking_before_fitting_is_an_error():
    with pytest.raises(NotFittedError):
        Segments().best_of(3)
