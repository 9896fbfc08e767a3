"""A page that carries its style and forbids itself the rest."""

import base64
import hashlib
import re
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from endcap.explore.page import TEMPLATE
from endcap.figures.page import fill_page


def fill(*, more_style="", **values):
    given = {"facts": [], "headlines": ["<i>"], "chapters": []} | values
    return fill_page("endcap.explore", TEMPLATE, given, more_style=more_style)


class About:
    source, snapshot_id, warnings, notes = "a & b", "", (), ()


def test_values_are_escaped():
    html = fill(about=About)
    assert "<h1>a &amp; b</h1>" in html
    assert "<li>&lt;i&gt;</li>" in html


def test_the_policy_holds_the_hash_of_both_style_sheets():
    html = fill(about=About, more_style="page.html")  # any file of the room will do
    style = re.search(r"<style>(.*)</style>\n</head>", html, re.DOTALL)[1]
    common = files("endcap.figures").joinpath("page.css").read_text(encoding="utf-8")
    more = files("endcap.explore").joinpath("page.html").read_text(encoding="utf-8")
    assert style == common + more
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    )


def test_a_value_that_is_missing_is_an_error_not_a_gap():
    with pytest.raises(UndefinedError):
        fill()
