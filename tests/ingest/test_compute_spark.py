"""Spark against the local engine: the same values through every rule, the same files."""

from __future__ import annotations

import gzip
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from nasty import COLUMNS, CSV_FILES, JSON_LINES, rows

from endcap.ingest.compute import cluster
from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.compute.spark import SparkCompute
from endcap.ingest.readers import RawTable, open_table
from endcap.ingest.staging import stage
from endcap.schema.errors import DataError, SettingsError, StoreError

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(300)]

ISO = r"^(\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\.\d{1,9})?)?)$"
TIME = f"TRY_CAST(regexp_extract(a, '{ISO}', 1) AS TIMESTAMP)"

EXPRESSIONS = [
    *(f"TRY_CAST(a AS {t})" for t in ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT")),
    *(f"TRY_CAST(a AS {t})" for t in ("UTINYINT", "BOOLEAN", "HUGEINT")),
    *("CAST(x AS VARCHAR)", "CAST(ok AS VARCHAR)", "CAST(n AS HUGEINT)", "CAST(x AS DOUBLE)"),
    *("CAST(x AS FLOAT)", "TRY_CAST(x AS INTEGER)", "TRY_CAST(d AS FLOAT)", "CAST(f AS DOUBLE)"),
    *("TRY_CAST(d AS BIGINT)", "TRY_CAST(f AS INTEGER)", "CAST(ok AS INTEGER)"),
    "CASE WHEN a = 'a' THEN 1 WHEN b > a THEN 2.5 ELSE f END",
    "CASE g WHEN 1 THEN 'one' WHEN 2 THEN a END",
    *("coalesce(a, b, 'none')", "coalesce(f, 0.1)", "nullif(a, '')", "nullif(n, 0)"),
    *("concat_ws('; ', a, NULL, b, x)", "a || b", "a || x", "concat(a, b)"),
    *("length(a)", "lower(a)", "left(a, 3)", "right(a, 2)", "substr(a, 2, 3)", "substr(a, 3)"),
    *("trim(a, ' ')", "trim(a)", "trim(a, ' \t\r\n')", "contains(a, 'b')", "strpos(a, 'b')"),
    *("starts_with(a, 'a')", "replace(a, 'b', '$1')", "lpad(a, 4, 'xy')", "md5(a)"),
    *("regexp_matches(a, '^[a-z]+$')", r"regexp_matches(a, '[\p{C}]|[^\P{Z} ]')"),
    *(r"regexp_matches(a, '\bb|\d\b')", "regexp_matches(a, 'x.y')", r"regexp_matches(a, '\s')"),
    *("regexp_matches(a, '[[;$&~]')", r"regexp_matches(a, '\p{N}')"),
    *("regexp_replace(a, '[$,]', '', 'g')", r"regexp_replace(a, '([a-z])(\W)', '\2\1$', 'g')"),
    *("regexp_replace(a, '^ +', 'x')", r"regexp_replace(a, '[\p{Z}\p{Cc}]+', ' ', 'g')"),
    *("regexp_extract(a, '([a-z]*);([a-z]*)', 2)", "regexp_extract(a, 'b')"),
    *("string_split(a, ';')", "[a, b]", "list_contains([a, b], 'a')", "list_contains([a], b)"),
    *("abs(d)", "abs(x)", "floor(d)", "floor(f)", "floor(n)", "round(d)", "round(d, 2)"),
    *("round(f, 1)", "round(CAST(x AS DOUBLE) / 7, 3)"),
    *("least(x, n, 3)", "greatest(d, f)", "least(a, b)", "greatest(f, 0.1)"),
    *("isfinite(d)", "isnan(f)", "x + n", "f * 1.5", "f + n", "d * f", "-f"),
    *("d / n", "x / 7", "f / 3", "n / n", "n % 3", "n // 3"),
    *("f > 0.1", "f = 0.1", "d >= f", "x > f", "a < b", "d = d", "x BETWEEN 0 AND 100"),
    *("a IN ('a', 'A b', NULL)", "a NOT IN ('a', 'b')", "a LIKE 'a%'", "a IS NULL"),
    *("a IS NOT DISTINCT FROM b", "a IS DISTINCT FROM b", "ok AND a = 'a' OR b IS NULL"),
    *("to_json({'a': a, 'x': x, 'ok': ok, 'n': NULL})", "CAST(to_json({'a': a}) AS VARCHAR)"),
    r"TRY_CAST(regexp_extract(a, '^(\d{4}-\d{2}-\d{2})', 1) AS DATE)",
    *("CAST(DATE '1970-01-01' + n AS VARCHAR)", f"epoch_us({TIME})"),
    *(f"epoch_us(timezone('{zone}', {TIME}))" for zone in ("Europe/London", "UTC")),
    "CASE WHEN regexp_matches(a, '^[0-9]+$') THEN floor(CAST(a AS DOUBLE) / 10.0) * 10 END",
    "CASE WHEN regexp_matches(a, '^[0-9]{1,18}$') THEN CAST(a AS BIGINT) ELSE -1 END",
    *("(SELECT max(x) FROM v)", "EXISTS (SELECT 1 FROM w WHERE h = 3)"),
    "row_number() OVER (PARTITION BY g ORDER BY a DESC, i)",
    "row_number() OVER (PARTITION BY lower(a) ORDER BY round(d), i)",
    *("rank() OVER (PARTITION BY g ORDER BY a)", "count(*) OVER (PARTITION BY g)"),
    "sum(n) OVER (PARTITION BY g ORDER BY i ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
    *("sum(x) OVER (PARTITION BY g)", "avg(n) OVER (PARTITION BY g ORDER BY i)"),
    "min(i) OVER (PARTITION BY a ORDER BY x RANGE BETWEEN 5 PRECEDING AND 5 FOLLOWING)",
    *("lag(a) OVER (PARTITION BY g ORDER BY i)", "lag(i, 2) OVER (PARTITION BY g ORDER BY i)"),
    "max(a) OVER (PARTITION BY g ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
]

QUERIES = [
    "SELECT * FROM v JOIN w USING (a)",
    "SELECT w.*, v.i FROM w LEFT JOIN v USING (a)",
    "SELECT v.i, w.h FROM v LEFT JOIN w ON v.a = w.a AND w.h > 1",
    "SELECT * FROM v SEMI JOIN w USING (a)",
    "SELECT v.i FROM v ANTI JOIN w ON v.a = w.a AND v.g = w.h",
    "SELECT i FROM v WHERE a IN (SELECT a FROM w WHERE h = 1) AND g IN (1, 2)",
    "SELECT i FROM v WHERE a NOT IN (SELECT a FROM w)",
    "SELECT i FROM v WHERE (a, g) IN (SELECT a, h FROM w) OR lower(a) = 'a b'",
    """SELECT g, count(*) AS n, count(a) AS na, count(DISTINCT a) AS da, sum(n) AS s, sum(x) AS sx,
        min(a) AS mi, max(d) AS ma, min(f) AS mf, avg(n) AS av, avg(x) AS ax, median(n) AS m,
        quantile_disc(x, 0.5) AS q5, quantile_disc(n, 0.25) AS q2, arg_max(a, i) AS am,
        arg_min(a, i) AS an, arg_max(a, i) FILTER (WHERE b IS NOT NULL) AS af,
        sum(n) FILTER (WHERE n > 0) AS sf, median(d) FILTER (WHERE abs(d) < 1e200) AS mdf
    FROM v GROUP BY g""",
    "SELECT sum(n) AS s, avg(n) AS a, median(n) AS m, max(a) AS mm FROM v WHERE i < 0",
    "SELECT lower(a) AS la, count(*) AS n FROM v GROUP BY la HAVING count(*) > 2",
    "SELECT a, x FROM v WHERE i < 100 UNION ALL SELECT a, h FROM w",
    "SELECT DISTINCT a, g FROM v",
    "SELECT i, unnest([a, b]) AS u FROM v",
    "SELECT i, unnest(string_split(a, ';')) AS u FROM v",
    """WITH s AS (SELECT *, lower(a) AS la FROM v),
        r AS (SELECT la, i, row_number() OVER (PARTITION BY la ORDER BY i) AS nth FROM s)
    SELECT * FROM r WHERE nth = 1""",
    "SELECT 1 AS one, NULL AS nothing, 'it''s \\n' AS text, 1.5 AS d, 1e3 AS e, true AS t",
    "SELECT count(*) FROM v CROSS JOIN w",
]
ORDERED = [
    "SELECT i, a FROM v ORDER BY a DESC NULLS FIRST, i LIMIT 30",
    "SELECT i, a, d FROM v ORDER BY d, a, i LIMIT 300",
    "SELECT i, a, d FROM v ORDER BY d DESC, a DESC, i LIMIT 300",
]

Pair = tuple[LocalCompute, SparkCompute]


@pytest.fixture(scope="module")
def engines(spark_running: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both engines with the tables `v` and `w` of odd values."""
    folder = tmp_path_factory.mktemp("engines")
    (folder / "local").mkdir()
    (folder / "spark").mkdir()
    columns = dict(zip(COLUMNS, zip(*rows(400), strict=True), strict=True))
    with (
        LocalCompute(folder / "local", memory_limit="512MiB") as local,
        SparkCompute(spark_running, scratch=folder / "spark", memory_gb=0.75) as spark,
    ):
        for engine in (local, spark):
            engine.put("v", {name: (COLUMNS[name], values) for name, values in columns.items()})
            engine.make("w", "SELECT DISTINCT a, g AS h FROM v WHERE i % 3 = 0")
        yield local, spark


def same(left: object, right: object) -> bool:
    """Return whether two values are one, down to the sign of zero."""
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right)
    return type(left) is type(right) and left == right


def agree(here: list[tuple[object, ...]], there: list[tuple[object, ...]]) -> None:
    assert len(here) == len(there)
    different = [
        (a, b)
        for a, b in zip(here, there, strict=True)
        if not all(map(same, a, b)) or len(a) != len(b)
    ]
    assert different == []


CHUNK = 20


@pytest.mark.parametrize("start", range(0, len(EXPRESSIONS), CHUNK))
def test_every_expression_gives_the_same_value(engines: Pair, start: int):
    chosen = EXPRESSIONS[start : start + CHUNK]
    listed = ", ".join(f"{text} AS q{n}" for n, text in enumerate(chosen))
    here, there = (sorted(engine.rows(f"SELECT i, {listed} FROM v")) for engine in engines)
    assert len(here) == len(there) == 400
    for n, text in enumerate(chosen, start=1):
        wrong = [
            (here_row[n], there_row[n])
            for here_row, there_row in zip(here, there, strict=True)
            if not same(here_row[n], there_row[n])
        ]
        assert wrong == [], text


@pytest.mark.parametrize("select", QUERIES)
def test_every_query_gives_the_same_rows(engines: Pair, select: str):
    here, there = (sorted(engine.rows(select), key=repr) for engine in engines)
    agree(here, there)


@pytest.mark.parametrize("select", ORDERED)
def test_rows_come_in_the_same_order(engines: Pair, select: str):
    local, spark = engines
    agree(local.rows(select), spark.rows(select))


def test_letters_and_classes_are_the_same_for_every_code_point(engines: Pair):
    points = [n for n in range(1, 0x110000) if not 0xD800 <= n < 0xE000]
    select = r"""
        SELECT i, lower(a) AS low, length(trim(a)) AS blank, regexp_matches(a, '\p{C}') AS c,
            regexp_matches(a, '\p{Z}') AS z, regexp_matches(a, '\p{N}') AS n,
            regexp_matches(a, '^.$') AS dot, regexp_matches(a, '\s') AS s,
            regexp_matches(a, '\w') AS w, regexp_matches(a || 'x', '\bx') AS b
        FROM letters
    """
    found = []
    for engine in engines:
        engine.put("letters", {"i": ("INTEGER", points), "a": ("VARCHAR", list(map(chr, points)))})
        found.append(sorted(engine.rows(select)))
        engine.drop("letters")
    here, there = found
    assert [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]] == []


def test_clocks_that_show_an_hour_twice_are_read_the_same(engines: Pair):
    zones = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
    quarters = [
        f"{day} {hour:02}:{minute:02}:00"
        for day in ("2021-03-14", "2021-03-28", "2021-04-04", "2021-10-31", "2021-11-07")
        for hour in range(24)
        for minute in (0, 15, 30, 45)
    ]
    chosen = ", ".join(
        f"epoch_us(timezone('{zone}', TRY_CAST(a AS TIMESTAMP))) AS z{n}"
        for n, zone in enumerate(zones)
    )
    found = []
    for engine in engines:
        engine.put("clocks", {"a": ("VARCHAR", quarters)})
        found.append(sorted(engine.rows(f"SELECT a, {chosen} FROM clocks")))
    assert found[0] == found[1]
    assert None not in {value for row in found[0] for value in row}


def test_tables_keep_names_order_and_types(engines: Pair):
    _, spark = engines
    for select in ("SELECT * FROM w JOIN v USING (a)", "SELECT *, sum(n) OVER () AS total FROM v"):
        found = []
        for engine in engines:
            engine.make("joined", select)
            found.append(sorted(engine.rows("SELECT * FROM joined"), key=repr))
        agree(*found)
    with pytest.raises(SettingsError, match="two columns have one name"):
        spark.make("twice", "SELECT w.*, v.* FROM w JOIN v ON w.a = v.a")
    spark.drop("joined")
    spark.drop("joined")
    with pytest.raises(SettingsError, match="joined does not exist"):
        spark.rows("SELECT * FROM joined")


def test_a_table_may_be_made_anew_from_another(engines: Pair):
    _, spark = engines
    spark.make("steps", "SELECT i FROM v WHERE i < 10")
    spark.make("more", "SELECT i + 1 AS i FROM steps")
    spark.make("steps", "SELECT * FROM more")
    assert sorted(spark.rows("SELECT i FROM steps")) == [(n,) for n in range(1, 11)]


def test_a_file_has_the_same_bytes(engines: Pair, tmp_path: Path):
    columns = {"i": "INTEGER", "a": "VARCHAR", "f": "FLOAT", "parts": "VARCHAR[]", "s": "BIGINT"}
    select = "SELECT i, a, f, string_split(a, ';') AS parts, sum(n) OVER () AS s FROM v"
    for nth, where in enumerate(("", " WHERE i < 0", " WHERE a IS NOT NULL")):
        digests = set()
        for name, engine in zip(("local", "spark"), engines, strict=True):
            path = tmp_path / name / f"{nth}.parquet"
            engine.write(select + where, columns=columns, order="a, i", path=path)
            digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        assert len(digests) == 1, where


def test_files_that_were_written_are_loaded(engines: Pair, tmp_path: Path):
    columns = {"kind": "UTINYINT", "a": "VARCHAR", "price": "FLOAT", "parts": "VARCHAR[]"}
    paths = []
    for engine in engines:
        path = tmp_path / f"part [{len(paths)}].parquet"
        engine.write(
            "SELECT g AS kind, a, f AS price, string_split(a, ';') AS parts, i FROM v",
            columns=columns,
            order="i",
            path=path,
        )
        paths.append(path)
    found = []
    for engine in engines:
        engine.load("loaded", paths)
        select = "SELECT kind, a, count(*) AS n FROM loaded WHERE kind = 2 GROUP BY kind, a"
        found.append(sorted(engine.rows(select), key=repr))
        engine.drop("loaded")
    agree(*found)
    assert all(path.exists() for path in paths)


# Raw files.


def read_both(
    engines: Pair,
    path: Path,
    scratch: Path,
    *,
    columns: tuple[str, ...] = (),
    only: set[str] | None = None,
    **options: object,
) -> None:
    """Read a file with both engines and compare all that comes out."""
    scratch.mkdir(exist_ok=True)
    staged = stage(path, scratch, label="x")
    table = RawTable(staged, columns) if columns else open_table(staged, **options)
    names = [name for name in table.columns if only is None or name in only]
    fields = {f"f{n}": name for n, name in enumerate(names)}
    found, records = [], []
    for engine in engines:
        engine.read("r", table, fields)
        found.append(sorted(engine.rows("SELECT * FROM r")))
        records.append(list(engine.records(table, "SELECT file_row FROM r WHERE file_row < 100")))
        engine.drop("r")
    assert [(a, b) for a, b in zip(*found, strict=True) if a != b] == []
    assert records[0] == records[1]
    assert [row[0] for row in found[0]] == list(range(1, len(found[0]) + 1))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_odd_lines_of_json_are_read_the_same(engines: Pair, tmp_path: Path, packed: bool):
    text = "\n".join([*JSON_LINES, ""]).encode() + b'{"u":"\xff\xfe"}\n{"u":"no end of line"}'
    path = tmp_path / ("odd.jsonl.gz" if packed else "odd.jsonl")
    path.write_bytes(gzip.compress(text) if packed else b"\xef\xbb\xbf" + text)
    read_both(engines, path, tmp_path / "scratch", columns=("u", "v"))


def test_zstandard_is_read_the_same(engines: Pair, tmp_path: Path):
    zstd = pytest.importorskip("backports.zstd")
    path = tmp_path / "odd.jsonl.zst"
    path.write_bytes(zstd.compress("\n".join(JSON_LINES).encode()))
    read_both(engines, path, tmp_path / "scratch", columns=("u", "v"))


@pytest.mark.parametrize("name", CSV_FILES)
def test_odd_csv_is_read_the_same(engines: Pair, tmp_path: Path, name: str):
    path = tmp_path / "odd.csv"
    path.write_bytes(CSV_FILES[name].encode())
    read_both(engines, path, tmp_path / "scratch")


def test_delimiters_of_several_characters_and_no_quotes(engines: Pair, tmp_path: Path):
    path = tmp_path / "odd.csv"
    path.write_text('1::"a::x\n2::b"::\n3\n')
    read_both(engines, path, tmp_path / "scratch", positional=True, delimiter="::", quote="")


@pytest.mark.parametrize("as_text", [False, True], ids=["microseconds", "as written"])
def test_parquet_of_many_types_is_read_the_same(engines: Pair, tmp_path: Path, as_text: bool):
    path = tmp_path / "types.parquet"
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE t (i BIGINT, d DOUBLE, f FLOAT, a VARCHAR)")
        kept = [(r[0], r[5], r[6], r[1]) for r in rows(100)]
        odd = (
            12345678.5,
            1234567.125,
            0.00012,
            1e-5,
            1e16,
            8.41e21,
            2e23,
            0.1 + 0.2,
            9007199254740993.0,
        )
        kept += [(100 + n, value, value, "x") for n, value in enumerate(odd)]
        kept += [(200 + n, 1 / (n + 3), n / 7, None) for n in range(20)]
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", kept)
        db.execute(
            f"""COPY (SELECT *, i % 2 = 0 AS ok, i::UTINYINT AS tiny, i::DECIMAL(9, 2) / 4 AS money,
                DATE '1969-12-25' + i::INTEGER AS day, [a, 'q"'] AS many,
                TIMESTAMP '1969-12-31 23:59:59.5' + i * INTERVAL 1 HOUR AS moment,
                make_timestamp_ns(i * 1001 - 5000) AS fine,
                make_timestamptz(i * 86400000001) AS zoned,
                {{'k': a}} AS nested, encode(a) AS bytes
            FROM t) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 32)"""
        )
    read_both(engines, path, tmp_path / "scratch", times_as_text=as_text)
    native = {"i", "d", "f", "a", "ok", "tiny", "money", "day", "many", "moment", "zoned"}
    read_both(engines, path, tmp_path / "scratch", only=native, times_as_text=as_text)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_rows_keep_their_numbers_when_a_file_is_read_in_pieces(
    engines: Pair, tmp_path: Path, suffix: str
):
    _, spark = engines
    n_rows = 20_000
    path = tmp_path / f"long.{suffix}"
    with path.open("w") as out:
        if suffix == "csv":
            out.write("n,text\n")
        for n in range(1, n_rows + 1):
            text = "x" * (n % 97)
            line = f'{{"n": {n}, "text": "{text}"}}' if suffix == "jsonl" else f"{n},{text}"
            out.write(line + "\n" + "\n" * (n % 5 == 0))
    table = open_table(stage(path, tmp_path, label="x"))
    setting = "spark.sql.files.maxPartitionBytes"
    before = spark.session.conf.get(setting)
    spark.session.conf.set(setting, "40000")
    try:
        spark.read("long", table, {"n": "n"})
    finally:
        spark.session.conf.set(setting, before)
    # A partition may hold several pieces, but there is more than one.
    assert (
        spark.session.table("long").selectExpr("spark_partition_id() AS p").distinct().count() > 1
    )
    assert spark.rows(
        "SELECT count(*) AS n, sum(CASE WHEN n = CAST(file_row AS VARCHAR) THEN 0 ELSE 1 END) AS w"
        " FROM long"
    ) == [(n_rows, 0)]
    spark.drop("long")


def test_a_file_that_is_cut_off_is_an_error_of_the_data(engines: Pair, tmp_path: Path):
    path = tmp_path / "cut.jsonl.gz"
    lines = "".join(f'{{"u": "{n * 7919 % 1000003}"}}\n' for n in range(400_000))
    whole = gzip.compress(lines.encode())
    path.write_bytes(whole[: len(whole) - 100_000])
    _, spark = engines
    table = RawTable(stage(path, tmp_path, label="x"), ("u",))
    with pytest.raises(DataError, match="cannot be read to its end"):
        spark.read("cut", table, {"u": "u"})


def test_columns_with_odd_names(engines: Pair, tmp_path: Path):
    path = tmp_path / "names.jsonl"
    path.write_text('{"id": 1, "a`b": 3, "c\\"d": 4, "e\'f": 5, "\u00e9": 6, "g.h": 7}\n')
    names = ("id", "a`b", 'c"d', "e'f", "\u00e9", "g.h")
    read_both(engines, path, tmp_path / "scratch", columns=names)


# Errors.


def test_a_master_that_is_not_there_is_said_at_once(spark_running: str, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(SettingsError, match="already runs Spark"):
        SparkCompute(master, scratch=tmp_path).rows("SELECT 1 AS one")
    with pytest.raises(StoreError, match="cannot be reached"):
        cluster._check_reachable(master, "127.0.0.1", int(master.rpartition(":")[2]))
