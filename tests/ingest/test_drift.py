from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.ingest.drift import compare
from endcap.ingest.drift_report import DriftReport, Facet, drift_lines, save_drift
from endcap.ingest.psi import Reading
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.types import DAY_US
from written_snapshot import START_US, Rows, write_snapshot

VIEW, PURCHASE, RATING = 1, 3, 4
Row = tuple[str, str, int, float, float | None, int]


def row(
    place: int,
    *,
    user: str | None = None,
    item: str | None = None,
    kind: int = VIEW,
    value: float = 1.0,
    price: float | None = None,
    day: float = 0.0,
) -> Row:
    """Return one of many rows, ten minutes after the last."""
    ts = START_US + int(day * DAY_US) + place * 600_000_000
    return (user or f"u{place % 7}", item or f"i{place % 5}", kind, value, price, ts)


def facet(report: DriftReport, name: str) -> Facet:
    found = report.facet(name)
    assert found is not None, report.skipped
    return found


def shares(report: DriftReport, name: str) -> dict[str, tuple[int, int]]:
    return {one.label: (one.n_before, one.n_after) for one in facet(report, name).bins}


def pair(tmp_path: Path, before: Rows, after: Rows, *, whole: bool = True) -> DriftReport:
    old = write_snapshot(tmp_path, before, snapshot_id="aaaa")
    new = write_snapshot(tmp_path, after, snapshot_id="bbbb")
    return compare(old, new, whole=whole)


def test_a_snapshot_does_not_differ_from_itself(tmp_path: Path) -> None:
    rows = [row(n, kind=1 + n % 4, value=1 + n % 5, price=float(n)) for n in range(300)]
    attributes = {f"i{n}": {"category": f"c{n % 2}", "brand": "b"} for n in range(5)}
    one = write_snapshot(tmp_path, Rows(rows, items=attributes))
    report = compare(one, one)
    assert {facet.name: facet.psi for facet in report.facets} == dict.fromkeys(
        ("kind", "department", "category", "brand", "price", "rating", "quantity", "activity",
         "hour"), 0.0
    )  # fmt: skip
    assert report.volume_ratio == 1
    assert (report.new_user_share, report.new_item_share, report.vanished_item_share) == (0, 0, 0)
    assert report.reading is Reading.STABLE
    assert not report.continues


def test_kinds_by_hand(tmp_path: Path) -> None:
    # (n + 0.5) / (N + 1): 49 views and 50 purchases, then 89 and 10; see test_psi
    before = [row(n, kind=VIEW if n < 49 else PURCHASE) for n in range(99)]
    after = [row(n, kind=VIEW if n < 89 else PURCHASE) for n in range(99)]
    report = pair(tmp_path, Rows(before), Rows(after))
    assert facet(report, "kind").psi == pytest.approx(0.865146, abs=1e-6)
    assert facet(report, "kind").reading is Reading.SHIFTED
    assert shares(report, "kind") == {"view": (49, 89), "purchase": (50, 10)}
    assert report.reading is Reading.SHIFTED


def test_prices_are_cut_at_the_tenths_of_the_rows_before(tmp_path: Path) -> None:
    before = [row(n, price=float(n + 1)) for n in range(100)]
    after = [row(n, price=None if n < 50 else 95.0 if n < 99 else 500.0) for n in range(100)]
    report = pair(tmp_path, Rows(before), Rows(after))
    assert shares(report, "price") == {
        "(unknown)": (0, 50), "up to 10": (10, 0), "10 to 20": (10, 0), "20 to 30": (10, 0),
        "30 to 40": (10, 0), "40 to 50": (10, 0), "50 to 60": (10, 0), "60 to 70": (10, 0),
        "70 to 80": (10, 0), "80 to 90": (10, 0), "above 90": (10, 50),
    }  # fmt: skip
    total = 100 + 0.5 * 11

    def part(old: int, new: int) -> float:
        return (new - old) / total * math.log((new + 0.5) / (old + 0.5))

    assert facet(report, "price").psi == pytest.approx(part(0, 50) + part(10, 50) + 9 * part(10, 0))


def test_one_price_for_most_rows_makes_fewer_parts(tmp_path: Path) -> None:
    before = [row(n, price=5.0 if n < 80 else 9.0) for n in range(100)]
    after = [row(n, price=9.5) for n in range(10)]
    report = pair(tmp_path, Rows(before), Rows(after))
    assert shares(report, "price") == {"up to 5": (80, 0), "5 to 9": (20, 0), "above 9": (0, 10)}


def test_single_precision_prices_stay_on_their_side_of_a_cut(tmp_path: Path) -> None:
    before = [row(n, price=0.1 * (n + 1)) for n in range(10)]
    counts = shares(pair(tmp_path, Rows(before), Rows(before)), "price")
    assert list(counts.values()) == [(1, 1)] * 10


def test_ratings_have_a_bin_each_and_quantities_are_counted_apart(tmp_path: Path) -> None:
    before = [row(n, kind=RATING, value=1 + n % 5) for n in range(50)]
    before += [row(n, kind=PURCHASE, value=7) for n in range(10)]
    after = [row(n, kind=RATING, value=5) for n in range(50)] + [row(51, kind=PURCHASE, value=8)]
    report = pair(tmp_path, Rows(before), Rows(after))
    assert shares(report, "rating") == {
        "1": (10, 0), "2": (10, 0), "3": (10, 0), "4": (10, 0), "5": (10, 50),
    }  # fmt: skip
    assert shares(report, "quantity") == {"up to 7": (10, 0), "above 7": (0, 1)}


def test_ratings_of_many_values_are_cut_into_tenths(tmp_path: Path) -> None:
    rows = [row(n, kind=RATING, value=n) for n in range(50)]
    assert list(shares(pair(tmp_path, Rows(rows), Rows(rows)), "rating"))[:2] == [
        "up to 4", "4 to 9",
    ]  # fmt: skip


def test_many_categories_leave_the_largest_and_the_others(tmp_path: Path) -> None:
    before = [row(n, item=f"i{n % 80}") for n in range(800)]
    after = [row(n, item="new") for n in range(20)]
    items = {f"i{n}": {"category": f"c{n:02d}"} for n in range(80)}
    report = pair(
        tmp_path, Rows(before, items=items), Rows(after, items={"new": {"category": "toys"}})
    )
    counts = shares(report, "category")
    assert len(counts) == 51
    assert counts["toys"] == (0, 20)  # few rows, but all of the later side
    assert counts["(other)"] == (310, 0)
    assert sum(n for n, _ in counts.values()) == 800
    assert facet(report, "category").movers()[0].label == "toys"
    assert shares(report, "brand") == {"(unknown)": (800, 20)}


def test_activity_is_counted_by_the_day_of_a_user(tmp_path: Path) -> None:
    before = [row(n, user="a") for n in range(3)] + [row(0, user="b", day=1)]
    before += [row(n, user="c", day=2) for n in range(100)]
    after = [row(n, user="a") for n in range(8)] + [row(0, user="a", day=1)]
    report = pair(tmp_path, Rows(before), Rows(after))
    assert shares(report, "activity") == {
        "1": (1, 1), "2-3": (1, 0), "8-15": (0, 1), "64 or more": (1, 0),
    }  # fmt: skip
    assert facet(report, "activity").unit == "the days of a user"


def test_hours_are_compared_over_whole_days_only(tmp_path: Path) -> None:
    full = [row(6 * n) for n in range(48)]  # two days, a row an hour
    half = [row(6 * n) for n in range(12)]
    report = pair(tmp_path, Rows(full), Rows(full[:36]))  # of a day and a half, the last day
    assert set(shares(report, "hour").values()) == {(2, 1)}
    assert len(shares(report, "hour")) == 24
    again = tmp_path / "again"
    assert pair(again, Rows(full), Rows(half)).skipped["hour"] == (
        "it takes a whole day on both sides"
    )


def test_who_and_what_is_new_is_told_by_the_ids(tmp_path: Path) -> None:
    before = [row(0, user="z", item="gone"), row(1, user="b", item="x")]
    after = [row(0, user="a", item="x"), row(1, user="b", item="y"), row(2, user="c", item="z")]
    report = pair(tmp_path, Rows(before, items={"y": {}}), Rows(after))
    assert report.new_user_share == pytest.approx(2 / 3)
    assert report.new_item_share == pytest.approx(1 / 3)  # y stood in the catalogue before
    assert report.vanished_item_share == pytest.approx(1 / 2)


def test_users_under_another_key_are_not_called_new(tmp_path: Path) -> None:
    old = write_snapshot(tmp_path, Rows([row(0)]), snapshot_id="aaaa", user_ids="hmac-sha256:1")
    new = write_snapshot(tmp_path, Rows([row(0)]), snapshot_id="bbbb", user_ids="hmac-sha256:2")
    report = compare(old, new)
    assert report.new_user_share is None
    assert not any("users" in line for line in drift_lines(report))


def test_a_bad_day_is_seen_though_most_rows_are_the_same(tmp_path: Path) -> None:
    year = [row(n % 100, day=n // 100, price=float(1 + n % 10)) for n in range(6000)]
    bad = [row(n, day=60 + n / 40, price=None) for n in range(40)]
    old = write_snapshot(tmp_path, Rows(year), snapshot_id="aaaa")
    new = write_snapshot(tmp_path, Rows(year + bad), snapshot_id="bbbb")
    report = compare(old, new)
    assert report.continues
    assert (report.before.n_rows, report.after.n_rows) == (2800, 40)
    assert report.before.n_days == 28
    assert report.volume_ratio == pytest.approx(40 / report.after.n_days / 100)
    assert facet(report, "price").reading is Reading.SHIFTED
    whole = compare(old, new, whole=True)
    assert (whole.before.n_rows, whole.after.n_rows) == (6000, 6040)
    assert facet(whole, "price").reading is Reading.STABLE
    assert compare(old, new, days=7).before.n_rows == 700


def test_a_few_rows_are_no_shift(tmp_path: Path) -> None:
    before = [row(n, price=float(1 + n % 10)) for n in range(1000)]
    old = write_snapshot(tmp_path, Rows(before), snapshot_id="aaaa")
    few = [row(n, day=7, price=float(n)) for n in (1, 5, 9)]
    new = write_snapshot(tmp_path, Rows(before + few), snapshot_id="bbbb")
    prices = facet(compare(old, new), "price")
    assert prices.psi > 0.25
    assert prices.psi < prices.chance
    assert prices.reading is Reading.STABLE


def test_rows_put_aside_are_those_that_were_added(tmp_path: Path) -> None:
    rows = [row(n) for n in range(90)]
    aside = [("log.csv", n, ["ts is missing"], "{}") for n in range(10)]
    old = write_snapshot(tmp_path, Rows(rows, quarantine=aside), snapshot_id="aaaa")
    more = Rows([*rows, row(91)], quarantine=aside + aside[:9])
    new = write_snapshot(tmp_path, more, snapshot_id="bbbb", sources=("log.csv", "next.csv"))
    assert compare(old, new).quarantined_share == (0.1, 0.9)
    apart = write_snapshot(tmp_path, more, snapshot_id="cccc", sources=("other.csv",))
    assert compare(old, apart).quarantined_share == (0.1, 19 / 110)
    again = write_snapshot(tmp_path, more, snapshot_id="eeee")  # the same file, read otherwise
    assert compare(old, again).quarantined_share == (0.1, 19 / 110)
    child = write_snapshot(
        tmp_path, more, snapshot_id="dddd", sources=("events.db",), parent="aaaa"
    )
    assert compare(old, child).quarantined_share == (0.1, 0.9)


def test_what_moved_is_said_in_words_strongest_first(tmp_path: Path) -> None:
    items = {"i0": {"category": "tea"}, "i1": {"category": "toys"}}
    before = [row(n, item="i0", price=float(n % 10 + 1)) for n in range(100)]
    after = [row(n, item="i1" if n % 2 else "i0", kind=PURCHASE) for n in range(200)]
    report = pair(tmp_path, Rows(before, items=items), Rows(after, items=items))
    lines = drift_lines(report)
    assert lines[0] == "all 200 rows of bbbb against all 100 rows of aaaa"
    assert "times as many" in lines[1]
    moved = [line for line in lines if "PSI" in line]
    assert moved[0].startswith("kind has shifted (PSI 11.21): ")
    assert "purchase 0 % -> 100.0 %" in moved[0]
    category = next(line for line in moved if line.startswith("category"))
    assert category.endswith("toys 0 % -> 50.0 %, tea 100.0 % -> 50.0 % of rows")


def test_no_move_is_said_too(tmp_path: Path) -> None:
    rows = Rows([row(n) for n in range(50)])
    assert drift_lines(pair(tmp_path, rows, rows))[-1].startswith("no distribution has moved")


def test_the_report_is_kept_as_json(tmp_path: Path) -> None:
    report = pair(tmp_path, Rows([row(0)]), Rows([row(0, kind=PURCHASE)]))
    file = save_drift(report, tmp_path / "var" / "drift")
    assert file == tmp_path / "var" / "drift" / "aaaa-bbbb.json"
    assert DriftReport.model_validate_json(file.read_text()) == report
    assert json.loads(file.read_text())["facets"][0]["name"] == "kind"


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one = write_snapshot(tmp_path, Rows([row(0), row(3, kind=RATING)]), snapshot_id="aaaa")
    other = write_snapshot(tmp_path, Rows([row(0)]), snapshot_id="bbbb")
    assert compare(one, other).skipped["rating"] == "nothing to count after"
    assert compare(other, one, whole=True).skipped["rating"] == "nothing to count before"
    with pytest.raises(SettingsError):
        compare(one, other, days=0)
    (other.path / "users.parquet").unlink()
    with pytest.raises(DataError, match="missing"):
        compare(one, other)


@settings(max_examples=8, deadline=None)
@given(
    data=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1, 3, 4]), st.integers(0, 2000)),
        min_size=1,
        max_size=60,
    ),
    n_chunk=st.integers(1, 60),
)
def test_each_row_is_in_one_bin_of_each_facet(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[int, int, int]], n_chunk: int
) -> None:
    rows = [
        row(place, user=f"u{who}", kind=kind, price=None if place % 9 == 0 else place / 7)
        for who, kind, place in data
    ]
    folder = tmp_path_factory.mktemp("drift")
    old = write_snapshot(folder, Rows(rows), chunk=n_chunk, snapshot_id="aaaa")
    new = write_snapshot(folder, Rows(rows[: len(rows) // 2 + 1]), snapshot_id="bbbb")
    report = compare(old, new, whole=True)
    for name in ("kind", "price", "category"):
        counts = shares(report, name).values()
        assert sum(n for n, _ in counts) == len(rows)
        assert sum(n for _, n in counts) == len(rows) // 2 + 1
    assert all(0 <= facet.psi < 20 for facet in report.facets)
