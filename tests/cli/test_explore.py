import json
from datetime import UTC, datetime

import pytest
from shell import run

ROWS = [
    "user,item,ts,quantity,price",
    "a,x,2024-01-01T10:00,1,2.50",
    "a,y,2024-01-01T10:05,2,1.00",
    "b,x,2024-02-01T10:00,1,2.50",
    "c,z,2024-03-01T10:00,1,9.00",
    "c,z,2024-03-02T10:00,1,9.00",
    ",z,2024-03-02T10:00,1,9.00",
]


@pytest.fixture(autouse=True)
def _shop(monkeypatch, tmp_path, capsys):
    """Work in an empty folder with a snapshot of five purchases in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)
    (tmp_path / "log.csv").write_text("\n".join(ROWS))
    assert run(monkeypatch, capsys, "ingest", "log.csv")[0] == 0


def time_us(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def test_explore_prints_a_summary_and_writes_a_report(monkeypatch, capsys, tmp_path):
    code, shown, _ = run(monkeypatch, capsys, "explore")
    assert code == 0
    words = " ".join(shown.split())
    assert "5 purchases of 3 users with 3 items, from 1 Jan 2024 to 2 Mar 2024." in words
    assert "5 of 6 rows were kept, 1 (17%) put aside." in words
    assert "The data has no ratings." in words
    (report,) = (tmp_path / "var" / "explore").glob("*.html")
    assert f"report in var/explore/{report.name}" in shown
    page = report.read_text(encoding="utf-8")
    assert f"Snapshot <code>{report.stem}</code>" in page
    assert "<h1>log.csv</h1>" in page
    assert str(tmp_path) not in page  # where files lie is nobody's business


def test_explore_speaks_json_and_writes_where_it_is_told(monkeypatch, capsys, tmp_path):
    code, shown, _ = run(monkeypatch, capsys, "explore", "latest", "--out", "a/b.html", "--json")
    found = json.loads(shown)
    assert code == 0
    assert found["path"] == "a/b.html"
    assert (tmp_path / "a" / "b.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "var" / "snapshots" / found["snapshot_id"]).is_dir()
    assert found["overview"]["profile"]["n_interactions"] == 5
    assert found["quarantine"]["by_reason"] == {"user_id is missing": 1}
    assert found["prices"]["revenue"] == 2.5 + 2 + 2.5 + 9 + 9
    assert found["ratings"] is None
    assert found["sessions"]["n"] == 4


@pytest.mark.parametrize(
    ("flags", "n_test"),
    [
        (("--split-at", "2024-03-01"), 2),
        (("--split-at", "2024-03-01T11:00+00:00"), 1),
        (("--test-days", "40"), 3),
        ((), 2),  # training.test_days is 28
    ],
)
def test_the_cut_is_where_the_flags_say(monkeypatch, capsys, flags, n_test):
    _, shown, _ = run(monkeypatch, capsys, "explore", *flags, "--json")
    assert json.loads(shown)["cold_start"]["n_test"] == n_test


def test_the_gap_is_what_the_flag_says_or_the_setting(monkeypatch, capsys):
    def n_sessions(*flags):
        return json.loads(run(monkeypatch, capsys, "explore", *flags, "--json")[1])["sessions"]["n"]

    assert n_sessions("--session-gap-min", "4") == 5
    assert n_sessions("--session-gap-min", "1440") == 3
    monkeypatch.setenv("ENDCAP_INGEST__SESSION_GAP_S", "60")
    assert n_sessions() == 5


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--split-at", "monday"), 2, "'monday' is no date"),
        (("--split-at", "2030-01-01"), 2, "--split-at leaves nothing before the cut"),
        (("--test-days", "0"), 2, "--test-days leaves nothing before the cut"),
        (("--test-days", "1", "--split-at", "2024-02-01"), 2, "Give one of them"),
        (("--session-gap-min", "-1"), 2, "--session-gap-min"),
        (("nothing",), 3, "no snapshot is called 'nothing'"),
        (("--out", "log.csv/x.html"), 1, "error"),
    ],
)
def test_errors_say_what_and_how_to_mend(monkeypatch, capsys, flags, code, said):
    found, _, shown = run(monkeypatch, capsys, "explore", *flags)
    assert (found, said in shown) == (code, True), shown


def test_a_default_cut_that_leaves_nothing_is_a_sentence_and_no_error(monkeypatch, capsys):
    monkeypatch.setenv("ENDCAP_TRAINING__TEST_DAYS", "500")
    code, shown, _ = run(monkeypatch, capsys, "explore")
    assert code == 0
    assert "leaves one side empty" in " ".join(shown.split())
