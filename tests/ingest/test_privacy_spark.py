"""The rules of privacy say the same on Spark as on the local engine."""

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
def spark(tmp_path_factory):
    pytest.importorskip("pyspark")
    from endcap.ingest.compute.spark import SparkCompute

    with SparkCompute("local[1]", scratch=tmp_path_factory.mktemp("spark")) as compute:
        yield compute


def test_every_rule_makes_the_same_of_every_value(spark):
    values = [*EVERY_VALUE, *NOTHING]
    numbers = list(range(len(values)))
    spark.put("given", {"n": ("INTEGER", numbers), "v": ("VARCHAR", values)})
    names = [f"r{index}" for index in range(len(RULES))]
    made = ", ".join(
        f"{expression('v', rule)} AS {name}" for name, (rule, _) in zip(names, RULES, strict=True)
    )
    spark.make("made", f"SELECT n, {made} FROM given")
    columns = zip(*spark.rows(f"SELECT {', '.join(names)} FROM made ORDER BY n"), strict=True)
    for (rule, _), column in zip(RULES, columns, strict=True):
        assert list(column) == over(values, rule), rule


def test_small_groups_lose_the_same(spark, tmp_path):
    with LocalCompute(tmp_path, memory_limit="512MB") as here:
        found = []
        for compute in (here, spark):
            put(compute, PEOPLE)
            before = measure(compute, "users", COLUMNS)
            after = suppress(compute, "users", COLUMNS, k=5, beside=["user_id"])
            found.append((before, after, users(compute)))
    assert found[0] == found[1]
    assert found[0][0].k < 5 <= found[0][1].k
