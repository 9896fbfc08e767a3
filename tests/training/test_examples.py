"""Users to look at: who is drawn, which models stand beside each other, and in whose words."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import load_dataset, read_catalogue
from endcap.training.config import TrainingConfig
from endcap.training.examples import N_EXAMPLES, examples_of
from endcap.training.judge import judge

END = datetime(2020, 3, 1, tzinfo=UTC)
CONFIG = TrainingConfig(test_days=10, k=5, bootstrap_replicates=100)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Thirty shoppers who each buy the same few items again and again; half have a name."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(2)
    rows = ["user_id,item_id,ts,kind"]
    for user in range(30):
        own = rng.choice(20, size=4, replace=False)
        rows += [
            f"u{user},i{rng.choice(own)},{(END - timedelta(days=day)).isoformat()},purchase"
            for day in range(1, 40, 2)
        ]
    (folder / "log.csv").write_text("\n".join(rows) + "\n")
    items = [f"i{item},{f'Tea {item}' if item % 2 else ''}" for item in range(20)]
    (folder / "items.csv").write_text("item_id,name\n" + "\n".join(items) + "\n")
    return ingest(
        str(folder / "log.csv"),
        root=folder / "snapshots",
        given=Given(items=folder / "items.csv"),
    ).path


@pytest.fixture(scope="module")
def judged(snapshot):
    return judge(load_dataset(snapshot), ("popular", "repeat"), config=CONFIG)


def test_the_best_model_stands_beside_the_reference(judged, snapshot):
    found = examples_of(judged, snapshot)
    assert [one.user_label for one in found] == [f"User {n}" for n in range(1, N_EXAMPLES + 1)]
    for one in found:
        assert list(one.lists) == ["repeat", "popular"]
        assert all(len(listed) == CONFIG.k for listed in one.lists.values())


def test_alone_the_reference_is_shown_once(snapshot):
    alone = judge(load_dataset(snapshot), ("popular",), config=CONFIG)
    assert {tuple(one.lists) for one in examples_of(alone, snapshot)} == {("popular",)}


def test_items_go_by_their_names_and_those_without_by_their_ids(judged, snapshot):
    names = {row["name"] or row["item_id"] for row in read_catalogue(snapshot)}
    assert {"Tea 1", "i0"} <= names
    shown = {
        name
        for one in examples_of(judged, snapshot)
        for listed in one.lists.values()
        for name, _, _ in listed
    }
    assert shown <= names
    assert any(name.startswith("Tea ") for name in shown)
    assert any(name.startswith("i") for name in shown)


def test_models_that_explain_themselves_say_why_and_others_nothing(judged, snapshot):
    found = examples_of(judged, snapshot, compared=("repeat", "random"))
    for one in found:
        assert list(one.lists) == ["repeat", "random"]
        assert one.lists["repeat"][0][2] == "you had it before"
        assert {why for _, _, why in one.lists["random"]} == {""}


def test_the_same_seed_draws_the_same_users(judged, snapshot):
    first, again, other = (examples_of(judged, snapshot, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
