from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from endcap.ingest.psi import Reading, chance_level, contributions, psi, reading

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=12).filter(any)


def test_two_bins_by_hand() -> None:
    # (n + 0.5) / (99 + 1): before 0.495, 0.505; after 0.895, 0.105
    # 0.4 ln(0.895 / 0.495) = 0.236906, 0.4 ln(0.505 / 0.105) = 0.628239
    assert contributions([49, 50], [89, 10]).tolist() == pytest.approx(
        [0.236906, 0.628239], abs=1e-6
    )
    assert psi([49, 50], [89, 10]) == pytest.approx(0.865146, abs=1e-6)


def test_an_empty_bin_by_hand() -> None:
    # (n + 0.5) / (1 + 1): before 0.75, 0.25; after the other way round; 0.5 ln 3 each
    assert contributions([1, 0], [0, 1]).tolist() == pytest.approx([0.549306, 0.549306], abs=1e-6)
    assert psi([1, 0], [0, 1]) == pytest.approx(math.log(3))


def test_large_counts_give_the_textbook_value() -> None:
    # shares 0.5, 0.3, 0.2 -> 0.4, 0.3, 0.3: 0.1 ln(5/4) + 0.1 ln(3/2) = 0.1 ln 1.875 = 0.062861
    n = 10_000_000
    before, after = [5 * n, 3 * n, 2 * n], [4 * n, 3 * n, 3 * n]
    assert psi(before, after) == pytest.approx(0.062861, abs=1e-6)


@given(counts=COUNTS, factor=st.integers(1, 5))
def test_the_same_counts_have_not_moved(counts: list[int], factor: int) -> None:
    assert psi(counts, counts) == 0
    assert psi(counts, [factor * n for n in counts]) >= 0


@given(data=st.data(), before=COUNTS)
def test_it_is_symmetric_finite_and_never_negative(data: st.DataObject, before: list[int]) -> None:
    counts = st.lists(st.integers(0, 10_000), min_size=len(before), max_size=len(before))
    after = data.draw(counts.filter(any))
    parts = contributions(before, after)
    assert np.all(parts >= 0)
    assert np.isfinite(psi(before, after))
    assert psi(before, after) == pytest.approx(psi(after, before))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, Reading.STABLE),
        (0.0999, Reading.STABLE),
        (0.1, Reading.MOVED),
        (0.25, Reading.MOVED),
        (0.2501, Reading.SHIFTED),
    ],
)
def test_the_customary_reading(value: float, expected: Reading) -> None:
    assert reading(value) is expected


def test_what_chance_brings_about_is_stable() -> None:
    assert reading(0.4, chance=0.5) is Reading.STABLE
    assert reading(0.4, chance=0.39) is Reading.SHIFTED


@pytest.mark.parametrize("n_bins", [2, 3, 10, 50])
def test_the_level_of_chance_is_near_that_of_chi_square(n_bins: int) -> None:
    exact = chi2.ppf(0.95, n_bins - 1) * (1 / 300 + 1 / 5000)
    assert chance_level(n_bins, 300, 5000) == pytest.approx(exact, rel=0.03)


def test_one_bin_cannot_move() -> None:
    assert chance_level(1, 10, 10) == 0


def test_samples_of_one_distribution_stay_under_that_level_19_times_in_20() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    level = chance_level(4, 2000, 500)
    pairs = zip(
        rng.multinomial(2000, shares, 2000), rng.multinomial(500, shares, 2000), strict=True
    )
    share_under = np.mean([psi(a.tolist(), b.tolist()) <= level for a, b in pairs])
    assert 0.93 < share_under < 0.97


@pytest.mark.parametrize(
    ("before", "after"), [([1, 2], [1]), ([0, 0], [1, 1]), ([1, -1], [1, 1]), ([], [])]
)
def test_counts_that_make_no_shares_are_refused(before: list[int], after: list[int]) -> None:
    with pytest.raises(ValueError, match=r"bins|counts"):
        psi(before, after)
