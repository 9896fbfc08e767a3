"""Checks of how much there is: rows, users, items, against fixed numbers and against before."""

from __future__ import annotations

from collections.abc import Iterator

from endcap.ingest.checks.case import Case, CheckResult
from endcap.ingest.checks.onset import bucket_us, find_onset
from endcap.ingest.engine import fill
from endcap.ingest.wording import HOUR_US, date, number
from endcap.schema.types import DAY_US

USUAL_DAYS = 28
FEWEST_DAYS = 7

LAST_DAYS = """
    SELECT ($last_us - ts) // $day AS ago, count(*) FROM interactions
    WHERE ts > $last_us - $n_days * $day GROUP BY 1
"""
BY_BUCKET = "SELECT ts // $bucket AS place, count(*) FROM $rows GROUP BY 1 ORDER BY 1"

PART_MISSING = (
    "A part of the source is missing: an export that was cut off, a file that did not come, or a "
    "filter that has become too strict."
)
TWICE = (
    "Rows came twice, such as a file together with its copy, or an export holds the whole history "
    "where it used to hold a day."
)


def check_volume(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the section `volume`, without the quarantine."""
    yield from _fewest_and_most(case)
    if case.contract.volume.rows_vs_last is not None:
        yield _against_last(case, case.contract.volume.rows_vs_last)
    if case.contract.volume.last_day_vs_usual is not None:
        yield _last_day(case, case.contract.volume.last_day_vs_usual)


def _fewest_and_most(case: Case) -> Iterator[CheckResult]:
    volume, counts = case.contract.volume, case.snapshot.manifest.counts
    lost = (
        "Check that {sources} are complete; see what was put aside: endcap quarantine "
        "{snapshot_id}. If this is "
        "all there is, lower {key} in [volume]."
    )
    if volume.min_rows is not None:
        yield _bound(
            case, "min_rows", f"at least {volume.min_rows:,} rows", counts.kept,
            is_met=counts.kept >= volume.min_rows, meaning=PART_MISSING, mend=lost, low=True,
        )  # fmt: skip
    if volume.max_rows is not None:
        yield _bound(
            case, "max_rows", f"at most {volume.max_rows:,} rows", counts.kept,
            is_met=counts.kept <= volume.max_rows, meaning=TWICE,
            mend="Look for the same rows in two of {sources}. If the shop has grown, raise {key} "
            "in [volume].", low=False,
        )  # fmt: skip
    if volume.min_users is not None:
        yield _bound(
            case, "min_users", f"at least {volume.min_users:,} users", counts.users,
            is_met=counts.users >= volume.min_users,
            meaning="Users are missing, or many stand under one id, such as an empty session "
            "cookie or a shared account of all guests.", mend=lost, low=True,
        )  # fmt: skip
    if volume.min_items is not None:
        n_items = counts.items_with_interactions
        yield _bound(
            case, "min_items", f"at least {volume.min_items:,} items with interactions", n_items,
            is_met=n_items >= volume.min_items,
            meaning="A part of the assortment is missing from the log, or the column of the item "
            "holds something coarser, such as a category or a parent article.", mend=lost, low=True,
        )  # fmt: skip


def _bound(
    case: Case,
    key: str,
    expectation: str,
    n_found: int,
    *,
    is_met: bool,
    meaning: str,
    mend: str,
    low: bool,
) -> CheckResult:
    result = CheckResult(
        name=f"volume.{key}", expectation=expectation, found=f"{n_found:,}", passed=is_met
    )
    if is_met:
        return result
    said = {
        "since": case.since_volume(low=low),
        "meaning": meaning,
        "mend": mend.format(
            sources=case.sources, key=key, snapshot_id=case.snapshot.manifest.snapshot_id
        ),
    }
    return result.model_copy(update=said)


def _against_last(case: Case, bounds: tuple[float, float]) -> CheckResult:
    low, high = bounds
    result = CheckResult(
        name="volume.rows_vs_last",
        expectation=f"{number(low)} to {number(high)} times the rows of the previous snapshot",
        found="",
        passed=None,
        meaning="There is no previous snapshot to compare with.",
    )
    if case.previous is None:
        return result
    n_rows, n_before = case.snapshot.manifest.counts.kept, case.previous.manifest.counts.kept
    ratio = n_rows / n_before
    found = f"{number(ratio)} times: {n_rows:,} rows, {n_before:,} before"
    if low <= ratio <= high:
        return result.model_copy(update={"found": found, "passed": True, "meaning": ""})
    is_low = ratio < low
    return result.model_copy(
        update={
            "found": found,
            "passed": False,
            "since": _lost_or_gained(case, low=is_low),
            "meaning": PART_MISSING if is_low else TWICE,
            "mend": f"Compare {case.sources} with the files of the previous snapshot "
            f"{case.previous.manifest.snapshot_id}. If the change is meant, widen rows_vs_last in "
            "[volume].",
        }
    )


def _lost_or_gained(case: Case, *, low: bool) -> str:
    """Return which days have fewer (or more) rows than the previous snapshot has of them."""
    if case.previous is None:
        return ""
    spans = [case.snapshot.manifest.time_span, case.previous.manifest.time_span]
    first_us, last_us = min(s.first_us for s in spans), max(s.last_us for s in spans)
    bucket = max(bucket_us(last_us - first_us), DAY_US)
    now, before = (
        dict(case.rows(fill(BY_BUCKET, bucket=str(bucket), rows=rows)))
        for rows in ("interactions", "earlier")
    )
    places = range(first_us // bucket, last_us // bucket + 1)
    # One row more each, so that days which the previous snapshot did not have can be compared.
    onset = find_onset(
        [now.get(place, 0) for place in places],
        [before.get(place, 0) + 1 for place in places],
        low=low,
    )
    if onset is None:
        return "every day alike"
    inside = list(places)[onset.start : onset.stop]
    start_us, stop_us = inside[0] * bucket, (inside[-1] + 1) * bucket
    until = "on" if onset.lasts else f"to {date(stop_us - DAY_US)}"
    n_now, n_before = (sum(side.get(place, 0) for place in inside) for side in (now, before))
    return f"{date(start_us)} {until}: {n_now:,} rows there, {n_before:,} before"


def _last_day(case: Case, bounds: tuple[float, float]) -> CheckResult:
    low, high = bounds
    result = CheckResult(
        name="volume.last_day_vs_usual",
        expectation=f"{number(low)} to {number(high)} times the usual rows in the last 24 hours",
        found="",
        passed=None,
        meaning=f"It takes {FEWEST_DAYS} days before the last one to know what is usual.",
    )
    n_last, usual = last_day(case)
    if usual is None:
        return result
    ratio = n_last / usual
    found = (
        f"{number(ratio)} times: {n_last:,} rows in the 24 hours up to {date(case.last_us)}, "
        f"{number(usual)} in the middle one of the days before"
    )
    if low <= ratio <= high:
        return result.model_copy(update={"found": found, "passed": True, "meaning": ""})
    is_low = ratio < low
    return result.model_copy(
        update={
            "found": found,
            "passed": False,
            "since": case.since_volume(low=is_low, days=USUAL_DAYS + 1),
            "meaning": "The feed is drying up: a tracker, a queue or an export has failed, or a "
            "part of the last day has not arrived yet."
            if is_low
            else "Something sends far more than usual: a campaign, a robot, or the same events "
            "again and again.",
            "mend": "Check who sends the events first, then whether the last of "
            f"{case.sources} is complete. If such days are usual, widen last_day_vs_usual in "
            "[volume].",
        }
    )


def last_day(case: Case) -> tuple[int, float | None]:
    """Return the rows of the last 24 hours, and the median of the days before.

    The median is None when there are too few days, or when most of them are empty.
    """
    n_last, *before = day_counts(case)
    if len(before) < FEWEST_DAYS:
        return n_last, None
    usual = sorted(before)
    return n_last, (usual[(len(usual) - 1) // 2] + usual[len(usual) // 2]) / 2 or None


def day_counts(case: Case) -> list[int]:
    """Return the rows of the last 24 hours and of each of the 28 such days before, latest first.

    Days that the data do not cover whole are left out, but for the last one.
    """
    span_us = case.last_us - case.snapshot.manifest.time_span.first_us
    n_whole = (span_us + HOUR_US) // DAY_US  # a whole day may lack its first or last hour
    n_days = max(1, min(USUAL_DAYS + 1, n_whole))
    found = dict(
        case.rows(fill(LAST_DAYS, last_us=str(case.last_us), day=str(DAY_US), n_days=str(n_days)))
    )
    return [found.get(ago, 0) for ago in range(n_days)]
