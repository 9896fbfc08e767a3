from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.ingest.values import number, presence, time_us

ONE_SECOND_US = 1_000_000
db = duckdb.connect()


def value(expression: str, text: str | None) -> object:
    return db.execute(f"SELECT {expression} FROM (SELECT ?::VARCHAR AS t)", [text]).fetchall()[0][0]


@pytest.mark.parametrize("text", ["", " ", "NaN", "null", "NONE", "\\N", " <NA>\t", "\r\n", None])
def test_what_other_tools_write_for_nothing_is_nothing(text: str | None) -> None:
    assert value(presence("t"), text) is None


def test_white_space_around_a_value_goes() -> None:
    assert value(presence("t"), " \ta b\r\n") == "a b"
    assert value(presence("t"), "none of these") == "none of these"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5.0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1e3", 1000.0),
        ("1.5E-2", 0.015),
        # What only one of the engines would take for a number.
        ("1_000", None),
        ("1d", None),
        ("0x10", None),
        ("inf", None),
        ("1e999", None),
        ("1,000", None),
        ("five", None),
        ("", None),
    ],
)
def test_only_plain_numbers_are_numbers(text: str, expected: float | None) -> None:
    assert value(number("t"), text) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_exactly(chosen: float) -> None:
    assert value(number("t"), repr(chosen)) == chosen


@given(
    st.integers(631_152_000, 4_000_000_000), st.integers(0, 999_999), st.sampled_from([" ", "T"])
)
def test_a_time_is_read_to_the_microsecond(second: int, micro: int, mark: str) -> None:
    moment = datetime.fromtimestamp(second, tz=UTC).replace(microsecond=micro, tzinfo=None)
    found = value(time_us("t", zone="UTC"), moment.isoformat(sep=mark))
    assert found == second * ONE_SECOND_US + micro


@pytest.mark.parametrize(
    ("text", "zone", "order", "expected_s"),
    [
        ("2017-07-14T02:40:00+0530", "UTC", "ymd", 1_500_000_000 - 19_800),
        ("2017-07-14 02:40:00-08", "UTC", "ymd", 1_500_000_000 + 28_800),
        ("2017-07-14 02:40 Z", "Europe/London", "ymd", 1_500_000_000),
        ("2017-07-14 02:40", "Europe/London", "ymd", 1_500_000_000 - 3600),
        ("2017-01-14 02:40:00 UTC", "Asia/Tokyo", "ymd", 1_484_361_600),
        ("2017-01-14 02:40:00", "Asia/Tokyo", "ymd", 1_484_361_600 - 32_400),
        ("7/14/2017 2:40", "UTC", "mdy", 1_500_000_000),
        ("14.7.2017 02:40:00", "UTC", "dmy", 1_500_000_000),
        ("2017-07-14 02:40:00.1234567", "UTC", "ymd", 1_500_000_000.123456),
    ],
)
def test_times_as_people_write_them(text: str, zone: str, order: str, expected_s: float) -> None:
    assert value(time_us("t", zone=zone, order=order), text) == round(expected_s * ONE_SECOND_US)


@pytest.mark.parametrize(
    "text", ["2017", "2017-02-30", "2017-13-01", "yesterday", "14:00", "2017-07-14 25:00", "1e5"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert value(time_us("t", zone="UTC"), text) is None
