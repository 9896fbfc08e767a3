from __future__ import annotations

import gzip
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from endcap.cli import main
from endcap.ingest.snapshot import open_snapshot, read_ids

T = 1_500_000_000
HEADER = "user_id,item_id,ts,event"
ROWS = [
    *(f"u{n % 4},i{n % 3},{T + n * 100},view" for n in range(24)),
    f",i1,{T},view",
    f"u1,i1,{T},sneeze",
]
SOURCES = Path(__file__).resolve().parents[2] / "src"

Endcap = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")


@pytest.fixture
def endcap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Endcap:
    """Run `endcap ingest` as a shell would; return its exit code and both outputs."""

    def run(*arguments: str, verb: str = "ingest") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["endcap", verb, *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


def ok(endcap: Endcap, *arguments: str) -> dict[str, Any]:
    """Return what `--json` prints, which is one line and all of standard output."""
    code, out, err = endcap(*arguments, "--json")
    assert code == 0, err
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def latest() -> str:
    return Path("var/snapshots/latest").read_text().strip()


MANIFEST = {
    *("snapshot_id", "parent", "created_at", "source", "source_files", "config", "counts"),
    *("time_span", "tables", "files", "notes", "warnings", "k_report", "historical", "commit"),
    *("endcap_version", "format", "user_ids"),
}


def test_json_is_the_manifest_and_the_place(endcap: Endcap) -> None:
    made = ok(endcap, "log.csv")
    assert {"path", "snapshot_id", "counts", "config", "files", "warnings"} <= made.keys()
    assert made.keys() - {"path"} <= MANIFEST
    assert Path(made["path"]).name == made["snapshot_id"] == latest()
    assert made["counts"]["rows_in"] == 26
    assert made["counts"]["kept"] == 24
    assert made["counts"]["quarantined_by_reason"] == {
        "kind is unknown": 1,
        "user_id is missing": 1,
    }
    assert made["config"]["readings"][0]["mapping"]["kind"] == "event"


def test_people_read_what_became_of_every_row(endcap: Endcap) -> None:
    code, out, err = endcap("log.csv")
    assert code == 0
    assert "24 of 26 rows kept: 4 users, 3 items with interactions of 3 in the catalogue" in out
    assert "14 Jul 2017 to 14 Jul 2017" in out
    assert "1 rows put aside: user_id is missing" in out
    assert "users are known by pseudonyms (hmac-sha256:" in out
    assert f"snapshot {latest()} in var/snapshots/{latest()}" in out
    assert "made the key of the pseudonyms" in err
    assert "Traceback" not in err


def test_a_dry_run_shows_and_keeps_nothing(endcap: Endcap, tmp_path: Path) -> None:
    shown = ok(endcap, "log.csv", "--dry-run")
    assert shown.keys() == {"explanation", "readings", "rows", "counts", "profile"}
    assert shown["rows"][0].keys() == {
        *("user_id", "item_id", "kind", "value", "price", "ts", "name"),
    }
    code, out, _ = endcap("log.csv", "--dry-run", "--user-ids", "keep")
    assert code == 0
    assert "read as: item_id = item_id, kind = event, ts = ts, user_id = user_id" in out
    assert "u0" in out
    assert "2017-07-14 02:40:00" in out
    assert "of the first 26 records 24 would be kept: 4 users, 3 items, 24 views" in out
    assert "1 would be put aside: kind is unknown" in out
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


# Flags


def test_ids_are_hidden_unless_somebody_says_so(endcap: Endcap) -> None:
    hidden = ok(endcap, "log.csv")
    assert hidden["config"]["user_ids"].startswith("hmac-sha256:")
    kept = ok(endcap, "log.csv", "--user-ids", "keep")
    assert kept["config"]["user_ids"] == "keep"
    assert read_ids(Path(kept["path"])).users.ids == ("u0", "u1", "u2", "u3")
    assert ok(endcap, "log.csv", "--user-ids", "hash")["snapshot_id"] == hidden["snapshot_id"]


@pytest.mark.parametrize(
    ("flags", "left", "key"),
    [
        (("--k-core", "7"), 0, ""),
        (("--k-core", "6"), 24, "removed_by_k_core"),
        (("--sample-users", "2"), 12, "removed_by_sample"),
        (("--min-per-user", "6", "--min-per-item", "8"), 24, "removed_by_minimum"),
        (("--min-per-item", "9"), 0, ""),
    ],
)
def test_rows_are_thinned_out(endcap: Endcap, flags: Sequence[str], left: int, key: str) -> None:
    if not left:
        code, _, err = endcap("log.csv", *flags)
        assert code == 3
        assert "no user and item is left" in err
        assert "Ask for smaller counts" in err
        return
    counts = ok(endcap, "log.csv", *flags)["counts"]
    assert counts["kept"] == left
    assert counts[key] == 24 - left


def test_columns_are_named_by_pairs_and_by_a_file(endcap: Endcap, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(f"who;what;when;how\nanna;a;{T};seen\nbert;b;{T};took\n")
    (tmp_path / "shop.toml").write_text(
        '[interactions]\nuser_id = "who"\nitem_id = "how"\nts = "when"\nkind = "how"\n'
        '[kinds]\nseen = "view"\ntook = "purchase"\n'
    )
    made = ok(
        endcap, "odd.csv", "--mapping", "shop.toml", "--map", "item_id=what", "--user-ids", "keep"
    )
    mapping = made["config"]["readings"][0]["mapping"]
    assert mapping == {"user_id": "who", "item_id": "what", "ts": "when", "kind": "how"}
    assert read_ids(Path(made["path"])).items.ids == ("a", "b")


def test_catalogue_and_users_come_from_files_of_their_own(
    endcap: Endcap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shelf.csv").write_text("item_id,title\ni0,Iron\nz,Zinc\n")
    (tmp_path / "people.csv").write_text("user_id,country\nu1,UK\nu2,FR\n")
    monkeypatch.setenv("ENDCAP_PRIVACY__COLUMNS", '{"country": "keep"}')
    files = ("--items", "shelf.csv", "--users-file", "people.csv")
    made = ok(endcap, "log.csv", *files, "--user-ids", "keep")
    assert made["counts"]["items"] == 4
    assert made["config"]["attributes"] == {"country": "keep"}
    assert made["k_report"]["k"] == 1
    assert made["tables"]["users"].keys() == {"user_idx", "user_id", "country"}
    _, out, _ = endcap("log.csv", *files, "--user-ids", "keep")
    assert "every user shares country with at least 0 others (k = 1)" in out


def test_since_adds_what_is_new(endcap: Endcap, tmp_path: Path) -> None:
    first = ok(endcap, "log.csv")
    (tmp_path / "more.csv").write_text(f"{HEADER}\nnew,i9,{T + 9000},cart\n")
    second = ok(endcap, "more.csv", "--since", "last")
    assert (second["parent"], second["counts"]["rows_in"]) == (first["snapshot_id"], 27)
    assert ok(endcap, "more.csv", "--since", first["snapshot_id"])["snapshot_id"] == latest()
    assert ok(endcap, ".", "--since", "last")["snapshot_id"] == second["snapshot_id"]
    code, out, _ = endcap("more.csv", "--since", first["snapshot_id"][:8])
    assert code == 0
    assert f"added to snapshot {first['snapshot_id']}" in out


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--since", "last"), 3, "nothing has been ingested yet"),
        (("--since", "zzz"), 3, "no snapshot is called 'zzz' (var/snapshots). There are: none"),
    ],
)
def test_there_must_be_something_to_add_to(
    endcap: Endcap, flags: Sequence[str], code: int, words: str
) -> None:
    found, _, err = endcap("log.csv", *flags)
    assert found == code
    assert words in err


def test_what_cannot_be_added_is_said(endcap: Endcap, tmp_path: Path) -> None:
    made = ok(endcap, "log.csv")
    (tmp_path / "more.csv").write_text(f"{HEADER}\nnew,i9,{T + 9000},cart\n")
    wrong: list[tuple[tuple[str, ...], int, str]] = [
        (("--since", "zzz"), 3, f"There are: {made['snapshot_id']}"),
        (("--since", "last", "--k-core", "2"), 2, "--sample-users and drop_flagged"),
        (("--since", "last", "--user-ids", "keep"), 3, "user_ids is 'keep' now and was"),
    ]
    for flags, code, words in wrong:
        found, out, err = endcap("more.csv", *flags)
        assert (found, out) == (code, "")
        assert words in flat(err)
    assert latest() == made["snapshot_id"]


def test_a_contract_that_is_broken_keeps_the_latest(endcap: Endcap, tmp_path: Path) -> None:
    first = ok(endcap, "log.csv")["snapshot_id"]
    (tmp_path / "strict.toml").write_text("[volume]\nmin_rows = 1000\n")
    (tmp_path / "fair.toml").write_text("[volume]\nmin_rows = 2\n")
    (tmp_path / "more.csv").write_text("\n".join([HEADER, *ROWS[:9]]) + "\n")
    code, out, err = endcap("more.csv", "--contract", "strict.toml", "--json")
    assert code == 7
    assert out == ""
    assert "volume.min_rows" in err
    refused = re.findall(r"snapshot ([0-9a-f]{16})", err)[0]
    assert refused != first == latest()
    assert open_snapshot(Path("var/snapshots"), refused).manifest.counts.kept == 9
    assert endcap(refused, "--contract", "strict.toml", verb="check-contract")[0] == 7
    assert endcap(refused, "--contract", "fair.toml", verb="check-contract")[0] == 0
    assert ok(endcap, "more.csv", "--contract", "fair.toml")["snapshot_id"] == refused == latest()


# What goes wrong


WRONG: list[tuple[list[str], int, str]] = [
    ([], 2, "Missing argument"),
    ([""], 2, "a source has no name (SOURCES). Name a file or folder"),
    (["none.csv"], 3, "'none.csv' is neither a file nor a data set known by name"),
    (["none*.csv"], 3, "'none*.csv' is neither a file nor"),
    (["folder"], 3, "there are no data files in the folder (folder)"),
    (["pipe"], 3, "a pipe or a device is not a data file (pipe)"),
    (["empty.csv"], 3, "the file is empty (empty.csv)"),
    (["cut.csv.gz"], 3, "the gzip file is cut off or damaged"),
    (["log.csv", "--map", "user_id"], 2, "'user_id' is no mapping (--map)"),
    (["log.csv", "--map", "who=user_id"], 2, "'who' is not a role that a column can play"),
    (["log.csv", "--map", "user_id=who"], 3, "there is no column 'who'; the file has: 'user_id'"),
    (["log.csv", "--map", "item.name=title"], 2, "'title' would be read from a file of items"),
    (["log.csv", "--mapping", "none.toml"], 2, "the mapping cannot be read: No such file"),
    (["log.csv", "--mapping", "bad.toml"], 2, "there is no such key (bad.toml). Known: file"),
    (["log.csv", "--items", "none.csv"], 3, "no such file (none.csv)"),
    (["log.csv", "--users-file", "folder"], 3, "a directory is not a data file (folder)"),
    (["log.csv", "--format", "xml"], 2, "'xml' is not a form of files (--format). Known: csv"),
    (["log.csv", "--contract", "none.toml"], 2, "the contract cannot be read: No such file"),
    (["log.csv", "--compute", "mars://"], 2, "'mars://' is no engine (ingest.compute). Use local"),
    (["log.csv", "--user-ids", "some"], 2, "'hash' or 'keep'"),
    (["log.csv", "--k-core", "-1"], 2, "greater than or equal to 0"),
    (["log.csv", "--sample-users", "0"], 2, "greater than or equal to 1"),
    (["events"], 3, "the event log is empty (sqlite:///./var/events.db)"),
    (["-"], 3, "nothing came through standard input (-)"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[str(w[0]) for w in WRONG])
def test_what_is_wrong_is_said_in_one_line(
    endcap: Endcap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"user_id,item_id,ts\n" * 99)[:-9])
    (tmp_path / "bad.toml").write_text("[interaction]\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    found, out, err = endcap(*arguments)
    assert found == code
    assert out == ""
    assert words in flat(err)
    assert "Traceback" not in err
    if not (code == 2 and "Usage" in err):  # typer's own have a frame
        assert len([line for line in err.splitlines() if line.startswith("error ")]) == 1
    assert not Path("var/snapshots/latest").exists()
    assert not list(tmp_path.glob("var/snapshots/.*"))


def flat(text: str) -> str:
    return re.sub(r"[\s│]+", " ", text)


def test_names_and_ids_are_printed_as_they_are(endcap: Endcap, tmp_path: Path) -> None:
    """Also where they look like marks of colour."""
    odd = tmp_path / "[red]a[x].csv"
    odd.write_text(f"{HEADER}\n[/b]u,[bold]i,{T},view\n,i,{T},view\n")
    (tmp_path / "copy[x].csv").write_bytes(odd.read_bytes())
    (tmp_path / "refuse.toml").write_text(
        '[[refuse]]\ncolumn = "item_id"\nmatches = "^i$"\nreason = "[/x] not sold"\n'
    )
    code, out, err = endcap(odd.name, "copy[x].csv", "--mapping", "refuse.toml")
    assert (code, "Traceback" in err) == (0, False)
    assert "Reading [red]a[x].csv" in err
    assert "note copy[x].csv is a copy of [red]a[x].csv and was not read" in out
    assert "1 rows put aside: [/x] not sold" in out
    code, out, _ = endcap(odd.name, "--dry-run", "--user-ids", "keep")
    assert code == 0
    assert "[/b]u" in out
    assert "[bold]i" in out


def test_a_damaged_snapshot_of_before_is_no_obstacle(endcap: Endcap, tmp_path: Path) -> None:
    first = ok(endcap, "log.csv")
    (Path(first["path"]) / "interactions" / "000000.parquet").write_bytes(b"PAR1 gone")
    (tmp_path / "more.csv").write_text(f"{HEADER}\nnew,i9,{T + 9000},cart\n")
    code, _, err = endcap("more.csv")
    assert code == 0
    assert "Not compared with the snapshot before: the file cannot be read to its end" in err
    assert latest() != first["snapshot_id"]


# Real processes


def shell(command: str) -> subprocess.CompletedProcess[str]:
    program = f"{shlex.quote(sys.executable)} -m endcap"
    return subprocess.run(
        ["bash", "-c", command.replace("endcap ", f"{program} ")],
        env={**os.environ, "PYTHONPATH": str(SOURCES), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_text_comes_through_a_pipe(tmp_path: Path) -> None:
    done = shell("gzip -c log.csv | endcap ingest - --user-ids keep --json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["counts"]["kept"] == 24
    assert made["source_files"][0]["path"] == "stdin.gz"


@pytest.mark.slow
def test_a_process_in_place_of_a_file_is_refused_with_the_remedy() -> None:
    done = shell("endcap ingest <(cat log.csv)")
    assert done.returncode == 3
    assert "a pipe or a device is not a data file" in done.stderr
    assert "endcap ingest - < /dev/fd/" in done.stderr
    assert "Traceback" not in done.stderr
