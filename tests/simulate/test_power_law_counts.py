import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.simulate.counts import power_law_counts


def counts_of(n, total, *, minimum=0, exponent=1.3, longest=500.0, seed=0):
    rng = np.random.default_rng(seed)
    return power_law_counts(n, total, minimum=minimum, exponent=exponent, longest=longest, rng=rng)


@given(
    n=st.integers(1, 300),
    minimum=st.integers(0, 7),
    extra=st.integers(0, 5000),
    exponent=st.floats(0.5, 3.0),
    seed=st.integers(0, 1000),
)
def test_counts_add_up_and_keep_their_minimum(n, minimum, extra, exponent, seed):
    total = n * minimum + extra
    counts = counts_of(n, total, minimum=minimum, exponent=exponent, seed=seed)
    assert counts.sum() == total
    assert counts.min() >= minimum
    assert len(counts) == n


@pytest.mark.parametrize("exponent", [0.8, 1.3, 2.0])
def test_the_tail_falls_with_the_exponent(exponent):
    """In the middle of the tail, where neither the shift nor the cut shows."""
    counts = counts_of(400_000, 400_000 * 50, exponent=exponent, longest=1e6)
    low, high = np.quantile(counts, [0.99, 0.999])
    share_above = (counts > high).mean() / (counts > low).mean()
    assert np.log(share_above) / np.log(high / low) == pytest.approx(-exponent, rel=0.15)


def test_the_largest_count_is_cut_off():
    wide, narrow = (counts_of(100_000, 10**6, longest=longest) for longest in (1e5, 50.0))
    assert narrow.max() < 300 < wide.max()


def test_the_minimum_is_the_commonest_count():
    counts = counts_of(10_000, 88_000, minimum=5)
    assert np.bincount(counts).argmax() == 5
