from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.ingest.checks.onset import BUCKETS_US, bucket_us, find_onset
from endcap.ingest.wording import HOUR_US, date, duration, number, per_cent, short
from endcap.schema.types import DAY_US


def test_what_lasts_is_found_with_its_rates() -> None:
    onset = find_onset([1, 0, 2, 1, 50, 60, 55], [100] * 7)
    assert onset is not None
    assert (onset.start, onset.stop, onset.lasts) == (4, 7, True)
    assert (onset.rate_inside, onset.rate_outside) == (0.55, 0.01)


def test_what_is_over_is_found_with_its_end() -> None:
    onset = find_onset([1, 0, 50, 60, 1, 0, 2, 1], [100] * 8)
    assert onset is not None
    assert (onset.start, onset.stop, onset.lasts) == (2, 4, False)


def test_too_few_are_found_too() -> None:
    onset = find_onset([50, 55, 52, 0, 1, 0], [100] * 6, low=True)
    assert onset is not None
    assert (onset.start, onset.stop, onset.lasts) == (3, 6, True)
    assert find_onset([50, 55, 52, 0, 1, 0], [100] * 6) is not None  # the others are too many


def test_an_end_that_explains_as_much_is_preferred() -> None:
    # The last bucket is ordinary, but so small that it says nothing.
    onset = find_onset([0, 0, 0, 40, 40, 0], [100, 100, 100, 100, 100, 2])
    assert onset is not None
    assert (onset.start, onset.stop, onset.lasts) == (3, 6, True)


@pytest.mark.parametrize(
    ("events", "exposure"),
    [
        ([5, 5, 5, 5], [100, 100, 100, 100]),
        ([1, 2, 0, 1], [10, 20, 5, 8]),
        ([0, 0, 0], [5, 5, 5]),
        ([400_000, 400_000, 410_000, 410_000], [10**6] * 4),
        ([3], [5]),
        ([], []),
        ([0, 0], [0, 0]),
    ],
)
def test_what_does_not_stand_out_is_not_told(events: list[int], exposure: list[int]) -> None:
    assert find_onset(events, exposure) is None


def test_buckets_without_rows_are_no_reason() -> None:
    onset = find_onset([0, 0, 0, 30, 30], [100, 0, 100, 30, 30])
    assert onset is not None
    assert (onset.start, onset.stop) == (3, 5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), start=st.integers(5, 25), length=st.integers(2, 5))
def test_a_planted_stretch_is_found(seed: int, start: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    events = rng.poisson(5, 30)
    events[start : start + length] += 100
    onset = find_onset(events.tolist(), [1000] * 30)
    assert onset is not None
    assert onset.start == start
    assert onset.stop in (min(start + length, 30), 30)


def test_noise_seldom_stands_out() -> None:
    rng = np.random.default_rng(3)
    found = [find_onset(rng.poisson(20, 60).tolist(), [100.0] * 60) for _ in range(300)]
    assert sum(one is not None for one in found) < 60


@pytest.mark.parametrize(
    ("span_us", "expected"),
    [
        (0, HOUR_US),
        (16 * DAY_US, HOUR_US),
        (30 * DAY_US, 6 * HOUR_US),
        (399 * DAY_US, DAY_US),
        (400 * DAY_US, 7 * DAY_US),
        (10_000_000 * DAY_US, BUCKETS_US[-1]),
    ],
)
def test_buckets_are_as_fine_as_their_number_allows(span_us: int, expected: int) -> None:
    assert bucket_us(span_us) == expected


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100.0 %"),
        (0.1234, "12.3 %"),
        (0.0123, "1.2 %"),
        (0.00123, "0.12 %"),
        (0.0000123, "0.0012 %"),
        (0.000001, "less than 0.001 %"),
    ],
)
def test_shares_keep_their_meaning_however_small(share: float, text: str) -> None:
    assert per_cent(share) == text


def test_times_and_numbers_are_written_for_people() -> None:
    assert date(1_700_006_400_000_000) == "15 Nov 2023"
    assert date(1_700_006_400_000_000 + 90 * 60_000_000) == "15 Nov 2023 01:30"
    assert [duration(n * HOUR_US) for n in (0.5, 2, 47, 48)] == [
        "30 minutes", "2.0 hours", "47.0 hours", "2.0 days",
    ]  # fmt: skip
    assert [number(n) for n in (3.0, 1204, 12345.678, 0.12345, -2.5)] == [
        "3", "1,204", "12,346", "0.1235", "-2.5",
    ]  # fmt: skip
    assert short(" a\n b ", limit=9) == "a b"
    assert short("abcdef", limit=4) == "abc…"
