"""Checks against the previous snapshot: new and vanished items and users, and drift."""

from __future__ import annotations

from collections.abc import Iterator

from endcap.ingest.checks.case import Case, CheckResult
from endcap.ingest.drift import compare
from endcap.ingest.drift_report import Facet
from endcap.ingest.engine import fill
from endcap.ingest.expectations import Turnover
from endcap.ingest.psi import SHIFTED_FROM
from endcap.ingest.wording import per_cent, short

NO_PREVIOUS = "There is no previous snapshot to compare with."
N_EXAMPLES = 3

NEW = """
    SELECT count(*), count(*) FILTER (WHERE known.$id IS NULL)
    FROM (SELECT DISTINCT $idx FROM judged) JOIN $table USING ($idx)
    LEFT JOIN earlier_$table AS known USING ($id)
"""
VANISHED = """
    SELECT count(*), count(*) FILTER (WHERE known.$id IS NULL)
    FROM (SELECT DISTINCT $idx FROM earlier) JOIN earlier_$table USING ($idx)
    LEFT JOIN $table AS known USING ($id)
"""
EVENTS_OF_NEW = """(
    SELECT judged.ts, known.$id IS NULL AS is_new FROM judged JOIN $table USING ($idx)
    LEFT JOIN earlier_$table AS known USING ($id)
)"""
EXAMPLES = "SELECT item_id FROM $table ANTI JOIN $other USING (item_id) ORDER BY item_idx LIMIT $n"
OLD_EXAMPLES = "SELECT item_id FROM earlier_items ORDER BY item_idx LIMIT $n"
IDS = {"items": ("item_id", "item_idx"), "users": ("user_id", "user_idx")}


def check_turnover(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the sections `items` and `users`."""
    for table, turnover in (("items", case.contract.items), ("users", case.contract.users)):
        if turnover.max_new_share is None and turnover.max_vanished_share is None:
            continue
        if table == "users" and _renamed(case):
            yield _other_names(case)
            continue
        yield from _turnover(case, table, turnover)


def _turnover(case: Case, table: str, turnover: Turnover) -> Iterator[CheckResult]:
    id_, idx = IDS[table]
    for key, most, query in (
        ("max_new_share", turnover.max_new_share, NEW),
        ("max_vanished_share", turnover.max_vanished_share, VANISHED),
    ):
        if most is None:
            continue
        is_new = key == "max_new_share"
        fate = f"of the {table} are new" if is_new else f"of the {table} before are gone"
        result = CheckResult(
            name=f"{table}.{key}", expectation=f"at most {per_cent(most)} {fate}", found="",
            passed=None, meaning=NO_PREVIOUS,
        )  # fmt: skip
        if case.previous is None:
            yield result
            continue
        n_all, n_found = case.row(fill(query, table=table, id=id_, idx=idx))
        is_met = n_found <= most * n_all
        said = {
            "found": f"{per_cent(n_found / n_all)} ({n_found:,} of {n_all:,} {table})",
            "passed": is_met,
            "meaning": "",
        }
        if not is_met:
            said |= _new(case, table) if is_new else _gone(case, table)
        yield result.model_copy(update=said)


def _new(case: Case, table: str) -> dict[str, str]:
    id_, idx = IDS[table]
    said = {
        "since": case.since("is_new", rows=fill(EVENTS_OF_NEW, table=table, id=id_, idx=idx)),
        "mend": f"Compare the ids in {case.sources} with those of an earlier file. If so many are "
        f"new indeed, raise max_new_share in [{table}].",
    }
    if table == "users":
        said["meaning"] = (
            "User ids have another form than before, such as a session id in the place of a "
            "customer number; nobody would get a personal page."
        )
        return said
    names = _examples(case, "items", "earlier_items")
    known = [row[0] for row in case.rows(fill(OLD_EXAMPLES, n=str(N_EXAMPLES)))]
    said["meaning"] = (
        f"Either much came in at once, or item ids have another form than before: new ones are "
        f"{_quoted(names)}, known ones {_quoted(known)}."
    )
    return said


def _gone(case: Case, table: str) -> dict[str, str]:
    gone = _examples(case, "earlier_items", "items") if table == "items" else []
    examples = f" Gone are {_quoted(gone)} and others." if gone else ""
    previous = case.previous.manifest.snapshot_id if case.previous else ""
    return {
        "meaning": "A part of the source is missing, older rows were cut off, or ids have another "
        f"form than before.{examples}",
        "mend": f"Compare {case.sources} with the files of snapshot {previous}. If they are gone "
        f"for good, raise max_vanished_share in [{table}].",
    }


def _examples(case: Case, table: str, other: str) -> list[str]:
    return [
        row[0] for row in case.rows(fill(EXAMPLES, table=table, other=other, n=str(N_EXAMPLES)))
    ]


def _quoted(ids: list[str]) -> str:
    return ", ".join(repr(short(one, limit=30)) for one in ids)


def _renamed(case: Case) -> bool:
    before = case.previous
    return before is not None and before.manifest.user_ids != case.snapshot.manifest.user_ids


def _other_names(case: Case) -> CheckResult:
    before = case.previous.manifest.user_ids if case.previous else ""
    return CheckResult(
        name="users",
        expectation="users are named as in the previous snapshot",
        found=f"{case.snapshot.manifest.user_ids}, before {before}",
        passed=False,
        meaning="User ids are hashed with another key, or no longer, so everybody would be new and "
        "what the shop learnt of each visitor would be lost.",
        mend="Bring the former key back and ingest again. If the change is meant, make this "
        "snapshot once without the contract; the next ones will be compared with it.",
    )


def check_drift(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the section `drift`."""
    wanted = case.contract.drift
    report = compare(case.previous, case.snapshot) if wanted and case.previous else None
    for name, most in wanted.items():
        result = CheckResult(
            name=f"drift.{name}", expectation=f"PSI of {name} at most {most:g}", found="",
            passed=None, meaning=NO_PREVIOUS,
        )  # fmt: skip
        if report is None:
            yield result
            continue
        facet = report.facet(name)
        if facet is None:
            yield result.model_copy(update={"meaning": f"{report.skipped[name]}."})
            continue
        yield result.model_copy(update=_drifted(case, facet, most))


def _drifted(case: Case, facet: Facet, most: float) -> dict[str, object]:
    is_met = facet.psi <= max(most, facet.chance)
    movers = ", ".join(
        f"{one.label} {per_cent(one.share_before)} -> {per_cent(one.share_after)}"
        for one in facet.movers()
    )
    said: dict[str, object] = {
        "found": f"{facet.psi:.3f}, where chance alone makes up to {facet.chance:.3f}"
        + (f"; {movers}" if not is_met else ""),
        "passed": is_met,
        "meaning": "",
    }
    if not is_met and case.previous is not None:
        before, after = case.previous.manifest.snapshot_id, case.snapshot.manifest.snapshot_id
        said |= {
            "meaning": f"The distribution of {facet.name} has changed; a PSI above "
            f"{SHIFTED_FROM} is customarily called a shift. A season or a campaign does that, and "
            "so does a source that fell away.",
            "mend": f"See all of it: endcap drift {before} {after}. If it is meant, raise "
            f"{facet.name} in [drift] for this run.",
        }
    return said
