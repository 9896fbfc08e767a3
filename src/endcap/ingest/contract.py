"""Holds a snapshot to a data contract, and says what is wrong, since when, and what to do.

What can be demanded is in `expectations`, how each demand is judged in `checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, computed_field
from rich.console import Console
from rich.text import Text

from endcap import telemetry
from endcap.ingest.checks.aside import check_aside
from endcap.ingest.checks.case import Case, CheckResult, opened
from endcap.ingest.checks.columns import check_columns, check_kinds
from endcap.ingest.checks.freshness import check_freshness
from endcap.ingest.checks.turnover import check_drift, check_turnover
from endcap.ingest.checks.volume import check_volume
from endcap.ingest.expectations import Contract, load_contract
from endcap.ingest.stored import Stored
from endcap.ingest.wording import date
from endcap.schema.errors import ContractError
from endcap.schema.types import SECOND_US

__all__ = [
    "CheckResult",
    "Contract",
    "ContractReport",
    "check",
    "contract_lines",
    "enforce",
    "load_contract",
    "print_contract",
]

CHECKS: tuple[Callable[[Case], Iterator[CheckResult]], ...] = (
    check_volume,
    check_aside,
    check_freshness,
    check_columns,
    check_kinds,
    check_turnover,
    check_drift,
)
MARKS = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("not judged", "yellow")}


class ContractReport(BaseModel):
    """What became of every expectation of a contract.

    previous_id: the snapshot it was compared with, if there was one.
    judged_at: when, ISO 8601.
    judged: the rows that shares were taken of, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_id: str
    previous_id: str | None
    judged_at: str
    judged: str
    results: tuple[CheckResult, ...]

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents it so
    @property
    def passed(self) -> bool:
        """Whether no expectation failed."""
        return not self.failures

    @property
    def failures(self) -> list[CheckResult]:
        """The expectations that failed, in the order of the contract."""
        return [result for result in self.results if result.passed is False]

    def require(self) -> None:
        """Raise unless every expectation that could be judged has passed.

        Raises:
            ContractError: names the expectations that failed.
        """
        if self.passed:
            return
        names = [result.name for result in self.failures]
        raise ContractError(
            f"the snapshot breaks its contract in {len(names)} of {len(self.results)} "
            f"expectations: {', '.join(names)}",
            where=f"snapshot {self.snapshot_id}",
            mend=self.failures[0].mend,
        )


def check(
    snapshot: Stored, contract: Contract, *, previous: Stored | None, now_us: int
) -> ContractReport:
    """Return what became of every expectation; raises for none of them.

    Args:
        snapshot: what is judged; need not be published.
        contract: what it must be like.
        previous: the snapshot in use until now; None: what needs it is not judged.
        now_us: the present, for the age of the newest event.

    Raises:
        DataError: a file of a snapshot is missing.

    Cost: a pass over each column that the contract names, two more for each failure.
    """
    with opened(snapshot, contract, previous=previous, now_us=now_us) as case:
        results = tuple(result for section in CHECKS for result in section(case))
    return ContractReport(
        snapshot_id=snapshot.manifest.snapshot_id,
        previous_id=previous.manifest.snapshot_id if previous else None,
        judged_at=datetime.fromtimestamp(now_us // SECOND_US, tz=UTC).isoformat(),
        judged=_judged(snapshot, contract),
        results=results,
    )


def enforce(
    snapshot: Stored,
    contract: Contract,
    *,
    previous: Stored | None,
    now_us: int,
    console: Console = telemetry.console,
) -> ContractReport:
    """Return the report of a snapshot that fulfils the contract; print it in any case.

    Raises:
        ContractError: an expectation failed; the report was printed before.
    """
    report = check(snapshot, contract, previous=previous, now_us=now_us)
    print_contract(report, console)
    if not report.passed:
        console.print(Text(_consequence(report)))
    report.require()
    return report


def _consequence(report: ContractReport) -> str:
    if report.previous_id == report.snapshot_id:
        return "This snapshot is the latest already, and stays it."
    before = f"; {report.previous_id} stays it" if report.previous_id else ""
    return f"This snapshot does not become the latest{before}."


def contract_lines(report: ContractReport) -> list[str]:
    """Return the report as plain lines: failures first and in full, then what passed."""
    n_failed, n_all = len(report.failures), len(report.results)
    n_open = sum(result.passed is None for result in report.results)
    verdict = f"{n_failed} of {n_all} expectations failed" if n_failed else "holds"
    lines = [f"contract {verdict}: snapshot {report.snapshot_id}, {report.judged}"]
    if n_open:
        lines[0] += f"; {n_open} could not be judged"
    ranked = sorted(report.results, key=lambda result: {False: 0, None: 1}.get(result.passed, 2))
    for result in ranked:
        lines += _result_lines(result)
    return lines


def print_contract(report: ContractReport, console: Console) -> None:
    """Print the report, failures in colour on a terminal."""
    for line in contract_lines(report):
        text = Text(line)
        for mark, style in MARKS.values():
            if line.startswith(f"  {mark} "):
                text.stylize(style, 2, 2 + len(mark))
        console.print(text)


def _result_lines(result: CheckResult) -> list[str]:
    mark = MARKS[result.passed][0]
    if result.passed:
        return [f"  {mark} {result.name}: {result.expectation}; found {result.found}"]
    if result.passed is None:
        return [f"  {mark} {result.name}: {result.expectation}; {result.meaning}"]
    lines = [f"  {mark} {result.name}"]
    said = {
        "expected": result.expectation,
        "found": result.found,
        "since": result.since,
        "means": result.meaning,
        "do": result.mend,
    }
    return lines + [f"    {label:<9} {text}" for label, text in said.items() if text]


def _judged(snapshot: Stored, contract: Contract) -> str:
    span, counts = snapshot.manifest.time_span, snapshot.manifest.counts
    text = f"{counts.kept:,} rows, {date(span.first_us)} to {date(span.last_us)}"
    if contract.judge_days is not None:
        text += f", values judged by the last {contract.judge_days} days"
    return text
