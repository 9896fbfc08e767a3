"""Checks of time: how old the newest event is, and whether there is a silence."""

from __future__ import annotations

from collections.abc import Iterator

from endcap.ingest.checks.case import Case, CheckResult
from endcap.ingest.engine import fill
from endcap.ingest.wording import HOUR_US, date, duration, number
from endcap.schema.types import DAY_US, SECOND_US

# Two neighbouring events stand in one minute or are the last of one and the first of another.
LONGEST_GAP = """
    WITH minutes AS (
        SELECT min(ts) AS first_us, max(ts) AS last_us FROM interactions
        WHERE ts > $after_us GROUP BY ts // $minute
    ),
    gaps AS (
        SELECT last_us AS from_us, lead(first_us) OVER (ORDER BY first_us) AS until_us FROM minutes
    )
    SELECT from_us, until_us FROM gaps WHERE until_us IS NOT NULL
    ORDER BY until_us - from_us DESC, from_us LIMIT 1
"""


def check_freshness(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the section `freshness`."""
    freshness = case.contract.freshness
    if freshness.max_age_hours is not None:
        yield _age(case, freshness.max_age_hours)
    if freshness.max_gap_hours is not None:
        yield _gap(case, freshness.max_gap_hours, days=freshness.gap_days)


def _age(case: Case, most_hours: float) -> CheckResult:
    age_us = case.now_us - case.last_us
    is_met = age_us <= most_hours * HOUR_US
    result = CheckResult(
        name="freshness.max_age_hours",
        expectation=f"the newest event is at most {number(most_hours)} hours old",
        found=f"{duration(max(age_us, 0))}: {date(case.last_us)}",
        passed=is_met,
    )
    if is_met:
        return result
    return result.model_copy(
        update={
            "since": f"no event after {date(case.last_us)}, and it is {date(case.now_us)} now",
            "meaning": "No newer event has arrived: the export did not run, an old file was read "
            "again, or times without a zone are taken for UTC and are not.",
            "mend": f"Look at when {case.sources} was written and by what. If the data are history "
            "on purpose, take max_age_hours out of [freshness].",
        }
    )


def longest_gap(case: Case, *, days: int) -> tuple[int, int] | None:
    """Return the events around the longest silence in the last days; None for fewer than two."""
    found = case.rows(
        fill(LONGEST_GAP, after_us=str(case.last_us - days * DAY_US), minute=str(60 * SECOND_US))
    )
    return found[0] if found else None


def _gap(case: Case, most_hours: float, *, days: int) -> CheckResult:
    gap = longest_gap(case, days=days)
    result = CheckResult(
        name="freshness.max_gap_hours",
        expectation=f"no silence of more than {number(most_hours)} hours in the last {days} days",
        found="",
        passed=None,
        meaning="There is one moment only, so there is nothing between events.",
    )
    if gap is None:
        return result
    is_met = gap[1] - gap[0] <= most_hours * HOUR_US
    found = f"{duration(gap[1] - gap[0])} from {date(gap[0])} to {date(gap[1])}"
    said = {"found": found, "passed": is_met, "meaning": ""}
    if not is_met:
        said |= {
            "since": f"silent from {date(gap[0])} to {date(gap[1])}",
            "meaning": "Nothing was recorded in that time: the shop or its tracker was down, or a "
            "file of the series is missing. What happened then is lost to the models.",
            "mend": "Look for the file of that time and ingest it as well. If the shop was closed, "
            "raise max_gap_hours in [freshness], or wait until the silence is older than "
            f"{days} days.",
        }
    return result.model_copy(update=said)
