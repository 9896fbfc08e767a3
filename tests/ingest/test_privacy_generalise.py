"""What each rule makes of good values and of nasty ones, on both engines."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from endcap.ingest.privacy.config import Generalise, PrivacyConfig
from endcap.ingest.privacy.generalise import described, expression

AGES = {
    "34": "25-34",
    "25-34": "25-34",
    "65+": "65+",
    "70": "65+",
    "19-24": "15-24",
    "0": "0-4",
    "4": "0-4",
    "5": "5-14",
    "64": "55-64",
    "34.7": "25-34",
    "20-40": "15-44",
    "50+": "45+",
    "60-70": "55+",
    " 35 \u2013 44 ": "35-44",
    "35 to 44": "35-44",
    "19\n": "15-24",
    "\u00a030": "25-34",
    "065": "65+",
    "121": None,
    "44-35": None,
    "-5": None,
    "1e1": None,
    "\uff12\uff15": None,
    "about 30": None,
    "30; DROP TABLE users": None,
}
NUMBERS = {
    "35000": "30000 to 39999",
    "39999.99": "30000 to 39999",
    "0": "0 to 9999",
    "-0.0": "0 to 9999",
    "-1": "-10000 to -1",
    "-0.5": "-10000 to -1",
    "999999999999999": "999999999990000 to 999999999999999",
    "9999999999999999": None,
    "1e5": None,
    "nan": None,
    "inf": None,
    "12,000": None,
    "+5": None,
    "--5": None,
}
PLACES = {
    "12 High Street, Flat 3, Cambridge, CB2 1TN": "cambridge, cb",
    "1 Main St, Boston, MA 02139": "boston, ma 02",
    "1 Main St, Boston, MA 02139-1234": "boston, ma 02",
    "24 Sussex Dr, Ottawa, ON K1A 0B1": "ottawa, on k",
    "10 Downing St,\nLondon,\tSW1A 2AA": "london, sw",
    "Flat 12b, 7 Elm, Sheffield S10 2HN, UK": "sheffield s, uk",
    "1 Rue, Paris 12e, France": "paris, france",
    "6 A St, Zürich 8001,Schweiz": "zürich, schweiz 80",
    "a,b,,c,": "b, c",
    "Cambridge, UK": None,
    "Cambridge": None,
    ",,,": None,
}
CITIES = {
    "Dam 1, 1012 JS Amsterdam": "amsterdam 10",
    "Hauptstr. 5, 10115 Berlin": "berlin 10",
    "X, M1 1AE": "m",
    "X, EC1A 1BB": "ec",
    "12 High Street": None,
}
DAYS = {
    "2024-03-05": "2024-03-05",
    "2024-03-05T12:30:00Z": "2024-03-05",
    "2024-03-05 12:30:00.123+02": "2024-03-05",
    "2024-02-29": "2024-02-29",
    "1709640000": "2024-03-05",
    "1709640000123": "2024-03-05",
    "1709640000123456": "2024-03-05",
    "1709640000123456789": "2024-03-05",
    "2023-02-29": None,
    "2024-13-01": None,
    "0000-01-01": None,
    "9999999999999999999": None,
    "05/03/2024": None,
    "20240305": None,
    "yesterday": None,
}
FAMILIES = {
    "Married": "couple",
    " Married\n": "couple",
    "O'Neil": "x'y",
    "back\\slash": "b\\s",
    "a  b": "$1",
    "married": "other",
    "'; --": "other",
}
RULES = [
    (Generalise(age_bands=10), AGES),
    (Generalise(age_bands=15), {"17": "15-29", "45": "45-59", "64": "60-64", "3": "0-14"}),
    (Generalise(age_bands=10, start=0, top=70), {"34": "30-39", "69": "60-69", "70": "70+"}),
    (Generalise(bands=10_000), NUMBERS),
    (Generalise(place=2), PLACES),
    (Generalise(place=1), CITIES),
    (Generalise(time="day"), DAYS),
    (Generalise(time="month"), {"2024-03-05": "2024-03", "1709640000": "2024-03", "x": None}),
    (Generalise(time="year"), {"2024-03-05": "2024", "1709640000123": "2024", "x": None}),
    (
        Generalise(first=3),
        {"Öland": "Öla", "a": "a", " a  b ": "a b", "ab c": "ab", "語学校": "語学校"},
    ),
    (
        Generalise(
            map={"Married": "couple", "O'Neil": "x'y", "back\\slash": "b\\s", "a b": "$1"},
            other="other",
        ),
        FAMILIES,
    ),
    (Generalise(map={"yes": "y"}), {"yes": "y", "no": None}),
    ("keep", {"Öland": "Öland", " a \n b\u00a0": "a b", "12 High Street": "12 High Street"}),
]
NOTHING = ("", "   ", None)
EVERY_VALUE = sorted({value for _, cases in RULES for value in cases})


DATABASE = duckdb.connect()


def over(values, rule):
    select = f"SELECT {expression('v', rule)} FROM (SELECT unnest(?::VARCHAR[]) AS v)"
    return [made for (made,) in DATABASE.execute(select, [list(values)]).fetchall()]


@pytest.mark.parametrize(("rule", "cases"), RULES, ids=lambda part: str(part)[:40])
def test_what_a_rule_makes_of_a_value(rule, cases):
    assert dict(zip(cases, over(cases, rule), strict=True)) == cases
    assert over(NOTHING, rule) == [None] * len(NOTHING)


ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)


@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
def test_no_text_breaks_a_rule_or_leaves_it_as_fine_as_it_came(values):
    for rule in (Generalise(age_bands=10), Generalise(bands=10), Generalise(time="day")):
        for value, made in zip(values, over(values, rule), strict=True):
            assert made is None or any(letter.isdigit() for letter in value)
    for made in over(values, Generalise(place=1)):
        assert made is None or sum(letter.isdigit() for letter in made) in (0, 2)
    for made in over(values, Generalise(first=3)):
        assert made is None or len(made) <= 3


@given(st.integers(0, 120), st.integers(2, 60))
def test_an_age_lies_in_its_band_and_the_band_is_as_wide_as_asked(age, width):
    (band,) = over([str(age)], Generalise(age_bands=width))
    low, _, high = band.partition("-")
    if band == "65+":
        assert age >= 65
    else:
        assert int(low) <= age <= int(high) < 65
        assert int(high) - int(low) < width


@given(st.integers(0, 110), st.integers(0, 110))
def test_a_range_of_ages_lies_in_its_band(low, high):
    (band,) = over([f"{low}-{high}"], Generalise(age_bands=10))
    if low > high:
        assert band is None
    elif band.endswith("+"):
        assert int(band[:-1]) <= low
        assert high >= 65
    else:
        first, last = map(int, band.split("-"))
        assert first <= low <= high <= last


@given(st.integers(-(10**14), 10**14), st.integers(2, 10**9))
def test_a_number_lies_in_its_band(number, width):
    (band,) = over([str(number)], Generalise(bands=width))
    low, high = map(int, band.split(" to "))
    assert low <= number <= high == low + width - 1
    assert low % width == 0


@pytest.mark.parametrize("rule", ["drop", "hash"])
def test_what_has_no_sql(rule):
    with pytest.raises(ValueError, match="no expression"):
        expression("v", rule)


def test_rules_turn_into_spark_sql():
    sqlglot = pytest.importorskip("sqlglot")
    for rule, _ in RULES:
        (spark,) = sqlglot.transpile(
            f"SELECT {expression('v', rule)} AS made FROM t", read="duckdb", write="spark"
        )
        tree = sqlglot.parse_one(spark, read="spark")
        assert not list(tree.find_all(sqlglot.exp.Anonymous)), spark


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "one of age_bands"),
        ({"first": 3, "place": 1}, "one of age_bands"),
        ({"first": 3, "top": 70}, "top says nothing beside first"),
        ({"age_bands": 10, "other": "x"}, "other says nothing"),
        ({"age_bands": 10, "start": 10}, "start lies within"),
        ({"age_bands": 1}, "greater than or equal to 2"),
        ({"map": {}}, "at least 1 item"),
        ({"frist": 3}, "Extra inputs"),
        ("kepe", "'keep', 'drop' or 'hash'"),
    ],
)
def test_a_wrong_rule_is_refused(rule, reason):
    with pytest.raises(ValidationError, match=reason):
        PrivacyConfig.model_validate({"columns": {"age": rule}})


def test_rules_in_words():
    words = [described(rule) for rule, _ in RULES]
    assert words[0] == "age in bands of 10 years, 65+ together"
    assert len(set(words)) > 8
    assert described("drop") == "drop"
