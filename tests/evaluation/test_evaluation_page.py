"""The page of an evaluation: complete, alone, and safe whatever the names are."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from evaluated_shop import HOSTILE, evaluated
from evaluation_shop import dataset_of

from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.report.page.example import MAX_HISTORY, draw_users, example_of, say_reason
from endcap.evaluation.report.page.heat import heat_groups
from endcap.evaluation.report.page.limits import limits
from endcap.evaluation.report.page.write import render_page, write_page
from endcap.evaluation.report.protocol_text import protocol
from endcap.evaluation.report.table import rows
from endcap.evaluation.report.terminal import FULL, verdicts
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import split_by_time
from endcap.schema.protocols import Reason
from endcap.schema.types import DAY_US, TopK
from html_page import Page, assert_stands_alone


@pytest.fixture(scope="module")
def shop():
    return evaluated()


@pytest.fixture(scope="module")
def html(shop):
    evaluation, examples = shop
    return render_page(evaluation, examples, source=f"shop {HOSTILE}")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def text(page):
    return " ".join("".join(page.text).split())


def test_the_page_is_well_formed_and_every_id_is_there_once(page):
    assert page.elements.count("h1") == page.elements.count("main") == 1
    assert len(page.ids) == len(set(page.ids))
    assert {value[1:] for _, name, value in page.attributes if name == "href"} <= set(page.ids)


def test_the_page_stands_alone(html):
    assert_stands_alone(html)


def test_hostile_names_stay_text(html, text):
    assert HOSTILE in text
    assert "<script" not in html
    assert html.count("</style>") == html.count("<style>") == 1
    assert "<b>desk" not in html
    assert "<b>desk</b>" in text


def test_the_protocol_the_denominators_and_the_verdicts_are_on_it(shop, text):
    evaluation, _ = shop
    for sentence in (*protocol(evaluation), *verdicts(evaluation), *limits(evaluation)):
        assert " ".join(sentence.split()) in text
    assert evaluation.split_id in text


def test_every_number_of_every_model_is_on_it_with_its_interval(shop, text):
    evaluation, _ = shop
    n_rows = 0
    for view in evaluation.views.values():
        for columns in FULL.values():
            for name, cells in rows(view, columns):
                told = "".join(" ".join(cell.parts) for cell in cells)
                assert " ".join(f"{name}{told}".split()) in text
                n_rows += 1
    assert n_rows == 3 * 2 * (4 + 1)


def test_every_slice_is_on_it_with_the_difference_of_every_model(shop, text):
    evaluation, _ = shop
    n_shaded = 0
    for view in evaluation.views.values():
        groups = heat_groups(evaluation, view)
        told = [row for _, group in groups for row in group]
        assert [row.label for row in told] == [result.label for result in view.slices]
        for row, result in zip(told, view.slices, strict=True):
            assert len(row.cells) == len(evaluation.views["all"].models) - 2
            line = [row.label, row.n_users, row.n_targets, row.reference]
            assert "".join([*line, *(cell.text for cell in row.cells)]) in text
            for cell, difference in zip(row.cells, result.versus_reference.values(), strict=True):
                is_shown = difference.verdict != "not shown to differ from"
                assert bool(cell.shade) == is_shown
                n_shaded += is_shown
    assert n_shaded > 10


def test_every_plot_has_words_that_say_what_it_shows(page):
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.elements.count("svg") >= 20
    assert all(len(label) > 60 for label in labels)
    assert any("NDCG@5 against diversity" in label for label in labels)
    assert any("NDCG@5 against coverage" in label for label in labels)
    assert any("By target's popularity" in label for label in labels)
    assert any("Exposure by category" in label for label in labels)


def test_colours_are_the_page_s_own_so_that_dark_works(html):
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) == set()
    variables = set(re.findall(r"var\((--\w+)\)", html))
    light, dark = html.split("prefers-color-scheme: dark", 1)
    assert all(f"{name}:" in light and f"{name}:" in dark for name in variables)


def test_examples_show_history_targets_and_two_lists_with_hits_and_reasons(shop, text, page):
    _, examples = shop
    assert len(examples) == 3
    for example in examples:
        assert example.user_label in text
        assert all(name in text for name, _ in example.history)
        assert set(example.lists) == {"popular", "again"}
        for listed in example.lists.values():
            assert [is_hit for _, is_hit, _ in listed] == [
                name in example.taken for name, *_ in listed
            ]
    n_hits = sum(hit for one in examples for listed in one.lists.values() for _, hit, _ in listed)
    assert n_hits > 0
    assert text.count("✓ taken") == n_hits
    assert f"because you had {HOSTILE} 3" in text


def test_the_same_evaluation_gives_the_same_bytes_also_when_read_back(shop, html, tmp_path):
    evaluation, examples = shop
    back = Evaluation.from_json(evaluation.to_json())
    write_page(back, examples, tmp_path / "new" / "page.html", source=f"shop {HOSTILE}")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == html
    assert len(html.encode()) < 800_000


def test_views_without_users_and_models_without_rivals_make_a_page(shop):
    evaluation, _ = shop
    view = evaluation.views["all"]
    nobody = replace(view, n_users=0, n_targets=0, n_cold_targets=0, slices=(), exposure={})
    lone = {name: view.models[name] for name in ("random", "popular")}
    views = {"all": nobody, "repeat": replace(view, models=lone, slices=(), exposure={})}
    page = Page(render_page(replace(evaluation, views=views)))
    text = "".join(page.text)
    assert "none in this window" in text
    assert "view-repeat" in page.ids
    assert "view-all" not in page.ids
    assert not {"examples", "slices-repeat", "exposure-repeat"} & set(page.ids)
    Page(render_page(replace(evaluation, views={"all": nobody})))


def test_limits_say_what_was_not_done(shop):
    evaluation, _ = shop
    told = " ".join(limits(evaluation))
    assert "One window of time" in told
    assert "fitted once" in told
    assert f"{evaluation.counts.n_silent_users:,} users with a history took nothing" in told
    other = " ".join(limits(replace(evaluation, protocol="leave-one-out", n_seeds=3)))
    assert "protocol is leave-one-out" in other
    assert "fitted 3 times" in other
    assert "One window" not in other


DAY = DAY_US
SMALL = dataset_of(
    [
        *((day * DAY, 0, 0) for day in range(20)),
        (19 * DAY + 1, 0, 2),
        (1, 1, 1),
        (30 * DAY, 0, 1),
        (30 * DAY, 0, 3),
        (30 * DAY, 2, 0),
    ],
    n_users=3,
    n_items=4,
)


def test_an_example_by_hand():
    split = split_by_time(SMALL, cut_us=25 * DAY)
    users = split.targets["all"].users
    items = np.array([[3, 0, -1], [0, 1, 2]], dtype=np.int32)
    lists = {"als": Lists(users, TopK(items, items.astype(np.float32)), users < 0, 0.0)}
    found = example_of(
        split,
        "all",
        0,
        user_label="User 1",
        lists=lists,
        reasons={"als": [Reason("because_of", 2, 0.5), Reason("had_before", 0, 1.0)]},
        item_names=["tea", "oil", "rice", "salt"],
    )
    assert found.history[:2] == [("rice", "20 Jan 1970"), ("tea", "20 Jan 1970")]
    assert len(found.history) == MAX_HISTORY
    assert found.n_older == 21 - MAX_HISTORY
    assert found.taken == ["salt", "oil"]
    assert found.lists == {
        "als": [("salt", True, "because you had rice"), ("tea", False, "you had it before")]
    }


def test_users_to_look_at_are_drawn_among_those_with_a_history_and_targets():
    split = split_by_time(SMALL, cut_us=25 * DAY)
    assert draw_users(split, "all", n=5, rng=np.random.default_rng(0)) == [0]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("because_of", 1, 0.2), "because you had oil"),
        (Reason("because_of", None, 0.2), "because of what you had"),
        (Reason("popular", None, 3.0), "popular"),
        (Reason("similar_taste", 1, 3.0), "people of a similar taste"),
        (Reason("none", None, 0.0), ""),
    ],
)
def test_reasons_in_words(reason, words):
    assert say_reason(reason, ["tea", "oil"]) == words


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import sys, endcap.evaluation.report.page.write; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
