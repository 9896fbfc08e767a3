"""Reward models that never see their own rounds, and intervals that mean what they say."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from endcap.evaluation.off_policy.estimators import direct, ips, snips
from endcap.evaluation.off_policy.feedback import LoggedFeedback
from endcap.evaluation.off_policy.intervals import estimates_of
from endcap.evaluation.off_policy.report import render_text
from endcap.evaluation.off_policy.reward_model import predicted_rewards, random_folds
from endcap.evaluation.off_policy.value import METHODS, policy_value
from endcap.schema.errors import DataError
from endcap.simulate.bandit import bandit_world, learnt_policy, simulated_log


def simulated(n_rounds=2000, *, beta=-2.0, seed=5):
    rng = np.random.default_rng(seed)
    world = bandit_world(n_actions=5, n_features=3, beta=beta, rng=rng)
    return simulated_log(world, n_rounds, rng=rng), rng


@pytest.fixture(scope="module")
def judged():
    """A simulated log, the target's chances, and its value by every method."""
    log, rng = simulated()
    target = learnt_policy(log.feedback, log.context)
    return log, target, policy_value(log.feedback, target, rng=rng, clip=3.0)


def test_rounds_of_one_group_are_in_one_fold_and_folds_are_of_like_size():
    log, rng = simulated()
    grouped = replace(log.feedback, group=np.arange(2000) // 4)
    folds = random_folds(grouped, n_folds=3, rng=rng)
    assert (folds.reshape(-1, 4) == folds[::4, None]).all()
    assert np.bincount(folds[::4]).tolist() == [167, 167, 166]
    with pytest.raises(DataError, match="500 groups of rounds cannot make 501 folds"):
        random_folds(grouped, n_folds=501, rng=rng)


def test_the_prediction_of_a_round_does_not_depend_on_its_own_reward():
    log, rng = simulated(300)
    folds = random_folds(log.feedback, rng=rng)
    before = predicted_rewards(log.feedback, folds=folds)
    flipped = np.where(folds == 0, 1 - log.feedback.reward, log.feedback.reward)
    after = predicted_rewards(replace(log.feedback, reward=flipped), folds=folds)
    assert (after[folds == 0] == before[folds == 0]).all()
    assert (after[folds != 0] != before[folds != 0]).any()


def test_predictions_come_near_the_truth_where_the_model_can_say_it():
    """Chances that are logistic in the action alone, at two positions that differ."""
    rng = np.random.default_rng(2)
    truth = np.array([[0.2, 0.5, 0.7], [0.6, 0.3, 0.1]])
    action, position = rng.integers(3, size=20_000), rng.integers(2, size=20_000)
    reward = (rng.random(20_000) < truth[position, action]).astype(float)
    feedback = LoggedFeedback(
        action, reward, np.full(20_000, 1 / 3), n_actions=3, position=position, n_positions=2
    )
    found = predicted_rewards(feedback, folds=random_folds(feedback, rng=rng))
    assert np.abs(found - truth[position]).max() < 0.03


def test_rewards_that_are_no_yes_or_no_are_predicted_by_a_line():
    rng = np.random.default_rng(2)
    context, action = rng.normal(size=(3000, 1)), rng.integers(2, size=3000)
    reward = 3 * context[:, 0] - 5 * action + rng.normal(size=3000)
    feedback = LoggedFeedback(action, reward, np.full(3000, 0.5), n_actions=2, context=context)
    found = predicted_rewards(feedback, folds=random_folds(feedback, rng=rng))
    assert np.abs(found - (3 * context + np.array([0, -5]))).max() < 0.3


def test_one_reward_only_or_an_empty_position_is_predicted_by_the_mean():
    action = np.array([0, 1, 0, 1, 0, 1])
    feedback = LoggedFeedback(
        action,
        np.array([1.0, 1, 1, 1, 0, 1]),
        np.full(6, 0.5),
        n_actions=2,
        position=np.array([0, 0, 0, 0, 1, 2]),
        n_positions=3,
    )
    folds = np.array([0, 1, 0, 1, 0, 1])
    found = predicted_rewards(feedback, folds=folds)
    assert (found[:4] == 1).all()  # at position 0 nothing but rewards is known
    assert (found[4] == 1).all()  # position 1 is in no other fold, which holds rewards only
    assert ((found[5] > 0) & (found[5] < 1)).all()
    with pytest.raises(DataError, match="there is only one"):
        predicted_rewards(feedback, folds=np.zeros(6, dtype=int))


def test_every_method_answers_near_the_truth_with_a_finite_interval(judged):
    log, target, found = judged
    assert list(found.estimates) == list(METHODS)
    truth = log.value_of(target)
    for method, estimate in found.estimates.items():
        assert estimate.low < estimate.value < estimate.high
        assert estimate.value == pytest.approx(truth, abs=0.08), method
        assert found.lifts[method].value == pytest.approx(estimate.value - found.logged.value)
    for method in ("snips", "dr", "sndr"):
        assert found.estimates[method].low < truth < found.estimates[method].high


def test_the_same_seed_gives_the_same_answer_and_other_rounds_do_not(judged):
    log, target, _ = judged
    first, again, other = (
        policy_value(log.feedback, target, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.estimates["dr"] != other.estimates["dr"]


def test_bootstrap_and_first_order_errors_agree():
    log, rng = simulated(4000)
    weight = np.random.default_rng(1).exponential(size=4000)
    reward = log.feedback.reward
    parts = {"ips": ips(reward, weight), "snips": snips(reward, weight)}
    found, lifts, logged = estimates_of(parts, reward, np.arange(4000), n_replicates=2000, rng=rng)
    for one in (*found.values(), *lifts.values(), logged):
        assert one.high - one.low == pytest.approx(2 * 1.96 * one.std_error, rel=0.06)


def test_groups_of_other_sizes_do_not_move_what_all_rounds_agree_on():
    groups = np.repeat(np.arange(60), np.arange(60) + 1)
    ones = np.ones(len(groups))
    options = {"n_replicates": 200, "rng": np.random.default_rng(0)}
    found, lifts, logged = estimates_of({"dm": direct(3 * ones)}, ones, groups, **options)
    assert astuple(found["dm"]) == pytest.approx((3.0, 0.0, 3.0, 3.0))
    assert astuple(lifts["dm"]) == pytest.approx((2.0, 0.0, 2.0, 2.0))
    assert astuple(logged) == pytest.approx((1.0, 0.0, 1.0, 1.0))


def test_rounds_that_come_in_groups_widen_the_interval():
    """Ten copies of every round: ten times the rows, and nothing more is known."""
    log, rng = simulated(400)
    reward, weight = log.feedback.reward, rng.exponential(size=400)
    owners = np.repeat(np.arange(400), 10)
    copies = {"snips": snips(np.repeat(reward, 10), np.repeat(weight, 10))}
    options = {"n_replicates": 2000, "rng": np.random.default_rng(0)}
    once, _, _ = estimates_of({"snips": snips(reward, weight)}, reward, np.arange(400), **options)
    told, _, _ = estimates_of(copies, np.repeat(reward, 10), owners, **options)
    untold, _, _ = estimates_of(copies, np.repeat(reward, 10), np.arange(4000), **options)
    assert told["snips"].value == pytest.approx(once["snips"].value)
    assert told["snips"].std_error == pytest.approx(once["snips"].std_error)
    width = once["snips"].high - once["snips"].low
    assert told["snips"].high - told["snips"].low == pytest.approx(width, rel=0.1)
    assert untold["snips"].high - untold["snips"].low < width / 2.5


@pytest.mark.slow
def test_intervals_of_the_doubly_robust_estimate_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(300):
        log, rng = simulated(800, seed=seed)
        target = np.full((800, 5), 0.2)
        predicted = np.full((800, 5), 0.5)
        found = policy_value(
            log.feedback,
            target,
            rng=rng,
            methods=("snips", "dr"),
            predicted=predicted,
            n_replicates=300,
        )
        truth = log.value_of(target)
        held.append([one.low <= truth <= one.high for one in found.estimates.values()])
    assert (np.mean(held, axis=0) > 0.92).all()  # 0.95 less two and a half standard errors


def test_the_report_says_what_the_numbers_rest_on(judged):
    _, _, found = judged
    text = " ".join(render_text(found, truth=found.logged).split())
    for words in (
        "doubly robust",
        "Overlap: 2,000 rounds are worth",
        "which should be 1",
        "Clipping to 3:",
        "IPS is too low for it",
        "tau = 10",
        "No interval for the direct method",
        "the target's own log",
    ):
        assert words in text
    assert max(map(len, render_text(found).splitlines())) <= 110
