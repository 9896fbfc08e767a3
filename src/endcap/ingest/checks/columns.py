"""Checks of what the values of a column are like, and of the shares of the kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from endcap.ingest.checks.case import Case, CheckResult
from endcap.ingest.engine import fill, identifier, literal
from endcap.ingest.expectations import Column, KindShare, Value
from endcap.ingest.wording import number, per_cent, short
from endcap.schema.columns import KIND_CODES, Kind

OF_ROWS = ("price", "value")
OF_ITEM = "item."
OF_USER = "user."
NUMERIC = frozenset({"FLOAT", "DOUBLE", "BIGINT", "INTEGER", "UTINYINT"})
LARGEST_SINGLE = 3.4e38
HUNDREDFOLD = (30.0, 300.0)
N_EXAMPLES = 3

COUNT = "SELECT count(*), count(*) FILTER (WHERE $events) FROM $rows"
EXTREMES = "SELECT min($number), max($number) FROM $rows"
MIDDLE = "SELECT quantile_disc($number, 0.5) FROM $rows"
UNLISTED = """
    SELECT CAST($column AS VARCHAR), count(*) AS n FROM $rows WHERE $events
    GROUP BY 1 ORDER BY n DESC, 1 LIMIT $limit
"""
COLUMNS = "SELECT column_name, column_type FROM (DESCRIBE $table)"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a column is found.

    rows: the relation of which shares are taken: rows, or the items or users that occur in them.
    unit: what one of these is called. events: `rows` once for each interaction, with its time.
    sql, sql_type: the column in it.
    """

    key: str
    rows: str
    unit: str
    events: str
    sql: str
    sql_type: str

    @property
    def number(self) -> str:
        """The value as a number, NULL when it is none."""
        return self.sql if self.sql_type in NUMERIC else f"TRY_CAST({self.sql} AS DOUBLE)"

    def limit(self, value: float) -> str:
        """Return a bound in the precision of the column, so that equal stays equal."""
        is_single = self.sql_type == "FLOAT" and abs(value) <= LARGEST_SINGLE
        cast = "FLOAT" if is_single else "DOUBLE"
        return f"CAST({value!r} AS {cast})"


def check_columns(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the section `columns`."""
    for name, column in case.contract.columns.items():
        place = find_column(case, name, kind=column.kind)
        if isinstance(place, CheckResult):
            yield place
            continue
        n_all, n_null = case.rows(fill(COUNT, events=f"{place.sql} IS NULL", rows=place.rows))[0]
        if n_all == 0:
            what = f"no row of kind {column.kind}" if column.kind else f"no {place.unit}"
            yield CheckResult(
                name=f"columns.{name}", expectation="there is something to judge", found=what,
                passed=None, meaning="The values of nothing can be neither right nor wrong.",
            )  # fmt: skip
            continue
        if column.max_null_share is not None:
            yield _nulls(case, place, column.max_null_share, n_null, n_all)
        yield from _bounds(case, place, column, n_all - n_null)
        if column.allowed is not None:
            yield _listed(case, place, column, n_all - n_null)


def find_column(case: Case, name: str, *, kind: Kind | None = None) -> _Place | CheckResult:
    """Return where the column is, or the failed check when there is none of that name."""
    if name in OF_ROWS:
        rows = "judged" if kind is None else f"(SELECT * FROM judged WHERE kind={KIND_CODES[kind]})"
        return _Place(name, rows, "rows", rows, identifier(name), "FLOAT")
    is_user = name.startswith(OF_USER)
    table, idx = ("users", "user_idx") if is_user else ("items", "item_idx")
    bare = name.removeprefix(OF_USER if is_user else OF_ITEM)
    types = dict(case.rows(fill(COLUMNS, table=table)))
    if bare not in types or bare == idx:
        return _absent(name, bare, [column for column in types if column != idx], table)
    rows = f"(SELECT * FROM {table} WHERE {idx} IN (SELECT {idx} FROM judged))"
    columns = f"{table}.{identifier(bare)}"
    events = f"(SELECT judged.ts, {columns} FROM judged JOIN {table} USING ({idx}))"
    return _Place(name, rows, table, events, identifier(bare), types[bare])


def _absent(name: str, bare: str, known: list[str], table: str) -> CheckResult:
    mend = "Check the mapping of the catalogue, and the header of its file."
    if table == "users":
        mend = (
            "Check the file of the users, and the policy for columns about them: it may drop the "
            "column."
        )
    return CheckResult(
        name=f"columns.{name}",
        expectation=f"the {table} have a column {bare}",
        found=f"they have: {', '.join(known)}",
        passed=False,
        meaning="The source no longer has the column, or calls it otherwise.",
        mend=f"{mend} If it is gone for good, take [columns.{_toml_key(name)}] out of the "
        "contract.",
    )


def _toml_key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _of(n: int, n_all: int, unit: str) -> str:
    return f"{per_cent(n / n_all)} ({n:,} of {n_all:,} {unit})"


def _nulls(case: Case, place: _Place, most: float, n_null: int, n_all: int) -> CheckResult:
    is_met = n_null <= most * n_all
    result = CheckResult(
        name=f"columns.{place.key}.max_null_share",
        expectation=f"at most {per_cent(most)} of the {place.unit} have no {place.key}",
        found=_of(n_null, n_all, place.unit),
        passed=is_met,
    )
    if is_met:
        return result
    return result.model_copy(
        update={
            "since": case.since(f"{place.sql} IS NULL", rows=place.events),
            "meaning": "The source no longer sends the column, has renamed it so that the mapping "
            "misses it, or one of several sources never had it.",
            "mend": f"Compare the header of {case.sources} with the mapping in the manifest; then "
            f"ingest again. If it is meant, raise max_null_share in "
            f"[columns.{_toml_key(place.key)}].",
        }
    )


def _bounds(case: Case, place: _Place, column: Column, n_values: int) -> Iterator[CheckResult]:
    if n_values == 0:
        return
    if column.min is not None:
        yield _outside(case, place, column, n_values, key="min", bound=column.min)
    if column.max is not None:
        yield _outside(case, place, column, n_values, key="max", bound=column.max)
    if column.median is not None:
        yield _median(case, place, column.median)


def _outside(
    case: Case, place: _Place, column: Column, n_values: int, *, key: str, bound: float
) -> CheckResult:
    sign, side = ("<", "smaller") if key == "min" else (">", "larger")
    is_none = f"({place.number} IS NULL AND {place.sql} IS NOT NULL)"  # text that is no number
    events = f"({place.number} {sign} {place.limit(bound)} OR {is_none})"
    _, n_out = case.rows(fill(COUNT, events=f"coalesce({events}, false)", rows=place.rows))[0]
    smallest, largest = case.rows(fill(EXTREMES, number=place.number, rows=place.rows))[0]
    found = f"{number(smallest)} to {number(largest)}" if smallest is not None else "no number"
    most = column.max_outside_share
    few = "no" if most == 0 else f"at most {per_cent(most)} of them a"
    result = CheckResult(
        name=f"columns.{place.key}.{key}",
        expectation=f"{few} {place.key} {side} than {number(bound)}",
        found=found,
        passed=n_out <= most * n_values,
    )
    if result.passed:
        return result
    return result.model_copy(
        update={
            "found": f"{found}; {side}: {_of(n_out, n_values, 'values')}",
            "since": case.since(f"coalesce({events}, false)", rows=place.events),
            "meaning": "A few such values are mistakes of typing or test orders; many are another "
            "unit, another currency or another column.",
            "mend": f"Look at these rows in {case.sources}. If such values are right, change {key} "
            f"in [columns.{_toml_key(place.key)}], or allow a few by max_outside_share.",
        }
    )


def _median(case: Case, place: _Place, bounds: tuple[float, float]) -> CheckResult:
    low, high = bounds
    middle = case.rows(fill(MIDDLE, number=place.number, rows=place.rows))[0][0]
    result = CheckResult(
        name=f"columns.{place.key}.median",
        expectation=f"the middle {place.key} lies between {number(low)} and {number(high)}",
        found="no number" if middle is None else number(middle),
        passed=middle is not None and low <= middle <= high,
    )
    if result.passed:
        return result
    usual = (low + high) / 2
    factor = 0.0 if not middle or usual <= 0 else max(middle / usual, usual / middle)
    meaning = "Other things are sold than before, or the column holds something else."
    if HUNDREDFOLD[0] <= factor <= HUNDREDFOLD[1]:
        meaning = (
            "About a hundred times off: the unit has changed, such as pence for pounds, or a "
            "decimal comma was lost."
        )
    is_low = middle is not None and middle < low
    beyond = f"{place.number} {'<' if is_low else '>'} {place.limit(low if is_low else high)}"
    return result.model_copy(
        update={
            "since": case.since(f"coalesce({beyond}, false)", rows=place.events),
            "meaning": meaning,
            "mend": f"Compare a known item in {case.sources} with the shop. If it is meant, widen "
            f"median in [columns.{_toml_key(place.key)}].",
        }
    )


def _listed(case: Case, place: _Place, column: Column, n_values: int) -> CheckResult:
    allowed, most = column.allowed or (), column.max_unlisted_share
    events = f"{place.sql} IS NOT NULL AND NOT {_is_among(place, allowed)}"
    _, n_others = case.rows(fill(COUNT, events=events, rows=place.rows))[0]
    shown = ", ".join(short(_text(value), limit=20) for value in allowed[:8])
    shown += f" and {len(allowed) - 8} more" if len(allowed) > 8 else ""
    few = "none" if most == 0 else f"at most {per_cent(most)}"
    result = CheckResult(
        name=f"columns.{place.key}.allowed",
        expectation=f"{few} of the values is other than {shown}",
        found=_of(n_others, max(n_values, 1), "values"),
        passed=n_others <= most * n_values,
    )
    if result.passed:
        return result
    others = case.rows(
        fill(UNLISTED, column=place.sql, rows=place.rows, events=events, limit=str(N_EXAMPLES))
    )
    examples = ", ".join(f"{short(value, limit=40)!r} ({n:,})" for value, n in others)
    return result.model_copy(
        update={
            "found": f"{result.found}: {examples}",
            "since": case.since(events, rows=place.events),
            "meaning": "The source spells values otherwise than before, has new ones, or another "
            "column stands in the place of this one.",
            "mend": f"If they are right, add them to allowed in [columns.{_toml_key(place.key)}]; "
            f"if not, mend {case.sources} and ingest again.",
        }
    )


def _is_among(place: _Place, allowed: tuple[Value, ...]) -> str:
    """Return SQL that is true for a value of the list; numbers are compared as numbers."""
    if place.sql_type in NUMERIC:
        numbers = [value for value in allowed if not isinstance(value, str)]
        limits = ", ".join(place.limit(float(value)) for value in numbers) or "NULL"
        return f"coalesce({place.sql} IN ({limits}), false)"
    texts = ", ".join(literal(_text(value)) for value in allowed) or "NULL"
    return f"coalesce(CAST({place.sql} AS VARCHAR) IN ({texts}), false)"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else number(value).replace(",", "")


def check_kinds(case: Case) -> Iterator[CheckResult]:
    """Yield what became of the section `kinds`."""
    for kind, share in case.contract.kinds.items():
        events = f"kind = {KIND_CODES[kind]}"
        n_all, n_found = case.rows(fill(COUNT, events=events, rows="judged"))[0]
        if share.min_share is not None:
            yield _kind(case, kind, share, n_found, n_all, is_min=True)
        if share.max_share is not None:
            yield _kind(case, kind, share, n_found, n_all, is_min=False)


def _kind(
    case: Case, kind: Kind, share: KindShare, n_found: int, n_all: int, *, is_min: bool
) -> CheckResult:
    bound = (share.min_share if is_min else share.max_share) or 0.0
    key = "min_share" if is_min else "max_share"
    is_met = n_found >= bound * n_all if is_min else n_found <= bound * n_all
    result = CheckResult(
        name=f"kinds.{kind}.{key}",
        expectation=f"at {'least' if is_min else 'most'} {per_cent(bound)} of the rows are {kind}",
        found=_of(n_found, n_all, "rows"),
        passed=is_met,
    )
    if is_met:
        return result
    return result.model_copy(
        update={
            "since": case.since(f"kind = {KIND_CODES[kind]}", low=is_min),
            "meaning": f"Events of kind {kind} no longer arrive, or under a word that is not known "
            "and was put aside as 'kind is unknown'."
            if is_min
            else f"Other kinds than {kind} no longer arrive, or everything is taken for {kind}.",
            "mend": f"Check who sends the kinds, and the words for them in {case.sources}. If it "
            f"is meant, change {key} in [kinds.{kind}].",
        }
    )
