"""Lists of another system, read by the indices of a snapshot."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from endcap.ingest.ids import IdMap
from endcap.ingest.lists import read_lists
from endcap.ingest.snapshot import Ids
from endcap.schema.errors import DataError
from endcap.schema.pseudonym import Pseudonyms

IDS = Ids(users=IdMap(["ann", "007"]), items=IdMap(["tea", "42", "milk"]))


def write(folder: Path, *lines: str, name: str = "theirs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ids_become_indices_and_a_rank_a_score(tmp_path: Path) -> None:
    path = write(tmp_path, "user_id,item_id,rank", "007,42,1", "ann,milk,2", "007,tea,10")
    found = read_lists(path, IDS)
    assert found.users.tolist() == [1, 0, 1], "007 is text, not the number 7"
    assert found.items.tolist() == [1, 2, 0]
    assert found.scores.tolist() == [-1.0, -2.0, -10.0], "rank 1 comes first, 10 after 2"
    assert found.n_strangers == 0


def test_a_score_stays_and_comes_before_a_rank(tmp_path: Path) -> None:
    path = write(tmp_path, "rank,score,item_id,user_id", "9,0.5,tea,ann")
    assert read_lists(path, IDS).scores.tolist() == [0.5]


@pytest.mark.parametrize("name", ["theirs.tsv", "THEIRS.PARQUET"])
def test_other_formats_give_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("tsv"):
        write(tmp_path, "user_id\titem_id\tscore", "ann\t42\t1.5", name=name)
    else:
        rows = "SELECT 'ann' AS user_id, 42 AS item_id, 1.5::FLOAT AS score"
        duckdb.sql(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    found = read_lists(path, IDS)
    assert (found.users.tolist(), found.items.tolist()) == ([0], [1])
    assert found.scores.tolist() == [1.5]


def test_rows_of_strangers_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "user_id,item_id,rank", "bob,tea,1", "ann,tea,1", "eve,tea,1")
    found = read_lists(path, IDS)
    assert (found.users.tolist(), found.items.tolist(), found.n_strangers) == ([0], [0], 2)


def test_users_are_hidden_as_in_the_snapshot(tmp_path: Path) -> None:
    pseudonyms = Pseudonyms(bytes(range(32)))
    ids = Ids(users=IdMap([pseudonyms.of("ann")]), items=IDS.items)
    path = write(tmp_path, "user_id,item_id,rank", "ann,tea,1", f"{ids.users.ids[0]},milk,2")
    found = read_lists(path, ids, pseudonyms=pseudonyms)
    assert found.users.tolist() == [0]
    assert found.n_strangers == 1, "a pseudonym that does not say so is an id like any other"
    assert read_lists(path, ids).n_strangers == 1


@pytest.mark.parametrize("lines", [["user_id,item_id,rank"], ["user_id,item_id,rank", "zoe,tea,1"]])
def test_a_table_without_lists_of_known_users_is_refused(tmp_path: Path, lines: list[str]) -> None:
    """It would be measured as nothing but misses, with a verdict."""
    with pytest.raises(DataError, match="rows is of a user whom the snapshot knows"):
        read_lists(write(tmp_path, *lines), IDS)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["user_id,item_id,rank", "ann,coal,1", "ann,ash,2"], "2 items are unknown, such as ash"),
        (["user_id,item_id,rank", "ann,tea,1", "ann,,2"], "a value is missing"),
        (["user_id,item_id,rank", "ann,tea,first"], "cannot be read as lists"),
        (["user_id,item_id", "ann,tea"], "no column rank or score; it has user_id, item_id"),
        (["user,item_id,rank", "ann,tea,1"], "no column user_id; it has user, item_id, rank"),
        (["user_id,item_id,rank", "ann,tea,1", "ann,tea,2"], "the list of ann names tea twice"),
    ],
)
def test_what_is_no_table_of_lists_is_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(DataError, match=said) as refused:
        read_lists(path, IDS)
    assert str(path) in refused.value.where
    assert refused.value.mend


@pytest.mark.parametrize(
    ("name", "said"), [("gone.csv", "there is no such file"), ("a.xlsx", "ends in none of")]
)
def test_no_file_or_another_format_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_lists(tmp_path / name, IDS)
