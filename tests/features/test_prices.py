import numpy as np
import pytest

from endcap.features.prices import median_of_latest, price_bands, price_edges

NAN = float("nan")


def prices(*values):
    return np.array(values, dtype=np.float32)


def groups(*values):
    return np.array(values, dtype=np.int32)


def test_the_median_of_the_latest_is_a_price_that_was_paid():
    group = groups(0, 0, 1, 0, 0, 2, 0)
    paid = prices(9, 1, 4, 3, 2, NAN, 0)
    # Of group 0 the latest three with a price are 1, 3, 2; a free one tells nothing.
    assert median_of_latest(group, paid, 4, n_latest=3).tolist()[:2] == [2, 4]
    assert np.isnan(median_of_latest(group, paid, 4, n_latest=3)[2:]).all()
    assert median_of_latest(group, paid, 4, n_latest=2)[0] == 2  # the lower of 3 and 2


def test_edges_part_the_prices_evenly():
    paid = prices(*range(1, 11), NAN)
    edges = price_edges(paid, np.zeros(11, dtype=np.int32), 1, n_bands=5)
    assert edges.tolist() == [[2, 4, 6, 8]]
    bands = price_bands(paid, edges, np.zeros(11, dtype=np.int32))
    assert bands.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, -1]
    assert bands.dtype == np.int8


@pytest.mark.parametrize("n_bands", [2, 3, 5, 10])
@pytest.mark.parametrize("n_prices", [1, 2, 7, 97])
def test_no_band_is_larger_than_its_part_of_distinct_prices(n_bands, n_prices):
    paid = np.random.default_rng(n_prices).permutation(n_prices).astype(np.float32) + 1
    group = np.zeros(n_prices, dtype=np.int32)
    edges = price_edges(paid, group, 1, n_bands=n_bands)
    sizes = np.bincount(price_bands(paid, edges, group), minlength=n_bands)
    assert sizes.sum() == n_prices
    assert sizes.max() <= -(-n_prices // n_bands)


def test_each_group_has_its_own_edges_and_an_empty_one_none():
    paid = prices(1, 100, 3, 300, NAN)
    group = groups(0, 1, 0, 1, 2)
    edges = price_edges(paid, group, 3, n_bands=2)
    assert edges[:2].tolist() == [[1], [100]]
    assert np.isnan(edges[2]).all()
    assert price_bands(paid, edges, group).tolist() == [0, 0, 1, 1, -1]
    # A price that is known, in a group where none was: nothing to compare it with.
    assert price_bands(prices(5), edges, groups(2)).tolist() == [-1]


def test_equal_prices_share_a_band():
    paid = prices(2, 2, 2, 2, 9)
    group = np.zeros(5, dtype=np.int32)
    bands = price_bands(paid, price_edges(paid, group, 1, n_bands=3), group)
    assert len(set(bands[:4].tolist())) == 1
    assert bands[4] > bands[0]
