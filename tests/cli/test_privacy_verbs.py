"""Pseudonyms at the command line, and a bundle that needs their key."""

from __future__ import annotations

import json
import logging

import pytest
from shell import run
from typer.testing import CliRunner

from endcap.bundle.write import publish, write_bundle
from endcap.cli import app
from endcap.ingest.privacy.config import Generalise, PrivacyConfig
from endcap.ingest.privacy.identities import merge_identities
from endcap.schema.pseudonym import SPOKEN, Pseudonyms
from endcap.settings import load_settings
from shops import make_shop, shop_parts

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
MADE = Pseudonyms(KEY)
ANN = "ann@example.org"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ENDCAP_SERVING__PORT", "0")
    for name in ("ENDCAP_VAR", "ENDCAP_PRIVACY__ID_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", KEY.hex())


@pytest.fixture
def kept(tmp_path, key):
    return merge_identities([ANN, "bob"], id_key=KEY, config=PrivacyConfig(), var=tmp_path / "var")


@pytest.fixture
def hashed_bundle(tmp_path):
    shop, root = make_shop(), tmp_path / "var" / "bundles"
    folder = write_bundle(
        shop_parts(shop, user_ids=tuple(map(MADE.of, shop.user_ids))),
        root,
        snapshot={},
        commit=None,
        models={},
        evaluation={},
        user_ids=MADE.scheme,
    )
    publish(folder, root)
    return shop.user_ids[0]


def test_there_and_back(monkeypatch, capsys, kept):
    code, shown, _ = run(monkeypatch, capsys, "identities", "encode", ANN, "nobody")
    assert code == 0
    assert shown == f"{ANN}\t{MADE.of(ANN)}\nnobody\t{MADE.of('nobody')}\n"
    code, shown, _ = run(monkeypatch, capsys, "identities", "decode", MADE.of(ANN), "--json")
    assert (code, json.loads(shown)) == (0, {MADE.of(ANN): ANN})
    spoken = SPOKEN + MADE.of("bob")
    code, shown, _ = run(monkeypatch, capsys, "identities", "decode", spoken)
    assert (code, shown) == (0, f"{spoken}\tbob\n")


def test_ids_from_standard_input(key):
    done = CliRunner().invoke(app, ["identities", "encode", "-"], input=f"{ANN}\n\nbob\r\n")
    assert done.exit_code == 0
    assert done.output == f"{ANN}\t{MADE.of(ANN)}\nbob\t{MADE.of('bob')}\n"


def test_one_is_erased(monkeypatch, capsys, kept):
    assert run(monkeypatch, capsys, "identities", "erase", ANN)[:2] == (0, f"{ANN}\terased\n")
    for arguments in (("decode", MADE.of(ANN)), ("erase", ANN)):
        code, _, said = run(monkeypatch, capsys, "identities", *arguments)
        assert code == 3
        assert "not in the map" in said
    assert run(monkeypatch, capsys, "identities", "decode", MADE.of("bob"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("decode", ANN), 3, "is not a pseudonym"),
        (("decode", MADE.of("nobody")), 3, "not in the map"),
        (("lose", ANN), 2, "is not one of"),
    ],
)
def test_what_cannot_be_done(monkeypatch, capsys, kept, arguments, code, said):
    found, _, shown = run(monkeypatch, capsys, "identities", *arguments)
    assert found == code
    assert said in shown


def test_without_a_key_or_a_map(monkeypatch, capsys, tmp_path):
    code, _, said = run(monkeypatch, capsys, "identities", "encode", ANN)
    assert (code, "there is no key" in said) == (2, True)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", KEY.hex())
    code, _, said = run(monkeypatch, capsys, "identities", "decode", MADE.of(ANN))
    assert (code, "privacy.keep_id_map = true" in said) == (3, True)


def test_a_changed_map_is_named(monkeypatch, capsys, kept):
    kept.write_bytes(kept.read_bytes()[:-1] + b"\x00")
    code, _, said = run(monkeypatch, capsys, "identities", "decode", MADE.of(ANN))
    assert code == 3
    assert "it was changed" in said
    assert str(kept.name) in said


def test_rules_stand_in_the_settings_file(monkeypatch, capsys, tmp_path, key):
    rules = '[privacy.columns]\nage = { age_bands = 10 }\ncountry = "keep"\n'
    (tmp_path / "endcap.toml").write_text(rules)
    assert list(load_settings().privacy.columns) == ["age", "country"]
    assert load_settings().privacy.columns["age"] == Generalise(age_bands=10)
    for wrong in ('age = "kepe"', "age = { age_bands = 1 }", "age = { first = 1, place = 1 }"):
        (tmp_path / "endcap.toml").write_text(f"[privacy.columns]\n{wrong}\n")
        code, _, said = run(monkeypatch, capsys, "identities", "encode", ANN)
        assert (code, "privacy.columns.age" in said) == (2, True)


def test_a_wrong_key_in_the_environment_is_refused_and_not_shown(monkeypatch, capsys):
    monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", "hunter2")
    code, shown, said = run(monkeypatch, capsys, "identities", "encode", ANN)
    assert (code, "privacy.id_key" in said) == (2, True)
    assert "hunter2" not in shown + said


def test_a_page_from_a_bundle_with_pseudonyms(monkeypatch, capsys, hashed_bundle, key):
    code, shown, _ = run(monkeypatch, capsys, "recommend", hashed_bundle, "--json")
    page = json.loads(shown)
    assert (code, page["visitor"], page["user_id"]) == (0, "known", hashed_bundle)


@pytest.mark.parametrize("command", [("recommend", "ann"), ("serve",)])
@pytest.mark.parametrize(
    ("said", "other"), [("there is no key", None), ("of another key", OTHER.hex())]
)
def test_no_server_without_the_right_key(monkeypatch, capsys, hashed_bundle, command, said, other):
    if other:
        monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", other)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    code, _, shown = run(monkeypatch, capsys, *command)
    assert code == 2
    assert said in shown
    assert not other or other not in shown


def test_doctor_looks_for_the_key(monkeypatch, capsys, hashed_bundle):
    def finding():
        code, shown, _ = run(monkeypatch, capsys, "doctor", "--json")
        found = {one["what"]: one for one in json.loads(shown)["findings"]}
        return code, found["key of user ids"]["state"], found["key of user ids"]["detail"]

    code, state, detail = finding()
    assert (code, state) == (1, "failed")
    assert "there is no key" in detail
    monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", OTHER.hex())
    assert finding()[:2] == (1, "failed")
    monkeypatch.setenv("ENDCAP_PRIVACY__ID_KEY", KEY.hex())
    assert finding() == (0, "ok", MADE.scheme)
