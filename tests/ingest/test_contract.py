from __future__ import annotations

import io
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from endcap.ingest.checks.aside import CAUSES, cause
from endcap.ingest.checks.propose import propose
from endcap.ingest.contract import (
    CheckResult,
    Contract,
    ContractReport,
    check,
    contract_lines,
    enforce,
    load_contract,
)
from endcap.ingest.expectations import expectations
from endcap.ingest.snapshot import open_snapshot
from endcap.ingest.stored import newest
from endcap.schema.errors import ContractError, DataError, EndcapError, SettingsError
from endcap.schema.types import DAY_US
from written_snapshot import HOUR_US, START_US, Rows, Written, write_snapshot

VIEW, PURCHASE, RATING = 1, 3, 4
N_DAYS = 40
END_US = START_US + N_DAYS * DAY_US
NOW_US = END_US + 2 * HOUR_US

Row = tuple[str, str, int, float, float | None, int]
Change = Callable[[int, Row], Row | None]
Judge = Callable[..., dict[str, CheckResult]]


def month(change: Change = lambda day, row: row) -> list[Row]:
    """Return a row an hour for forty days from 15 November, some of them changed or left out."""
    rows = [
        (
            f"u{hour % 50}",
            f"i{hour % 20}",
            PURCHASE if hour % 4 == 0 else VIEW,
            1.0,
            10.0 + hour % 10,
            START_US + hour * HOUR_US,
        )
        for hour in range(24 * N_DAYS)
    ]
    changed = (change(n // 24, row) for n, row in enumerate(rows))
    return [row for row in changed if row is not None]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Write the rows, hold them to a contract in TOML, return the results by name."""

    def run(
        rows: Rows | list[Row],
        contract: str,
        *,
        before: Rows | list[Row] | None = None,
        now_us: int = NOW_US,
        **options: Any,
    ) -> dict[str, CheckResult]:
        said = Contract.model_validate(tomllib.loads(contract))
        as_rows = [rows if isinstance(rows, Rows) else Rows(rows)]
        as_rows += [before if isinstance(before, Rows) else Rows(before)] if before else []
        written = [
            write_snapshot(tmp_path, one, snapshot_id=name, **(options if name == "bbbb" else {}))
            for one, name in zip(as_rows, ("bbbb", "aaaa"), strict=False)
        ]
        previous = written[1] if len(written) > 1 else None
        report = check(written[0], said, previous=previous, now_us=now_us)
        return {result.name: result for result in report.results}

    return run


def failed(results: dict[str, CheckResult], name: str) -> CheckResult:
    result = results[name]
    assert result.passed is False, result
    assert result.meaning
    assert result.mend
    assert result.meaning in result.explanation
    return result


def test_a_good_snapshot_passes_and_says_what_was_found(judge: Judge) -> None:
    results = judge(
        month(),
        """
        [volume]
        min_rows = 960
        max_rows = 960
        min_users = 50
        min_items = 20
        max_quarantined_share = 0
        rows_vs_last = [1, 1]
        last_day_vs_usual = [1, 1]
        [columns.price]
        max_null_share = 0
        min = 10
        max = 19
        median = [14, 15]
        [columns.value]
        allowed = [1]
        [freshness]
        max_age_hours = 3
        max_gap_hours = 1
        [items]
        max_new_share = 0
        max_vanished_share = 0
        [users]
        max_new_share = 0
        [reasons]
        "ts is in the future" = 0
        "*" = 0
        [kinds.purchase]
        min_share = 0.25
        max_share = 0.25
        [drift]
        price = 0.01
        """,
        before=month(),
    )
    assert {name for name, result in results.items() if not result.passed} == set()
    assert len(results) == 22
    assert results["volume.min_rows"].found == "960"
    assert results["freshness.max_age_hours"].found == "3.0 hours: 24 Dec 2023 23:00"
    assert results["freshness.max_gap_hours"].found.startswith("60 minutes")
    assert all(not result.since and not result.mend for result in results.values())


def test_lost_rows_are_dated(judge: Judge) -> None:
    rows = month(lambda day, row: None if 20 <= day < 25 else row)
    results = judge(rows, "[volume]\nmin_rows = 900\nmin_users = 51\nmin_items = 21")
    result = failed(results, "volume.min_rows")
    assert result.found == "840"
    assert result.since == "5 Dec 2023 to 10 Dec 2023: 0 rows a day, 24 before and after"
    assert "log.csv" in result.mend
    assert "one id" in failed(results, "volume.min_users").meaning
    assert failed(results, "volume.min_items").expectation == "at least 21 items with interactions"


def test_doubled_rows_are_dated(judge: Judge) -> None:
    rows = month() + [row for row in month() if row[-1] >= END_US - 3 * DAY_US]
    result = failed(judge(rows, "[volume]\nmax_rows = 1000"), "volume.max_rows")
    assert result.since == "22 Dec 2023: 48 rows a day, 24 before"
    assert "twice" in result.meaning


def test_rows_that_the_last_snapshot_had_are_named_by_day(judge: Judge) -> None:
    rows = month(lambda day, row: None if 3 <= day < 30 else row)
    results = judge(rows, "[volume]\nrows_vs_last = [0.5, 2]", before=month())
    result = failed(results, "volume.rows_vs_last")
    assert result.found == "0.325 times: 312 rows, 960 before"
    assert result.since == "18 Nov 2023 to 14 Dec 2023: 0 rows there, 648 before"
    assert "aaaa" in result.mend


def test_rows_that_are_too_many_are_named_by_day(judge: Judge) -> None:
    rows = month() + 40 * [row for row in month() if row[-1] >= END_US - DAY_US]
    results = judge(rows, "[volume]\nrows_vs_last = [0.5, 1.9]", before=month())
    result = failed(results, "volume.rows_vs_last")
    assert result.since == "24 Dec 2023 on: 984 rows there, 24 before"


def test_a_last_day_that_dries_up_is_found_in_a_long_history(judge: Judge) -> None:
    rows = month(lambda day, row: None if day == 39 and row[-1] % DAY_US < 20 * HOUR_US else row)
    contract = "[volume]\nlast_day_vs_usual = [0.5, 2]\nmin_rows = 900"
    results = judge(rows, contract)
    assert results["volume.min_rows"].passed
    result = failed(results, "volume.last_day_vs_usual")
    assert result.found.startswith("0.1667 times: 4 rows in the 24 hours up to 24 Dec 2023 23:00")
    assert result.since == "24 Dec 2023 to 24 Dec 2023 18:00: 0 rows a day, 24 before and after"


def test_too_short_a_history_is_not_judged(judge: Judge) -> None:
    rows = month(lambda day, row: row if day < 5 else None)
    result = judge(rows, "[volume]\nlast_day_vs_usual = [0.5, 2]")["volume.last_day_vs_usual"]
    assert result.passed is None
    assert "7 days" in result.explanation


def test_what_needs_a_previous_snapshot_is_not_judged_without(judge: Judge) -> None:
    results = judge(
        month(),
        "[volume]\nrows_vs_last = [0.5, 2]\n[items]\nmax_new_share = 0.1\n[drift]\nprice = 0.1",
    )
    assert [result.passed for result in results.values()] == [None] * 3
    assert all("no previous snapshot" in result.explanation for result in results.values())


def test_prices_that_stop_coming_are_dated(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:4], None, row[5]) if day >= 37 else row)
    results = judge(rows, "judge_days = 7\n[columns.price]\nmax_null_share = 0.2")
    result = failed(results, "columns.price.max_null_share")
    assert result.found == "42.9 % (72 of 168 rows)"
    assert result.since == "22 Dec 2023: 100.0 % of the rows, 0 % before"
    assert "renamed" in result.meaning
    assert "[columns.price]" in result.mend


def test_a_share_is_of_the_judged_days_only(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:4], None, row[5]) if day >= 37 else row)
    contract = "[columns.price]\nmax_null_share = 0.2"
    assert judge(rows, contract)["columns.price.max_null_share"].passed


def test_a_share_that_is_bad_all_along_has_no_date(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:4], None, row[5]) if row[5] // HOUR_US % 2 else row)
    result = judge(rows, "[columns.price]\nmax_null_share = 0.2")["columns.price.max_null_share"]
    assert result.since == "no day stands out from 15 Nov 2023 to 24 Dec 2023 23:00"


def test_pence_for_pounds(judge: Judge) -> None:
    def in_pence(day: int, row: Row) -> Row:
        return (*row[:4], 100 * (row[4] or 0), row[5]) if day >= 30 else row

    contract = "judge_days = 7\n[columns.price]\nmedian = [5, 30]\nmax = 100"
    results = judge(month(in_pence), contract)
    result = failed(results, "columns.price.median")
    assert result.found == "1,500"
    assert "pence for pounds" in result.meaning
    result = failed(results, "columns.price.max")
    assert result.found == "1,000 to 1,900; larger: 100.0 % (168 of 168 values)"


def test_values_out_of_bounds_are_dated(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:4], 999.0, row[5]) if day >= 30 else row)
    result = failed(judge(rows, "[columns.price]\nmax = 100"), "columns.price.max")
    assert result.since == "15 Dec 2023: 100.0 % of the rows, 0 % before"


def test_a_middle_that_is_merely_elsewhere_is_no_unit(judge: Judge) -> None:
    result = failed(judge(month(), "[columns.price]\nmedian = [20, 30]"), "columns.price.median")
    assert "pence" not in result.meaning


def test_bounds_are_met_in_the_precision_of_the_column_and_a_few_may_break_them(
    judge: Judge,
) -> None:
    rows = month(lambda day, row: (*row[:4], 0.1, row[5]))
    assert judge(rows, "[columns.price]\nmin = 0.1\nmax = 0.1")["columns.price.max"].passed


@pytest.mark.parametrize(("most", "passed"), [(0.0, False), (0.02, False), (0.03, True)])
def test_a_few_may_lie_outside(judge: Judge, most: float, passed: bool) -> None:
    rows = month(lambda day, row: (*row[:4], 0.5, row[5]) if day == 7 else row)  # 24 of 960
    contract = f"[columns.price]\nmin = 1\nmax_outside_share = {most}"
    result = judge(rows, contract)["columns.price.min"]
    assert result.passed is passed
    if not passed:
        assert result.since.startswith("22 Nov 2023 to 23 Nov 2023: 100.0 % of the rows")


def test_columns_of_items_and_users_are_judged_by_those_that_occur(judge: Judge) -> None:
    items = {f"i{n}": {"category": None if n < 5 else "tea", "price": 5.0} for n in range(20)}
    items |= {f"never-bought-{n}": {"category": None} for n in range(100)}
    users = {f"u{n}": {"country": "UK" if n else "GB"} for n in range(50)}
    rows = Rows(month(), items=items, users=users)
    contract = """
        [columns.category]
        max_null_share = {most}
        allowed = ["tea"]
        [columns."item.price"]
        max = 5
        [columns."user.country"]
        allowed = ["UK", "IE"]
        max_unlisted_share = {unlisted}
    """
    results = judge(rows, contract.format(most=0.25, unlisted=0.02))
    assert {result.passed for result in results.values()} == {True}
    assert results["columns.category.max_null_share"].found == "25.0 % (5 of 20 items)"


def test_a_value_that_is_not_listed_is_shown(judge: Judge) -> None:
    users = {f"u{n}": {"country": "GB" if n < 3 else "UK" if n < 40 else None} for n in range(50)}
    rows = Rows(month(), users=users)
    results = judge(rows, '[columns."user.country"]\nallowed = ["UK", "IE"]')
    result = failed(results, "columns.user.country.allowed")
    assert result.expectation == "none of the values is other than UK, IE"
    assert result.found == "7.5 % (3 of 40 values): 'GB' (3)"
    assert '[columns."user.country"]' in result.mend


def test_numbers_are_listed_as_numbers_and_truth_as_truth(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:2], RATING, 1 + day % 5, *row[4:]))
    items = {f"i{n}": {"is_available": n > 3} for n in range(20)}
    contract = """
        [columns.value]
        kind = "rating"
        allowed = [1, 2, 3, 4]
        [columns.is_available]
        allowed = [true]
    """
    results = judge(Rows(rows, items=items), contract)
    assert (
        failed(results, "columns.value.allowed").found == "20.0 % (192 of 960 values): '5.0' (192)"
    )
    assert "'false' (4)" in failed(results, "columns.is_available.allowed").found


def test_a_kind_without_rows_is_not_judged(judge: Judge) -> None:
    results = judge(month(), '[columns.value]\nkind = "rating"\nmin = 1')
    assert results["columns.value"].passed is None
    assert results["columns.value"].found == "no row of kind rating"


def test_a_column_that_is_gone_fails_and_says_which_there_are(judge: Judge) -> None:
    rows = Rows(month(), users={"u1": {"region": "N"}})
    results = judge(rows, '[columns."user.country"]\nallowed = ["UK"]\n[columns.colour]\nmin = 1')
    result = failed(results, "columns.user.country")
    assert result.found == "they have: user_id, region"
    assert "policy" in result.mend
    assert "category" in failed(results, "columns.colour").found


def test_text_that_is_no_number_lies_outside(judge: Judge) -> None:
    users = {f"u{n}": {"age": "young" if n == 0 else str(20 + n)} for n in range(50)}
    results = judge(Rows(month(), users=users), '[columns."user.age"]\nmin = 18\nmax = 99')
    assert "2 % (1 of 50 values)" in failed(results, "columns.user.age.min").found


def test_a_kind_that_stops_is_dated(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:2], VIEW, *row[3:]) if day >= 30 else row)
    contract = "[kinds.purchase]\nmin_share = 0.2\n[kinds.view]\nmax_share = 0.8"
    results = judge(rows, contract)
    result = failed(results, "kinds.purchase.min_share")
    assert result.found == "18.8 % (180 of 960 rows)"
    assert result.since == "15 Dec 2023: 0 % of the rows, 25.0 % before"
    assert failed(results, "kinds.view.max_share").found == "81.2 % (780 of 960 rows)"


def test_an_old_end_and_a_silence(judge: Judge) -> None:
    rows = month(lambda day, row: None if day == 35 else row)
    contract = "[freshness]\nmax_age_hours = 24\nmax_gap_hours = 6"
    results = judge(rows, contract, now_us=END_US + 30 * HOUR_US)
    result = failed(results, "freshness.max_age_hours")
    assert result.found == "31.0 hours: 24 Dec 2023 23:00"
    assert result.since == "no event after 24 Dec 2023 23:00, and it is 26 Dec 2023 06:00 now"
    result = failed(results, "freshness.max_gap_hours")
    assert result.since == "silent from 19 Dec 2023 23:00 to 21 Dec 2023"


def test_a_silence_of_long_ago_is_forgotten(judge: Judge) -> None:
    rows = month(lambda day, row: None if day == 5 else row)
    contract = "[freshness]\nmax_gap_hours = 6\ngap_days = {}"
    assert judge(rows, contract.format(28))["freshness.max_gap_hours"].passed


def test_one_moment_has_no_silence(judge: Judge) -> None:
    result = judge(month()[:1], "[freshness]\nmax_gap_hours = 6")["freshness.max_gap_hours"]
    assert result.passed is None


def test_item_ids_of_another_form_are_shown_beside_known_ones(judge: Judge) -> None:
    rows = month(lambda day, row: (row[0], f"SKU-{row[1]}", *row[2:]) if day >= 38 else row)
    contract = "judge_days = 7\n[items]\nmax_new_share = 0.4\nmax_vanished_share = 0.1"
    results = judge(rows, contract, before=month())
    result = failed(results, "items.max_new_share")
    assert result.found == "50.0 % (20 of 40 items)"
    assert "new ones are 'SKU-i12'" in result.meaning
    assert "known ones 'i0'" in result.meaning
    assert result.since.startswith("23 Dec 2023: 100.0 % of the rows, 0 % before")
    assert results["items.max_vanished_share"].passed


def test_vanished_items_are_named_and_users_are_not(judge: Judge) -> None:
    def half(day: int, row: Row) -> Row | None:
        return None if int(row[1][1:]) < 10 or int(row[0][1:]) < 10 else row

    contract = "[items]\nmax_vanished_share = 0.3\n[users]\nmax_vanished_share = 0.1"
    results = judge(month(half), contract, before=month())
    assert "Gone are 'i0', 'i1', 'i2'" in failed(results, "items.max_vanished_share").meaning
    result = failed(results, "users.max_vanished_share")
    assert "'u" not in result.explanation
    assert result.found == "20.0 % (10 of 50 users)"


def test_new_users_are_counted_and_never_named(judge: Judge) -> None:
    rows = month(lambda day, row: ("session-" + row[0], *row[1:]) if day > 30 else row)
    results = judge(rows, "[users]\nmax_new_share = 0.3", before=month())
    result = failed(results, "users.max_new_share")
    assert result.found == "50.0 % (50 of 100 users)"
    assert "session-u" not in result.explanation


def test_users_under_another_key_fail_by_that_alone(judge: Judge) -> None:
    results = judge(
        month(), "[users]\nmax_new_share = 0.3", before=month(), user_ids="hmac-sha256:0"
    )
    result = failed(results, "users")
    assert result.found == "hmac-sha256:0, before keep"
    assert "key" in result.mend


ASIDE = [("log.csv", n, ["ts is in the future"], None) for n in range(801, 841)]


def test_what_was_put_aside_is_counted_by_reason_and_placed(judge: Judge) -> None:
    rows = Rows(month(), quarantine=[*ASIDE, ("log.csv", 7, ["user_id is missing"], None)])
    results = judge(
        rows,
        """
        [volume]
        max_quarantined_share = 0.01
        [reasons]
        "ts is in the future" = 0.001
        "item_id is missing" = 0
        "*" = 0.0001
        """,
    )
    result = failed(results, "volume.max_quarantined_share")
    assert result.found == (
        "4.1 % (41 of 1,001 rows): ts is in the future (40), user_id is missing (1)"
    )
    result = failed(results, "reasons.ts is in the future")
    assert result.since == "log.csv, row 801 to 840"
    assert "clock" in result.meaning
    assert 'endcap quarantine bbbb --reason "ts is in the future"' in result.mend
    assert results["reasons.item_id is missing"].passed
    assert '"*"' in failed(results, "reasons.user_id is missing").mend


def test_any_other_reason_is_named_when_it_is_rare_enough(judge: Judge) -> None:
    rows = Rows(month(), quarantine=ASIDE)
    result = judge(rows, '[reasons]\n"*" = 0.05')["reasons.*"]
    assert (result.passed, result.found) == (True, "ts is in the future (40)")


def test_of_an_increment_what_it_added_is_judged(judge: Judge, tmp_path: Path) -> None:
    added = [("next.csv", n, ["ts is in the future"], None) for n in range(903, 941)]
    old = Rows(month()[:900], quarantine=ASIDE[:2])
    new = Rows(month(), quarantine=[*ASIDE[:2], *added])
    contract = '[volume]\nmax_quarantined_share = 0.1\n[reasons]\n"ts is in the future" = 0.1'
    results = judge(new, contract, before=old, parent="aaaa")
    result = failed(results, "volume.max_quarantined_share")
    assert result.found.startswith(
        "38.8 % (38 of 98 rows that were added), 0.22 % of all before: ts is in the future (38)"
    )
    result = failed(results, "reasons.ts is in the future")
    assert result.found == "38.8 % (38 of 98 rows)"
    assert result.since == "next.csv, row 903 to 940"


def test_every_known_reason_has_a_cause_and_so_has_an_unknown_one() -> None:
    assert all(cause(f"x {part} y") == text for part, text in CAUSES.items() if part != "not UTF-8")
    assert "mapping" in cause("something of another release")


def test_a_shift_fails_with_what_moved(judge: Judge) -> None:
    rows = month(lambda day, row: (*row[:4], 500.0, row[5]) if day % 2 else row)
    results = judge(rows, "[drift]\nprice = 0.25\nkind = 0.25\nrating = 0.1", before=month())
    result = failed(results, "drift.price")
    assert "above 18 10.0 % -> 55" in result.found
    assert "endcap drift aaaa bbbb" in result.mend
    assert results["drift.kind"].passed
    assert results["drift.rating"].passed is None


def test_a_shift_within_chance_passes(judge: Judge) -> None:
    few = month()[:3]
    assert judge(few, "[drift]\nprice = 0.001", before=month()[1:9])["drift.price"].passed


def report_of(tmp_path: Path, contract: dict[str, Any], **rows: Any) -> ContractReport:
    written = write_snapshot(tmp_path, Rows(month(), **rows))
    return check(written, Contract.model_validate(contract), previous=None, now_us=NOW_US)


def test_the_report_begins_with_what_failed_and_says_what_to_do(tmp_path: Path) -> None:
    report = report_of(
        tmp_path,
        {"volume": {"min_users": 1, "min_rows": 5000, "rows_vs_last": [0.5, 2]}},
    )
    lines = contract_lines(report)
    assert lines[0] == (
        "contract 1 of 3 expectations failed: snapshot aaaa, 960 rows, 15 Nov 2023 to "
        "24 Dec 2023 23:00; 1 could not be judged"
    )
    assert lines[1] == "  FAILED volume.min_rows"
    assert [line.split()[0] for line in lines[2:6]] == ["expected", "found", "means", "do"]
    assert lines[-2].startswith("  not judged volume.rows_vs_last: 0.5 to 2 times the rows of")
    assert lines[-1] == "  ok volume.min_users: at least 1 users; found 50"
    said = report.model_dump()
    assert said["passed"] is False
    assert said["results"][0]["explanation"].endswith("lower min_rows in [volume].")


def test_the_report_is_printed_before_the_error(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path, Rows(month()))
    earlier = write_snapshot(tmp_path, Rows(month()), snapshot_id="cccc")
    contract = Contract.model_validate({"volume": {"min_rows": 5000, "min_items": 5000}})
    console = Console(file=io.StringIO(), width=300)
    with pytest.raises(ContractError, match=r"2 of 2 .*volume\.min_rows, volume\.min_items") as e:
        enforce(written, contract, previous=earlier, now_us=NOW_US, console=console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "FAILED volume.min_rows" in said
    assert "does not become the latest; cccc stays it" in said
    assert e.value.exit_code == 7
    assert "endcap quarantine" in str(e.value)
    assert isinstance(e.value, EndcapError)


def test_a_contract_that_holds_is_printed_too(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=300)
    contract = Contract.model_validate({"volume": {"min_rows": 1}})
    report = enforce(
        write_snapshot(tmp_path, Rows(month())), contract,
        previous=None, now_us=NOW_US, console=console,
    )  # fmt: skip
    assert report.passed
    assert "contract holds" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path, Rows(month()))
    (written.path / "items.parquet").unlink()
    with pytest.raises(DataError, match="missing"):
        check(written, Contract(), previous=None, now_us=NOW_US)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "demands nothing"),
        ("judge_days = 3\n[freshness]\ngap_days = 3", "demands nothing"),
        ("[columns.price]\nmax_outside_share = 0.1", "nothing is demanded"),
        ("[volume]\nmin_row = 3", "Did you mean min_rows?"),
        ("[volum]\nmin_rows = 3", "Did you mean volume?"),
        ("[columns.price]\nmax_nulls = 0.1", "Did you mean max_null_share?"),
        ("[kinds.purchase]\nmin_shar = 0.1", "Did you mean min_share?"),
        ("[kinds.viev]\nmin_share = 0.1", "kinds.viev"),
        ("[volume]\nmin_rows = 5\nmax_rows = 3", "5 is more than 3"),
        ("[volume]\nrows_vs_last = [2, 1]", "is more than"),
        ("[columns.price]\nmin = inf", "finite"),
        ('[columns.category]\nkind = "view"\nmin = 1', "has no kind"),
        ("[drift]\nprise = 1.0", "there are: kind, department"),
        ('[reasons]\n"*" = 2', "less than or equal to 1"),
        ("x =", "not TOML"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "contract.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_contract(file)
    assert said in str(caught.value)
    assert caught.value.where == str(file)


def test_a_contract_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="endcap contract propose"):
        load_contract(tmp_path / "none.toml")


def test_values_that_are_listed_have_no_order(tmp_path: Path) -> None:
    file = tmp_path / "contract.toml"
    file.write_text("[columns.value]\nallowed = [5, 1]")
    assert load_contract(file).columns["value"].allowed == (5, 1)


def test_every_expectation_has_a_meaning_and_stands_in_the_guide() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guide" / "data-quality.md"
    text = guide.read_text(encoding="utf-8")
    listed = dict(expectations())
    assert len(listed) > 25
    assert all(listed.values())
    rows = [f"| `{name}` | {meaning} |" for name, meaning in listed.items()]
    assert [row for row in rows if row not in text] == []


def test_the_contract_in_the_guide_can_be_read(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guide" / "data-quality.md"
    file = tmp_path / "contract.toml"
    file.write_text(guide.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0])
    assert load_contract(file).volume.min_rows == 100_000


def propose_and_check(written: Written, folder: Path, *, now_us: int) -> ContractReport:
    file = folder / "contract.toml"
    file.write_text(propose(written, previous=None, now_us=now_us))
    return check(written, load_contract(file), previous=written, now_us=now_us)


def test_a_proposed_contract_says_what_was_found(tmp_path: Path) -> None:
    users = {f"u{n}": {"home.country": "UK" if n % 2 else 'The "North"'} for n in range(50)}
    items = {f"i{n}": {"category": "tea" if n else None} for n in range(20)}
    written = write_snapshot(tmp_path, Rows(month(), users=users, items=items, quarantine=ASIDE))
    text = propose(written, previous=None, now_us=NOW_US)
    said = tomllib.loads(text)
    assert said["judge_days"] == 7
    assert said["volume"]["min_rows"] == 760
    assert "min_rows = 760  # found: 960" in text
    assert said["volume"]["last_day_vs_usual"] == [0.5, 2]
    assert said["freshness"] == {"max_age_hours": 36, "max_gap_hours": 2}
    assert said["columns"]["price"] == {
        "max_null_share": 0.01, "min": 0, "max": 57, "median": [5, 45],
    }  # fmt: skip
    assert said["columns"]["category"] == {"max_null_share": 0.1}
    assert said["columns"]["user.home.country"]["allowed"] == ['The "North"', "UK"]
    assert said["reasons"] == {"ts is in the future": 0.08, "*": 0.001}
    assert said["kinds"] == {"view": {"min_share": 0.37}, "purchase": {"min_share": 0.12}}
    assert propose_and_check(written, tmp_path, now_us=NOW_US).passed


def test_history_is_not_asked_to_be_fresh(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path, Rows(month()))
    old = Written(written.path, written.manifest.model_copy(update={"historical": True}))
    said = tomllib.loads(propose(old, previous=None, now_us=NOW_US + 900 * DAY_US))
    assert "freshness" not in said


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from([VIEW, PURCHASE, RATING]),
        st.floats(0, 5, width=32),
        st.one_of(st.none(), st.floats(0, 2.0**127, width=32)),
        st.integers(START_US, START_US + 90 * DAY_US),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=10, deadline=None)
@given(rows=ROWS, n_aside=st.integers(0, 40))
def test_a_snapshot_fulfils_the_contract_proposed_for_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], n_aside: int
) -> None:
    folder = tmp_path_factory.mktemp("proposed")
    users = {"a": {"country": "UK"}, "b": {"country": "\x7f\n'\"\\"}}
    written = write_snapshot(folder, Rows(rows, users=users, quarantine=ASIDE[:n_aside]))
    report = propose_and_check(written, folder, now_us=NOW_US + 90 * DAY_US)
    assert report.failures == []


def test_a_snapshot_that_breaks_its_contract_is_kept_and_not_put_to_use(
    ingest_file: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "user,item,ts,quantity,price"
    good = [f"u{n},i{n % 3},{1_779_000_000 + n},1,2.5" for n in range(50)]
    contract = tmp_path / "contract.toml"
    first = ingest_file("good.csv", [head, *good])
    contract.write_text(propose(first, previous=None, now_us=1_780_000_000_000_000))
    assert ingest_file("good.csv", [head, *good], contract=contract).path == first.path
    bad = [line.removesuffix("2.5") for line in good]
    with pytest.raises(ContractError, match=r"columns\.price\.max_null_share"):
        ingest_file("bad.csv", [head, *bad], contract=contract)
    root = tmp_path / "snapshots"
    assert open_snapshot(root).path == first.path
    assert "FAILED columns.price.max_null_share" in capsys.readouterr().err
    kept = next(one for one in newest(root, 9) if one.path != first.path)
    assert kept.manifest.counts.kept == 50
    assert not (tmp_path / "drift").exists()
    second = ingest_file("bad.csv", [head, *bad])
    name = f"{first.snapshot_id}-{second.snapshot_id}.json"
    assert [file.name for file in (tmp_path / "drift").iterdir()] == [name]
