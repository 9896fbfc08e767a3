"""Which interactions make a target, and what the evaluation says about it."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import dataset_of

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.rivals import RandomRanking
from endcap.evaluation.report.terminal import render_markdown
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import TimeCuts, split_by_time
from endcap.features.history import history_of
from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.models.popular import Popular
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError

CUT = 10
EVENTS = [
    (1, 0, 0, Kind.PURCHASE),
    (2, 0, 1, Kind.VIEW),
    (3, 0, 2, Kind.CART),
    (4, 0, 3, Kind.PURCHASE),
    (5, 0, 3, Kind.DISLIKE),
    (6, 0, 4, Kind.IMPRESSION),
    (7, 1, 5, Kind.VIEW),
    (8, 2, 6, Kind.DISLIKE),
    (11, 0, 0, Kind.PURCHASE),
    (12, 0, 2, Kind.REMOVE),
    (13, 0, 3, Kind.PURCHASE),
    (14, 0, 4, Kind.VIEW),
    (15, 0, 5, Kind.PURCHASE),
    (16, 1, 0, Kind.DISLIKE),
    (17, 1, 2, Kind.IMPRESSION),
    (18, 2, 6, Kind.CART),
]


@pytest.fixture
def weighed():
    data = dataset_of([event[:3] for event in EVENTS], n_users=4, n_items=9)
    kinds = np.array([KIND_CODES[event[3]] for event in EVENTS], dtype=np.uint8)
    return weigh(
        replace(data, interactions=replace(data.interactions, kind=kinds)), DEFAULT_WEIGHTS
    )


def cut(weighed, **options):
    return split_by_time(weighed, cut_us=CUT, prepare=interest, **options)


def pairs(targets):
    rows = targets.rows()
    return [
        (user, item) for user, row in zip(targets.users.tolist(), rows, strict=True) for item in row
    ]


def test_interest_in_the_window_makes_a_target_and_nothing_else_does(weighed):
    targets = cut(weighed).targets
    assert pairs(targets["all"]) == [(0, 0), (0, 3), (0, 4), (0, 5), (2, 6)]
    assert pairs(targets["repeat"]) == [(0, 0)]
    assert pairs(targets["discovery"]) == [(0, 4), (0, 5)], "what was only shown is a discovery"


def test_what_was_refused_before_is_neither_a_repeat_nor_a_discovery(weighed):
    split = cut(weighed)
    refused = {(0, 3), (2, 6)}
    assert refused <= set(pairs(split.targets["all"]))
    assert not refused & {*pairs(split.targets["repeat"]), *pairs(split.targets["discovery"])}
    assert all(split.seen.contain(np.array([0, 2]), np.array([3, 6])))


def test_a_removal_after_the_cut_does_not_reach_back(weighed):
    split = cut(weighed)
    assert history_of(split.train).row(0).items.tolist() == [0, 1, 2]
    assert history_of(interest(weighed)).row(0).items.tolist() == [0, 1, 3, 4, 5]


def test_only_some_kinds_may_make_a_target(weighed):
    split = cut(weighed, target_kinds=[Kind.PURCHASE])
    assert pairs(split.targets["all"]) == [(0, 0), (0, 3), (0, 5)]
    assert split.target_kinds == (Kind.PURCHASE,)
    assert cut(weighed).target_kinds == (Kind.VIEW, Kind.CART, Kind.PURCHASE)
    refusals = cut(weighed, target_kinds=[Kind.DISLIKE, Kind.VIEW])
    assert refusals.target_kinds == (Kind.VIEW,), "a refusal never is one"
    with pytest.raises(DataError, match=r"between the cut and the end.*target_kinds"):
        cut(weighed, target_kinds=[Kind.RATING])


def test_every_interaction_is_accounted_for(weighed):
    counts = cut(weighed, target_kinds=[Kind.PURCHASE]).counts
    assert counts.n_train + counts.n_window + counts.n_after == len(weighed.interactions)
    assert (counts.n_train, counts.n_train_unused) == (8, 3)
    assert (counts.n_window, counts.n_window_unused) == (8, 5)
    assert counts.n_targets == 3


def test_both_windows_take_the_same_kinds(weighed):
    cuts = TimeCuts(validation_us=5, test_us=CUT, end_us=20)
    options = {"prepare": interest, "target_kinds": [Kind.PURCHASE, Kind.VIEW]}
    assert pairs(cuts.test(weighed, **options).targets["all"]) == [(0, 0), (0, 3), (0, 4), (0, 5)]
    assert pairs(cuts.validation(weighed, **options).targets["all"]) == [(1, 5)]


def test_data_without_weights_are_all_targets(weighed):
    plain = replace(weighed, interactions=replace(weighed.interactions, weight=None))
    assert split_by_time(plain, cut_us=CUT).counts.n_window_unused == 0


def test_the_random_ranking_leaves_out_what_was_refused(weighed):
    train = cut(weighed).train
    ranked = RandomRanking().fit(train, rng=np.random.default_rng(0))
    items = ranked.recommend(np.array([0, 2], dtype=np.int32), 9).items
    assert sorted(items[0][items[0] >= 0].tolist()) == [4, 5, 6, 7, 8]
    assert 6 not in items[1]


def test_the_output_says_which_kinds_count(weighed):
    split = cut(weighed, target_kinds=[Kind.PURCHASE])
    models = {"popular": Popular().fit(split.train, rng=np.random.default_rng(0))}
    terms = Terms(k=3, n_replicates=100)
    found = evaluate(models, split, rng=np.random.default_rng(0), terms=terms).evaluation
    found = replace(found, weights={"view": 0.3, "purchase": 1.0})
    text = render_markdown(found)
    assert (
        "Kinds that make a target: purchase (5 interactions of the window make none). Weights of "
        "what is learnt from: view 0.3, purchase 1 (3 interactions before the cut are no interest)."
    ) in text
    assert Evaluation.from_json(found.to_json()).to_dict() == found.to_dict()
    older = {
        key: value
        for key, value in found.to_dict().items()
        if key not in ("target_kinds", "weights")
    }
    assert Evaluation.from_dict(older).target_kinds == ()
