"""Writes a contract that fits a snapshot, with margins, as TOML that explains itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from endcap.ingest.checks.aside import counts_added
from endcap.ingest.checks.case import Case, opened
from endcap.ingest.checks.columns import OF_USER
from endcap.ingest.checks.freshness import longest_gap
from endcap.ingest.checks.volume import USUAL_DAYS, day_counts, last_day
from endcap.ingest.engine import fill
from endcap.ingest.expectations import ANY_OTHER, SECTIONS, Contract
from endcap.ingest.stored import Stored
from endcap.ingest.wording import HOUR_US, duration, number, per_cent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import DAY_US

FEW_VALUES = 20
JUDGE_DAYS = 7
LONG_DAYS = 28
ITEM_COLUMNS = ("name", "department", "category", "brand")

KINDS = "SELECT kind, count(*) FROM judged GROUP BY kind ORDER BY kind"
PRICES = """
    SELECT count(*), count(price), min(price), max(price), quantile_disc(price, 0.5) FROM $rows
"""
RATINGS = "SELECT min(value), max(value) FROM interactions WHERE kind = $rating"
NULLS = """
    SELECT count(*), count($column) FROM $table WHERE $idx IN (SELECT $idx FROM judged)
"""
VALUES = """
    SELECT DISTINCT $column FROM users
    WHERE $column IS NOT NULL AND user_idx IN (SELECT user_idx FROM judged)
    ORDER BY 1 LIMIT $limit
"""
COLUMNS = "SELECT column_name FROM (DESCRIBE users)"


@dataclass(frozen=True, slots=True)
class _Line:
    """One demand, and what the snapshot has."""

    section: str
    key: str
    value: object
    found: str


def propose(snapshot: Stored, *, previous: Stored | None, now_us: int) -> str:
    """Return a contract that the snapshot fulfils, as the text of a TOML file.

    Margins: four fifths of the rows, users and items; twice a share, a hundredth more at least
    and a tenth at most; a third to three times the middle price; half a kind's share. What takes
    a previous snapshot to measure, and the age of data that are history, is proposed as it
    usually is or left out. Each line says what was found.

    Args:
        snapshot: one that is known to be good.
        previous: an earlier one, if there is any.
        now_us: the present.

    Cost: a few passes over the columns.
    """
    span = snapshot.manifest.time_span
    is_long = span.last_us - span.first_us >= LONG_DAYS * DAY_US
    scope = Contract(judge_days=JUDGE_DAYS if is_long else None)
    with opened(snapshot, scope, previous=previous, now_us=now_us) as case:
        lines = [
            *_volume(case),
            *_freshness(case),
            *_prices(case),
            *_attributes(case),
            *_turnover(case),
            *_reasons(case),
            *_kinds(case),
            *_drift(),
        ]
    return _toml(snapshot, lines, judge_days=scope.judge_days)


def _volume(case: Case) -> Iterator[_Line]:
    counts = case.snapshot.manifest.counts
    for key, n in (
        ("min_rows", counts.kept),
        ("min_users", counts.users),
        ("min_items", counts.items_with_interactions),
    ):
        yield _Line("volume", key, _rounded_down(0.8 * n), f"{n:,}")
    n_rows, n_aside, _ = counts_added(case)
    share = n_aside / n_rows if n_rows else 0.0
    yield _Line("volume", "max_quarantined_share", _margin(share), per_cent(share))
    yield _Line("volume", "rows_vs_last", [0.8, 1.5], "not measured; usual")
    _, usual = last_day(case)
    if usual is not None:
        ratios = [n / usual for n in day_counts(case)]
        bounds = [_down(0.5 * min(ratios)), _up(max(2 * max(ratios), 2.0))]
        found = f"{number(min(ratios))} to {number(max(ratios))} in the last {len(ratios)} days"
        yield _Line("volume", "last_day_vs_usual", bounds, found)


def _freshness(case: Case) -> Iterator[_Line]:
    if case.snapshot.manifest.historical:
        return
    age_us = case.now_us - case.last_us
    hours = max(36, math.ceil(2 * age_us / HOUR_US))
    yield _Line("freshness", "max_age_hours", hours, duration(max(age_us, 0)))
    gap = longest_gap(case, days=USUAL_DAYS)
    if gap is not None:
        hours = max(1, math.ceil(2 * (gap[1] - gap[0]) / HOUR_US))
        yield _Line("freshness", "max_gap_hours", hours, duration(gap[1] - gap[0]))


def _prices(case: Case) -> Iterator[_Line]:
    """Yield what prices and ratings are like; bounds are those of all rows, a week has few."""
    n_rows, n_priced, *_, middle = case.row(fill(PRICES, rows="judged"))
    _, _, low, high, _ = case.row(fill(PRICES, rows="interactions"))
    if n_priced:
        missing = 1 - n_priced / n_rows
        yield _Line("columns.price", "max_null_share", _margin(missing), per_cent(missing))
        yield _Line("columns.price", "min", 0.0, number(low))
        yield _Line("columns.price", "max", _up(3 * high), number(high))
        if middle > 0:
            bounds = [_down(middle / 3), _up(middle * 3)]
            yield _Line("columns.price", "median", bounds, number(middle))
    low, high = case.row(fill(RATINGS, rating=str(KIND_CODES[Kind.RATING])))
    if low is not None:
        found = f"{number(low)} to {number(high)}"
        yield _Line("columns.value", "kind", Kind.RATING.value, "")
        yield _Line("columns.value", "min", _plain(low), found)
        yield _Line("columns.value", "max", _plain(high), found)


def _attributes(case: Case) -> Iterator[_Line]:
    """Yield what catalogue and users are like: those that rows of the last days have."""
    for column in ITEM_COLUMNS:
        n_all, n_known = case.row(fill(NULLS, column=column, table="items", idx="item_idx"))
        if n_known:
            missing = 1 - n_known / n_all
            yield _Line(f"columns.{column}", "max_null_share", _margin(missing), per_cent(missing))
    for (column,) in case.rows(COLUMNS):
        if column in ("user_idx", "user_id"):
            continue
        quoted = '"' + column.replace('"', '""') + '"'
        n_all, n_known = case.row(fill(NULLS, column=quoted, table="users", idx="user_idx"))
        section, missing = f"columns.{OF_USER}{column}", 1 - n_known / n_all
        yield _Line(section, "max_null_share", _margin(missing), per_cent(missing))
        values = [
            row[0] for row in case.rows(fill(VALUES, column=quoted, limit=str(FEW_VALUES + 1)))
        ]
        if 0 < len(values) <= FEW_VALUES:
            yield _Line(section, "allowed", values, "all that occur")
            yield _Line(section, "max_unlisted_share", 0.01, "0 %")


def _turnover(case: Case) -> Iterator[_Line]:
    usual = "not measured; usual"
    yield _Line("items", "max_new_share", 0.3, usual)
    yield _Line("items", "max_vanished_share", 0.1, usual)
    yield _Line("users", "max_new_share", 0.9, usual)


def _reasons(case: Case) -> Iterator[_Line]:
    n_rows, _, by_reason = counts_added(case)
    for reason, n in by_reason.items():
        yield _Line("reasons", reason, _margin(n / n_rows, least=0.001), f"{n:,} rows")
    yield _Line("reasons", ANY_OTHER, 0.001, "no others")


def _kinds(case: Case) -> Iterator[_Line]:
    names = {code: kind.value for kind, code in KIND_CODES.items()}
    found = case.rows(KINDS)
    n_all = sum(n for _, n in found)
    for code, n in found:
        share = n / n_all
        yield _Line(f"kinds.{names[code]}", "min_share", _down(0.5 * share), per_cent(share))


def _drift() -> Iterator[_Line]:
    for name in ("kind", "category", "price"):
        yield _Line("drift", name, 0.25, "the customary limit")


def _toml(snapshot: Stored, lines: list[_Line], *, judge_days: int | None) -> str:
    manifest = snapshot.manifest
    text = [
        f"# A data contract that snapshot {manifest.snapshot_id} of {manifest.source} fulfils.",
        "# Behind each number stands what was found; move it to what you can live with.",
        "# What else can be demanded: endcap contract explain",
    ]
    if judge_days is not None:
        text += ["", f"# {Contract.model_fields['judge_days'].description}"]
        text.append(f"judge_days = {judge_days}")
    section = ""
    for line in lines:
        if line.section != section:
            section = line.section
            text += ["", f"[{_dotted(section)}]"]
        meaning = _meaning(section, line.key)
        text += [f"# {meaning}"] if meaning else []
        found = f"  # found: {line.found}" if line.found else ""
        text.append(f"{_key(line.key)} = {_value(line.value)}{found}")
    return "\n".join(text) + "\n"


def _meaning(section: str, key: str) -> str:
    head = section.split(".")[0]
    model = next((m for name, m in SECTIONS.items() if name.split(".")[0] == head), None)
    return (model.model_fields[key].description or "") if model is not None else ""


def _dotted(section: str) -> str:
    head, dot, rest = section.partition(".")
    return head + (f".{_key(rest)}" if dot else "")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _margin(share: float, *, least: float = 0.01) -> float:
    """Return a limit for a share: twice as much, at least so much more, and a tenth at most."""
    return min(1.0, _up(max(share + least, min(2 * share, share + 0.1))))


def _digits(value: float) -> int:
    return 1 - math.floor(math.log10(abs(value))) if value else 0


def _up(value: float) -> float:
    """Return the number rounded up to two digits."""
    return _in_digits(math.ceil(_scaled(value)), value)


def _down(value: float) -> float:
    """Return the number rounded down to two digits."""
    return _in_digits(math.floor(_scaled(value)), value)


def _scaled(value: float) -> float:
    # What 0.07 * 1000 has too much is no reason to round up.
    return round(value * 10.0 ** _digits(value), 9)


def _in_digits(whole: int, value: float) -> float:
    return _plain(float(f"{whole}e{-_digits(value)}"))


def _rounded_down(value: float) -> int:
    return int(_down(value))


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else value
