"""What the translation to Spark refuses and what it writes; whether it is right, Spark says."""

import re

import pytest

sqlglot = pytest.importorskip("sqlglot", reason="pip install 'endcap[spark]'")

from endcap.ingest.compute.translate import translate  # noqa: E402
from endcap.ingest.compute.translation.patterns import (  # noqa: E402
    java_pattern,
    java_replacement,
    may_be_empty,
)
from endcap.schema.errors import SettingsError  # noqa: E402

TABLES = {
    "v": {
        "i": "BIGINT",
        "a": "VARCHAR",
        "x": "BIGINT",
        "d": "DOUBLE",
        "f": "FLOAT",
        "ts": "TIMESTAMP",
    },
    "w": {"a": "VARCHAR", "g": "INTEGER"},
}


def spark(expression):
    text = translate(f"SELECT {expression} AS q FROM v", TABLES)
    return re.fullmatch(r"SELECT (.*) AS `q` FROM `v` AS `v`", text)[1].replace("`v`.", "")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("TRY_CAST(a AS DOUBLE)", "ENDCAP_DOUBLE(`a`)"),
        ("CAST(a AS DOUBLE)", "ENDCAP_STRICT_DOUBLE(`a`)"),
        ("TRY_CAST(x AS INTEGER)", "TRY_CAST(`x` AS INT)"),
        ("CAST(x AS VARCHAR)", "CAST(`x` AS STRING)"),
        ("f > 0.1", "`f` > CAST(0.1 AS FLOAT)"),
        ("f * 2", "`f` * CAST(2 AS FLOAT)"),
        ("d > 1", "`d` > 1"),
        ("x / 2", "(CAST(`x` AS DOUBLE) / CAST(2 AS DOUBLE))"),
        ("sum(x) OVER ()", "CAST(SUM(CAST(`x` AS DECIMAL(38, 0))) OVER () AS DECIMAL(38, 0))"),
        ("epoch_us(ts)", "UNIX_MICROS(CAST(`ts` AS TIMESTAMP))"),
        ("regexp_matches(a, '^a.$')", r"`a` RLIKE '(?d)^a.\\z'"),
        ("regexp_replace(a, '(b)', '\\1$', 'g')", r"REGEXP_REPLACE(`a`, '(b)', '$1\\$')"),
        ("arg_max(a, x)", "MAX_BY(`a`, CASE WHEN NOT `a` IS NULL THEN `x` END)"),
        ("'it''s \\n'", r"'it\'s \\n'"),
    ],
)
def test_an_expression_becomes(ours, theirs):
    assert spark(ours) == theirs


def test_order_says_where_null_goes():
    text = translate("SELECT i FROM v ORDER BY a, x DESC, d DESC NULLS FIRST LIMIT 3", TABLES)
    assert text.endswith(
        "ORDER BY `v`.`a` NULLS LAST, `v`.`x` DESC, `v`.`d` DESC NULLS FIRST LIMIT 3"
    )


def test_a_star_is_written_out_in_the_order_of_the_local_engine():
    text = translate("SELECT * FROM w JOIN v USING (a)", TABLES)
    assert re.findall(r"AS `(\w+)`", text.partition(" FROM ")[0]) == [
        *("a", "g", "i", "x", "d", "f", "ts"),
    ]


def test_a_cast_in_the_argument_of_our_own_function_gives_null():
    """Spark evaluates such an argument for all rows, also where a CASE around it would not look."""
    assert spark("CASE WHEN x = 1 THEN round(CAST(a AS DOUBLE)) END") == (
        "CASE WHEN `x` = 1 THEN ENDCAP_ROUND(ENDCAP_DOUBLE(`a`)) END"
    )
    assert spark("CASE WHEN x = 1 THEN CAST(a AS DOUBLE) END") == (
        "CASE WHEN `x` = 1 THEN ENDCAP_STRICT_DOUBLE(`a`) END"
    )


def test_without_tables_only_what_needs_no_types_is_translated():
    assert translate("SELECT lower(a) AS q FROM v") == "SELECT ENDCAP_LOWER(a) AS q FROM v"
    with pytest.raises(SettingsError, match="type of x is unknown"):
        translate("SELECT x / 2 AS q FROM v")


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ("DELETE FROM v", "only a SELECT"),
        ("SELECT 1; SELECT 2", "only a SELECT"),
        ("SELECT FROM WHERE", "not understood"),
        ("SELECT nosuch FROM v", "could not be resolved"),
        ("SELECT i FROM v LIMIT 3", "LIMIT without ORDER BY"),
        ("SELECT a, count(*) FROM v GROUP BY ALL", "GROUP BY ALL"),
        ("SELECT i, row_number() OVER () AS n FROM v", "ROW_NUMBER"),
        ("SELECT i, lag(i) OVER (PARTITION BY a) AS n FROM v", "LAG"),
        ("SELECT DISTINCT ON (a) i FROM v", "DISTINCT ON"),
        ("SELECT i FROM v QUALIFY row_number() OVER (ORDER BY i) = 1", "QUALIFY"),
        ("SELECT * FROM v ASOF JOIN w ON v.i >= w.g", "ASOF"),
        ("SELECT * FROM v FULL JOIN w ON v.a = w.a", "FULL JOIN"),
        ("SELECT v.i FROM v JOIN w ON lower(v.a) = w.a", "cannot stand in ORDER BY or ON"),
        ("SELECT i FROM v ORDER BY lower(a), i", "cannot stand in ORDER BY or ON"),
        ("SELECT i FROM v UNION ALL BY NAME SELECT g FROM w", "UNION"),
        ("SELECT * FROM read_parquet('x')", "READ_PARQUET"),
        ("SELECT i FROM v TABLESAMPLE 10%", "TABLESAMPLE"),
        ("SELECT random() AS q FROM v", "RANDOM"),
        ("SELECT current_timestamp AS q FROM v", "CURRENT_TIMESTAMP"),
        ("SELECT list(a) AS q FROM v", "ARRAY_AGG"),
        ("SELECT strftime(ts, '%Y') AS q FROM v", "STRFTIME"),
        ("SELECT json_extract_string(a, '$.x') AS q FROM v", "->>"),
        ("SELECT CAST(d AS VARCHAR) AS q FROM v", "as text"),
        ("SELECT a || d AS q FROM v", "as text"),
        ("SELECT CAST(ts AS VARCHAR) AS q FROM v", "as text"),
        ("SELECT CAST(d AS DECIMAL(10, 2)) AS q FROM v", "AS DECIMAL"),
        ("SELECT a = x AS q FROM v", '"v"."a" = "v"."x"'),
        ("SELECT a IN (1, 2) AS q FROM v", "IN"),
        ("SELECT a IN (SELECT a FROM w) AS q FROM v", "IN"),
        ("SELECT i FROM v WHERE NOT (i = 1 OR a IN (SELECT a FROM w))", "IN"),
        ("SELECT d // 2 AS q FROM v", "//"),
        ("SELECT substr(a, x) AS q FROM v", "SUBSTRING"),
        ("SELECT left(a, -1) AS q FROM v", "LEFT"),
        ("SELECT a LIKE 'x\\y' AS q FROM v", "LIKE"),
        ("SELECT regexp_matches(a, a) AS q FROM v", "REGEXP_MATCHES"),
        ("SELECT regexp_matches(a, 'x', 'i') AS q FROM v", "REGEXP_MATCHES"),
        ("SELECT regexp_replace(a, 'x', 'y') AS q FROM v", "REGEXP_REPLACE"),
        ("SELECT regexp_replace(a, 'x*', 'y', 'g') AS q FROM v", "REGEXP_REPLACE"),
        ("SELECT to_json({'d': d}) AS q FROM v", "d"),
        ("SELECT sum(DISTINCT x) AS q FROM v", "SUM"),
        ("SELECT sum(x) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM v", "SUM"),
        ("SELECT first_value(a) OVER (ORDER BY i) AS q FROM v", "FIRST_VALUE"),
    ],
)
def test_what_the_engines_do_not_share_is_refused(select, reason):
    with pytest.raises(SettingsError) as caught:
        translate(select, TABLES)
    assert reason.lower() in caught.value.what.lower()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (r"^[a-z]+$", r"^[a-z]+\z"),
        (r"a.b", r"(?d)a.b"),
        (r"\s", r"[\t\n\f\r ]"),
        (r"[\s,]", r"[\t\n\f\r ,]"),
        (r"[[&&a]", r"[\[\&\&a]"),
        (r"[^\P{Z} ]", r"[^\P{Z} ]"),
        (r"\.\d{2,3}?", r"\.\d{2,3}?"),
        (r"(?:a|b)\(", r"(?:a|b)\("),
    ],
)
def test_a_pattern_means_the_same_in_java(ours, theirs):
    assert java_pattern(ours) == theirs


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(?i)a", r"(?P<n>a)", r"\p{L}", r"\P{C}", r"\pN", r"[[:alpha:]]", r"a{", r"}", r"]"),
        *(r"\Qa\E", r"\1", r"[]a]", r"[\b]", r"\B", r"[a", "a\\"),
    ],
)
def test_a_pattern_that_java_reads_differently_is_refused(pattern):
    with pytest.raises(SettingsError, match="pattern"):
        java_pattern(pattern)


def test_a_replacement_names_groups_as_java_does():
    assert java_replacement(r"<\1>$\\") == r"<$1>\$\\"


@pytest.mark.parametrize(
    ("pattern", "empty"), [("a*", True), ("^", True), (r"\b", True), ("a+", False), ("^ +", False)]
)
def test_a_pattern_that_matches_nothing_is_known(pattern, empty):
    assert may_be_empty(pattern) is empty
