import json
from dataclasses import replace

import pytest
from shell import run

from endcap.evaluation.verdicts.record import read_record
from kept_evaluations import evaluation_of, kept_on_disk, shop_values


@pytest.fixture(autouse=True)
def _shop(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ENDCAP_TRAINING__BOOTSTRAP_REPLICATES", "200")
    monkeypatch.delenv("ENDCAP_VAR", raising=False)
    values = shop_values()
    kept_on_disk(tmp_path / "var" / "evaluations", evaluation_of(values), values)


def test_compare_says_who_beats_whom(monkeypatch, capsys):
    code, shown, _ = run(monkeypatch, capsys, "compare", "good", "popular")
    assert code == 0
    assert "NDCG@10: good beats popular" in shown
    assert "Diversity: popular beats good" in shown
    assert "AUC: not measured" in shown


def test_compare_speaks_json_of_the_metrics_that_are_asked_for(monkeypatch, capsys):
    code, shown, _ = run(
        monkeypatch, capsys, "compare", "aaa:good", "latest:twin", "--metric", "ndcg", "--json"
    )
    (row,) = json.loads(shown)["rows"]
    assert (code, row["metric"], row["verdict"]) == (0, "ndcg", "no difference shown")
    assert row["smallest_difference"] > abs(row["difference"]["mean"])
    assert json.loads(shown)["n_comparisons"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("compare", "best", "popular"), 2, "has no model 'best'"),
        (("compare", "good", "popular", "--metric", "speed"), 2, "no metric speed"),
        (("compare", "good", "popular", "--view", "repeat"), 2, "no view 'repeat'"),
        (("compare", "zzz:good", "popular"), 3, "'zzz'"),
        (("compare", "bbb:good", "aaa:good"), 3, "k is 20 and 10"),
        (("gate", "bbb:good", "--against", "aaa:good"), 3, "k is 20 and 10"),
        (("gate", "good"), 2, "--against"),
    ],
)
def test_errors_name_what_is_wrong(monkeypatch, capsys, tmp_path, arguments, code, said):
    values, root = shop_values(), tmp_path / "var" / "evaluations"
    kept_on_disk(root, replace(evaluation_of(values), k=20), values, name="bbb")
    kept_on_disk(root, evaluation_of(values), values, name="aaa")
    found, _, shown = run(monkeypatch, capsys, *arguments)
    assert (found, said in shown) == (code, True), shown


def test_without_an_evaluation_it_says_what_to_do_first(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("ENDCAP_VAR", str(tmp_path / "elsewhere"))
    for arguments in (("compare", "good", "popular"), ("gate", "good", "--against", "popular")):
        code, _, shown = run(monkeypatch, capsys, *arguments)
        assert (code, "endcap evaluate" in shown) == (3, True), shown


def test_a_candidate_that_passes_exits_with_0_and_leaves_a_record(monkeypatch, capsys, tmp_path):
    code, shown, _ = run(monkeypatch, capsys, "gate", "twin", "--against", "good")
    assert code == 0
    (path,) = (tmp_path / "var" / "gates").iterdir()
    assert path.name.endswith("-aaa-twin.json")
    assert f"kept in var/gates/{path.name}" in shown
    assert read_record(path).passed
    assert shown.count("passed  ") == len(read_record(path).decision.checks)


def test_a_candidate_that_fails_exits_with_8_says_why_and_leaves_a_record(
    monkeypatch, capsys, tmp_path
):
    code, shown, said = run(monkeypatch, capsys, "gate", "random", "--against", "popular")
    assert code == 8
    assert "failed  not worse than live: ndcg is -0" in shown
    assert "error aaa:random did not pass: ndcg is -0" in said
    (path,) = (tmp_path / "var" / "gates").iterdir()
    assert not read_record(path).passed


def test_the_settings_of_the_gate_turn_its_exit(monkeypatch, capsys):
    arguments = ("gate", "good", "--against", "popular", "--json")
    code, shown, _ = run(monkeypatch, capsys, *arguments)
    (reason,) = json.loads(shown)["reasons"]
    assert (code, reason.startswith("diversity is")) == (8, True)
    monkeypatch.setenv("ENDCAP_GATE__MAX_DIVERSITY_LOSS", "0.3")
    code, shown, _ = run(monkeypatch, capsys, *arguments)
    assert (code, json.loads(shown)["passed"]) == (0, True)
    assert json.loads(shown)["decision"]["config"]["max_diversity_loss"] == 0.3


def test_a_misspelt_guardrail_is_a_wrong_setting(monkeypatch, capsys):
    monkeypatch.setenv("ENDCAP_GATE__WAIVED", '["covrage"]')
    code, _, shown = run(monkeypatch, capsys, "gate", "good", "--against", "popular")
    assert (code, "no guardrail is called covrage" in shown) == (2, True)
