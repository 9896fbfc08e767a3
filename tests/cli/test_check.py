import json
import re
import tomllib

import pytest

from endcap.cli import main
from endcap.schema.types import DAY_US
from written_snapshot import HOUR_US, START_US, Rows, write_snapshot

VIEW, PURCHASE = 1, 3
ASIDE = [
    ("log.csv", 3, ["ts is not a time"], '{"user": "[b]u9", "at": "soon"}'),
    ("log.csv", 8, ["ts is not a time", "user_id is missing"], '{"user": "", "at": "later"}'),
    ("old.csv", 4, ["a quote is not closed"], 'u,"x'),
    ("old.csv", 5, ["kind is unknown"], None),
]


def month(price=None, *, days=30, item="i{}"):
    """Return a row an hour."""
    return [
        (f"u{n % 9}", item.format(n % 5), VIEW, 1.0, price or 1.0 + n % 10, START_US + n * HOUR_US)
        for n in range(24 * days)
    ]


@pytest.fixture
def endcap(monkeypatch, capsys, tmp_path):
    """Run `endcap` as a shell would and return its exit code and both outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["endcap", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, re.sub(r"\s+", " ", said.err)

    return run


@pytest.fixture
def shop(tmp_path):
    """Two snapshots, the later of which has a bad week more and is the latest."""
    root = tmp_path / "var" / "snapshots"
    good = month()
    bad = [
        (user, item, kind, value, None, ts)
        for user, item, kind, value, _, ts in month(days=37)
        if ts >= START_US + 30 * DAY_US
    ]
    write_snapshot(root, Rows(good), snapshot_id="aaaa", created_at="2023-12-15T00:00:00+00:00")
    write_snapshot(
        root,
        Rows(good + bad, quarantine=ASIDE),
        snapshot_id="bbbb",
        created_at="2023-12-22T00:00:00+00:00",
        sources=("log.csv", "old.csv"),
    )
    (root / "latest").write_text("bbbb\n")
    return root


def test_a_contract_is_proposed_and_then_broken_by_the_next_week(endcap, shop, tmp_path):
    code, text, _ = endcap("contract", "propose", "aaaa")
    assert (code, tomllib.loads(text)["volume"]["min_rows"]) == (0, 570)
    (tmp_path / "contract.toml").write_text(text)
    code, said, _ = endcap("check-contract", "aaaa", "--contract", "contract.toml")
    assert (code, said.splitlines()[0].startswith("contract holds: snapshot aaaa")) == (0, True)
    code, said, complaint = endcap("check-contract")
    assert code == 7
    assert "FAILED columns.price.max_null_share" in said
    assert "15 Dec 2023" in said
    assert "breaks its contract" in complaint
    assert "columns.price.max_null_share" in complaint


def test_a_contract_speaks_json(endcap, shop, tmp_path):
    (tmp_path / "c.toml").write_text("[columns.price]\nmax_null_share = 0.1\n[drift]\nprice = 0.2")
    code, said, _ = endcap("check-contract", "latest", "--contract", "c.toml", "--json")
    report = json.loads(said)
    assert (code, report["passed"], report["previous_id"]) == (7, False, "aaaa")
    assert [result["name"] for result in report["results"]] == [
        "columns.price.max_null_share", "drift.price",
    ]  # fmt: skip
    assert report["results"][0]["explanation"].startswith("Since: 15 Dec 2023")
    assert json.loads(endcap("contract", "propose", "--json")[1])["judge_days"] == 7
    explained = json.loads(endcap("contract", "explain", "--json")[1])["expectations"]
    assert explained["volume.min_rows"] == "Fewest interactions kept."


def test_the_previous_snapshot_is_the_parent_or_the_one_named(endcap, shop, tmp_path):
    rows = Rows(month())
    write_snapshot(
        shop, rows, snapshot_id="cccc", parent="aaaa", created_at="2023-12-23T00:00:00+00:00"
    )
    (tmp_path / "c.toml").write_text("[volume]\nrows_vs_last = [0.5, 2]")
    arguments = ("check-contract", "cccc", "--contract", "c.toml", "--json")
    assert json.loads(endcap(*arguments)[1])["previous_id"] == "aaaa"
    said = endcap(*arguments, "--previous", "latest")[1]
    assert json.loads(said)["previous_id"] == "bbbb"
    first = json.loads(endcap("check-contract", "aaaa", *arguments[2:])[1])
    assert first["previous_id"] is None
    assert first["results"][0]["passed"] is None


def test_a_contract_that_is_not_there_is_a_wrong_setting(endcap, shop):
    code, _, complaint = endcap("check-contract")
    assert (code, "endcap contract propose" in complaint) == (2, True)
    code, _, complaint = endcap("check-contract", "zzzz", "--contract", "none.toml")
    assert code == 2


def test_what_can_be_demanded_is_explained(endcap):
    code, said, _ = endcap("contract", "explain")
    assert code == 0
    assert "volume.min_rows" in said
    assert '"*" stands for every reason' in " ".join(said.split())


def test_the_two_newest_are_compared_unless_others_are_named(endcap, shop):
    code, said, _ = endcap("drift")
    assert code == 0
    assert "the 168 rows that bbbb has since 14 Dec 2023 23:00" in said
    price = next(line for line in said.splitlines() if line.startswith("price  "))
    assert re.match(r"price +\d+\.\d{3} +\d\.\d{3} +shifted +\(unknown\) 0 % -> 100.0 %", price)
    assert re.search(r"rating +not compared +nothing to count before", said)
    report = json.loads(endcap("drift", "--json")[1])
    assert (report["before"]["snapshot_id"], report["continues"]) == ("aaaa", True)
    report = json.loads(endcap("drift", "bbbb", "aaaa", "--json")[1])
    assert (report["before"]["snapshot_id"], report["continues"]) == ("bbbb", False)
    report = json.loads(endcap("drift", "--whole", "--json")[1])
    assert (report["before"]["n_rows"], report["after"]["n_rows"]) == (720, 888)
    report = json.loads(endcap("drift", "--days", "3", "--json")[1])
    assert report["before"]["n_rows"] == 72


def test_it_takes_two_to_compare(endcap, tmp_path):
    code, _, complaint = endcap("drift")
    assert (code, "there are no snapshots, and it takes two" in complaint) == (3, True)
    write_snapshot(tmp_path / "var" / "snapshots", Rows(month(days=1)))
    assert "there is one snapshot" in endcap("drift")[2]


def test_the_quarantine_is_shown_by_reason_with_examples(endcap, shop):
    code, said, _ = endcap("quarantine")
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "snapshot bbbb: 4 of 892 rows put aside, 0.45 %"
    assert lines[1].split() == ["2", "ts", "is", "not", "a", "time"]
    assert lines[2].strip() == 'log.csv, row 3: {"user": "[b]u9", "at": "soon"}'
    assert "old.csv, row 5: (nothing of it was kept)" in said
    assert endcap("quarantine", "aaaa")[1] == "snapshot aaaa: 0 of 720 rows put aside, 0 %\n"


def test_rows_of_the_quarantine_are_listed_when_asked_for(endcap, shop):
    said = endcap("quarantine", "latest", "--reason", "missing")[1]
    assert 'log.csv, row 8 (ts is not a time; user_id is missing): {"user": ""' in said
    assert "row 3" not in said
    said = endcap("quarantine", "--limit", "1")[1]
    assert said.count(", row ") == 1
    said = json.loads(endcap("quarantine", "--source", "old.csv", "--json")[1])
    assert [row["row_number"] for row in said["rows"]] == [4, 5]
    assert said["reasons"][0]["n_rows"] == 1
    code, _, complaint = endcap("quarantine", "--source", "new.csv")
    assert (code, "There are: log.csv; old.csv" in complaint) == (2, True)


def test_lines_of_the_catalogue_are_apart(endcap, tmp_path):
    root = tmp_path / "var" / "snapshots"
    items = [("items.csv", 2, ["item_id is missing"], '{"name": "tea"}')]
    write_snapshot(root, Rows(month(days=1), quarantine_items=items), snapshot_id="cccc")
    (root / "latest").write_text("cccc\n")
    assert "0 of 24 rows put aside" in endcap("quarantine")[1]
    said = endcap("quarantine", "--catalogue")[1]
    assert "1 of 1 lines of the catalogue put aside, 100.0 %" in said
    assert "items.csv, row 2" in said


def test_the_quarantine_is_exported_to_be_mended(endcap, shop, tmp_path):
    code, said, _ = endcap("quarantine", "--export", "repair.jsonl")
    assert code == 0
    assert said.splitlines() == [
        "3 records in repair.jsonl",
        '  1 are no records, written as {"_raw": …}: old.csv, row 4',
        "  1 are not in the file: nothing of them was kept: old.csv, row 5",
        "mend them, then: endcap ingest repair.jsonl --since last",
    ]
    assert len((tmp_path / "repair.jsonl").read_text().splitlines()) == 3
    code, _, complaint = endcap("quarantine", "--export", "repair.jsonl")
    assert (code, "may hold repairs" in complaint) == (2, True)
    said = endcap("quarantine", "--source", "log.csv", "--export", "two.jsonl", "--json")[1]
    assert json.loads(said)["exported"]["n_rows"] == 2


def test_pseudonyms_in_an_export_are_warned_of(endcap, tmp_path):
    from endcap.schema.pseudonym import pseudonym

    root = tmp_path / "var" / "snapshots"
    raw = json.dumps({"user": pseudonym(b"k" * 32, "anna")})
    rows = Rows(month(days=1), quarantine=[("log.csv", 1, ["ts is missing"], raw)])
    write_snapshot(root, rows, snapshot_id="cccc")
    (root / "latest").write_text("cccc\n")
    said = endcap("quarantine", "--export", "repair.jsonl")[1]
    assert "1 of them name their user by a pseudonym" in said
    assert "keep_raw_records" in said
