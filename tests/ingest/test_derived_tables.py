"""Tables that are made of raw files by the SQL of a format."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest.convert.properties import write_changes
from endcap.ingest.convert.tables import derive
from endcap.ingest.shapes import Dialect, Reading
from endcap.ingest.sources import find_sources
from endcap.ingest.staging import Format
from endcap.schema.errors import DataError

Derived = Callable[..., list[dict[str, Any]]]
PROPERTIES = "timestamp,itemid,property,value"


def rows_of(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as db:
        result = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture
def catalogue(tmp_path: Path) -> Derived:
    """Write files into a folder beside a log, return the rows of the catalogue that is found."""

    def run(**files: str | bytes) -> list[dict[str, Any]]:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        (folder / "zz_log.csv").write_text("user_id,item_id,ts\nu,1,1500000000\n")
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name.replace("__", ".")).write_bytes(data)
        recipe = find_sources([str(folder)], downloads=tmp_path)[0]
        made = derive(recipe.items_reading, tmp_path / "items.parquet", scratch=tmp_path)
        assert made.n_rows == len(rows_of(made.path))
        return rows_of(made.path)

    return run


def test_properties_stand_as_they_stood_last(catalogue: Derived) -> None:
    first = [PROPERTIES, "3,10,categoryid,4", "1,10,categoryid,5", "1,10,available,1",
             "1,10,790,n1.000", "1,9,available,0"]  # fmt: skip
    second = [PROPERTIES, "2,10,available,0", "x,10,available,1", "1,2,790,n2", "5,10,790,n3"]
    tree = ["categoryid,parentid", "4,3", "3,1", "1,", "7,8", "8,7"]
    assert catalogue(
        item_properties_part1__csv="\n".join(first) + "\n",
        item_properties_part2__csv__gz=gzip.compress("\n".join(second).encode()),
        category_tree__csv="\n".join(tree) + "\n",
    ) == [
        {"item_id": "2", "department": None, "category": None, "available": None,
         "n_properties": 1},
        {"item_id": "9", "department": None, "category": None, "available": False,
         "n_properties": 1},
        {"item_id": "10", "department": "1", "category": "4", "available": False,
         "n_properties": 3},
    ]  # fmt: skip


def test_properties_do_without_the_tree_and_survive_a_circle(catalogue: Derived) -> None:
    lines = f"{PROPERTIES}\n1,1,categoryid,7\n1,2,categoryid,99\n"
    alone = catalogue(item_properties_part1__csv=lines)
    assert [(row["category"], row["department"]) for row in alone] == [("7", None), ("99", None)]
    tree = "categoryid,parentid\n7,8\n8,7\n9,9\n"
    both = catalogue(item_properties_part1__csv=lines, category_tree__csv=tree)
    assert both == alone


def test_every_change_is_kept_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "item_properties_part1.csv"
    lines = ["1000,10,available,1", "2000,10,available,1", "3000,10,available,0",
             "2500,10,available,0", "4000,10,available,1", "1000,9,categoryid,5",
             "1000,9,790,n1", "bad,9,available,1"]  # fmt: skip
    path.write_text("\n".join([PROPERTIES, *lines]) + "\n")
    target = tmp_path / "changes.parquet"
    assert write_changes([path], target, scratch=tmp_path) == 4
    assert [tuple(row.values()) for row in rows_of(target)] == [
        ("9", "categoryid", "5", 1_000_000),
        ("10", "available", "1", 1_000_000),
        ("10", "available", "0", 2_500_000),
        ("10", "available", "1", 4_000_000),
    ]
    assert write_changes([path], target, scratch=tmp_path, properties=["790"]) == 1


def test_movies_have_their_first_genre(catalogue: Derived) -> None:
    text = 'movieId,title,genres\n1,"A, B (1995)",Comedy|Drama\n2,C,(no genres listed)\n'
    assert catalogue(movies__csv=text) == [
        {"item_id": "1", "name": "A, B (1995)", "category": "Comedy"},
        {"item_id": "2", "name": "C", "category": None},
    ]


def test_flags_of_genres(catalogue: Derived) -> None:
    def line(number: int, name: str, *genres: int) -> str:
        flags = "|".join("1" if n in genres else "0" for n in range(19))
        return f"{number}|{name}|01-Jan-1995||http://x/|{flags}"

    text = "\n".join([line(1, 'The "Café"', 3, 5), line(2, "B", 18), line(3, "C", 0), line(4, "D")])
    rows = catalogue(u__item=text.encode("latin-1") + b"\n")
    assert [(row["item_id"], row["name"], row["category"]) for row in rows] == [
        ("1", 'The "Café"', "Animation"),
        ("2", "B", "Western"),
        ("3", "C", None),
        ("4", "D", None),
    ]


def test_titles_and_paths_of_categories_are_joined(catalogue: Derived) -> None:
    titles = "item_ID,titles\n7,Hat\n8,Tea &amp; Co\n9,Bare\n"
    categories = (
        'item_ID,categories\n7,"[[Clothing, Shoes & Jewelry,Women,Hats],[Sports,Caps]]"\n'
        '8,"[[Grocery]]"\n'
    )
    assert catalogue(item_titles__csv=titles, item_categories__csv=categories) == [
        {"item_id": "7", "name": "Hat", "department": "Clothing, Shoes & Jewelry",
         "category": "Hats"},
        {"item_id": "8", "name": "Tea & Co", "department": "Grocery", "category": "Grocery"},
        {"item_id": "9", "name": "Bare", "department": None, "category": None},
    ]  # fmt: skip


def test_texts_have_the_ends_of_their_path(catalogue: Derived) -> None:
    text = (
        "item,title,description,brand,categories\n"
        '0,Relay,Hard start.,"Sealed, Inc.","Industrial & Scientific,Tools, Parts & More,Relays"\n'
        "1,Tape,,,\n"
    )
    assert catalogue(items__csv=text) == [
        {"item_id": "0", "name": "Relay", "department": "Industrial & Scientific",
         "category": "Relays", "brand": "Sealed, Inc.", "description": "Hard start."},
        {"item_id": "1", "name": "Tape", "department": None, "category": None, "brand": None,
         "description": None},
    ]  # fmt: skip


def test_lists_of_attributes_are_brand_and_categories(tmp_path: Path) -> None:
    with duckdb.connect() as db:
        for name, query in {
            "items": "SELECT 1::BIGINT AS item, [7, 1, 2, 3]::BIGINT[] AS attributes "
            "UNION ALL SELECT 2, [1, 2] UNION ALL SELECT 3, [8, 1, 3]",
            "attributes": "SELECT * FROM (VALUES (1, 900, 'Makeup'), (2, 300, 'Nails'), "
            "(3, 100, 'Polish'), (7, 20, 'Acme'), (8, 30, 'Unknown')) "
            "AS t(attribute, n_items, name)",
            "log": "SELECT 1 AS user_id, 1 AS item_id, 1500000000 AS ts",
        }.items():
            db.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
    (recipe,) = find_sources([str(tmp_path)], downloads=tmp_path)
    made = derive(recipe.items_reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert [tuple(row.values()) for row in rows_of(made.path)] == [
        (1, "Makeup", "Polish", "Acme"),
        (2, "Makeup", "Nails", None),
        (3, "Makeup", "Polish", None),
    ]


def test_metadata_may_come_as_parquet(tmp_path: Path) -> None:
    product = (
        "SELECT 'B' || n AS parent_asin, 'Girl''s &amp; Co' AS title, 'All Beauty' AS "
        "main_category, 'Acme' AS store, '$5.00 - $9.99' AS price, ['Hair', 'Combs'] AS "
        "categories, {'hi_res': [NULL, 'h2'], 'large': ['l1', 'l2']} AS images, "
        '\'{"Brand": "x"}\' AS details FROM range(3) t(n)'
    )
    review = "SELECT 'u' AS user_id, 'B1' AS item_id, 1500000000 AS ts"
    with duckdb.connect() as db:
        for name, query in (("meta", product), ("log", review)):
            db.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
    (recipe,) = find_sources([str(tmp_path)], downloads=tmp_path)
    assert recipe.items_reading.converter is None
    made = derive(recipe.items_reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert [row["parent_asin"] for row in rows_of(made.path)] == ["B0", "B1", "B2"]
    assert rows_of(made.path)[0] == {
        "parent_asin": "B0", "title": "Girl's & Co", "department": "Hair", "category": "Combs",
        "brand": "Acme", "price": "5.0", "currency": "USD", "image": "l1",
        "description": None, "bought_together": None,
    }  # fmt: skip


def test_sessions_are_opened_in_order(tmp_path: Path) -> None:
    with duckdb.connect() as db:
        db.execute(
            "COPY (SELECT n AS session, 'train' AS split, [n * 10, 7, n * 10]::INTEGER[] AS items "
            f"FROM range(2000) t(n)) TO '{tmp_path}/s.parquet' (FORMAT parquet)"
        )
    (recipe,) = find_sources([str(tmp_path / "s.parquet")], downloads=tmp_path)
    made = derive(recipe.reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert [tuple(row.values()) for row in rows_of(made.path)] == [
        (n, item, pos)
        for n in range(2000)
        for pos, item in enumerate((str(n * 10), "7", str(n * 10)))
    ]


def test_records_that_are_no_rows_are_counted(tmp_path: Path) -> None:
    paths = []
    for name, text in {
        "a.csv": "x,y\n1,2\nbad\n3,4\n5,6,7\n",
        "b.csv": "\ufeffy,x,z\n8,7,9\n",
        "c.jsonl": '{"x": 10, "z": [1]}\noops\n\n{"y": "é"}\n',
    }.items():
        (tmp_path / name).write_text(text)
        paths.append(tmp_path / name)
    reading = Reading(select="SELECT x, y, z FROM source", tables={"source": tuple(paths)})
    made = derive(reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert made.n_faulty == 3
    assert [tuple(row.values()) for row in rows_of(made.path)] == [
        ("1", "2", None), ("3", "4", None), ("7", "8", "9"), ("10", None, "[1]"),
        (None, None, None), (None, "é", None),
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) in ([], ["spill"])


def test_the_dialect_is_that_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "odd.dat"
    path.write_bytes('1::Café "x"\n2::B\n'.encode("latin-1"))
    dialect = Dialect(Format.CSV, "::", "latin-1", has_header=False, quote="")
    reading = Reading(dialect, select='SELECT "#2" AS name FROM source', tables={"source": (path,)})
    made = derive(reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert rows_of(made.path) == [{"name": 'Café "x"'}, {"name": "B"}]


def test_damage_is_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    reading = Reading(select="SELECT * FROM source", tables={"source": (path,)})
    with pytest.raises(DataError) as caught:
        derive(reading, tmp_path / "made.parquet", scratch=tmp_path)
    assert caught.value.where == str(path)
    with pytest.raises(ValueError, match="no SQL"):
        derive(Reading(), tmp_path / "made.parquet", scratch=tmp_path)
