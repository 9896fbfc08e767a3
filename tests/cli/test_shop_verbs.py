"""The verbs around a running shop: what they print is what is there."""

from __future__ import annotations

import io

import orjson
import pytest
from rich.console import Console
from typer.testing import CliRunner

from endcap.cli import app
from endcap.cli.doctor import Finding
from shops import make_shop, shop_parts, write_shop


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENDCAP_VAR", raising=False)


@pytest.fixture
def shown(monkeypatch):
    """What is printed for people, on a wide screen whatever the terminal of the tests."""
    output = io.StringIO()
    monkeypatch.setattr("endcap.cli.shop.out", Console(file=output, width=200))
    return output


def test_names_in_brackets_are_printed_whole(monkeypatch, tmp_path, shown):
    item = {
        "item_id": "1",
        "name": "[2-Pack] Tea [/green]",
        "department": None,
        "price": None,
        "reason": "2 shoppers bought this and [loose] Tea",
    }
    answer = orjson.dumps({"shelves": [{"title": "Because you bought [/x]", "items": [item]}]})

    async def asked(*_: object, **__: object) -> bytes:
        return answer

    monkeypatch.setattr("endcap.serving.inside.home_answer", asked)
    write_shop(shop_parts(make_shop()), tmp_path / "var" / "bundles")
    done = CliRunner().invoke(app, ["recommend", "somebody"], catch_exceptions=False)
    assert done.exit_code == 0
    for text in (item["name"], item["reason"], "Because you bought [/x]"):
        assert text in shown.getvalue()


def test_doctor_prints_advice_in_brackets_whole(monkeypatch, shown):
    advice = "pip install 'endcap[train]'"
    finding = Finding("training libraries", "missing", advice)
    monkeypatch.setattr("endcap.cli.shop.examine", lambda _: [finding])
    CliRunner().invoke(app, ["doctor"])
    assert advice in shown.getvalue()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite://events.db", "sqlite:///x.db?mode=fast"])
def test_doctor_tells_of_a_malformed_address_beside_the_rest(monkeypatch, url):
    monkeypatch.setenv("ENDCAP_STORES__EVENTS", url)
    monkeypatch.setenv("ENDCAP_SERVING__PORT", "0")
    shown = CliRunner().invoke(app, ["doctor", "--json"])
    states = {one["what"]: one["state"] for one in orjson.loads(shown.output)["findings"]}
    assert shown.exit_code == 1
    assert (states["event log"], states["cache"]) == ("failed", "ok")
