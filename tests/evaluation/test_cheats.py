"""The ways in which a model, a metric or a split flatters, each planted and each caught."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, ScoredBy, Scripted, dataset_of, popular_of
from evaluation_shop import shop_rows as make_rows

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.leaks import find_leaks
from endcap.evaluation.metrics.blind import is_blind
from endcap.evaluation.report.terminal import verdicts
from endcap.evaluation.split import split_by_time
from endcap.schema.errors import DataError, RankingError

TERMS = Terms(n_replicates=200, slices=False)


@pytest.fixture(scope="module")
def data():
    return dataset_of(make_rows(), n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def split(data):
    return split_by_time(data, cut_us=CUT)


@pytest.fixture(scope="module")
def popular(split):
    return popular_of(split.train)


def measure(models, split):
    return evaluate(models, split, rng=np.random.default_rng(0), terms=TERMS).evaluation


def leaks(pipeline, data, split, **options):
    return find_leaks(pipeline, data, split, k=10, rng=np.random.default_rng(3), **options)


def test_a_model_that_has_seen_the_future_is_caught(data, split):
    """One counts sales over all time, which a shop does without noticing; one cuts them off."""

    def pipeline(whole):
        past = split_by_time(whole, cut_us=CUT).train
        own = np.zeros((N_USERS, N_ITEMS))
        np.add.at(own, (whole.interactions.user_idx, whole.interactions.item_idx), 1.0)
        return {"honest": popular_of(past), "cheat": ScoredBy(past, lambda users: own[users])}

    honest, cheat = leaks(pipeline, data, split)
    assert not honest.is_leak
    assert honest.n_changed == 0
    assert honest.before == honest.after > 0
    assert cheat.is_leak
    assert cheat.n_changed > 0.9 * cheat.n_users
    assert cheat.before > 2 * cheat.after, "the score drops when the future is dealt out anew"
    assert str(cheat).startswith("cheat has seen the future: shuffling it changes")


def test_a_glimpse_of_the_last_day_is_enough_to_be_caught(data, split):
    """Of what sells best on it, no more; shuffling that day alone shows it."""

    def pipeline(whole):
        last = whole.between(whole.end_us - 100, None)
        return {"honest": popular_of(split.train), "glimpse": popular_of(last)}

    honest, glimpse = leaks(pipeline, data, split, days=100 / 86_400e6)
    assert not honest.is_leak
    assert glimpse.n_changed == glimpse.n_users
    assert glimpse.before > glimpse.after


def test_a_metric_with_a_fixed_denominator_is_flagged(split, popular):
    """Ranking only what a user took anyway: precision is the share of targets, whoever ranks."""
    view = measure({"popular": popular}, split).views["all"]
    assert view.blind == ()
    # Among ten candidates of which all are listed, any order has the same precision and recall.
    few = np.arange(10, dtype=np.int32)
    rule = replace(split.rules["all"], allowed=few)
    targets = split.targets["all"]
    kept = np.isin(targets.items, few)
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)[kept]
    n_each = np.bincount(rows, minlength=len(targets))
    asked = replace(
        targets,
        users=targets.users[n_each > 0],
        indptr=np.concatenate([[0], np.cumsum(n_each[n_each > 0])]),
        items=targets.items[kept],
        is_cold=targets.is_cold[kept],
    )
    narrow = replace(split, targets={"all": asked}, rules={"all": rule})
    found = measure({"popular": popular}, narrow).views["all"]
    assert set(found.blind) == {"recall", "precision", "hit_rate"}
    for name in ("recall", "precision", "hit_rate"):
        assert found.best[name] == pytest.approx(found.expected_random[name])
    assert is_blind(0.0108, 0.0108)
    assert not is_blind(1.0, 0.5)
    assert is_blind(float("nan"), 0.5)


def test_a_split_with_duplicated_users_is_refused(split, popular):
    targets = split.targets["all"]
    twice = replace(targets, users=np.concatenate([targets.users[:1], targets.users[:-1]]))
    with pytest.raises(DataError, match="cannot be measured by"):
        measure({"popular": popular}, replace(split, targets={**split.targets, "all": twice}))


def test_a_constant_scorer_with_ties_scores_as_random(split, popular):
    """Although its items, by index, are those that sell best in this shop."""
    constant = ScoredBy(split.train, lambda users: np.ones((len(users), N_ITEMS)))
    view = measure({"popular": popular, "constant": constant}, split).views["all"]
    found = view.models["constant"]
    assert found.n_cut_ties == view.n_users
    assert found.metrics["auc"].mean == view.expected_random["auc"] == 0.5
    for name in ("recall", "precision", "ndcg", "hit_rate", "map", "mrr"):
        interval = found.metrics[name]
        assert interval.low < view.expected_random[name] < interval.high, name
    against = found.versus_random["ndcg"]
    assert against.low < 0 < against.high
    by_index = ScoredBy(split.train, lambda users: np.tile(-np.arange(N_ITEMS), (len(users), 1)))
    named = measure({"popular": popular, "index": by_index}, split).views["all"].models["index"]
    assert named.metrics["ndcg"].mean > 3 * view.expected_random["ndcg"]


def test_a_model_that_returns_seen_items_is_refused(split, popular):
    cheat = Scripted(lambda users, k: popular.recommend(users, k, exclude_seen=False))
    with pytest.raises(RankingError, match=r"cheat returned .* seen before"):
        measure({"popular": popular, "cheat": cheat}, split)


def test_hits_on_items_that_nobody_had_are_counted(split, popular):
    """Who learns from interactions alone can name those by luck only."""
    wanted = np.zeros((N_USERS, N_ITEMS))
    targets = split.targets["all"]
    wanted[np.repeat(targets.users, targets.n_relevant), targets.items] = 1
    oracle = ScoredBy(split.train, lambda users: wanted[users])
    found = measure({"popular": popular, "oracle": oracle}, split)
    view = found.views["all"]
    assert view.models["oracle"].n_cold_hits == view.n_cold_targets > 0
    assert view.models["popular"].n_cold_hits == 0
    said = [line for line in verdicts(found) if line.startswith("Suspicious")]
    assert len(said) == 2, "on all and on discovery"
    assert said[0].startswith(f"Suspicious on all: oracle lists {view.n_cold_targets:,} targets")


class Faced:
    """Ranks by one score and is asked for another; `only_new` where seen items are left out."""

    def __init__(self, data, listed, scored):
        self.by_list, self.by_score = ScoredBy(data, listed), scored

    def recommend(self, users, k, **options):
        return self.by_list.recommend(users, k, **options)

    def score(self, users):
        return np.asarray(self.by_score(users), dtype=np.float32)


def test_a_leak_in_new_items_alone_in_visits_or_in_scores_is_caught(data, split):
    """None of them shows in lists with seen items, and the second knows no item of the future."""
    popular = np.bincount(split.train.interactions.item_idx, minlength=N_ITEMS) / 1e6

    def pipeline(whole):
        future = whole.between(CUT, None).interactions
        own = np.zeros((N_USERS, N_ITEMS))
        own[future.user_idx, future.item_idx] = 1
        visits = np.bincount(future.user_idx, minlength=N_USERS)

        def honest(users):
            return np.tile(popular, (len(users), 1))

        def only_new(users):
            return honest(users) + own[users]

        def counts_visits(users):
            return np.roll(honest(users), 1, axis=1) * (visits[users, None] > 5) + honest(users)

        class Split:
            """Honest with seen items, a cheat without."""

            def __init__(self, data):
                self.with_seen, self.without = ScoredBy(data, honest), ScoredBy(data, only_new)

            def recommend(self, users, k, *, exclude_seen=True, allowed=None):
                model = self.without if exclude_seen else self.with_seen
                return model.recommend(users, k, exclude_seen=exclude_seen, allowed=allowed)

        past = split.train
        return {
            "honest": Faced(past, honest, honest),
            "only_new": Split(past),
            "counts_visits": ScoredBy(past, counts_visits),
            "two_faced": Faced(past, honest, only_new),
        }

    found = {leak.model: leak for leak in leaks(pipeline, data, split)}
    assert not found.pop("honest").is_leak
    assert all(leak.is_leak for leak in found.values()), {
        name: leak.n_changed for name, leak in found.items()
    }


def test_the_best_possible_area_is_not_that_of_a_short_list(split, popular):
    terms = replace(TERMS, k=1)
    models = {"popular": popular}
    found = evaluate(models, split, rng=np.random.default_rng(0), terms=terms).evaluation
    assert found.views["all"].best["auc"] == 1.0
    assert "auc" not in found.views["all"].blind


def test_answers_in_what_is_learnt_from_are_found_behind_a_history(data, split, popular):
    """The history is clean, and what models are fitted on is not."""
    told = replace(split, history=split.train, train=replace(data, refusals=None), protocol="own")
    with pytest.raises(DataError, match="cannot be measured by"):
        measure({"popular": popular}, told)


def test_evaluations_of_two_catalogues_are_not_of_one_split(split):
    items = split.train.items
    more = np.append(items.category, np.int32(-1))
    larger = replace(
        split.train,
        n_items=N_ITEMS + 1,
        items=replace(items, department=more, category=more, brand=more),
    )
    assert replace(split, train=larger).split_id != split.split_id
