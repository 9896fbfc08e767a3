"""How a blend of fitted models learns: from the past alone, with the fits that are there."""

from dataclasses import replace

import numpy as np
import pytest

from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import split_by
from endcap.models.ranker.config import RankerConfig
from endcap.testing.toy_data import planted_tastes
from endcap.training import blend as blending
from endcap.training.blend import BLEND, FLOOR, blends, earlier, learn_rules, lessons_of
from endcap.training.blend_config import BlendSettings
from endcap.training.config import TrainingConfig
from endcap.training.judge import judge
from endcap.training.run import fit_models

NAMES = ("popular", "repeat", "item_knn")
CONFIG = TrainingConfig(models=NAMES, test_days=8, bootstrap_replicates=100)
FLOOR_ONLY = BlendSettings(learned=False, depth=40)
TREES = BlendSettings(
    depth=40, n_ranked=30, ranker=RankerConfig(min_users=20, min_leaf=5, max_rounds=20, n_threads=1)
)


@pytest.fixture(scope="module")
def data():
    return planted_tastes(np.random.default_rng(1))[0]


def split_of(data, protocol="temporal", **choices):
    return split_by(
        protocol, data, choices=ProtocolConfig(test_days=8, validation_days=8, **choices)
    )


@pytest.fixture(scope="module")
def split(data):
    return split_of(data)


@pytest.fixture(scope="module")
def fitted(split):
    return fit_models(split.train, NAMES, seed=0)[0]


def test_all_personal_models_take_part_unless_some_are_named(split, fitted):
    every = blends(fitted, split, config=CONFIG, settings=FLOOR_ONLY)[BLEND]
    assert tuple(every.members_) == ("repeat", "item_knn")
    named = FLOOR_ONLY.model_copy(update={"members": ("item_knn", "popular")})
    some = blends(fitted, split, config=CONFIG, settings=named)[BLEND]
    assert tuple(some.members_) == ("popular", "item_knn")
    lone = FLOOR_ONLY.model_copy(update={"members": ("item_knn",)})
    assert blends(fitted, split, config=CONFIG, settings=lone) == {}


def test_the_floor_stands_beside_trees_and_only_then(split, fitted):
    found = blends(fitted, split, config=CONFIG, settings=FLOOR_ONLY)
    assert list(found) == [BLEND]
    found = blends(fitted, split, config=CONFIG, settings=TREES)
    assert (FLOOR in found) == found[BLEND].has_trees
    for rule in found[BLEND].rules_.values():
        assert (rule.ranker is not None) == (rule.quality.get("lead", 0.0) > 1)


def test_what_is_asked_later_changes_nothing(data, split, fitted):
    later = replace(
        data.interactions,
        item_idx=np.where(
            data.interactions.ts >= split.cut_us,
            data.interactions.item_idx[::-1],
            data.interactions.item_idx,
        ).astype(np.int32),
    )
    other = split_of(replace(data, interactions=later))
    assert any(
        not np.array_equal(other.targets[view].items, split.targets[view].items)
        for view in split.targets
    )
    users = np.arange(30, dtype=np.int32)
    one, two = (
        blends(fitted, some, config=CONFIG, settings=FLOOR_ONLY)[BLEND].recommend(users, 10)
        for some in (split, other)
    )
    np.testing.assert_array_equal(one.items, two.items)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_the_same_fits_serve_where_only_the_history_differs(data, monkeypatch):
    validation, test = (
        split_of(data, "leave-one-out", refit=False, on=on) for on in ("validation", "test")
    )
    models, _ = fit_models(test.train, NAMES, seed=0)

    def fit_again(*_args, **_kwargs):
        raise AssertionError("the members were fitted again")

    monkeypatch.setattr(blending, "fit_models", fit_again)
    blend = blends(models, test, config=CONFIG, settings=FLOOR_ONLY, validation=validation)[BLEND]
    np.testing.assert_array_equal(blend.users_.history.items, _items(test.history))
    with pytest.raises(AssertionError, match="fitted again"):
        learn_rules(models, test, earlier(test, CONFIG), config=CONFIG, settings=FLOOR_ONLY)


def _items(data):
    """Return the distinct items of each user, one user after another."""
    told = data.interactions
    return np.unique((told.user_idx.astype(np.int64) << 32) | told.item_idx) & 0xFFFFFFFF


def test_a_lesson_for_each_kind_of_list(split):
    lessons = {lesson.exclude_seen: lesson for lesson in lessons_of(split)}
    assert set(lessons) == {True, False}
    np.testing.assert_array_equal(lessons[True].items, split.targets["discovery"].items)
    np.testing.assert_array_equal(lessons[False].items, split.targets["all"].items)


def test_lists_of_some_items_teach_nothing(data):
    cold = split_of(data, "cold-items")
    views = [view for view, rule in cold.rules.items() if rule.allowed is None]
    assert len(lessons_of(cold)) <= len(views)


def test_the_past_is_asked_as_the_split_is(data, split):
    before = earlier(split, CONFIG)
    assert before.protocol == split.protocol
    assert before.end_us <= split.cut_us
    assert len(before.train.interactions) < len(split.train.interactions)


def test_the_blend_is_judged_beside_its_members(data):
    found = judge(data, NAMES, config=CONFIG).evaluation.views["discovery"].models
    assert BLEND in found
    ndcg = {name: model.metrics["ndcg"].mean for name, model in found.items()}
    assert ndcg[BLEND] > ndcg["popular"]
    assert ndcg[BLEND] >= 0.8 * ndcg["item_knn"]


def test_windows_before_one_cut_are_learnt_from_one_before_the_other(split):
    known = earlier(split, CONFIG)
    windows = list(blending._windows(known, config=CONFIG, n=3))
    assert len(windows) == 3
    for later, before in zip([split, *windows], windows, strict=False):
        assert before.end_us <= later.cut_us
    assert len(list(blending._windows(known, config=CONFIG, n=100))) < 10


def test_where_everybody_ends_at_another_time_one_window_is_enough(data):
    known = split_of(data, "leave-one-out", refit=False, on="validation")
    assert list(blending._windows(known, config=CONFIG, n=3)) == [known]
