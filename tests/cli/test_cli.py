import json

import numpy as np
import pytest
from shell import run
from typer.testing import CliRunner

from endcap.cli import app
from endcap.cli.ingest import column_mapping
from endcap.schema.errors import SettingsError
from shops import make_shop, shop_parts, write_shop

COMMANDS = (
    *("demo", "ingest", "explore", "features", "check-contract", "drift", "quarantine", "train"),
    *("evaluate", "compare", "gate", "off-policy", "bundle", "serve", "recommend", "doctor"),
)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)


def test_help_lists_every_command_and_the_exit_codes():
    shown = CliRunner().invoke(app, ["--help"]).output
    assert all(command in shown for command in COMMANDS)
    assert "Exit codes" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"endcap {command}" in shown.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_speaks_json(command):
    assert "--json" in CliRunner().invoke(app, [command, "--help"]).output


def test_doctor_in_an_empty_folder_finds_nothing_broken(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("ENDCAP_SERVING__PORT", "0")
    code, shown, _ = run(monkeypatch, capsys, "doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(shown)["findings"]}
    assert code == 0
    assert findings["snapshot"]["state"] == findings["bundle"]["state"] == "missing"
    assert "endcap ingest" in findings["snapshot"]["detail"]
    assert findings["cache"]["state"] == "ok"
    assert list(tmp_path.iterdir()) == []  # it looks, it does not make


def test_doctor_fails_when_a_store_cannot_be_opened(monkeypatch, capsys):
    monkeypatch.setenv("ENDCAP_STORES__CACHE", "nowhere://user:hunter2@host")
    code, shown, _ = run(monkeypatch, capsys, "doctor")
    assert code == 1
    assert "unknown scheme" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("train",), 3, "nothing has been ingested yet"),
        (("evaluate",), 3, "nothing has been ingested yet"),
        (("bundle",), 3, "no such training run"),
        (("serve",), 5, "no bundle yet"),
        (("recommend", "somebody"), 5, "no bundle yet"),
        (("serve", "--bundle", "0a"), 5, "there is no bundle '0a'"),
        (("ingest", "nowhere.csv"), 3, "nowhere.csv"),
        (("ingest", "x.csv", "--map", "user_id"), 2, "is no mapping"),
        (("evaluate", "--on", "monday"), 2, "Say test or validation"),
        (("serve", "--port", "99999"), 2, "serving.port"),
    ],
)
def test_errors_say_what_and_how_to_mend_with_their_exit_code(
    monkeypatch, capsys, arguments, code, said
):
    found, _, shown = run(monkeypatch, capsys, *arguments)
    assert (found, said in shown) == (code, True), shown


def test_recommend_says_so_when_there_is_nothing_to_show(monkeypatch, capsys, tmp_path):
    shop = make_shop()
    sold_out = shop_parts(shop, is_available=np.zeros(len(shop.item_ids), dtype=np.bool_))
    write_shop(sold_out, tmp_path / "var" / "bundles")
    code, shown, _ = run(monkeypatch, capsys, "recommend", "user-03")
    assert (code, "nothing to show" in shown) == (0, True)


def test_ingest_tells_what_it_put_aside_of_the_log_and_of_the_catalogue(
    monkeypatch, capsys, tmp_path
):
    (tmp_path / "log.csv").write_text(
        "user,item,ts,quantity\na,x,2024-01-01,1\n,x,2024-01-02,1\nb,x,2024-01-03,0\n"
    )
    (tmp_path / "catalogue.csv").write_text("item,name\nx,Tea\nx,Tea again\n")
    code, shown, _ = run(monkeypatch, capsys, "ingest", "log.csv", "--items", "catalogue.csv")
    assert code == 0
    assert "1 of 3 rows kept" in shown
    assert "1 rows put aside: user_id is missing" in shown
    assert "1 rows put aside: no quantity sold" in shown
    assert "1 lines of the catalogue put aside: item_id stands in the catalogue before" in shown


def test_an_unknown_flag_is_a_usage_error(monkeypatch, capsys):
    code, _, shown = run(monkeypatch, capsys, "doctor", "--loudly")
    assert code == 2
    assert "--loudly" in shown


def test_advice_in_brackets_is_printed_whole(monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise SettingsError("no torch", mend="pip install 'endcap[train]'")

    monkeypatch.setattr("endcap.cli.root.app", refuse)
    code, _, shown = run(monkeypatch, capsys, "train")
    assert (code, "pip install 'endcap[train]'" in shown) == (2, True)


def test_a_folder_that_cannot_be_made_is_no_traceback(monkeypatch, capsys, tmp_path):
    (tmp_path / "log.csv").write_text("user,item,ts\na,x,2024-01-01\n")
    (tmp_path / "var").write_text("a file stands in the way")
    code, _, shown = run(monkeypatch, capsys, "ingest", "log.csv")
    assert code == 1
    assert "error Not a directory: var/snapshots" in shown


def test_column_mapping():
    pairs = ["user_id=reviewerID", " ts = time=stamp"]
    assert column_mapping(pairs) == {"user_id": "reviewerID", "ts": "time=stamp"}
    with pytest.raises(SettingsError, match="no mapping"):
        column_mapping(["=x"])
