"""Every known format is recognised from a few lines that look like the real ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from endcap.ingest.peek import peek
from endcap.ingest.shapes import (
    ORDER,
    PATTERNS,
    Holds,
    Rule,
    Shape,
    recognise,
    recognise_any,
    recognise_catalogue,
    recognise_users,
    rule_fields,
    rule_reasons,
)
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

REVIEW_2014 = {
    "reviewerID": "A2XYZ0Q1W2E3R4", "asin": "0123456789", "reviewerName": "J", "helpful": [2, 3],
    "reviewText": "Good.", "overall": 5.0, "summary": "Good", "unixReviewTime": 1252800000,
    "reviewTime": "09 13, 2009",
}  # fmt: skip
REVIEW_2018 = {
    "overall": 4.0, "vote": "1,234", "verified": True, "reviewTime": "05 27, 2015",
    "reviewerID": "A2XYZ0Q1W2E3R4", "asin": "B000000001", "style": {"Size:": " Large"},
    "reviewText": "Fits.", "summary": "Fits", "unixReviewTime": 1432684800,
}  # fmt: skip
REVIEW_2023 = {
    "rating": 5.0, "title": "Nice", "text": "Nice.", "images": [], "asin": "B00AAAAAA1",
    "parent_asin": "B00AAAAAA2", "user_id": "AEXAMPLEUSERID0123456789ABCD",
    "timestamp": 1588687728923, "helpful_vote": 0, "verified_purchase": True,
}  # fmt: skip
META_2014 = (
    "{'asin': '0123456789', 'title': \"Girl's Hat\", 'price': 3.17, 'imUrl': 'http://x/1.jpg', "
    "'related': {'also_bought': ['B000000001']}, 'salesRank': {'Toys': 9}, "
    "'categories': [['Clothing', 'Hats']]}"
)
META_2018 = {
    "category": ["Clothing", "Hats"], "description": ["Warm."], "title": "Hat", "also_buy": [],
    "brand": "Acme", "rank": "9 in Hats", "also_view": [], "main_cat": "Clothing",
    "price": "$5.00 - $9.99", "asin": "B000000001", "imageURLHighRes": ["http://x/1.jpg"],
}  # fmt: skip
META_2023 = {
    "main_category": "All Beauty", "title": "Comb", "average_rating": 4.8, "rating_number": 10,
    "features": [], "description": [], "price": None, "images": [], "videos": [], "store": "Acme",
    "categories": [], "details": {"Brand": "Acme"}, "parent_asin": "B00AAAAAA2",
}  # fmt: skip
MOVIE_FLAGS = "|".join("1" if n in {3, 5} else "0" for n in range(19))
INVOICE = "489434,85048,GLASS BALL,12,2009-12-01 07:45:00,6.95,13085,United Kingdom"

# (what it holds, name of the format, name of the file, its lines)
FILES: list[tuple[Holds, str, str, list[str]]] = [
    (Holds.INTERACTIONS, "amazon-reviews", "reviews_X_5.json", [json.dumps(REVIEW_2014)] * 2),
    (Holds.INTERACTIONS, "amazon-reviews", "X_5.json", [json.dumps(REVIEW_2018)]),
    (Holds.INTERACTIONS, "amazon-reviews-2023", "X.jsonl", [json.dumps(REVIEW_2023)]),
    (Holds.INTERACTIONS, "amazon-reviews-2023", "X.csv",
     ["user_id,parent_asin,rating,timestamp", "AEX,B00AAAAAA2,5.0,1588687728923"]),
    (Holds.INTERACTIONS, "amazon-ratings-2014", "ratings_X.csv",
     ["A2XYZ0Q1W2E3R4,0123456789,5.0,1365811200", "A1B2C3D4E5F6G7,B00000000X,1.0,1341100800"]),
    (Holds.INTERACTIONS, "amazon-ratings-2018", "X.csv",
     ["0123456789,A2XYZ0Q1W2E3R4,5.0,1365811200", "B00000000X,A1B2C3D4E5F6G7,1.0,1341100800"]),
    (Holds.INTERACTIONS, "amazon-ratings", "r.csv",
     ["user,asin,rating,ts", "1,0123456789,5,1365811200"]),
    (Holds.ITEMS, "amazon-metadata-2014", "meta_X.json", [META_2014]),
    (Holds.ITEMS, "amazon-metadata-2018", "meta_X.json", [json.dumps(META_2018)]),
    (Holds.ITEMS, "amazon-metadata-2023", "meta_X.jsonl", [json.dumps(META_2023)]),
    (Holds.INTERACTIONS, "retailrocket-events", "events.csv",
     ["timestamp,visitorid,event,itemid,transactionid", "1433221332117,257597,view,355908,"]),
    (Holds.ITEMS, "retailrocket-properties", "item_properties_part1.csv",
     ["timestamp,itemid,property,value", "1435460400000,460429,categoryid,1338"]),
    (Holds.NOTHING, "retailrocket-categories", "category_tree.csv",
     ["categoryid,parentid", "1016,213"]),
    (Holds.INTERACTIONS, "movielens-100k-ratings", "u.data", ["196\t242\t3\t881250949"] * 2),
    (Holds.INTERACTIONS, "movielens-1m-ratings", "ratings.dat",
     ["1::1193::5::978300760", "2::5::4.5::978302110", *["3::1::3::978302111"] * 9]),
    (Holds.INTERACTIONS, "movielens-ratings", "ratings.csv",
     ["userId,movieId,rating,timestamp", "1,296,5.0,1147880044"]),
    (Holds.ITEMS, "movielens-100k-movies", "u.item",
     [f"1|Toy Story (1995)|01-Jan-1995||http://x/?Toy%20Story%20(1995)|{MOVIE_FLAGS}"]),
    (Holds.ITEMS, "movielens-1m-movies", "movies.dat", ["1::Toy Story (1995)::Animation|Comedy"]),
    (Holds.ITEMS, "movielens-movies", "movies.csv",
     ["movieId,title,genres", '11,"President, The (1995)",Comedy|Drama']),
    (Holds.USERS, "movielens-100k-users", "u.user", ["1|24|M|technician|85711"]),
    (Holds.USERS, "movielens-1m-users", "users.dat", ["1::F::1::10::48067"]),
    (Holds.NOTHING, "movielens-tags", "tags.csv",
     ["userId,movieId,tag,timestamp", "3,260,classic,1439472355"]),
    (Holds.NOTHING, "movielens-links", "links.csv", ["movieId,imdbId,tmdbId", "1,0114709,862"]),
    (Holds.NOTHING, "movielens-genome", "genome-tags.csv", ["tagId,tag", "1,007"]),
    (Holds.NOTHING, "movielens-10m-tags", "tags.dat", ["15::4973::excellent!::1215184630"]),
    (Holds.INTERACTIONS, "yoochoose-clicks", "yoochoose-clicks.dat",
     ["1,2014-04-07T10:51:09.277Z,214536502,0", "2,2014-04-07T13:56:37.614Z,214662742,S"]),
    (Holds.INTERACTIONS, "yoochoose-buys", "yoochoose-buys.dat",
     ["420374,2014-04-06T18:44:58.314Z,214537888,12462,1"]),
    (Holds.INTERACTIONS, "session-rec", "clicks.txt",
     ["SessionId\tTime\tItemId", "11\t1396780000.5\t214821275"]),
    (Holds.INTERACTIONS, "online-retail", "online_retail_II.csv",
     ["Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country", INVOICE]),
    (Holds.INTERACTIONS, "online-retail", "data.csv",
     ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID", INVOICE[:-15]]),
    (Holds.INTERACTIONS, "online-retail", "snake.csv",
     ["invoice,stock_code,description,quantity,invoice_date,price,customer_id,country", INVOICE]),
    (Holds.INTERACTIONS, "recbole", "x.inter",
     ["user_id:token\titem_id:token\ttimestamp:float", "1\t2\t881250949"]),
    (Holds.INTERACTIONS, "recbole-ratings", "ml-100k.inter",
     ["user_id:token\titem_id:token\trating:float\ttimestamp:float", "1\t2\t3\t881250949"]),
    (Holds.ITEMS, "recbole-items", "ml-100k.item",
     ["item_id:token\tmovie_title:token_seq\tclass:token_seq", "1\tToy Story\tComedy"]),
    (Holds.INTERACTIONS, "sequences", "i.csv", ["user,item,pos", "1,7,0"]),
    (Holds.INTERACTIONS, "timed-sequences", "i.csv", ["user,item,pos,ts", "1,7,0,1318896000"]),
    (Holds.INTERACTIONS, "bundles", "user_item.csv",
     ["user_ID,item_ID,timestamp", "1,7,1405987200"]),
    (Holds.ITEMS, "bundle-items", "item_titles.csv", ["item_ID,titles", "7,Hat"]),
    (Holds.NOTHING, "bundle-parts", "user_bundle.csv",
     ["user_ID,bundle_ID,timestamp", "1,7,1405987200"]),
    (Holds.ITEMS, "item-texts", "items.csv",
     ["item,title,description,brand,categories", '1,Hat,Warm,Acme,"Clothing,Hats"']),
    (Holds.ITEMS, "item-attributes", "items.csv", ["item,attributes,asin", '1,"[1, 2]",B0']),
    (Holds.ITEMS, "rechorus-items", "item_meta.csv",
     ["item_id,i_category,r_complement,r_substitute", '1,0,"[2]","[3]"']),
    (Holds.INTERACTIONS, "sessions", "s.csv", ["session,split,items", '1,train,"[1, 2]"']),
]  # fmt: skip


@pytest.mark.parametrize(
    ("holds", "name", "file", "lines"), FILES, ids=[f"{row[1]}:{row[2]}" for row in FILES]
)
def test_a_format_is_recognised(
    tmp_path: Path, holds: Holds, name: str, file: str, lines: list[str]
) -> None:
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    seen = peek(tmp_path / file)
    found = recognise_any(seen.columns, seen.sample, file_name=file)
    assert found is not None
    assert (found[0], found[1].name) == (holds, name)
    functions = {
        Holds.INTERACTIONS: recognise,
        Holds.ITEMS: recognise_catalogue,
        Holds.USERS: recognise_users,
    }
    for meant, function in functions.items():
        shape = function(seen.columns, seen.sample, file_name=file)
        assert (shape is not None and shape.name == name) is (meant is holds)


def test_every_format_has_a_sample_here() -> None:
    assert {row[1] for row in FILES} == {pattern.name for pattern in PATTERNS}
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)


@pytest.fixture
def shape_of(tmp_path: Path) -> Callable[..., Shape]:
    """Write a file and return its format."""

    def find(file: str, lines: list[str]) -> Shape:
        text = "\n".join(lines) + "\n"
        content = gzip.compress(text.encode()) if file.endswith(".gz") else text.encode()
        (tmp_path / file).write_bytes(content)
        seen = peek(tmp_path / file)
        found = recognise_any(seen.columns, seen.sample, file_name=file)
        assert found is not None
        return found[1]

    return find


def test_the_explanation_says_what_was_seen(shape_of: Callable[..., Shape]) -> None:
    shape = shape_of("X_5.json.gz", [json.dumps(REVIEW_2018)])
    assert shape.explanation == (
        "columns reviewerID, asin, overall, unixReviewTime: Amazon reviews of 2014 or 2018",
        "`unixReviewTime` is in seconds",
        "`verified` says 2018",
        "`style` says 2018",
        "`vote` says 2018",
    )
    assert shape.mapping == {
        "user_id": "reviewerID", "item_id": "asin", "value": "overall", "ts": "unixReviewTime"
    }  # fmt: skip
    assert (shape.kind, shape.ts_unit) == (Kind.RATING, "seconds")
    shape = shape_of("ratings_X.csv", ["A2XYZ0Q1W2E3R4,0123456789,5.0,1365811200"])
    assert shape.explanation == (
        "4 columns without a header: Amazon ratings of 2014: user, item, rating, time in seconds",
    )


def test_the_two_orders_of_bare_ratings_are_told_apart(shape_of: Callable[..., Shape]) -> None:
    shape = shape_of("Books.csv", ["A2XYZ0Q1W2E3R4,0123456789,5.0,1365811200"])
    assert (shape.mapping["user_id"], shape.mapping["item_id"]) == ("#1", "#2")
    shape = shape_of("Books.csv", ["0123456789,A2XYZ0Q1W2E3R4,5.0,1365811200"])
    assert (shape.mapping["user_id"], shape.mapping["item_id"]) == ("#2", "#1")
    assert not shape.dialect.has_header


def test_a_few_odd_lines_do_not_hide_a_format(tmp_path: Path) -> None:
    good = ["A2XYZ0Q1W2E3R4,0123456789,5.0,1365811200"] * 19
    path = tmp_path / "ratings_X.csv"
    for n_odd, known in ((2, True), (5, False)):
        path.write_text("\n".join([*good, *["?,?,?,?"] * n_odd]) + "\n")
        seen = peek(path)
        assert (recognise(seen.columns, seen.sample, file_name=path.name) is not None) is known


def test_a_value_twice_in_the_first_record_is_no_hindrance(
    shape_of: Callable[..., Shape],
) -> None:
    assert shape_of("u.data", ["5\t5\t5\t881250949"]).name == "movielens-100k-ratings"


def test_columns_are_found_in_any_spelling(shape_of: Callable[..., Shape]) -> None:
    columns = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    shape = shape_of("sales.csv", [columns, INVOICE])
    assert shape.mapping["user_id"] == "Customer ID"
    assert [(rule.column, rule.matches) for rule in shape.refuse][:2] == [
        ("Invoice", "^C"),
        ("Quantity", "^-"),
    ]
    assert shape.items is not None
    assert '"StockCode"' in shape.items.select
    shape = shape_of("s.csv", [columns.lower().replace("invoice,", "invoice_no,", 1), INVOICE])
    assert shape.refuse[0].column == "invoice_no"


def test_positions_stand_in_for_times(shape_of: Callable[..., Shape]) -> None:
    shape = shape_of("i.csv", ["user,item,pos", "1,7,0"])
    assert (shape.ts_unit, shape.order_column) == (ORDER, "pos")
    assert "2000-01-01" in shape.warnings[0]
    shape = shape_of("i.csv", ["user,item,pos,ts", "1,7,0,1318896000"])
    assert (shape.order_column, shape.warnings) == (None, ())


def test_dialects_come_with_the_format(shape_of: Callable[..., Shape]) -> None:
    dialect = shape_of("ratings.dat", ["1::2::5::978300760"]).dialect
    assert (dialect.format, dialect.delimiter) == (Format.CSV, "::")
    assert (dialect.has_header, dialect.quote, dialect.encoding) == (False, "", "latin-1")


def test_rules_become_sql() -> None:
    rules = (Rule("invoice", "^C", "a cancellation"), Rule("it's", "'", "odd"))
    assert rule_fields(rules) == {"refuse_0": "invoice", "refuse_1": "it's"}
    assert rule_reasons(rules) == (
        "CASE WHEN regexp_matches(refuse_0, '^C') THEN 'a cancellation' END",
        "CASE WHEN regexp_matches(refuse_1, '''') THEN 'odd' END",
    )


@pytest.mark.parametrize(
    "columns",
    [
        ["user", "sku", "when"],
        ["userId", "itemId", "rating", "timestamp"],
        ["asin", "title"],
        ["A2XYZ0Q1W2E3R4", "0123456789", "5.0"],
        [],
    ],
)
def test_what_is_like_none_of_them_is_none_of_them(columns: list[str]) -> None:
    assert recognise_any(columns, [], file_name="x.csv") is None
