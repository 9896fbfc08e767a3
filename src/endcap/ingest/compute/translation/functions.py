"""What the local engine's functions do where Spark's own would do something else, as SQL of Spark.

`translate` calls them by name, and every session defines them first. A function gets each value
once, so that a long expression is not repeated.
"""

from __future__ import annotations

_BLANK = r"[ \\t\\n\\x0B\\f\\r]*"
_DIGITS = "[0-9]+(_[0-9]+)*"
_NUMBER = rf"({_DIGITS}([.]({_DIGITS})?)?|[.]{_DIGITS})([eE][+-]?{_DIGITS})?{_BLANK}\\z"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{0,9})?)?"
# Letters that got a small form after the Unicode of the local engine.
_NEW_CAPITALS = (
    r"[\\x{1C89}\\x{A7CB}\\x{A7CC}\\x{A7CE}\\x{A7D2}\\x{A7D4}\\x{A7DA}\\x{A7DC}"
    r"\\x{10D50}-\\x{10D65}\\x{16EA0}-\\x{16EB8}]"
)


def _real(kind: str) -> str:
    return rf"""CASE
        WHEN x RLIKE '^{_BLANK}[+]?-?{_NUMBER}'
        THEN TRY_CAST(regexp_replace(x, '_|^\\s*[+]', '') AS {kind})
        WHEN x RLIKE '(?i)^{_BLANK}[+]?-?nan([(][a-z0-9_]*[)])?{_BLANK}\\z'
        THEN CAST('NaN' AS {kind})
        WHEN x RLIKE '(?i)^{_BLANK}[+]?-?inf(inity)?{_BLANK}\\z'
        THEN CAST(IF(contains(x, '-'), '-Infinity', 'Infinity') AS {kind})
    END"""


# Rounds half away from zero; base 16 and 2 are known too.
_WHOLE = rf"""CASE
    WHEN x RLIKE '^{_BLANK}[+-]?{_NUMBER}' THEN TRY_CAST(replace(x, '_', '') AS DECIMAL(38, 0))
    WHEN x RLIKE '^0[xX][0-9a-fA-F]{{1,15}}\\z'
    THEN CAST(conv(substr(x, 3), 16, 10) AS DECIMAL(38, 0))
    WHEN x RLIKE '^0[bB][01]{{1,60}}\\z' THEN CAST(conv(substr(x, 3), 2, 10) AS DECIMAL(38, 0))
END"""

FROM_TEXT = {
    "double": ("DOUBLE", _real("DOUBLE")),
    "float": ("FLOAT", _real("FLOAT")),
    "hugeint": ("DECIMAL(38, 0)", _WHOLE),
    "bigint": (
        "BIGINT",
        rf"CASE WHEN x RLIKE '^-?[0-9]{{1,18}}\\z' THEN CAST(x AS BIGINT)"
        rf" ELSE TRY_CAST({_WHOLE} AS BIGINT) END",
    ),
    "integer": ("INTEGER", f"TRY_CAST({_WHOLE} AS INTEGER)"),
    "smallint": ("SMALLINT", f"TRY_CAST({_WHOLE} AS SMALLINT)"),
    "utinyint": (
        "SMALLINT",
        f"CASE WHEN {_WHOLE} BETWEEN 0 AND 255 THEN CAST({_WHOLE} AS SMALLINT) END",
    ),
    "boolean": (
        "BOOLEAN",
        r"CASE WHEN x RLIKE '(?i)^(true|t|yes|y|1)\\z' THEN true"
        r" WHEN x RLIKE '(?i)^(false|f|no|n|0)\\z' THEN false END",
    ),
    "timestamp": (
        "TIMESTAMP_NTZ",
        rf"CASE WHEN x RLIKE '^{_DAY}([ T]{_CLOCK})?\\z' THEN TRY_CAST(x AS TIMESTAMP_NTZ)"
        rf" WHEN x RLIKE '^{_DAY}[ T]24:00(:00([.]0{{0,9}})?)?\\z'"
        " THEN TRY_CAST(substr(x, 1, 10) AS TIMESTAMP_NTZ) + INTERVAL 1 DAY END",
    ),
    "date": ("DATE", rf"CASE WHEN x RLIKE '^{_DAY}\\z' THEN TRY_CAST(x AS DATE) END"),
}
"""SQL type, in small letters -> the type in Spark, and the text `x` as one, or NULL."""

_AWAY_FROM_ZERO = (
    "CASE WHEN NOT abs(x) < 4503599627370496 OR x = 0 THEN x"
    " ELSE IF(x < 0, -1, 1) * (floor(abs(x))"
    " + IF(abs(x) - floor(abs(x)) >= 0.5D, 1, 0)) END"
)

_TOO_LARGE = (
    "abs(CAST(x AS FLOAT)) = CAST('Infinity' AS FLOAT) AND abs(x) < CAST('Infinity' AS DOUBLE)"
)

_OTHERS = {
    # Two zones' clocks that show the same hour twice: the second time is meant.
    "endcap_utc(x TIMESTAMP_NTZ, zone STRING) RETURNS TIMESTAMP": """
        CASE
            WHEN from_utc_timestamp(
                to_utc_timestamp(CAST(x AS TIMESTAMP), zone) + INTERVAL 1 HOUR, zone
            ) = CAST(x AS TIMESTAMP)
            THEN to_utc_timestamp(CAST(x AS TIMESTAMP), zone) + INTERVAL 1 HOUR
            WHEN from_utc_timestamp(
                to_utc_timestamp(CAST(x AS TIMESTAMP), zone) + INTERVAL 30 MINUTE, zone
            ) = CAST(x AS TIMESTAMP)
            THEN to_utc_timestamp(CAST(x AS TIMESTAMP), zone) + INTERVAL 30 MINUTE
            ELSE to_utc_timestamp(CAST(x AS TIMESTAMP), zone)
        END""",
    # Letter by letter: Spark looks at a word for the form of sigma, and knows newer letters.
    "endcap_lower(x STRING) RETURNS STRING": rf"""
        CASE WHEN octet_length(x) > length(x) THEN array_join(transform(
            split(replace(x, '\u0130', 'i'), ''),
            letter -> IF(letter RLIKE '{_NEW_CAPITALS}', letter, lower(letter))
        ), '') ELSE lower(x) END""",
    "endcap_floor(x DOUBLE) RETURNS DOUBLE": """
        CASE WHEN NOT abs(x) < 4503599627370496 OR x = 0 THEN x ELSE CAST(floor(x) AS DOUBLE) END
        """,
    "endcap_round(x DOUBLE) RETURNS DOUBLE": (
        # -0.4 becomes -0.0, which is another value in a file than 0.0.
        f"CASE WHEN x < 0 AND x > -0.5D THEN -0.0D ELSE CAST({_AWAY_FROM_ZERO} AS DOUBLE) END"
    ),
    "endcap_over(x DOUBLE, y DOUBLE) RETURNS DOUBLE": """
        CASE WHEN y <> 0 THEN x / y
            WHEN y IS NULL OR x IS NULL THEN NULL
            WHEN x = 0 OR isnan(x) THEN CAST('NaN' AS DOUBLE)
            WHEN (x > 0) = (CAST(y AS STRING) = '0.0') THEN CAST('Infinity' AS DOUBLE)
            ELSE CAST('-Infinity' AS DOUBLE) END""",
    # What is too large for a FLOAT becomes infinite in Spark, not NULL or an error.
    "endcap_narrowed(x DOUBLE) RETURNS FLOAT": f"""
        CASE WHEN {_TOO_LARGE} THEN NULL ELSE CAST(x AS FLOAT) END""",
    "endcap_strict_narrowed(x DOUBLE) RETURNS FLOAT": f"""
        CASE WHEN {_TOO_LARGE} THEN CAST(raise_error('too large for FLOAT') AS FLOAT)
            ELSE CAST(x AS FLOAT) END""",
    "endcap_middle(x ARRAY<DOUBLE>) RETURNS DOUBLE": """
        CASE WHEN size(x) = 0 THEN NULL
            WHEN size(x) % 2 = 1 THEN x[size(x) DIV 2]
            ELSE x[size(x) DIV 2 - 1] + (x[size(x) DIV 2] - x[size(x) DIV 2 - 1]) * 0.5D END""",
}


def definitions() -> list[str]:
    """Return the statements that define the functions in a session."""
    functions = dict(_OTHERS)
    for kind, (spark, body) in FROM_TEXT.items():
        functions[f"endcap_{kind}(x STRING) RETURNS {spark}"] = body
        functions[f"endcap_strict_{kind}(x STRING) RETURNS {spark}"] = (
            f"coalesce({body}, CASE WHEN x IS NOT NULL THEN"
            f" CAST(raise_error('no {kind}: ' || x) AS {spark}) END)"
        )
    return [
        f"CREATE OR REPLACE TEMPORARY FUNCTION {head} RETURN {body}"
        for head, body in functions.items()
    ]
