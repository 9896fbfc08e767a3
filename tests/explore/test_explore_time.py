import numpy as np
import pytest

from endcap.explore.coverage import Gap, say_coverage, time_coverage
from endcap.explore.rhythm import rhythm, say_rhythm
from endcap.explore.sessions import (
    say_durations,
    say_sessions,
    say_silences,
    session_summary,
)
from endcap.explore.timeline import say_timeline, timeline
from endcap.features.sessions import session_starts


def test_days_with_and_without_data(make, time_us):
    # 1, 2, 5 and 9 January 2024: two gaps, of 2 and of 3 days.
    data = make([(0, 0, f"2024-01-0{day}T12:00") for day in (1, 2, 2, 5, 9)])
    found = time_coverage(data)
    assert found.per_day.tolist() == [1, 2, 0, 0, 1, 0, 0, 0, 1]
    assert (found.n_days, found.n_empty_days) == (9, 5)
    assert found.covered_share == pytest.approx(4 / 9)
    assert found.longest == (Gap(time_us("2024-01-06"), 3), Gap(time_us("2024-01-03"), 2))
    assert say_coverage(found) == (
        "44% of the 9 days have data, 5 days have none. The longest silence lasts 3 days from "
        "6 Jan 2024."
    )


def test_a_shop_that_is_closed_on_sundays_is_noticed(make):
    days = [f"2024-01-{day:02d}" for day in range(1, 31) if day not in (7, 14, 21, 28)]
    found = time_coverage(make([(0, 0, day) for day in days]))
    assert "4 days have none (4 of them a Sunday)." in say_coverage(found)


def test_one_missing_day_is_named_and_full_time_is_said_to_be_full(make):
    one = time_coverage(make([(0, 0, "2024-01-01"), (0, 0, "2024-01-03")]))
    assert say_coverage(one) == "67% of the 3 days have data, 1 day has none, 2 Jan 2024."
    full = time_coverage(make([(0, 0, "2024-01-01"), (0, 0, "2024-01-02")]))
    assert say_coverage(full) == "Every one of the 2 days has data."


def test_weekdays_and_hours_by_hand(make):
    # 1 January 2024 is a Monday.
    rows = [
        (0, 0, "2024-01-01T09:59"),
        (0, 0, "2024-01-08T09:00"),
        (0, 0, "2024-01-09T23:00"),
        (0, 0, "2024-01-14T23:30"),
    ]
    found = rhythm(make(rows))
    assert found.counts.sum() == 4
    assert found.counts[0, 9] == 2
    assert found.counts[1, 23] == found.counts[6, 23] == 1
    assert found.n_weekdays.tolist() == [2] * 7
    assert found.weekday_shares.tolist() == [0.5, 0.25, 0, 0, 0, 0, 0.25]
    assert found.hour_shares[[9, 23]].tolist() == [0.5, 0.5]
    assert say_rhythm(found) == (
        "Monday is the busiest day of the week (50% of all), 9:00 to 10:00 UTC the busiest hour "
        "(50%). There are no interactions at all on any Wednesday, Thursday, Friday and Saturday."
    )


def test_times_that_are_days_have_no_hours(make):
    found = rhythm(make([(0, 0, "2024-01-01"), (0, 0, "2024-01-02")]))
    assert not found.has_time_of_day
    assert "nothing can be said of hours" in say_rhythm(found)
    assert "busiest hour" not in say_rhythm(found)


def test_weeks_begin_on_monday_and_say_whether_they_are_whole(make, time_us):
    rows = [(0, 0, "2024-01-05"), (0, 0, "2024-01-08"), (0, 0, "2024-01-14"), (0, 0, "2024-01-17")]
    found = timeline(make(rows), "week")
    assert found.start_us.tolist() == [
        time_us(day) for day in ("2024-01-01", "2024-01-08", "2024-01-15")
    ]
    assert found.end_us == time_us("2024-01-22")
    assert found.counts.tolist() == [1, 2, 1]
    assert found.is_whole.tolist() == [False, True, False]
    assert say_timeline(found) == (
        "A week has 2 interactions in the median; the busiest, that of 8 Jan 2024, has 2. "
        "The data begins or ends within a week, which is why an end may dip."
    )


def test_months_have_their_own_lengths(make, time_us):
    found = timeline(make([(0, 0, "2023-12-31T23:59"), (0, 0, "2024-02-29T23:59")]), "month")
    assert found.start_us.tolist() == [
        time_us(day) for day in ("2023-12-01", "2024-01-01", "2024-02-01")
    ]
    assert found.end_us == time_us("2024-03-01")
    assert found.counts.tolist() == [1, 0, 1]
    assert found.is_whole.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("last", "unit"),
    [("2024-01-01", "day"), ("2024-04-29", "day"), ("2024-05-01", "week"), ("2028-01-01", "month")],
)
def test_the_unit_follows_the_span(make, last, unit):
    found = timeline(make([(0, 0, "2024-01-01"), (0, 0, last)]))
    assert found.unit == unit
    assert 1 <= len(found.counts) <= 160
    assert found.counts.sum() == 2


def visits(make):
    """Two sessions of user 0 (2 and 1 interactions), one of user 1 with 3 within 20 minutes."""
    return make(
        [
            (0, 0, "2024-01-01T10:00"),
            (0, 1, "2024-01-01T10:30"),
            (0, 2, "2024-01-01T11:01"),
            (1, 0, "2024-01-01T10:10"),
            (1, 1, "2024-01-01T10:10"),
            (1, 2, "2024-01-01T10:30"),
        ],
        n_users=4,
    )


def test_sessions_by_hand(make):
    found = session_summary(visits(make), gap_s=1800)
    assert (found.n, found.per_user, found.mean_length, found.median_length) == (3, 1.5, 2, 2)
    assert found.single_share == pytest.approx(1 / 3)
    assert found.lengths.counts.tolist() == [1, 1, 1]
    assert found.median_duration_s == 25 * 60
    assert found.instant_share == pytest.approx(1 / 3)
    assert found.durations.counts.sum() == 2
    # Pauses: 30 and 31 minutes of user 0, 20 of user 1; the pause of zero does not count.
    assert found.silences.counts.sum() == 3
    assert found.kept_silence_share == pytest.approx(2 / 3)
    assert say_sessions(found, "views") == (
        "3 sessions, 1.5 a user. Views in one: 2 in the median; 33% of the sessions have a single "
        "one."
    )
    assert "half of the others take up to 25 min" in say_durations(found)
    assert "A pause of more than 30 min ends a session; 67% of the pauses" in say_silences(found)


def test_sessions_are_those_of_the_one_definition(make):
    data = visits(make)
    for gap_s in (0, 600, 1800, 86_400):
        starts = session_starts(data.interactions.user_idx, data.interactions.ts, gap_s=gap_s)
        assert session_summary(data, gap_s=gap_s).n == int(starts.sum())


def test_a_data_set_of_days_says_that_a_session_is_a_day(make):
    data = make([(0, 0, "2024-01-01"), (0, 1, "2024-01-01"), (0, 1, "2024-01-02")])
    found = session_summary(data)
    assert (found.n, found.instant_share) == (2, 1.0)
    assert np.isnan(found.median_duration_s)
    assert "what a user did on one day" in say_sessions(found)
    assert say_durations(found).startswith("No time passes")


def test_users_who_never_return_leave_no_gap_to_judge(make):
    found = session_summary(make([(0, 0, "2024-01-01"), (1, 0, "2024-01-02")]))
    assert np.isnan(found.kept_silence_share)
    assert "no gap can be judged" in say_silences(found)
