"""The rules of privacy say the same on Spark as on the local engine."""

import json

import pytest
from test_privacy_generalise import EVERY_VALUE, NOTHING, RULES, over
from test_privacy_k_anonymity import COLUMNS, put, users

from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.privacy.generalise import expression
from endcap.ingest.privacy.k_anonymity import measure, suppress

pytestmark = pytest.mark.spark

N_USERS = 200
PEOPLE = [
    (f"{15 + 10 * (n * n % 5)}", [None, "york", "hull"][n % 3], str(n % 7)) for n in range(N_USERS)
]


@pytest.fixture(scope="module")
def spark():
    session = pytest.importorskip("pyspark.sql").SparkSession
    started = (
        session.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    yield started
    started.stop()


def translated(select):
    (text,) = pytest.importorskip("sqlglot").transpile(select, read="duckdb", write="spark")
    return text


class Translating:
    """Just enough of `Compute` for small tables: made here, evaluated at once."""

    def __init__(self, spark, folder):
        self._spark, self._folder, self._n_made = spark, folder, 0

    def rows(self, select):
        return [tuple(row) for row in self._spark.sql(translated(select)).collect()]

    def make(self, name, select):
        self._n_made += 1
        path = str(self._folder / str(self._n_made))
        self._spark.sql(translated(select)).write.parquet(path)
        self._spark.read.parquet(path).createOrReplaceTempView(name)

    def drop(self, name):
        self._spark.catalog.dropTempView(name)

    def put(self, name, columns):
        path = self._folder / f"{name}.jsonl"
        rows = zip(*(values for _, values in columns.values()), strict=True)
        path.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows))
        schema = ", ".join(f"{column} STRING" for column in columns)
        self._spark.read.schema(schema).json(str(path)).createOrReplaceTempView(name)


def test_every_rule_makes_the_same_of_every_value(spark, tmp_path):
    values = [*EVERY_VALUE, *NOTHING]
    source = tmp_path / "values.jsonl"
    source.write_text("\n".join(json.dumps({"n": n, "v": v}) for n, v in enumerate(values)))
    spark.read.schema("n INT, v STRING").json(str(source)).createOrReplaceTempView("t")
    names = [f"r{index}" for index in range(len(RULES))]
    made = ", ".join(
        f"{expression('v', rule)} AS {name}" for name, (rule, _) in zip(names, RULES, strict=True)
    )
    rows = spark.sql(translated(f"SELECT {made} FROM t ORDER BY n")).collect()
    for name, (rule, _) in zip(names, RULES, strict=True):
        assert [row[name] for row in rows] == over(values, rule), rule


def test_small_groups_lose_the_same(spark, tmp_path):
    there = Translating(spark, tmp_path)
    with LocalCompute(tmp_path / "spill", memory_limit="512MB") as here:
        found = []
        for compute in (here, there):
            put(compute, PEOPLE)
            before = measure(compute, "users", COLUMNS)
            after = suppress(compute, "users", COLUMNS, k=5, beside=["user_id"])
            found.append((before, after, users(compute)))
    assert found[0] == found[1]
    assert found[0][0].k < 5 <= found[0][1].k
