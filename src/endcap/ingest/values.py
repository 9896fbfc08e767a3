"""SQL that makes a value of text: what counts as missing, as a number, as a time.

Written for both engines: a pattern says what may be cast, so that neither engine's own leniency
decides.
"""

from __future__ import annotations

from endcap.ingest.engine import literal

WHITE = " \t\r\n"
MISSING = ("", "nan", "null", "none", "\\n", "<na>")
MAX_MISSING_CHARS = max(len(word) for word in MISSING)
NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$"
MAX_DOUBLE = "1.7976931348623157e308"

# 2017-01-31, 2017-01-31 23:59, 2017-01-31T23:59:59.123456Z, … +0200, … +02:00, … UTC
TIME = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
    r" ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?$"
)
DAY_FIRST = {"mdy": (2, 1), "dmy": (1, 2)}
SLASHED = r"^([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})"


def presence(text: str) -> str:
    """Return SQL that is the trimmed text, or NULL for the words that other tools write for it."""
    # Few values need it, and it costs more than all else: look at the first and the last letter.
    outside = f"{text} < '!' OR right({text}, 1) < '!'"
    trimmed = f"CASE WHEN {outside} THEN trim({text}, {literal(WHITE)}) ELSE {text} END"
    words = ", ".join(literal(word) for word in MISSING)
    is_missing = f"length({trimmed}) <= {MAX_MISSING_CHARS} AND lower({trimmed}) IN ({words})"
    return f"CASE WHEN {is_missing} THEN NULL ELSE {trimmed} END"


def number(text: str) -> str:
    """Return SQL that is the text as a finite DOUBLE, or NULL."""
    cast = f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"CASE WHEN regexp_matches({text}, {literal(NUMBER)}) AND abs({cast}) <= {MAX_DOUBLE}"
        f" THEN {cast} END"
    )


def time_us(text: str, *, zone: str, order: str = "ymd") -> str:
    """Return SQL that is a written time as UTC microseconds, or NULL.

    Args:
        text: an SQL expression.
        zone: of times that state none, as in the IANA data base.
        order: of day, month and year in `1/12/2010 8:26`: "mdy", "dmy", or "ymd" for ISO only.
    """
    if order != "ymd":
        text = _iso(text, *DAY_FIRST[order])
    pattern = literal(TIME)
    clock = f"regexp_extract({text}, {pattern}, 2)"
    naive = (
        f"TRY_CAST(regexp_extract({text}, {pattern}, 1) || ' ' || CASE length({clock})"
        f" WHEN 0 THEN '00:00:00' WHEN 6 THEN substr({clock}, 2) || ':00'"
        f" ELSE substr(substr({clock}, 2), 1, 15) END AS TIMESTAMP)"
    )
    offset = f"regexp_extract({text}, {pattern}, 5)"
    shift_s = (
        f"(CASE WHEN substr({offset}, 1, 1) = '-' THEN -1 ELSE 1 END)"
        f" * (CAST(substr({offset}, 2, 2) AS BIGINT) * 3600"
        f" + CASE WHEN length({offset}) > 3"
        f" THEN CAST(right({offset}, 2) AS BIGINT) * 60 ELSE 0 END)"
    )
    local = naive if zone == "UTC" else f"timezone({literal(zone)}, {naive})"
    return (
        f"CASE WHEN NOT regexp_matches({text}, {pattern}) THEN NULL"
        f" WHEN {offset} = '' THEN epoch_us({local})"
        f" WHEN {offset} IN ('Z', 'UTC') THEN epoch_us({naive})"
        f" ELSE epoch_us({naive}) - ({shift_s}) * 1000000 END"
    )


def _iso(text: str, day: int, month: int) -> str:
    pattern = literal(SLASHED)

    def part(nth: int) -> str:
        return f"lpad(regexp_extract({text}, {pattern}, {nth}), 2, '0')"

    date = f"regexp_extract({text}, {pattern}, 3) || '-' || {part(month)} || '-' || {part(day)}"
    clock = f"regexp_replace({text}, {literal(SLASHED)}, '')"
    padded = f"regexp_replace({clock}, '^ ([0-9]):', ' 0\\1:')"
    return f"CASE WHEN regexp_matches({text}, {pattern}) THEN {date} || {padded} ELSE {text} END"
