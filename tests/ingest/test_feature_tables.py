from __future__ import annotations

import json

import duckdb
import numpy as np
import pytest

from endcap.ingest.feature_tables import ITEMS, SPEC, USERS, NamedShares, write_feature_tables
from endcap.ingest.manifest import file_entry

TASTES = NamedShares(
    indptr=np.array([0, 2, 2, 3]),
    code=np.array([1, 0, 1], dtype=np.int32),
    share=np.array([0.75, 0.25, 1.0], dtype=np.float32),
    names=("Bread", "Tea, 'green'"),
)
COLUMNS = {
    "user_idx": np.array([4, 0, 2], dtype=np.int32),
    "age": np.array([1.5, np.nan, 0.25], dtype=np.float32),
    "price_band": np.array([1, -1, 0], dtype=np.int8),
}


def write(folder, *, tastes=TASTES, columns=COLUMNS):
    items = {"item_idx": np.arange(2, dtype=np.int32)}
    return write_feature_tables(
        folder, users=columns, tastes=tastes, items=items, spec={"at_us": 7, "note": "x"}
    )


def rows(path):
    with duckdb.connect() as db:
        shown = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        return [column[:2] for column in shown.description], shown.fetchall()


def test_rows_keep_their_order_types_and_tastes(tmp_path):
    write(tmp_path)
    columns, found = rows(tmp_path / USERS)
    assert [(name, str(kind)) for name, kind in columns] == [
        ("user_idx", "INTEGER"),
        ("age", "FLOAT"),
        ("price_band", "TINYINT"),
        ("taste", 'STRUCT("name" VARCHAR, "share" FLOAT)[]'),
    ]
    tea, bread = {"name": "Tea, 'green'", "share": 0.75}, {"name": "Bread", "share": 0.25}
    assert found == [
        (4, 1.5, 1, [tea, bread]),
        (0, None, -1, []),
        (2, 0.25, 0, [{**tea, "share": 1.0}]),
    ]
    assert rows(tmp_path / ITEMS)[1] == [(0,), (1,)]


def test_the_note_names_what_was_written(tmp_path):
    files = write(tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    note = json.loads((folder / SPEC).read_text())
    assert (note["at_us"], note["note"]) == (7, "x")
    assert set(note["files"]) == set(files) == {USERS, ITEMS}
    for name, entry in files.items():
        assert note["files"][name] == entry.model_dump() == file_entry(folder / name).model_dump()
    assert {path.name for path in folder.iterdir()} == {USERS, ITEMS, SPEC}


def test_the_same_features_give_the_same_bytes(tmp_path):
    assert write(tmp_path / "one") == write(tmp_path / "two")


def test_an_older_table_is_replaced(tmp_path):
    write(tmp_path)
    fewer = {name: values[:1] for name, values in COLUMNS.items()}
    tastes = NamedShares(TASTES.indptr[:2], TASTES.code[:2], TASTES.share[:2], TASTES.names)
    write(tmp_path, columns=fewer, tastes=tastes)
    assert len(rows(tmp_path / USERS)[1]) == 1


def test_a_failure_leaves_no_note_behind_that_would_call_a_folder_whole(tmp_path):
    write(tmp_path)
    before = (tmp_path / SPEC).read_text()
    with pytest.raises(duckdb.Error):
        write(tmp_path, columns={**COLUMNS, "age": np.array([1.0])})
    assert (tmp_path / SPEC).read_text() == before
    assert {path.name for path in tmp_path.iterdir()} == {USERS, ITEMS, SPEC}


@pytest.mark.parametrize("names", [(), ("Bread",)])
def test_nobody_and_no_tastes_make_empty_columns(tmp_path, names):
    nobody = {name: values[:0] for name, values in COLUMNS.items()}
    none = NamedShares(np.zeros(1, dtype=np.int64), TASTES.code[:0], TASTES.share[:0], names)
    write(tmp_path, columns=nobody, tastes=none)
    columns, found = rows(tmp_path / USERS)
    assert found == []
    assert columns[-1][0] == "taste"
