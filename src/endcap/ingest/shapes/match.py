"""Finds the known format of a file from its columns and its first rows.

Reads no file; `peek` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import Template

from endcap.ingest.engine import identifier
from endcap.ingest.shapes.shape import ORDER, Derived, Holds, Pattern, Rule, Shape, plain

MIN_MATCHING = 0.9
MADE_UP_TIMES = (
    "the file has an order and no times: position n is taken as n seconds after 2000-01-01, so "
    "splits by time, sessions, recency and trends mean nothing here"
)


def find_shape(
    patterns: Sequence[Pattern],
    columns: Sequence[str],
    sample: Sequence[Mapping[str, str | None]],
    *,
    file_name: str,
) -> tuple[Pattern, Shape] | None:
    """Return the first pattern that fits, and the shape it gives these columns.

    Args:
        patterns: those that may fit, the particular before the general.
        columns: names as in the first record, which may hold values in fact.
        sample: the records after it.
        file_name: without folders.
    """
    bare = re.sub(r"\.(gz|zst|zip)$", "", file_name.lower())
    by_plain: dict[str, str] = {}
    for column in columns:
        by_plain.setdefault(plain(column), column)
    for pattern in patterns:
        if pattern.file_name and not re.fullmatch(pattern.file_name, bare):
            continue
        found = (
            _by_cells(pattern, columns, sample) if pattern.cells else _by_name(pattern, by_plain)
        )
        if found is not None:
            return pattern, _fit(pattern, found)
    return None


def _by_cells(
    pattern: Pattern, columns: Sequence[str], sample: Sequence[Mapping[str, str | None]]
) -> dict[str, str] | None:
    """Return the columns by position if the records look like those of the pattern."""
    if len(columns) != len(pattern.cells):
        return None
    # A value that stands in the first record twice was given a name of its own.
    first = [
        name.removesuffix(f"_{n}") if name.removesuffix(f"_{n}") in columns[: n - 1] else name
        for n, name in enumerate(columns, start=1)
    ]
    records: list[list[str | None]] = [[*first], *([*row.values()] for row in sample)]
    n_matching = sum(
        len(record) == len(pattern.cells)
        and all(
            re.fullmatch(cell, text or "") for cell, text in zip(pattern.cells, record, strict=True)
        )
        for record in records
    )
    if n_matching < MIN_MATCHING * len(records):
        return None
    return {f"#{n}": f"#{n}" for n in range(1, len(columns) + 1)}


def _by_name(pattern: Pattern, by_plain: dict[str, str]) -> dict[str, str] | None:
    """Return plain name -> column, as it is given, if the columns are those of the pattern."""
    if any(name in by_plain for name in pattern.without):
        return None
    if not all(_resolve(need, by_plain) for need in pattern.needs):
        return None
    return by_plain


def _resolve(names: str, by_plain: Mapping[str, str]) -> str | None:
    return next((by_plain[name] for name in names.split("|") if name in by_plain), None)


def _fit(pattern: Pattern, by_plain: Mapping[str, str]) -> Shape:
    columns = {
        need.split("|")[0]: identifier(_resolve(need, by_plain) or "") for need in pattern.needs
    }
    if pattern.converter or pattern.select:
        mapping = dict(pattern.mapping)
    else:
        found = {role: _resolve(names, by_plain) for role, names in pattern.mapping.items()}
        mapping = {role: column for role, column in found.items() if column is not None}
    refuse = tuple(
        Rule(column, rule.matches, rule.reason)
        for rule in pattern.refuse
        if (column := _resolve(rule.column, by_plain)) is not None
    )
    return Shape(
        name=pattern.name,
        title=pattern.title,
        mapping=mapping if pattern.holds is Holds.INTERACTIONS else {},
        item_mapping=mapping if pattern.holds is Holds.ITEMS else {},
        user_mapping=mapping if pattern.holds is Holds.USERS else {},
        kind=pattern.kind,
        kinds=pattern.kinds,
        refuse=refuse,
        explanation=_explain(pattern, by_plain),
        dialect=pattern.dialect,
        ts_unit=pattern.ts_unit,
        converter=pattern.converter,
        select=Template(pattern.select).substitute(columns) if pattern.select else None,
        companions=pattern.companions,
        items=_filled(pattern.items, columns),
        notes=pattern.notes,
        warnings=(MADE_UP_TIMES,) if pattern.ts_unit == ORDER else (),
    )


def _filled(derived: Derived | None, columns: Mapping[str, str]) -> Derived | None:
    if derived is None:
        return None
    select = Template(derived.select).substitute(columns)
    return Derived(select, derived.mapping, derived.because)


def _explain(pattern: Pattern, by_plain: Mapping[str, str]) -> tuple[str, ...]:
    if pattern.cells:
        first = f"{len(pattern.cells)} columns without a header: {pattern.title}"
    else:
        names = [column for need in pattern.needs if (column := _resolve(need, by_plain))]
        first = f"columns {', '.join(names)}: {pattern.title}"
    told = [f"`{by_plain[name]}` {words}" for name, words in pattern.tells if name in by_plain]
    return (first, *told)
