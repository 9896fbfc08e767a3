"""The report and the JSON of a small made-up evaluation."""

import io
import json
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from endcap.evaluation.certainty.bootstrap import Difference, Interval
from endcap.evaluation.metrics.accuracy import MEASURES
from endcap.evaluation.metrics.variety import VARIETY
from endcap.evaluation.report.terminal import (
    WIDTH,
    protocol,
    render_markdown,
    render_terminal,
    render_text,
    verdicts,
)
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult
from endcap.evaluation.split import VIEW_RULES, SplitCounts
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

CUT_US = 17_500 * DAY_US + 3_600_000_000  # 2017-11-30 01:00 UTC
NAN = math.nan


def model(mean, *, against=None, over_random=0.1, catalogue=None, **changes):
    def apart(value):
        return {name: Difference(value, value - 0.003, value + 0.003) for name in MEASURES}

    values = {
        "metrics": {
            name: Interval(mean, mean - 0.002, mean + 0.0022, 2_014)
            for name in (*MEASURES, *VARIETY)
        },
        "catalogue": {"coverage": 0.25, "gini": 0.75, "entropy": 0.5, **(catalogue or {})},
        "versus_reference": {} if against is None else apart(against),
        "versus_random": apart(over_random),
        "n_short_lists": 0,
        "n_cut_ties": 0,
        "n_cold_hits": 0,
    }
    return ModelResult(**{**values, **changes})


def view(models, **changes):
    values = {
        "meaning": VIEW_RULES["all"].meaning,
        "exclude_seen": False,
        "n_candidates": None,
        "n_users": 2_014,
        "n_queries": 2_014,
        "n_targets": 100_000,
        "n_cold_targets": 3_384,
        "best": {**dict.fromkeys(MEASURES, 1.0), "recall": 0.4194},
        "expected_random": dict.fromkeys(MEASURES, 0.00054),
        "blind": (),
        "models": {"random": model(0.001, against=-0.1, versus_random={}), **models},
    }
    return ViewResult(**{**values, **changes})


@pytest.fixture
def evaluation():
    models = {
        "popular": model(0.1824, catalogue={"gini": 0.9999, "coverage": 0.0001}),
        "two_tower": model(0.1944, against=0.012, n_cut_ties=7),
        "als": model(0.1704, against=-0.012, over_random=0.001, n_short_lists=3),
        "trending": model(0.1834, against=0.001),
    }
    return Evaluation(
        k=10,
        n_items=92_331,
        protocol="temporal",
        facts={},
        split_id="0123456789abcdef",
        cut_us=CUT_US,
        end_us=CUT_US + 28 * DAY_US,
        counts=SplitCounts(
            n_train=1_355_001,
            n_window=114_306,
            n_after=17,
            n_targets=100_000,
            n_cold_targets=3_384,
            n_cold_items=2_689,
            n_test_users=2_014,
            n_cold_users=5,
            n_silent_users=455,
        ),
        n_drawn_users=None,
        n_replicates=1_000,
        n_seeds=1,
        reference="popular",
        ranking_s={"random": 0.02, "popular": 1.5},
        views={
            "all": view(models),
            "repeat": view(
                {"popular": models["popular"]},
                n_cold_targets=0,
                meaning=VIEW_RULES["repeat"].meaning,
            ),
            "discovery": view(models, exclude_seen=True, meaning=VIEW_RULES["discovery"].meaning),
        },
    )


@pytest.fixture
def hollow(evaluation):
    """No user has a repeat target."""
    nothing = dict.fromkeys((*MEASURES, *VARIETY), Interval(NAN, NAN, NAN))
    empty = model(NAN, metrics=nothing, catalogue={"coverage": 0.0, "gini": NAN})
    no_one = view(
        {"popular": empty},
        meaning=VIEW_RULES["repeat"].meaning,
        n_users=0,
        n_queries=0,
        n_targets=0,
        n_cold_targets=0,
        best=dict.fromkeys(MEASURES, NAN),
        expected_random=dict.fromkeys(MEASURES, NAN),
    )
    return replace(evaluation, views={**evaluation.views, "repeat": no_one})


def test_a_row_shows_every_value_once(evaluation):
    lines = render_text(evaluation).splitlines()
    (row, _) = [line for line in lines if line.startswith(" two_tower ")]
    assert row.split() == ["two_tower", *[".1944", "±.0021"] * 4, ".2500", ".7500"]


def test_the_rivals_come_first(evaluation):
    names = [line.split()[0] for line in render_text(evaluation).splitlines() if "±." in line]
    assert names[:4] == ["popular", "two_tower", "als", "trending"]
    lines = render_text(evaluation).splitlines()
    heads = [place for place, line in enumerate(lines) if line.startswith(" model")]
    assert len(heads) == 3
    for head in heads:
        assert lines[head + 2].split()[:3] == ["random", ".0005", "exact"]
        assert lines[head + 3].startswith(" popular ")


@pytest.mark.parametrize("width", [WIDTH, 80])
def test_nothing_is_wider_than_asked_or_cut_off(evaluation, width):
    text = render_text(evaluation, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for label in ("Recall@10", "NDCG@10", "HitRate@10", "MRR@10", "Cover@10", "Gini@10"):
        assert label in text
    assert text.count("±.0021") == 4 * 9
    assert "\x1b" not in text


def test_the_caption_says_what_the_numbers_mean(evaluation):
    text = " ".join(protocol(evaluation))
    for fact in (
        "2017-11-30 01:00 UTC",
        "28.0 days",
        "1,355,001 interactions before it",
        "100,000 from 114,306 interactions (17 later ones unused)",
        "all 2,014 test users",
        "k = 10",
        "full catalogue of 92,331 items",
        "455 users with a history who took nothing",
        "5 test users without a history",
        "3,384 cold targets (2,689 items",
        "best possible: all .4194",
        "1,000 replicates",
        "discovery 0.00054",
        "Lists with fewer than 10 items, the rest a miss: als 3 on all",
        "two_tower 7 on discovery",
    ):
        assert fact in text, fact
    text = render_text(evaluation)
    assert "discovery targets (new to the user; seen items are not listed)" in text
    assert "repeat targets (had before the cut; seen items may be listed): 2,014 users" in text
    assert "3.4% cold" in text


def test_drawn_users_are_named(evaluation):
    text = " ".join(protocol(replace(evaluation, n_drawn_users=1_000)))
    assert "1,000 of 2,014 test users, drawn at random" in text


def test_verdicts(evaluation):
    lines = verdicts(evaluation)
    (better,) = (line for line in lines if line.startswith("NDCG@10 on discovery, better than"))
    assert better.startswith("NDCG@10 on discovery, better than popular: ")
    assert "two_tower +0.0120 [+0.0090, +0.0150]" in better
    (worse,) = (line for line in lines if line.startswith("NDCG@10 on discovery, worse than"))
    assert "als -0.0120 [-0.0150, -0.0090]" in worse
    (open_,) = (line for line in lines if line.startswith("NDCG@10 on all, not shown to differ"))
    assert "trending +0.0010 [-0.0020, +0.0040]" in open_
    (near,) = (line for line in lines if line.startswith("NDCG@10 on all, not shown to beat"))
    assert near.endswith(": als")
    assert not any("popular +" in line or "random +" in line for line in lines)


def test_the_best_of_each_column_is_bold(evaluation):
    rows = [line.split(" | ") for line in render_markdown(evaluation).splitlines()]
    table = {row[0].removeprefix("| "): row[1:] for row in rows if len(row) == 7}
    assert table["two_tower"][0] == "**.1944 ±.0021**"
    assert table["popular"][0] == ".1824 ±.0021"
    assert table["popular"][4] == ".0001"
    assert table["popular"][5] == ".9999 |"
    assert table["als"][4:] == ["**.2500**", "**.7500** |"]
    assert table["random"][0] == ".0005  exact"
    assert table["random"][4] == ".2500", "what random covers is a yardstick, not a contender"


def test_markdown_holds_the_same_tables_verdicts_and_protocol(evaluation):
    text = render_markdown(evaluation)
    assert text.count("| model | Recall@10 | NDCG@10 |") == 3
    assert text.count("|---|---:|---:|---:|---:|---:|---:|") == 3
    for line in (*verdicts(evaluation), *protocol(evaluation)):
        assert line in text


def test_off_a_terminal_plain_text(evaluation):
    console = Console(file=io.StringIO(), width=60, soft_wrap=True)
    render_terminal(evaluation, console)
    assert console.file.getvalue() == render_text(evaluation)


@pytest.mark.parametrize(("width", "below"), [(200, False), (110, False), (80, True)])
def test_on_a_terminal_bold_and_fitted(evaluation, width, below):
    console = Console(
        file=io.StringIO(),
        width=width,
        soft_wrap=True,
        force_terminal=True,
        color_system="standard",
    )
    render_terminal(evaluation, console)
    text = console.file.getvalue()
    assert re.search(r"\x1b\[1m *\.1944", text), "the best is bold"
    assert not re.search(r"\x1b\[1m *\.1704", text)
    assert (".1944 ±.0021" in text) is not below
    visible = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, visible.splitlines())) <= min(width, WIDTH)
    assert visible.count("±.0021") == 4 * 9


def test_a_view_without_targets_says_so(hollow):
    for text in (render_text(hollow), render_markdown(hollow)):
        assert "repeat targets (had before the cut; seen items may be listed): none" in text
        assert "nan" not in text.lower()
    assert not any(" on repeat," in line for line in verdicts(hollow))


def test_json_round_trip(evaluation):
    assert Evaluation.from_json(evaluation.to_json()) == evaluation
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict()))) == evaluation


def test_json_without_numbers(hollow):
    text = hollow.to_json()
    assert "NaN" not in text
    back = Evaluation.from_json(text)
    assert math.isnan(back.views["repeat"].best["recall"])
    assert math.isnan(back.views["repeat"].models["popular"].metrics["ndcg"].low)
    assert render_text(back) == render_text(hollow)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not an evaluation of a known format"),
        ('{"format": 99}', "not an evaluation of a known format"),
        ('{"format": 2, "k": 10}', "damaged"),
        ('{"format": 2, "counts": {}, "views": {}}', "damaged"),
    ],
)
def test_what_is_no_evaluation(text, message):
    with pytest.raises(DataError, match=message):
        Evaluation.from_json(text)


def test_a_hostile_name_of_a_model_is_text_on_the_terminal(evaluation):
    """Lists of others are called what the caller says."""
    headline = evaluation.views["all"]
    named = {**headline.models, "a[/b]": headline.models["als"]}
    text = render_text(replace(evaluation, views={"all": replace(headline, models=named)}))
    assert any(line.startswith(" a[/b] ") for line in text.splitlines())
