"""`endcap simulate events` at the terminal; what it writes is tested in tests/simulate."""

import json
import re

import pytest
import typer

from endcap.cli.simulate import simulate, whole_number
from endcap.schema.errors import SettingsError

SIZE = ("--users", "1e2", "--items", "5_0", "--events", "2.5e3")


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def run(capsys, *arguments):
    """Return what `endcap simulate events` prints with these arguments."""
    typer.main.get_command(simulate)(["events", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def test_it_writes_events_and_their_catalogue_and_says_how_many(capsys, tmp_path):
    shown = run(capsys, *SIZE, "--out", "e.csv", "--items-out", "items.csv")
    assert "2,500 events of 100 users" in shown
    assert "50 items in items.csv" in shown
    assert (tmp_path / "e.csv").read_text().count("\n") == 2501
    assert (tmp_path / "items.csv").read_text().count("\n") == 51


def test_it_speaks_json(capsys, tmp_path):
    shown = run(capsys, *SIZE, "--out", "e.jsonl", "--format", "jsonl", "--json")
    said = json.loads(shown)
    assert (said["n_events"], said["n_users"], said["path"]) == (2500, 100, "e.jsonl")
    assert said["n_bytes"] == (tmp_path / "e.jsonl").stat().st_size


def test_flags_reach_the_simulation(capsys, tmp_path):
    flags = ("--days", "1", "--start", "2020-02-29", "--min-per-user", "20", "--format", "jsonl")
    run(capsys, *SIZE, *flags, "--out", "e.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    day_ms = 1_582_934_400_000
    assert all(day_ms <= row["ts"] < day_ms + 86_400_000 for row in rows)
    views = [row["user_id"] for row in rows if row["kind"] == "view"]
    assert min(views.count(user) for user in set(views)) >= 20


@pytest.mark.parametrize("text", [True, False])
def test_a_preset_can_be_made_small_and_without_texts(capsys, tmp_path, text):
    flags = ("--preset", "electronics-2018", "--scale", "0.001", *(() if text else ("--no-text",)))
    shown = run(capsys, *flags, "--seed", "3", "--out", "r.json")
    assert "6,738 events of 729 users with 160 of 160 items" in shown
    rows = [json.loads(line) for line in (tmp_path / "r.json").read_text().splitlines()]
    assert all(bool(row["reviewText"]) is text for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--users", "10"), "nothing says how large it is to be: --items, --events"),
        (("--users", "many", "--items", "1", "--events", "1"), "'many' is no whole number"),
        (("--preset", "electronics-2014", "--users", "5"), "--preset says the size"),
        (("--preset", "books"), "there is no preset 'books'"),
        ((*SIZE, "--start", "yesterday"), "'yesterday' is no day"),
        ((*SIZE, "--min-per-user", "500"), "100 x 500 events are more than there are"),
        ((*SIZE, "--duplicates", "1"), "no share from 0 to 0.4"),
        ((*SIZE, "--scale", "-1"), "a scale of -1.0 is out of range"),
    ],
)
def test_what_cannot_be_is_told_before_any_file_is_made(capsys, tmp_path, arguments, said):
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        run(capsys, *arguments, "--out", "e.csv")
    assert caught.value.mend
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e6", 10**6), ("1_000_000", 10**6), ("2.5E3", 2500), (" 7 ", 7), ("0", 0), (None, None)],
)
def test_numbers_are_read_as_people_write_them(text, number):
    assert whole_number(text, "--users") == number


@pytest.mark.parametrize("text", ["1.5", "-1", "", "nan", "inf", "1e19", "1e999999999", "1,000"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(SettingsError, match="whole number") as caught:
        whole_number(text, "--users")
    assert caught.value.where == "--users"
