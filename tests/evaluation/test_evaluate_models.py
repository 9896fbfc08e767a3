"""The whole procedure on a small shop, and the cheats it must not fall for."""

import math
from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, ScoredBy, Scripted, dataset_of, popular_of
from evaluation_shop import shop_rows as make_rows

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.metrics.accuracy import MEASURES, AtK
from endcap.evaluation.split import VIEWS, split_by_time
from endcap.schema.errors import RankingError, SettingsError
from endcap.schema.types import NO_ITEM, TopK


@pytest.fixture(scope="module")
def data():
    return dataset_of(make_rows(), n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def split(data):
    return split_by_time(data, cut_us=CUT)


@pytest.fixture(scope="module")
def popular(split):
    return popular_of(split.train)


def judge(models, split, *, rng=None, views=VIEWS, **terms):
    targets = {view: split.targets[view] for view in views}
    asked = replace(split, targets=targets, rules={view: split.rules[view] for view in views})
    rng = rng or np.random.default_rng(0)
    return evaluate(models, asked, rng=rng, terms=Terms(n_replicates=200, **terms)).evaluation


@pytest.fixture(scope="module")
def oracle(split):
    """Knows the future: scores each user's targets first."""
    wanted = np.zeros((N_USERS, N_ITEMS))
    targets = split.targets["all"]
    wanted[np.repeat(targets.users, targets.n_relevant), targets.items] = 1
    return ScoredBy(split.train, lambda users: wanted[users] + np.arange(N_ITEMS) * 1e-6)


@pytest.fixture(scope="module")
def result(split, popular, oracle):
    constant = ScoredBy(split.train, lambda users: np.ones((len(users), N_ITEMS)))
    return judge({"constant": constant, "popular": popular, "oracle": oracle}, split)


def test_rivals_stand_on_top(result):
    for view in VIEWS:
        assert list(result.views[view].models) == ["random", "popular", "constant", "oracle"]


def test_denominators(result, split):
    for name, view in result.views.items():
        targets = split.targets[name]
        assert view.n_users == len(targets)
        assert view.n_targets == len(targets.items)
        assert view.n_cold_targets == targets.is_cold.sum()
    assert result.views["all"].n_users == N_USERS - 10
    assert result.views["repeat"].n_users < result.views["all"].n_users
    assert result.counts.n_silent_users == 10
    assert result.counts.n_cold_users == 10
    assert result.views["repeat"].n_cold_targets == 0


def test_a_perfect_list_scores_the_best_possible(result):
    for view in ("all", "discovery"):
        metrics = result.views[view].models["oracle"].metrics
        assert metrics["ndcg"].mean == pytest.approx(1.0)
        assert metrics["mrr"].mean == metrics["hit_rate"].mean == 1.0
        assert metrics["auc"].mean == 1.0
        for name, best in result.views[view].best.items():
            assert metrics[name].mean == pytest.approx(best), name


def auc_by_hand(scores, targets, seen):
    """Compare every target with every other item that could be listed, one user at a time."""
    found = []
    for user, wanted in zip(targets.users, targets.rows(), strict=True):
        others = np.setdiff1d(np.arange(N_ITEMS), wanted)
        if seen is not None:
            others = np.setdiff1d(others, seen.items[seen.rows == user])
        apart = scores[user, wanted][:, None] - scores[user, others][None, :]
        found.append(((apart > 0) + 0.5 * (apart == 0)).mean())
    return np.mean(found)


@pytest.mark.parametrize("view", VIEWS)
def test_means_are_those_of_the_metrics(split, popular, view):
    """A model that differs from user to user, so that no list may go to the wrong one."""
    scores = np.random.default_rng(1).random((N_USERS, N_ITEMS))
    events = split.train.interactions
    scores[events.user_idx, events.item_idx] += 0.5
    model = ScoredBy(split.train, lambda users: scores[users])
    targets, exclude_seen = split.targets[view], view == "discovery"
    ranked = model.recommend(targets.users, 10, exclude_seen=exclude_seen)
    found = judge({"popular": popular, "mixed": model}, split).views[view].models["mixed"]
    by_pairs = auc_by_hand(scores, targets, split.seen if exclude_seen else None)
    assert found.metrics["auc"].mean == pytest.approx(by_pairs)
    for name, measure in MEASURES.items():
        if name == "auc":
            continue  # of the whole catalogue, which a list does not hold
        by_hand = AtK(measure, 10)(ranked, targets.rows()).mean()
        interval = found.metrics[name]
        assert interval.mean == pytest.approx(by_hand), name
        assert interval.low < interval.mean < interval.high
    assert found.catalogue["coverage"] == len(np.unique(ranked.items)) / N_ITEMS


def test_the_exact_value_of_random_by_hand(result, split):
    history = np.zeros((N_USERS, N_ITEMS), dtype=bool)
    history[split.train.interactions.user_idx, split.train.interactions.item_idx] = True
    n_new = N_ITEMS - history[split.targets["discovery"].users].sum(axis=1)
    assert result.views["all"].expected_random["recall"] == pytest.approx(10 / N_ITEMS)
    assert result.views["discovery"].expected_random["recall"] == pytest.approx((10 / n_new).mean())


@pytest.mark.parametrize("view", VIEWS)
def test_a_constant_scorer_scores_like_random(result, split, view):
    """Although its raw lists, by item index, would do well in this shop."""
    found, chance = result.views[view].models["constant"], result.views[view].expected_random
    for name in ("recall", "ndcg", "hit_rate", "mrr"):
        interval = found.metrics[name]
        assert abs(interval.mean - chance[name]) < interval.high - interval.low, name
    assert found.n_cut_ties == result.views[view].n_users
    assert found.versus_random["ndcg"].low < 0 < found.versus_random["ndcg"].high
    raw = np.tile(np.arange(10, dtype=np.int32), (len(split.targets[view]), 1))
    untreated = TopK(raw, np.ones(raw.shape, dtype=np.float32))
    cheat = AtK(MEASURES["ndcg"], 10)(untreated, split.targets[view].rows()).mean()
    assert cheat > 3 * chance["ndcg"]


@pytest.mark.parametrize("view", VIEWS)
def test_the_random_row_agrees_with_its_exact_value(result, view):
    assert result.views[view].expected_random["auc"] == 0.5
    for name in set(MEASURES) - {"auc"}:
        interval = result.views[view].models["random"].metrics[name]
        exact = result.views[view].expected_random[name]
        assert abs(interval.mean - exact) < interval.high - interval.low, name


def test_differences_are_to_the_reference_and_to_random(result):
    models = result.views["all"].models
    assert models["popular"].versus_reference == {}
    assert models["random"].versus_random == {}
    for name in ("ndcg", "recall"):
        difference = models["oracle"].versus_reference[name]
        apart = models["oracle"].metrics[name].mean - models["popular"].metrics[name].mean
        assert difference.mean == pytest.approx(apart)
        assert difference.verdict == "better than"
    assert models["popular"].versus_random["ndcg"].low > 0


def test_cold_targets_count_as_misses(split, popular):
    """A model that never lists a cold item cannot reach a recall of 1, however good it is."""
    wanted = np.zeros((N_USERS, N_ITEMS))
    targets = split.targets["all"]
    users = np.repeat(targets.users, targets.n_relevant)
    wanted[users[~targets.is_cold], targets.items[~targets.is_cold]] = 1
    warm_oracle = ScoredBy(split.train, lambda users: np.where(wanted[users] > 0, 1.0, -np.inf))
    found = judge({"popular": popular, "warm": warm_oracle}, split).views["all"].models["warm"]
    n_cold = np.bincount(users[targets.is_cold], minlength=N_USERS)[targets.users]
    expected = ((targets.n_relevant - n_cold) / targets.n_relevant).mean()
    assert expected < 0.95
    assert found.metrics["recall"].mean == pytest.approx(expected)
    assert found.n_short_lists == (targets.n_relevant - n_cold < 10).sum()


def test_users_without_targets_are_never_asked_for(split, popular):
    asked = set()

    def remember(users, k):
        asked.update(users.tolist())
        return popular.recommend(users, k, exclude_seen=True)

    judge({"popular": popular, "spy": Scripted(remember)}, split)
    assert asked == set(split.targets["all"].users.tolist())


def test_seen_items_in_the_discovery_view_are_refused(split, popular):
    cheat = Scripted(lambda users, k: popular.recommend(users, k, exclude_seen=False))
    with pytest.raises(RankingError, match=r"cheat returned .* seen before"):
        judge({"popular": popular, "cheat": cheat}, split)
    allowed = judge({"popular": popular, "cheat": cheat}, split, views=("all", "repeat"))
    assert list(allowed.views) == ["all", "repeat"]


def test_duplicate_items_are_refused(split, popular):
    def repeat_the_best(users, k):
        ranked = popular.recommend(users, k, exclude_seen=True)
        return TopK(np.repeat(ranked.items[:, :1], k, axis=1), ranked.scores)

    with pytest.raises(RankingError, match=r"cheat returned .* listed twice"):
        judge({"popular": popular, "cheat": Scripted(repeat_the_best)}, split)


def test_repeats_are_allowed_where_they_count(split, popular):
    history = np.zeros((N_USERS, N_ITEMS))
    events = split.train.interactions
    np.add.at(history, (events.user_idx, events.item_idx), 1)
    repeat = ScoredBy(split.train, lambda users: history[users])
    views = judge({"popular": popular, "repeat": repeat}, split).views
    assert not views["all"].exclude_seen
    assert not views["repeat"].exclude_seen
    assert views["discovery"].exclude_seen
    assert views["repeat"].models["repeat"].versus_reference["ndcg"].low > 0
    # All that is left in the discovery view is a tie of items that the user never had.
    discovery = views["discovery"].models["repeat"]
    assert discovery.n_cut_ties == views["discovery"].n_users
    assert discovery.versus_random["ndcg"].low < 0 < discovery.versus_random["ndcg"].high


def test_empty_lists_are_measured_as_misses(split, popular):
    def nothing(users, k):
        return TopK(
            np.full((len(users), k), NO_ITEM, dtype=np.int32),
            np.full((len(users), k), -np.inf, dtype=np.float32),
        )

    view = judge({"popular": popular, "mute": Scripted(nothing)}, split).views["all"]
    found = view.models["mute"]
    assert found.metrics["recall"].mean == 0
    assert found.n_short_lists == view.n_users
    assert found.catalogue["coverage"] == 0
    assert math.isnan(found.catalogue["gini"])


def test_a_view_without_targets():
    data = dataset_of([(t, t % 5, t % 7) for t in range(10)], n_users=5, n_items=9)
    split = split_by_time(data, cut_us=7, end_us=9)  # users 2 and 3 each take something new
    result = judge({"popular": popular_of(split.train)}, split, k=2)
    view = result.views["repeat"]
    assert (view.n_users, view.n_targets) == (0, 0)
    assert math.isnan(view.models["popular"].metrics["ndcg"].mean)
    assert math.isnan(view.expected_random["ndcg"])


def test_the_result_follows_from_the_seed(split, popular):
    first, again = (judge({"popular": popular}, split) for _ in range(2))
    other = judge({"popular": popular}, split, rng=np.random.default_rng(1))
    assert first.to_dict()["views"] == again.to_dict()["views"]
    assert first.to_dict()["views"] != other.to_dict()["views"]


def test_other_models_change_nothing_for_a_model(result, split, popular):
    alone, among = judge({"popular": popular}, split).to_dict(), result.to_dict()
    for view in VIEWS:
        one, other = (found["views"][view]["models"]["popular"] for found in (alone, among))
        for found in (one, other):  # which corrects for their number
            assert found["versus_random"]["ndcg"].pop("p_adjusted") is not None
        assert one == other


@pytest.mark.parametrize(
    ("names", "reference"), [(["als"], "popular"), (["popular", "random"], "popular"), ([], "als")]
)
def test_the_reference_must_be_there_and_random_is_ours(split, popular, names, reference):
    with pytest.raises(SettingsError, match=f"the reference is {reference}"):
        judge(dict.fromkeys(names, popular), split, reference=reference)


def test_drawn_users_are_reported(split, popular):
    drawn = split.sample(50, rng=np.random.default_rng(0))
    result = judge({"popular": popular}, drawn)
    assert result.n_drawn_users == result.views["all"].n_users == 50
