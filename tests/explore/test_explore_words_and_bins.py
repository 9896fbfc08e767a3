import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.explore.binning import bucket_counts, log_histogram, log_spaced
from endcap.explore.wording import noun_of
from endcap.schema.columns import Kind


def test_one_kind_gives_its_name_and_several_give_none():
    assert noun_of({Kind.PURCHASE: 3}) == "purchases"
    assert noun_of({Kind.PURCHASE: 3, Kind.VIEW: 1}) == "interactions"


def test_buckets_by_hand():
    found = bucket_counts(np.array([1, 1, 2, 3, 4, 12]), (1, 2, 3, 5, 10, 20))
    assert found.labels == ("1", "2", "3-4", "5-9", "10-19")
    assert found.counts.tolist() == [2, 1, 2, 0, 1]
    assert found.totals.tolist() == [2, 2, 7, 0, 12]
    assert found.shares.tolist() == pytest.approx([2 / 6, 1 / 6, 2 / 6, 0, 1 / 6])
    assert found.total_shares.sum() == pytest.approx(1)


def test_the_last_bucket_is_open_only_when_something_lies_above_its_start():
    assert bucket_counts(np.array([1, 2]), (1, 2)).labels == ("1", "2")
    assert bucket_counts(np.array([1, 7]), (1, 2)).labels == ("1", "2+")


def test_log_bins_begin_at_powers_of_ten():
    found = log_histogram(np.array([1, 9.99, 10, 999.9, 1000, 0, -5]), bins_per_decade=1)
    assert found.edges.tolist() == pytest.approx([1, 10, 100, 1000, 10_000])
    assert found.counts.tolist() == [2, 1, 1, 1]


def test_log_bins_of_nothing_are_one_empty_bin():
    assert log_histogram(np.array([0.0])).counts.tolist() == [0]


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60))
def test_no_value_is_lost_in_bins(values):
    values = np.array(values)
    buckets = bucket_counts(values)
    assert buckets.counts.sum() == len(values)
    assert buckets.totals.sum() == values.sum()
    bins = log_histogram(values)
    assert bins.counts.sum() == len(values)
    assert bins.edges[0] <= values.min() * (1 + 1e-6)
    assert values.max() <= bins.edges[-1]


@pytest.mark.parametrize("highest", [1, 2, 9, 10, 11, 100_000])
def test_log_spaced_numbers_go_from_one_to_the_highest(highest):
    found = log_spaced(highest)
    assert (found[0], found[-1]) == (1, highest)
    assert np.all(np.diff(found) > 0)
    assert len(found) <= 12 * 5 + 2
