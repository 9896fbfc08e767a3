"""Checks of what was put aside: the share of the rows, in all and by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from endcap.ingest.checks.case import Case, CheckResult
from endcap.ingest.engine import fill, literal
from endcap.ingest.expectations import ANY_OTHER
from endcap.ingest.wording import per_cent

PLACES = """
    SELECT source, count(*) AS n, min(row_number), max(row_number) FROM quarantine
    WHERE $condition GROUP BY source ORDER BY n DESC, source LIMIT 3
"""
N_REASONS = 3

CAUSES: dict[str, str] = {
    "user_id is missing": "Guests have no id in the source, or the column of the user was renamed.",
    "item_id is missing": "The column of the item was renamed, or lines that sell no item came "
    "along, such as postage.",
    "is longer than": "Another column stands in the place of the id, such as a URL or a token.",
    "is not UTF-8": "The file is in another encoding than before, such as Latin-1.",
    "not UTF-8": "The file is in another encoding than before, such as Latin-1.",
    "unprintable": "The file was cut in the wrong places or is in another encoding than before.",
    "kind is unknown": "The sender has a new word for what people do; map it to a kind.",
    "kind is missing": "The sender no longer says what people did.",
    "ts is missing": "The column of the time was renamed or is no longer filled.",
    "ts is not a time": "The form of the time has changed, such as day before month.",
    "ts is before 1990": "The time is 0 or in another unit, such as seconds for milliseconds.",
    "ts is in the future": "The clock of a sender is wrong, local times are taken for UTC, or the "
    "unit of the time has changed.",
    "is not a number": "Numbers are written otherwise than before, such as with a decimal comma or "
    "a currency sign.",
    "is negative": "Returns are booked as negative amounts in the same column.",
    "no quantity sold": "Returns or cancellations came along with the sales.",
    "return": "Returns or corrections came along with the sales.",
    "cancellation": "Cancelled orders came along with the sales.",
    "not goods": "Lines that sell no item came along, such as postage or fees.",
    "value is missing": "Ratings or quantities are no longer filled in.",
    "not in the catalogue": "The catalogue is older than the log, or names items otherwise.",
    "repeats an earlier row": "A file or a part of it was delivered twice.",
    "a quote is not closed": "The export no longer quotes its text properly.",
    "columns": "The rows of the file no longer have as many fields as its header.",
}
"""Part of a reason -> what is most often behind it; the first that fits is told."""


def cause(reason: str) -> str:
    """Return what is most often behind a reason."""
    found = next((text for part, text in CAUSES.items() if part in reason), "")
    return found or "The source has changed its form, or its mapping no longer fits."


def check_aside(case: Case) -> Iterator[CheckResult]:
    """Yield what became of `volume.max_quarantined_share` and of the section `reasons`."""
    n_rows, n_aside, by_reason = counts_added(case)
    most = case.contract.volume.max_quarantined_share
    if most is not None:
        yield _all(case, most, n_rows, n_aside, by_reason)
    named = case.contract.reasons
    for reason, share in named.items():
        if reason != ANY_OTHER:
            yield _reason(case, reason, share, by_reason.get(reason, 0), n_rows, key=reason)
    if ANY_OTHER in named:
        others = {reason: n for reason, n in by_reason.items() if reason not in named}
        yield from _others(case, others, named[ANY_OTHER], n_rows)


def counts_added(case: Case) -> tuple[int, int, dict[str, int]]:
    """Return the rows that came in, those put aside, and those by reason.

    Of an increment only what it added: a bad night is a small share of a good year.
    """
    counts = case.snapshot.manifest.counts
    by_reason = dict(counts.quarantined_by_reason)
    if not case.adds or case.previous is None:
        return counts.rows_in, counts.quarantined, by_reason
    before = case.previous.manifest.counts
    for reason, n in before.quarantined_by_reason.items():
        by_reason[reason] = by_reason.get(reason, 0) - n
    added = {reason: n for reason, n in by_reason.items() if n > 0}
    return counts.rows_in - before.rows_in, counts.quarantined - before.quarantined, added


def _all(
    case: Case, most: float, n_rows: int, n_aside: int, by_reason: Mapping[str, int]
) -> CheckResult:
    is_met = n_aside <= most * n_rows
    result = CheckResult(
        name="volume.max_quarantined_share",
        expectation=f"at most {per_cent(most)} of the rows are put aside",
        found=_of(case, n_aside, n_rows),
        passed=is_met,
    )
    if is_met:
        return result
    ranked = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{reason} ({n:,})" for reason, n in ranked[:N_REASONS])
    return result.model_copy(
        update={
            "found": f"{result.found}: {reasons}",
            "since": _where(case, "true"),
            "meaning": cause(ranked[0][0]) if ranked else "",
            "mend": f"{_look(case, None)} If it is meant, raise max_quarantined_share in [volume].",
        }
    )


def _of(case: Case, n: int, n_rows: int) -> str:
    added = " that were added" if case.adds else ""
    share = per_cent(n / n_rows) if n_rows else "0 %"
    text = f"{share} ({n:,} of {n_rows:,} rows{added})"
    if case.previous is not None and case.previous.manifest.counts.rows_in:
        before = case.previous.manifest.counts
        text += f", {per_cent(before.quarantined / before.rows_in)} of all before"
    return text


def _reason(
    case: Case, reason: str, most: float, n_found: int, n_rows: int, *, key: str
) -> CheckResult:
    is_met = n_found <= most * n_rows
    share = per_cent(n_found / n_rows) if n_rows else "0 %"
    result = CheckResult(
        name=f"reasons.{reason}",
        expectation=f"at most {per_cent(most)} of the rows are put aside for: {reason}",
        found=f"{share} ({n_found:,} of {n_rows:,} rows)",
        passed=is_met,
    )
    if is_met:
        return result
    condition = f"list_contains(reasons, {literal(reason)})"
    return result.model_copy(
        update={
            "since": _where(case, condition),
            "meaning": cause(reason),
            "mend": f'{_look(case, reason)} If it is meant, raise "{key}" in [reasons].',
        }
    )


def _others(
    case: Case, others: Mapping[str, int], most: float, n_rows: int
) -> Iterator[CheckResult]:
    """Yield one check for each reason that breaks the rule, or one that none does."""
    broken = [reason for reason, n in others.items() if n > most * n_rows]
    for reason in broken:
        yield _reason(case, reason, most, others[reason], n_rows, key=ANY_OTHER)
    if not broken:
        yield CheckResult(
            name=f"reasons.{ANY_OTHER}",
            expectation=f"at most {per_cent(most)} of the rows are put aside for any other reason",
            found=", ".join(f"{reason} ({n:,})" for reason, n in others.items()) or "no others",
            passed=True,
        )


def _where(case: Case, condition: str) -> str:
    """Return in which files and rows they stand; of an increment, those that it added."""
    if case.adds and case.previous is not None:
        condition += f" AND position > {case.previous.manifest.counts.rows_in}"
    places = case.rows(fill(PLACES, condition=condition))
    return "; ".join(
        f"{source}, row {first:,}" + (f" to {last:,}" if last > first else "")
        for source, _, first, last in places
    )


def _look(case: Case, reason: str | None) -> str:
    option = f' --reason "{reason}"' if reason else ""
    return (
        f"See the records: endcap quarantine {case.snapshot.manifest.snapshot_id}{option}; mend "
        "the source, or the records with --export, and ingest again."
    )
