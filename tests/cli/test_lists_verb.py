"""`endcap lists` as a person at a terminal meets it, on a small shop."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import numpy as np
import pytest
from shell import run

from endcap.ingest.lists import read_lists
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import open_snapshot, read_ids
from endcap.schema.types import NO_ITEM
from endcap.training import all_lists
from endcap.training.run import load_run

END = datetime(2020, 3, 1, tzinfo=UTC)
N_USERS, N_ITEMS, K = 60, 12, 9


def shop(path):
    """Some users have had so much that their lists are short."""
    rng = np.random.default_rng(5)
    rows = ["user_id,item_id,ts"]
    for n in range(400):
        when = (END - timedelta(minutes=40 * (400 - n))).isoformat()
        rows.append(f"u{rng.integers(N_USERS)},i{rng.integers(N_ITEMS)},{when}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    ingest(shop(folder / "log.csv"), root=folder / "var" / "snapshots")
    return folder / "var"


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path, var):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ENDCAP_VAR", str(var))
    monkeypatch.setenv("ENDCAP_TRAINING__TRACKING", "off")


@pytest.fixture
def endcap(monkeypatch, capsys):
    return partial(run, monkeypatch, capsys)


@pytest.fixture
def trained(endcap, var):
    assert endcap("train", "popular", "item_knn")[0] == 0
    return load_run(var / "models")


def rows_of(path):
    with duckdb.connect() as db:
        return db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


@pytest.mark.parametrize("seen", [False, True])
def test_all_users_have_the_lists_of_the_model(endcap, trained, var, tmp_path, seen, monkeypatch):
    monkeypatch.setattr(all_lists, "USERS_AT_ONCE", 7)  # the last part is shorter
    out = tmp_path / "new" / "lists.parquet"
    flags = ["--seen"] if seen else []
    code, shown, _ = endcap("lists", "item_knn", "--out", str(out), "--k", str(K), "--json", *flags)
    told = json.loads(shown)
    ids = read_ids(open_snapshot(var / "snapshots").path)
    users = np.arange(len(ids.users.ids), dtype=np.int32)
    ranked = trained.models["item_knn"].recommend(users, K, exclude_seen=not seen)
    assert seen or (ranked.items == NO_ITEM).any()
    expected = [
        (user, ids.items.ids[item], place, score)
        for user, items, scores in zip(ids.users.ids, ranked.items, ranked.scores, strict=True)
        for place, (item, score) in enumerate(zip(items, scores, strict=True), 1)
        if item != NO_ITEM
    ]
    assert code == 0
    assert rows_of(out) == sorted(expected, key=lambda row: (row[0], row[2]))
    assert (told["n_rows"], told["n_users"]) == (len(expected), len(users))
    assert (told["run_id"], told["compute"]) == (trained.run_id, "local://")
    assert [path.name for path in out.parent.iterdir()] == ["lists.parquet"]
    # What `endcap evaluate --lists` reads is what was written.
    given = read_lists(out, ids)
    assert (len(given.users), given.n_strangers) == (len(expected), 0)


def test_a_person_is_told_how_much_there_is(endcap, trained):
    code, shown, _ = endcap("lists", "popular", "--out", "lists.parquet", "--k", "1")
    assert (code, shown) == (0, "60 rows for 60 users in lists.parquet\n")


def test_nothing_is_overwritten(endcap, trained, tmp_path):
    (tmp_path / "lists.parquet").write_text("mine")
    code, _, said = endcap("lists", "popular", "--out", "lists.parquet")
    assert code == 2
    assert "there is something already" in said
    assert (tmp_path / "lists.parquet").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dice", "--out", "lists.parquet"), "has no model 'dice'"),
        (("popular", "--out", "lists.csv"), "lists are written as Parquet"),
        (("popular", "--out", "lists.parquet", "--compute", "yarn"), "nor a Spark master"),
    ],
)
def test_what_cannot_be_written_is_said(endcap, trained, tmp_path, arguments, said):
    code, _, shown = endcap("lists", *arguments)
    assert code == 2
    assert said in shown
    assert not list(tmp_path.iterdir())
