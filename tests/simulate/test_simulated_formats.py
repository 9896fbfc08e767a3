"""Each format holds what the published files hold, in their order and with their types."""

import ast
import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from endcap.simulate.block import joined
from endcap.simulate.events import SimulatedEvents
from endcap.simulate.presets import preset
from endcap.simulate.spec import EventSpec, Format
from endcap.simulate.write import Written, write_events

SPEC = EventSpec(n_users=300, n_items=160, n_events=6000, n_days=900, duplicates=0.01)
REVIEW_KEYS = {
    Format.AMAZON_2014: (
        *("reviewerID", "asin", "reviewerName", "helpful", "reviewText", "overall", "summary"),
        *("unixReviewTime", "reviewTime"),
    ),
    Format.AMAZON_2018: (
        *("overall", "vote", "verified", "reviewTime", "reviewerID", "asin", "style"),
        *("reviewerName", "reviewText", "summary", "unixReviewTime"),
    ),
    Format.AMAZON_2023: (
        *("rating", "title", "text", "images", "asin", "parent_asin", "user_id", "timestamp"),
        *("helpful_vote", "verified_purchase"),
    ),
}
ABSENT_SOMETIMES = {"reviewerName", "vote", "style"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return, for each format, (events as text, catalogue as text, what was said of them)."""
    folder = tmp_path_factory.mktemp("formats")
    found = {}
    for form in Format:
        path, items_path = folder / form, folder / f"{form}.items"
        written = write_events(replace(SPEC, format=form), path, items_path=items_path)
        found[form] = path.read_text(), items_path.read_text(), written
    return found


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def simulated(form):
    return joined(list(SimulatedEvents(replace(SPEC, format=form))))


@pytest.mark.parametrize("form", list(Format))
def test_there_is_a_line_for_each_event_and_the_numbers_are_true(files, form):
    text, _, written = files[form]
    has_header = form in (Format.CSV, Format.RETAILROCKET)
    assert text.count("\n") == SPEC.n_events + has_header
    assert text.endswith("\n")
    assert "\0" not in text
    block = simulated(form)
    assert written == Written(
        n_events=SPEC.n_events,
        n_users=len(np.unique(block.user)),
        n_items=len(np.unique(block.item)),
        n_bytes=len(text.encode()),
    )


@pytest.mark.parametrize("form", REVIEW_KEYS)
def test_reviews_have_the_published_fields_in_the_published_order(files, form):
    keys = REVIEW_KEYS[form]
    rows = objects(files[form][0])
    for row in rows:
        assert tuple(row) == tuple(k for k in keys if k in row)
        assert set(keys) - set(row) <= ABSENT_SOMETIMES
    assert set().union(*rows) == set(keys)


def test_reviews_of_2014_say_what_was_simulated(files):
    rows, block = objects(files[Format.AMAZON_2014][0]), simulated(Format.AMAZON_2014)
    assert [row["overall"] for row in rows] == block.value.tolist()
    assert [row["unixReviewTime"] for row in rows] == (block.ts_ms // 86_400_000 * 86_400).tolist()
    for row in rows[::50]:
        day = datetime.fromtimestamp(row["unixReviewTime"], tz=UTC)
        assert row["reviewTime"] == f"{day:%m} {day.day}, {day.year}"
        up, total = row["helpful"]
        assert 0 <= up <= total
        assert re.fullmatch(r"A[0-9A-Z]{12}", row["reviewerID"])
        assert re.fullmatch(r"B0[0-9A-Z]{8}", row["asin"])
    assert len({row["reviewerID"] for row in rows}) == len(np.unique(block.user))
    assert len({row["asin"] for row in rows}) == len(np.unique(block.item))
    assert '"overall": 5.0' in files[Format.AMAZON_2014][0]


def test_a_user_and_an_item_keep_their_names(files):
    rows, block = objects(files[Format.AMAZON_2014][0]), simulated(Format.AMAZON_2014)
    ids = {(int(user), row["reviewerID"]) for user, row in zip(block.user, rows, strict=True)}
    names = {(row["reviewerID"], row.get("reviewerName")) for row in rows}
    assert len(ids) == len(names) == len(np.unique(block.user))


def test_reviews_of_2018_have_votes_with_commas_and_styles(files):
    rows = objects(files[Format.AMAZON_2018][0])
    votes = [row["vote"] for row in rows if "vote" in row]
    assert all(re.fullmatch(r"\d{1,3}(,\d{3})*", vote) for vote in votes)
    assert any("," in vote for vote in votes)
    assert {row["verified"] for row in rows} == {True, False}
    styles = [row["style"] for row in rows if "style" in row]
    assert 0.3 < len(styles) / len(rows) < 0.7
    assert all(name.endswith(":") for style in styles for name in style)


def test_reviews_of_2023_have_milliseconds_and_parents(files):
    rows, block = objects(files[Format.AMAZON_2023][0]), simulated(Format.AMAZON_2023)
    assert [row["timestamp"] for row in rows] == block.ts_ms.tolist()
    assert {type(row["verified_purchase"]) for row in rows} == {bool}
    assert {len(row["user_id"]) for row in rows} == {28}
    variants = {row["asin"]: row["parent_asin"] for row in rows}
    assert 0 < sum(asin != parent for asin, parent in variants.items()) < len(variants) / 3
    listed = {entry["parent_asin"] for entry in objects(files[Format.AMAZON_2023][1])}
    assert set(variants.values()) <= listed
    assert any(row["images"] for row in rows)


def test_times_before_september_2001_are_valid_json(tmp_path):
    spec = replace(preset("electronics-2014").scaled(0.002), format=Format.AMAZON_2023)
    write_events(replace(spec, growth=1.0), tmp_path / "old.jsonl")
    assert objects((tmp_path / "old.jsonl").read_text())[0]["timestamp"] < 10**12


def test_review_texts_have_lifelike_lengths(files):
    n_words = [len(row["reviewText"].split()) for row in objects(files[Format.AMAZON_2014][0])]
    assert 65 < np.median(n_words) < 95
    assert 95 < np.mean(n_words) < 135
    text = files[Format.AMAZON_2014][0]
    assert text.isascii()
    assert all(mark in text for mark in (r"\"", r"\n", r"\u00e9", r"\ud83d\ude00", r"\\"))


@pytest.mark.parametrize("form", REVIEW_KEYS)
def test_without_texts_only_the_texts_are_missing(files, form, tmp_path):
    write_events(replace(SPEC, format=form, text=False), tmp_path / "x")
    texts = {"reviewText", "summary", "title", "text"}
    plain = objects((tmp_path / "x").read_text())
    assert all(not row[key] for row in plain for key in texts & set(row))
    for bare, full in zip(plain, objects(files[form][0]), strict=True):
        assert {k: v for k, v in bare.items() if k not in texts} == {
            k: v for k, v in full.items() if k not in texts
        }


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_plain_files_say_what_was_simulated(files, form):
    text = files[form][0]
    rows = table(text) if form is Format.CSV else objects(text)
    block = simulated(form)
    assert list(rows[0]) == ["user_id", "item_id", "kind", "value", "price", "ts", "session_id"]
    assert [int(row["ts"]) for row in rows] == block.ts_ms.tolist()
    assert [int(row["session_id"]) for row in rows] == block.session.tolist()
    assert [int(row["value"]) for row in rows] == block.value.tolist()
    assert {row["kind"] for row in rows} == {"view", "cart", "purchase"}
    assert len({row["user_id"] for row in rows}) == len(np.unique(block.user))
    prices = {}
    for row in rows:
        assert prices.setdefault(row["item_id"], float(row["price"])) == float(row["price"])
    assert len(prices) == len(np.unique(block.item))
    assert 0.5 < min(prices.values()) < 20 < max(prices.values()) < 1000


def test_reviews_in_plain_csv_are_ratings(tmp_path):
    spec = replace(preset("electronics-2014").scaled(0.002), format=Format.CSV)
    write_events(spec, tmp_path / "x.csv")
    rows = table((tmp_path / "x.csv").read_text())
    assert {row["kind"] for row in rows} == {"rating"}
    assert np.bincount([int(row["value"]) for row in rows])[1:].tolist() == list(spec.stars)


def test_retailrocket_has_a_transaction_for_purchases_alone(files):
    rows = table(files[Format.RETAILROCKET][0])
    assert list(rows[0]) == ["timestamp", "visitorid", "event", "itemid", "transactionid"]
    assert {row["event"] for row in rows} == {"view", "addtocart", "transaction"}
    assert all(bool(row["transactionid"]) == (row["event"] == "transaction") for row in rows)
    times = [int(row["timestamp"]) for row in rows]
    assert times == sorted(times)
    assert all(row["visitorid"].isdigit() and row["itemid"].isdigit() for row in rows)


def test_the_catalogue_of_2014_is_a_python_literal_that_is_not_json(files):
    lines = files[Format.AMAZON_2014][1].splitlines()
    rows = [ast.literal_eval(line) for line in lines]
    assert len(rows) == SPEC.n_items
    known = {"asin", "title", "price", "imUrl", "brand", "categories", "salesRank", "related"}
    assert set().union(*rows) == known
    assert all(isinstance(path, list) for row in rows for path in row["categories"])
    assert all(set(row.get("related", ())) <= {"also_bought", "also_viewed"} for row in rows)
    assert any('"' in line and "'s" in line for line in lines)
    with pytest.raises(ValueError, match="property name"):
        json.loads(lines[0])


def test_the_catalogue_of_2018_has_prices_as_text(files):
    rows = objects(files[Format.AMAZON_2018][1])
    assert len(rows) == SPEC.n_items
    prices = [row["price"] for row in rows]
    assert all(re.fullmatch(r"|\$\d+\.\d\d", price) for price in prices)
    assert 0 < prices.count("") < len(prices) / 3
    assert {"also_buy", "also_view", "main_cat", "category", "brand", "asin"} <= set(rows[0])


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_the_plain_catalogue_knows_every_item_of_the_events(files, form):
    events, catalogue, _ = files[form]
    read = table if form is Format.CSV else objects
    rows = read(catalogue)
    ids = {row["item_id"] for row in rows}
    assert len(ids) == len(rows) == SPEC.n_items
    assert {row["item_id"] for row in read(events)} <= ids
    assert {row["department"] for row in rows if row["price"]}


def test_the_properties_of_retailrocket_change_over_time(files):
    rows = table(files[Format.RETAILROCKET][1])
    assert list(rows[0]) == ["timestamp", "itemid", "property", "value"]
    assert {"categoryid", "available", "790"} <= {row["property"] for row in rows}
    assert {row["value"] for row in rows if row["property"] == "available"} == {"0", "1"}
    prices = [row["itemid"] for row in rows if row["property"] == "790"]
    assert len(prices) > len(set(prices)) == SPEC.n_items
    assert all(row["value"].startswith("n") for row in rows if row["property"] == "790")
    ids = {row["itemid"] for row in table(files[Format.RETAILROCKET][0])}
    assert ids <= set(prices)


def test_a_small_electronics_has_the_published_shape_in_its_own_format(tmp_path):
    spec = preset("electronics-2014").scaled(0.01)
    write_events(spec, tmp_path / "x.json", items_path=tmp_path / "items.json")
    rows = objects((tmp_path / "x.json").read_text())
    for column, n in (("reviewerID", spec.n_users), ("asin", spec.n_items)):
        names, counts = np.unique([row[column] for row in rows], return_counts=True)
        assert (len(names), counts.min()) == (n, 5)
    assert np.bincount([int(row["overall"]) for row in rows])[1:].tolist() == list(spec.stars)
    asins = [
        ast.literal_eval(li)["asin"] for li in (tmp_path / "items.json").read_text().splitlines()
    ]
    assert set(asins) == {row["asin"] for row in rows}


@pytest.mark.slow
def test_electronics_at_full_size_has_exactly_the_published_numbers(tmp_path):
    spec = replace(preset("electronics-2014"), text=False)
    written = write_events(spec, tmp_path / "x.json")
    assert (written.n_events, written.n_users, written.n_items) == (1_689_188, 192_403, 63_001)
    users, items, stars = {}, {}, dict.fromkeys((1.0, 2.0, 3.0, 4.0, 5.0), 0)
    with (tmp_path / "x.json").open() as lines:
        for line in lines:
            row = json.loads(line)
            users[row["reviewerID"]] = users.get(row["reviewerID"], 0) + 1
            items[row["asin"]] = items.get(row["asin"], 0) + 1
            stars[row["overall"]] += 1
    assert (len(users), min(users.values())) == (192_403, 5)
    assert (len(items), min(items.values())) == (63_001, 5)
    assert list(stars.values()) == [108_725, 82_139, 142_257, 347_041, 1_009_026]
