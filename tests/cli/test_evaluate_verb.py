"""`endcap evaluate` as a person uses it, on a small shop."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from endcap.cli import main
from endcap.evaluation.kept import open_kept

END = datetime(2024, 6, 30, tzinfo=UTC)
N_USERS, N_ITEMS = 120, 40


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a snapshot in it: people who buy a few favourites again and again."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(3)
    lines = ["user_id,item_id,ts,kind"]
    for user in range(N_USERS):
        own = rng.choice(N_ITEMS, size=4, replace=False)
        for _ in range(14):
            item = rng.choice(own) if rng.random() < 0.8 else int(N_ITEMS * rng.random() ** 2)
            moment = END - timedelta(hours=float(rng.integers(24 * 90)))
            lines.append(f"u{user},i{item},{moment.isoformat()},purchase")
    (folder / "sales.csv").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["endcap", "ingest", "sales.csv", "--user-ids", "keep"])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 0
    return folder


@pytest.fixture(autouse=True)
def _there(monkeypatch, shop):
    monkeypatch.chdir(shop)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("ENDCAP_TRAINING__BOOTSTRAP_REPLICATES", "100")
    monkeypatch.setenv("ENDCAP_TRAINING__TEST_DAYS", "21")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)


def run(monkeypatch, capsys, *arguments):
    """Run `endcap` as a shell would and return its exit code and both outputs."""
    monkeypatch.setattr("sys.argv", ["endcap", "evaluate", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code, said.out, re.sub(r"\s+", " ", said.err)


MODELS = ("--models", "popular,repeat,item_knn", "--no-report")


def test_the_full_report_has_every_part(monkeypatch, capsys, shop):
    code, shown, _ = run(monkeypatch, capsys, "--models", "popular,repeat")
    assert code == 0
    for part in (
        "accuracy:",
        "variety and exposure",
        "NDCG by slice",
        "Worse than popular",
        "Exposure of groups of items",
        "NDCG@10 on repeat, better than popular: repeat",
        "Protocol: one cut in time for everybody",
        "kept in",
    ):
        assert part in shown, part
    kept = open_kept(shop / "var" / "evaluations")
    page = (kept.path / "report.html").read_text()
    assert "User 1" in page
    assert "had it before" in page


@pytest.mark.parametrize(
    ("protocol", "views"),
    [
        ("temporal", ["all", "repeat", "discovery"]),
        ("leave-one-out", ["discovery", "all"]),
        ("sessions", ["next", "next_new", "rest"]),
        ("next-basket", ["all", "repeat", "discovery"]),
        ("cold-items", ["cold_only", "cold_and_warm"]),
        ("cold-users", ["after_0", "after_1", "after_3", "after_5"]),
        ("random", ["discovery", "all"]),
    ],
)
def test_every_protocol_runs(monkeypatch, capsys, protocol, views):
    if protocol == "sessions":
        monkeypatch.setenv("ENDCAP_EVALUATION__SESSION_GAP_S", "86400")
    if protocol == "cold-users":
        monkeypatch.setenv("ENDCAP_EVALUATION__COLD_USER_SHARE", "0.5")
    code, shown, said = run(monkeypatch, capsys, "--protocol", protocol, *MODELS, "--json")
    assert code == 0, said
    found = json.loads(shown)
    assert found["protocol"] == protocol
    assert set(found["views"]) <= set(views)
    headline = found["views"][views[0]]
    trees = {"blend_rrf"} if protocol in {"temporal", "next-basket"} else set()
    assert set(headline["models"]) == {"random", "popular", "repeat", "item_knn", "blend"} | trees
    assert headline["n_users"] > 0
    assert 0 <= headline["expected_random"]["ndcg"] < headline["best"]["ndcg"] == 1


def test_without_refit_the_models_are_told_a_history(monkeypatch, capsys):
    arguments = ("--protocol", "leave-one-out", "--no-refit", *MODELS, "--json")
    code, shown, _ = run(monkeypatch, capsys, *arguments)
    found = json.loads(shown)
    assert code == 0
    assert found["facts"]["refit"] is False


def test_several_seeds(monkeypatch, capsys):
    code, shown, _ = run(monkeypatch, capsys, "--seeds", "2", *MODELS, "--json")
    found = json.loads(shown)
    assert (code, found["n_seeds"]) == (0, 2)
    ndcg = found["views"]["all"]["models"]["popular"]["metrics"]["ndcg"]
    assert ndcg["n_seeds"] == 2


def test_lists_of_another_system_stand_beside_the_models(monkeypatch, capsys, shop):
    rows = [
        f"u{user},i{(user + place) % N_ITEMS},{place + 1}"
        for user in range(N_USERS + 3)
        for place in range(12)
    ]
    (shop / "theirs.csv").write_text("user_id,item_id,rank\n" + "\n".join(rows) + "\n")
    code, shown, said = run(monkeypatch, capsys, "--lists", "theirs=theirs.csv", *MODELS, "--json")
    assert code == 0
    assert "36 rows of theirs.csv are of users whom the snapshot does not know" in said
    theirs = json.loads(shown)["views"]["all"]["models"]["theirs"]
    assert theirs["metrics"]["ndcg"]["n_users"] > 100
    assert theirs["n_short_lists"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user_id,item_id,rank\nu1,nothing,1\n", "1 items are unknown, such as nothing"),
        (
            "user_id,item_id,rank\nu1,i1,1\nu1,i1,2\n",
            "names i1 twice (wrong.csv, row 2)",
        ),
        ("user_id,item_id,rank\nu1,i1,first\n", "cannot be read as lists"),
        ("user_id,item_id\nu1,i1\n", "it has no column rank or score"),
        ("user_id,item_id,rank\nu1,,1\n", "a value is missing"),
    ],
)
def test_lists_that_cannot_be_measured(monkeypatch, capsys, shop, text, said):
    (shop / "wrong.csv").write_text(text)
    code, _, shown = run(monkeypatch, capsys, "--lists", "wrong=wrong.csv", *MODELS)
    assert code == 3
    assert said in shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--protocol", "crystal-ball"), 2, "no protocol is called crystal-ball"),
        (("--lists", "theirs"), 2, "Say --lists name=FILE"),
        (("--lists", "a=none.csv"), 3, "there is no such file"),
        (("--lists", "a=sales.xlsx"), 3, "its name ends in none of"),
        (("--protocol", "rating", "--brief"), 2, "knows no --brief"),
        (("--protocol", "seed-1", "--lists", "a=b.csv"), 2, "knows no --lists"),
        (("--protocol", "rating"), 3, "rating"),
        (("--seeds", "0"), 2, "seeds"),
        (("--check-leaks", "--protocol", "random"), 2, "knows the protocol temporal alone"),
        (("--check-leaks", "--lists", "a=b.csv"), 2, "no --lists"),
        (("--models", "popular,nope"), 2, "there is no model 'nope'"),
        (("--lists", "a:b=sales.csv"), 2, "with a colon"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch, capsys, arguments, code, said):
    got, _, shown = run(monkeypatch, capsys, *arguments)
    assert got == code
    assert said in shown


def test_lists_cannot_answer_a_protocol_with_other_histories(monkeypatch, capsys, shop):
    (shop / "few.csv").write_text("user_id,item_id,rank\nu1,i1,1\n")
    arguments = ("--protocol", "sessions", "--lists", "few=few.csv", *MODELS)
    code, _, shown = run(monkeypatch, capsys, *arguments)
    assert code == 2
    assert "lists of users cannot answer the protocol sessions" in shown


@pytest.mark.parametrize("protocol", ["cold-items", "random"])
def test_lists_made_outside_cannot_answer_what_hides_rows_by_chance(
    monkeypatch, capsys, shop, protocol
):
    """Whoever made them has learnt from what is hidden here."""
    (shop / "few.csv").write_text("user_id,item_id,rank\nu1,i1,1\n")
    code, _, shown = run(
        monkeypatch, capsys, "--protocol", protocol, "--lists", "few=few.csv", *MODELS
    )
    assert code == 2
    assert f"cannot answer the protocol {protocol}" in shown


def test_other_lists_under_the_same_name_are_kept_apart(monkeypatch, capsys, shop):
    paths = set()
    for item in (1, 2):
        (shop / "some.csv").write_text(f"user_id,item_id,rank\nu1,i{item},1\n")
        _, shown, _ = run(monkeypatch, capsys, "--lists", "some=some.csv", *MODELS, "--json")
        paths.add(json.loads(shown)["path"])
    assert len(paths) == 2


def test_popularity_is_of_all_time_where_users_end_at_any_time(monkeypatch, capsys):
    _, shown, _ = run(monkeypatch, capsys, "--protocol", "leave-one-out", *MODELS, "--json")
    assert json.loads(shown)["facts"]["popular"] == "of all time"


def test_no_model_of_ours_has_seen_the_future(monkeypatch, capsys):
    code, shown, _ = run(monkeypatch, capsys, "--check-leaks", *MODELS, "--json")
    leaks = json.loads(shown)["leaks"]
    assert code == 0
    models = ["popular", "repeat", "item_knn", "blend", "blend_rrf"]
    assert [leak["model"] for leak in leaks] == models
    assert not any(leak["is_leak"] for leak in leaks)
    assert all(leak["n_users"] > 100 for leak in leaks)
