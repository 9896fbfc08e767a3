"""The code of CONTRIBUTING's walk-throughs works as it stands there."""

import re
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

from endcap.bundle.scorer.panel import open_scorers
from endcap.ingest import shapes
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import ingest, preview
from endcap.ingest.snapshot import load_dataset
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.serving.stages.filter import filter_candidates
from endcap.serving.stages.lay_out import lay_out
from endcap.serving.stages.retrieve import retrieve
from endcap.stores.cache.memory import MemoryCache
from endcap.testing.models import PersistentContract
from pages import context_of

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(heading):
    """Return the Python blocks under a heading."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^ *```python\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def module_of(heading, name):
    """Return the first Python block under a heading as a module."""
    module = types.ModuleType(name)
    sys.modules[name] = module  # pydantic looks there for the names in annotations
    exec(compile(blocks(heading)[0], name, "exec"), module.__dict__)
    return module


revenue = module_of("Add a model", "endcap.models.revenue")
affordable = module_of("Add a stage", "endcap.serving.stages.affordable")
diginetica = module_of("Add a format", "endcap.ingest.shapes.diginetica")


class TestTheModel(PersistentContract):
    """The laws that the walk-through itself says to run."""

    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return revenue.Revenue


def test_the_model_ranks_by_money():
    n_items, n_users = 3, 2
    data = Dataset(
        Interactions(
            user_idx=np.array([0, 0, 0, 1], dtype=np.int32),
            item_idx=np.array([0, 1, 1, 0], dtype=np.int32),
            kind=np.full(4, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
            value=np.array([5, 1, 2, 1], dtype=np.float32),
            price=np.array([1.0, 4.0, np.nan, 1.0], dtype=np.float32),
            ts=np.arange(4, dtype=np.int64),
        ),
        n_users,
        n_items,
        Items(*(np.full(n_items, -1, dtype=np.int32) for _ in range(3))),
    )
    model = revenue.Revenue().fit(data, rng=np.random.default_rng(0))
    assert model.revenue_.tolist() == [6.0, 6.0, 0.0]
    everything = model.recommend(np.array([0], dtype=np.int32), 3, exclude_seen=False)
    assert everything.items.tolist() == [[0, 1, 2]]
    assert model.recommend(np.array([1], dtype=np.int32), 3).items.tolist() == [[1, 2, -1]]


def test_the_class_that_runs_the_laws_names_a_suite_that_exists():
    text = blocks("Add a model")[1]
    namespace = {}
    exec(compile(text, "walk-through", "exec"), namespace)
    assert issubclass(namespace["TestRevenue"], PersistentContract)


def test_the_back_end_has_the_verbs_of_the_protocol():
    namespace = {}
    exec(compile(blocks("Add a back end")[0], "walk-through", "exec"), namespace)
    verbs = {name for name in vars(namespace["RedisCache"]) if not name.startswith("_")}
    assert verbs == {name for name in vars(MemoryCache) if not name.startswith("_")}


@pytest.mark.parametrize("user", ["user-00", "user-07", "nobody"])
def test_the_stage_drops_what_is_too_dear_and_a_page_still_comes_about(bundle, user, monkeypatch):
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


def test_the_format_is_recognised_and_read(tmp_path, monkeypatch):
    file = tmp_path / "train-purchases.csv"
    rows = ["150;NA;17100868;2016-05-06;16421;25733", "151;7;1;2016-05-07;16422;25734"]
    file.write_text("\n".join(["sessionId;userId;timeframe;eventdate;ordernumber;itemId", *rows]))
    monkeypatch.setattr(shapes, "PATTERNS", (*shapes.PATTERNS, *diginetica.PATTERNS))
    told = preview(str(file), root=tmp_path / "snapshots").explanation
    assert any("purchases of DIGINETICA" in line for line in told)
    assert any("`sessionId` stands for a user" in line for line in told)
    made = ingest(str(file), root=tmp_path / "snapshots", privacy=PrivacyConfig(user_id="keep"))
    bought = load_dataset(made.path).interactions
    assert bought.kind.tolist() == [KIND_CODES[Kind.PURCHASE]] * 2
    assert np.diff(bought.ts).tolist() == [86_400_000_000]


def test_the_names_in_the_other_walk_throughs_exist():
    """What is named as code of a file is in that file."""
    for heading in ("Add a kind", "Add a rule", "Add an expectation"):
        section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        paths = re.findall(r"`((?:src|tests)/[\w/]+\.py)`", section)
        texts = "".join((ROOT / path).read_text() for path in paths)
        names = set(re.findall(r"`([A-Z][A-Za-z_]{3,})`", section)) - {"NULL", "None"}
        assert paths
        assert {name for name in names if name not in texts} == set()
