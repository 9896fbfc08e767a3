import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.figures.wording import counted, date, duration, listed, minute, number, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.5, "50%"),
        (0.124, "12%"),
        (0.032, "3.2%"),
        (0.03, "3%"),
        (0.0004, "0.04%"),
        (1e-7, "under 0.001%"),
        (0.9951, "99.5%"),
        (0.99999, "over 99.9%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share, text):
    assert percent(share) == text


@given(st.floats(0, 1))
def test_only_none_is_0_percent_and_only_all_is_100_percent(share):
    assert (percent(share) == "0%") == (share == 0)
    assert (percent(share) == "100%") == (share == 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "under 1 s"),
        (45, "45 s"),
        (720, "12 min"),
        (11_520, "3.2 h"),
        (86_400, "1 day"),
        (864_000, "10 days"),
    ],
)
def test_durations_come_in_their_largest_unit(seconds, text):
    assert duration(seconds) == text


def test_numbers_counts_lists_and_dates_read_well():
    assert [number(x) for x in (3.0, 1.07, 5.70, 81.94, 1234.5)] == [
        "3",
        "1.07",
        "5.7",
        "81.9",
        "1,234",
    ]
    assert counted(1, "day", "days") == "1 day"
    assert counted(1200, "day", "days") == "1,200 days"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert date(0) == "1 Jan 1970"
    assert minute(3_600_000_000) == "1970-01-01 01:00 UTC"
