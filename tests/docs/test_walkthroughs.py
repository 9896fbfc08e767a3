"""The code of CONTRIBUTING's walk-throughs works as it stands there."""

import re
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

from endcap.bundle.scorer.panel import open_scorers
from endcap.schema.protocols import Persistent, Recommender
from endcap.serving.stages.filter import filter_candidates
from endcap.serving.stages.lay_out import lay_out
from endcap.serving.stages.retrieve import retrieve
from pages import context_of

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def module_of(heading, name, monkeypatch):
    """Return the first Python block under a heading, imported as a module."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    block = re.search(r"^ *```python\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)[1]
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(textwrap.dedent(block), name, "exec"), module.__dict__)
    return module


@pytest.fixture
def revenue(monkeypatch):
    return module_of("Add a model", "endcap.models.revenue", monkeypatch)


@pytest.fixture
def affordable(monkeypatch):
    return module_of("Add a stage", "endcap.serving.stages.affordable", monkeypatch)


def test_the_model_recommends_what_brought_most_and_not_what_one_has(revenue, shop):
    data = shop.data
    model = revenue.Revenue().fit(data, rng=np.random.default_rng(0))
    assert isinstance(model, Recommender)
    found = model.recommend(np.arange(3, dtype=np.int32), 5)
    money = np.zeros(data.n_items)
    bought = data.interactions
    np.add.at(money, bought.item_idx, bought.value * np.nan_to_num(bought.price, nan=1.0))
    for user in range(3):
        had = set(bought.item_idx[bought.user_idx == user].tolist())
        expected = [item for item in np.argsort(-money, kind="stable").tolist() if item not in had]
        assert found.items[user].tolist() == expected[:5]


def test_the_model_answers_the_same_when_loaded(revenue, shop, tmp_path):
    model = revenue.Revenue().fit(shop.data, rng=np.random.default_rng(0))
    assert isinstance(model, Persistent)
    model.save(tmp_path)
    users = np.arange(5, dtype=np.int32)
    again = revenue.Revenue.load(tmp_path).recommend(users, 7)
    assert np.array_equal(again.items, model.recommend(users, 7).items)


@pytest.mark.parametrize("user", ["user-00", "user-07", "nobody"])
def test_the_stage_drops_what_is_too_dear_and_a_page_still_comes_about(
    affordable, bundle, user, monkeypatch
):
    monkeypatch.setattr(affordable, "MAX_RATIO", 0.5)
    scorers = open_scorers(bundle)
    context = context_of(bundle, scorers, user)
    before = filter_candidates(context, retrieve(context, scorers))
    after = affordable.keep_affordable(context, before)
    assert set(after.items.tolist()) <= set(before.items.tolist())
    again = affordable.keep_affordable(context, after)
    assert np.array_equal(again.items, after.items)
    if user == "nobody":
        assert len(after) == len(before)
    else:
        limit = 0.5 * np.nanmax(bundle.price[context.bought.items])
        assert len(after) < len(before)
        assert not np.any(bundle.price[after.items] > limit)
    assert lay_out(context, after, scorers)
