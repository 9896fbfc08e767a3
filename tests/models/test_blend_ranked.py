import json

import numpy as np
import pytest

from endcap.models.blend.config import BlendConfig
from endcap.models.blend.fusion import Fusion
from endcap.models.blend.lessons import hold_out
from endcap.models.blend.ranked import RankedBlend
from endcap.models.blend.rule import Rule
from endcap.models.blend.rule_files import load_rules, save_rules
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.models.popular import Popular
from endcap.models.ranker.config import RankerConfig
from endcap.models.ranker.trees import Examples, grow
from endcap.models.repeat import Repeat
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.types import NO_ITEM, TopK
from endcap.testing.toy_data import planted_tastes

TREES = RankerConfig(min_users=20, min_leaf=5, max_rounds=30, n_threads=1)
CONFIG = BlendConfig(members=("item_knn", "popular"), depth=40, n_ranked=30, ranker=TREES)


class Chance:
    """A model that lists the catalogue in an order of its own, the same for everybody."""

    def __init__(self, n_items, seed=0):
        self.order = np.random.default_rng(seed).permutation(n_items)

    def fit(self, data, *, rng):
        return self

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        order = self.order if allowed is None else self.order[np.isin(self.order, allowed)]
        head = np.full(k, NO_ITEM, dtype=np.int32)
        head[: min(k, len(order))] = order[:k]
        items = np.tile(head, (len(users), 1))
        scores = np.where(items == NO_ITEM, -np.inf, -np.arange(k)).astype(np.float32)
        return TopK(items, scores)


def members_of(data):
    rng = np.random.default_rng(0)
    return {
        "item_knn": ItemKNN(ItemKNNConfig(n_neighbours=20)).fit(data, rng=rng),
        "popular": Popular().fit(data, rng=rng),
    }


@pytest.fixture(scope="module")
def data():
    return planted_tastes(np.random.default_rng(1))[0]


@pytest.fixture(scope="module")
def earlier(data):
    """A blend that knows all but the end, and what the end teaches."""
    past, lessons = hold_out(data, days=8)
    return RankedBlend.of(members_of(past), learnt=past, config=CONFIG), lessons


@pytest.fixture(scope="module")
def rules(earlier):
    blend, lessons = earlier
    return blend.learn(lessons, seed=0)


def test_a_member_that_lists_at_random_loses_its_say(data):
    past, lessons = hold_out(data, days=8)
    members = {**members_of(past), "chance": Chance(data.n_items)}
    blend = RankedBlend.of(
        members, learnt=past, config=CONFIG.model_copy(update={"learned": False})
    )
    rules = blend.learn(lessons, seed=0)
    for rule in rules.values():
        weight = dict(zip(members, rule.fusion.weights, strict=True))
        assert rule.ranker is None
        assert weight["item_knn"] == 1.0
        assert weight["chance"] <= 0.5


def test_both_kinds_of_list_are_learnt_and_measured(rules):
    assert set(rules) == {True, False}
    for rule in rules.values():
        assert {"floor", "learned", "lead"} <= set(rule.quality)
        assert (rule.ranker is not None) == (rule.quality["lead"] > 1)


def test_learning_twice_gives_the_same_rules(earlier, rules):
    blend, lessons = earlier
    again = blend.learn(lessons, seed=0)
    assert {key: rule.fusion for key, rule in again.items()} == {
        key: rule.fusion for key, rule in rules.items()
    }
    assert [rule.quality for rule in again.values()] == [rule.quality for rule in rules.values()]


def test_without_lessons_all_have_the_same_say(earlier):
    blend, _ = earlier
    assert blend.learn([], seed=0)[True] == Rule(Fusion.even(2))


def test_one_lesson_rules_both_kinds_of_list(earlier):
    blend, lessons = earlier
    rules = blend.learn(lessons[:1], seed=0)
    assert rules[True] is rules[False]


def trees_of(earlier):
    """Rules with trees, whether they paid on so little data or not."""
    blend, lessons = earlier
    rules = {}
    for lesson in lessons:
        asked = blend._ask(lesson)
        within = np.flatnonzero(asked.is_target.any(axis=1))
        some = asked.take(within)
        names, matrix = blend._describe(lesson.users[within], some.candidates)
        real = some.candidates.is_real
        what = Examples(names, matrix, some.is_target[real], real.sum(axis=1))
        trees = grow(what, n_rounds=10, config=TREES, seed=0)
        rules[lesson.exclude_seen] = Rule(Fusion((1.0, 0.5), 10.0), trees, {"floor": 0.1})
    return rules


@pytest.fixture(scope="module")
def ranked(earlier, data):
    return RankedBlend.of(members_of(data), learnt=data, rules=trees_of(earlier), config=CONFIG)


def test_the_floor_is_the_same_candidates_without_trees(ranked):
    users = np.arange(20, dtype=np.int32)
    assert ranked.has_trees
    assert not ranked.floor().has_trees
    one, other = ranked.recommend(users, 10), ranked.floor().recommend(users, 10)
    assert (one.items != other.items).any()
    assert ranked.has_trees, "the blend itself keeps its trees"


def test_candidates_of_the_trees_come_before_the_others(ranked, data):
    users = np.arange(6, dtype=np.int32)
    whole = ranked.recommend(users, data.n_items, exclude_seen=False)
    assert np.all(np.sort(whole.items, axis=1) == np.arange(data.n_items))
    assert np.all(whole.scores[:, :30] > -1)
    assert np.all(whole.scores[:, 30] < -1)
    assert np.all(np.diff(whole.scores, axis=1) <= 0)


def test_few_allowed_items_fill_the_list_from_the_members(ranked, data):
    allowed = np.arange(3, data.n_items, 9, dtype=np.int32)
    users = np.arange(10, dtype=np.int32)
    found = ranked.recommend(users, len(allowed), exclude_seen=False, allowed=allowed)
    np.testing.assert_array_equal(np.sort(found.items, axis=1), np.tile(allowed, (len(users), 1)))


def test_a_member_that_placed_an_item_explains_it(ranked, data):
    user = 4
    items = ranked.recommend(np.array([user], dtype=np.int32), 5).items[0]
    reasons = ranked.explain(user, items)
    had = set(data.interactions.item_idx[data.interactions.user_idx == user].tolist())
    assert len(reasons) == 5
    assert {reason.kind for reason in reasons} <= {"because_of", "popular"}
    assert any(reason.kind == "because_of" and reason.item in had for reason in reasons)
    assert ranked.explain(user, items[:0]) == []


def test_what_a_member_cannot_be_asked_the_blend_cannot(data):
    blend = RankedBlend.of({"chance": Chance(data.n_items)}, learnt=data, config=CONFIG)
    with pytest.raises(SettingsError, match=r"other users .*; chance cannot"):
        blend.with_history(data)


def test_a_member_that_cannot_be_saved_is_named(data, tmp_path):
    blend = RankedBlend.of({"chance": Chance(data.n_items)}, learnt=data, config=CONFIG)
    with pytest.raises(DataError, match="chance cannot be saved"):
        blend.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_saved_blend_ranks_the_same(ranked, tmp_path):
    ranked.save(tmp_path)
    again = RankedBlend.load(tmp_path)
    users = np.array([0, 7, -1], dtype=np.int32)
    for exclude_seen in (True, False):
        one, other = (
            model.recommend(users, 12, exclude_seen=exclude_seen) for model in (ranked, again)
        )
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_damaged_rules_are_refused(ranked, tmp_path):
    save_rules(ranked.rules_, tmp_path)
    assert load_rules(tmp_path)[True].fusion == ranked.rules_[True].fusion
    record = json.loads((tmp_path / "rules.json").read_text())
    del record["with_seen"]
    (tmp_path / "rules.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="rules of a blend"):
        load_rules(tmp_path)


def test_a_blend_fitted_alone_learns_by_the_end_of_its_data(data):
    config = CONFIG.model_copy(update={"members": ("item_knn", "repeat"), "learned": False})
    blend = RankedBlend(config).fit(data, rng=np.random.default_rng(0))
    weights = dict(zip(config.members, blend.rules_[True].fusion.weights, strict=True))
    # Nobody takes anything again here: what was had says nothing of what is new.
    assert weights["item_knn"] == 1.0
    assert isinstance(blend.members_["repeat"], Repeat)
    assert blend.rules_[True].quality["floor"] > 0
