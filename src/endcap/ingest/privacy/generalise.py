"""How a value becomes coarser, as SQL that both engines understand.

Every rule takes text and gives text, and NULL for what it cannot make coarser: nothing passes
because it was not understood. Hashing is not here, as no key may stand in SQL.
"""

from __future__ import annotations

from endcap.ingest.engine import literal
from endcap.ingest.privacy.config import Generalise, Rule

MAX_AGE = 120
DAY_S = 86_400
_BLANKS = r"[\p{Z}\p{Cc}]+"
_TO = "(?:-|\u2013|\u2014|to)"  # dashes as people type them
_UNITS_PER_S = ((9, 11, 1), (12, 14, 1_000), (15, 17, 1_000_000), (18, 19, 1_000_000_000))
"""Fewest digits, most digits, units in a second: what a number of so many digits counts."""

_DATE = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME_CHARS = {"day": 10, "month": 7, "year": 4}
_CODE_TAILS = (
    r"[0-9]{4} ?[a-z]{2}\b",  # 1234 AB
    r"[0-9][0-9a-z]? ?[0-9][a-z]{2}\b",  # CB2 1TN, without the letters before
    r"[0-9][a-z] ?[0-9][a-z][0-9]\b",  # K1A 0B1, the same
    r"\p{N}+[a-z]?\b",
    r"\p{N}+",
)
"""What is taken out of an address, in this order; what is left of a postcode is its area."""


def expression(column_sql: str, rule: Rule) -> str:
    """Return SQL for what reaches the snapshot of a text column.

    In DuckDB's dialect, of functions that can be turned into Spark's.

    Args:
        column_sql: SQL of type VARCHAR; it may be evaluated several times.
        rule: any but drop and hash.

    Raises:
        ValueError: the rule is drop, which lets nothing through, or hash, which is no SQL.
    """
    if isinstance(rule, str):
        if rule != "keep":
            raise ValueError(f"{rule} has no expression")
        return f"nullif({_plain(column_sql)}, '')"
    text = _plain(column_sql)
    match rule.rule:
        case "age_bands":
            return _age(text, rule)
        case "bands":
            return _number(text, rule.bands or 0)
        case "place":
            return _place(text, rule.place or 0)
        case "time":
            return _time(text, _TIME_CHARS[rule.time or "day"])
        case "first":
            return f"nullif(trim(substr({text}, 1, {rule.first})), '')"
        case _:
            return _mapped(text, rule)


def described(rule: Rule) -> str:
    """Return a rule in words, for a manifest."""
    if isinstance(rule, str):
        return rule
    match rule.rule:
        case "age_bands":
            return f"age in bands of {rule.age_bands} years, {rule.top}+ together"
        case "bands":
            return f"number in bands of {rule.bands}"
        case "place":
            return f"the last {rule.place} parts of an address, postcodes cut to their area"
        case "time":
            return f"time to the {rule.time}"
        case "first":
            return f"the first {rule.first} characters"
        case _:
            return f"mapped to {len(set((rule.map or {}).values()))} values"


def _plain(column_sql: str) -> str:
    """Return the text with single spaces, without line breaks, which engines match in two ways."""
    return f"trim({_replaced(column_sql, _BLANKS, ' ')})"


def _age(text: str, rule: Generalise) -> str:
    width, top = rule.age_bands or 0, rule.top
    start = rule.start if rule.start is not None else 5 if width % 10 == 0 else 0
    any_form = rf"^([0-9]{{1,3}})(?:\.[0-9]+| ?{_TO} ?[0-9]{{1,3}}| ?\+)?$"
    low = _integer(_extracted(text, any_form))
    high = _integer(_extracted(text, rf"^[0-9]{{1,3}} ?{_TO} ?([0-9]{{1,3}})$"))
    last = f"coalesce({high}, {low})"

    def band(age: str) -> str:  # the first age of the band
        return f"(({age} - {start}) // {width} * {width} + {start})"

    first_text = _whole(f"CASE WHEN {low} < {start} THEN 0 ELSE {band(low)} END")
    last_text = _whole(
        f"CASE WHEN {last} < {start} THEN {start - 1} "
        f"WHEN {band(last)} + {width - 1} >= {top} THEN {top - 1} "
        f"ELSE {band(last)} + {width - 1} END"
    )
    return (
        f"CASE WHEN {low} IS NULL OR {low} > {MAX_AGE} OR {last} < {low} THEN NULL "
        f"WHEN {low} >= {top} THEN '{top}+' "
        rf"WHEN {last} >= {top} OR regexp_matches({text}, '\+$') THEN {first_text} || '+' "
        f"ELSE {first_text} || '-' || {last_text} END"
    )


def _number(text: str, width: int) -> str:
    low = f"floor(CAST({text} AS DOUBLE) / {width}.0) * {width}"
    return (
        rf"CASE WHEN regexp_matches({text}, '^-?[0-9]{{1,15}}(\.[0-9]+)?$') "
        f"THEN {_whole(low)} || ' to ' || {_whole(f'{low} + {width - 1}')} END"
    )


def _place(text: str, n_parts: int) -> str:
    """Return SQL for the last parts of an address that has more of them.

    An address of so few parts is left out, as a street in it could not be told from a city.
    """
    listed = _replaced(_replaced(f"lower({text})", "[ ,]+$", ""), " ?,[ ,]*", ",")
    last = _extracted(listed, f",([^,]*(?:,[^,]*){{{n_parts - 1}}})$")
    name = last
    for tail in _CODE_TAILS:
        name = _replaced(name, tail, "")
    name = _replaced(_replaced(name, "[ -]*,[ ,-]*", ", "), "^[ ,-]+|[ ,-]+$", "")
    area = _extracted(last, "([0-9]{2})[0-9]{2}")
    return f"nullif(trim({_replaced(name, ' +', ' ')} || ' ' || {area}), '')"


def _time(text: str, n_chars: int) -> str:
    written = _extracted(text, f"^({_DATE})(?:[T ].*)?$")
    counted = " ".join(
        f"WHEN regexp_matches({text}, '^[0-9]{{{fewest},{most}}}$') "
        f"THEN {_cut(_date(text, DAY_S * units_per_s), n_chars)}"
        for fewest, most, units_per_s in _UNITS_PER_S
    )
    return (
        f"CASE WHEN TRY_CAST(nullif({written}, '') AS DATE) IS NOT NULL "
        f"THEN {_cut(written, n_chars)} {counted} END"
    )


def _date(text: str, units_per_day: int) -> str:
    days = f"CAST(TRY_CAST({text} AS BIGINT) // {units_per_day} AS INTEGER)"
    return f"CAST(DATE '1970-01-01' + {days} AS VARCHAR)"


def _mapped(text: str, rule: Generalise) -> str:
    cases = " ".join(
        f"WHEN {text} = {literal(' '.join(old.split()))} THEN {literal(new)}"
        for old, new in (rule.map or {}).items()
    )
    other = "NULL" if rule.other is None else literal(rule.other)
    return f"CASE WHEN nullif({text}, '') IS NULL THEN NULL {cases} ELSE {other} END"


def _replaced(text: str, pattern: str, new: str) -> str:
    return f"regexp_replace({text}, {literal(pattern)}, {literal(new)}, 'g')"


def _extracted(text: str, pattern: str) -> str:
    """Return SQL for the first group of a match; empty text without one."""
    return f"regexp_extract({text}, {literal(pattern)}, 1)"


def _integer(text: str) -> str:
    return f"CAST(nullif({text}, '') AS INTEGER)"


def _whole(number: str) -> str:
    return f"CAST(CAST({number} AS BIGINT) AS VARCHAR)"


def _cut(text: str, n_chars: int) -> str:
    return f"substr({text}, 1, {n_chars})"
