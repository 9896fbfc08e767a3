import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from endcap.explore.chapters import chapters, headlines
from endcap.explore.exploration import explore
from endcap.explore.page import About, render_page
from endcap.explore.terminal import render_text, sparkline
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US
from html_page import Page, assert_stands_alone

ABOUT = About("shop <b>&", "0123abcd", "1 Feb 2024, 10:00 UTC", ("a warning",), ("a note",))


@pytest.fixture(scope="module")
def found(busy):
    names = [f"Item {index}" for index in range(busy.n_items)]
    return explore(busy, cut_us=busy.end_us - 28 * DAY_US, item_names=names)


@pytest.fixture(scope="module")
def html(found):
    return render_page(found, ABOUT)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_well_formed_and_every_id_is_there_once(page):
    assert page.elements.count("html") == 1
    assert page.elements.count("h1") == 1
    assert len(page.ids) == len(set(page.ids))
    names = {value[1:] for _, name, value in page.attributes if name == "href"}
    assert names <= set(page.ids)


def test_the_page_asks_for_nothing_from_anywhere(html):
    assert_stands_alone(html)


def test_the_policy_lets_the_one_style_sheet_through_and_nothing_else(html, page):
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [value for _, name, value in page.attributes if name == "content"]
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'" in policies
    assert page.elements.count("style") == 1


def test_every_section_is_on_the_page_with_its_sentence(found, page):
    text = " ".join("".join(page.text).split())
    for chapter in chapters(found):
        assert chapter.key in page.ids
        for section in chapter.sections:
            assert f"{chapter.key}-{section.key}" in page.ids
            assert section.title in text
            assert section.says in text
    assert all(sentence in text for sentence in headlines(found))
    n_plots = sum(section.plot is not None for c in chapters(found) for section in c.sections)
    assert n_plots == page.elements.count("svg") == 20
    assert "a warning" in text
    assert "a note" in text
    assert "shop <b>&" in text  # and so was escaped


def test_colours_are_the_page_s_own_so_that_dark_works(html):
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "var(--accent)" in drawn
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) == set()
    variables = set(re.findall(r"var\((--\w+)\)", html))
    light, dark = html.split("prefers-color-scheme: dark", 1)
    assert all(f"{name}:" in light and f"{name}:" in dark for name in variables)


def test_the_same_data_gives_the_same_bytes_and_few_of_them(found, html):
    assert render_page(found, ABOUT) == html
    assert len(html.encode()) < 300_000


def test_what_the_data_lacks_is_left_out_with_a_sentence(make):
    data = make([(0, 0, "2024-01-01"), (1, 1, "2024-01-02")])
    found = explore(data, cut_us=0)
    by_key = {section.key: section for c in chapters(found) for section in c.sections}
    missing = ("ratings", "prices", "quantities", "departments", "brands", "cold-start", "kinds")
    for key in (*missing, "item-age", "repeats", "session-durations", "silences"):
        assert by_key[key].is_bare
        assert by_key[key].says.endswith(".")
    assert "quarantine" not in by_key
    assert "top-items" not in by_key
    page = Page(render_page(found, About("x")))
    assert page.elements.count("svg") == sum(s.plot is not None for s in by_key.values())
    assert set(by_key) <= {name.partition("-")[2] for name in page.ids}


def test_a_single_row_makes_a_page_without_a_line_over_time(make):
    data = make([(0, 0, "2024-01-01T10:00", Kind.RATING, 4)])
    found = explore(data, cut_us=data.end_us)
    by_key = {section.key: section for c in chapters(found) for section in c.sections}
    assert by_key["ratings"].plot is not None
    assert by_key["timeline"].plot is by_key["coverage"].plot is None
    page = Page(render_page(found, About("x")))
    assert page.elements.count("svg") == sum(s.plot is not None for s in by_key.values())


def test_the_terminal_shows_every_sentence_within_its_width(found):
    for width in (80, 110):
        text = render_text(found, width=width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert "fewer than 5" in text
        assert "Cold start" in text
    words = " ".join(render_text(found, width=1000).split())
    for chapter in chapters(found):
        assert all(section.says in words for section in chapter.sections)


def test_a_bracket_in_a_name_is_no_markup(found):
    top = replace(found.departments, names=("[red]Tea[/red]", "[/]", "x"))
    assert "[red]Tea[/red]" in render_text(replace(found, departments=top))


def test_sparklines():
    assert sparkline(np.array([0, 1, 4, 8])) == " ▁▄█"
    assert sparkline(np.array([1, 1, 3, 3]), max_blocks=2) == "▃█"
    assert len(sparkline(np.arange(500))) == 72


@pytest.mark.parametrize("module", ["endcap.cli", "endcap.explore.exploration"])
def test_matplotlib_is_not_imported_before_something_is_drawn(module):
    code = f"import sys, {module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
