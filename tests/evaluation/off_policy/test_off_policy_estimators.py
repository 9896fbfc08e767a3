"""The estimators: by hand, against the Open Bandit Pipeline, and the laws they must keep."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from endcap.evaluation.off_policy.clipping import clipped
from endcap.evaluation.off_policy.estimators import (
    Parts,
    direct,
    doubly_robust,
    ips,
    self_normalised_dr,
    shrunk_dr,
    snips,
    switch_dr,
)
from endcap.evaluation.off_policy.feedback import LoggedFeedback
from endcap.evaluation.off_policy.target import chances
from endcap.evaluation.off_policy.tuning import chosen_by_slope
from endcap.evaluation.off_policy.value import METHODS, evidence_of, parts_of
from endcap.schema.errors import DataError
from endcap.simulate.bandit import bandit_world, simulated_log

REWARD = np.array([1.0, 0.0, 1.0, 1.0])
WEIGHT = np.array([2.0, 0.5, 0.0, 4.0])
V = np.array([0.5, 0.5, 0.25, 0.75])
RESIDUAL = np.array([0.5, -0.5, 0.5, 0.25])

numbers = st.floats(0.05, 1.0)
rewards = st.floats(-5.0, 5.0)


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        (direct(V), 0.5),
        (ips(REWARD, WEIGHT), 6 / 4),
        (snips(REWARD, WEIGHT), 6 / 6.5),
        (doubly_robust(V, RESIDUAL, WEIGHT), 0.5 + (1 - 0.25 + 0 + 1) / 4),
        (self_normalised_dr(V, RESIDUAL, WEIGHT), 0.5 + 1.75 / 6.5),
        (switch_dr(V, RESIDUAL, WEIGHT, tau=2.0), 0.5 + (1 - 0.25) / 4),
        (shrunk_dr(V, RESIDUAL, WEIGHT, lam=4.0), 0.5 + (0.5 - 2 / 4.25 / 2 + 16 / 20 / 4) / 4),
    ],
)
def test_estimates_by_hand(parts, value):
    assert parts.value == pytest.approx(value, abs=1e-12)
    assert parts.contributions().mean() == pytest.approx(value, abs=1e-12)
    assert parts.influence().mean() == pytest.approx(0, abs=1e-12)


def three_positions() -> tuple[LoggedFeedback, np.ndarray, np.ndarray]:
    """400 rounds of a simulated log at three positions, with a target and predicted rewards."""
    world = bandit_world(n_actions=6, n_features=3, beta=-4, rng=np.random.RandomState(7))
    simulated = simulated_log(world, 400, rng=np.random.RandomState(8))
    made, expected = simulated.feedback, simulated.expected
    position = np.arange(400) % 3
    feedback = LoggedFeedback(
        made.action, made.reward, made.propensity, n_actions=6, position=position, n_positions=3
    )
    target = np.stack([softmax(beta * expected, axis=1) for beta in (1, 2, 4)], axis=2)
    lines = ((0.2, 0.5), (0.3, 0.4), (0.9, -0.4))
    predicted = np.stack([a + b * expected for a, b in lines], axis=2)
    return feedback, chances(target, feedback), predicted[np.arange(400), :, position]


OPEN_BANDIT_PIPELINE = {
    "dm": 0.5451792673599661,
    "ips": 0.5126363334371818,
    "snips": 0.5032191071564422,
    "dr": 0.5025013289969419,
    "sndr": 0.5032853307864079,
}
"""Of its versions 0.5.1 and 0.5.5, on the inputs of `three_positions`."""


@pytest.mark.parametrize("method", OPEN_BANDIT_PIPELINE)
def test_estimates_equal_those_of_the_open_bandit_pipeline(method):
    evidence, _ = evidence_of(*three_positions())
    parts, _ = parts_of(evidence, [method])
    assert parts[method].value == pytest.approx(OPEN_BANDIT_PIPELINE[method], abs=1e-12)


def test_clipped_switched_and_shrunk_estimates_equal_those_of_the_open_bandit_pipeline():
    clipped_evidence, clipping = evidence_of(*three_positions(), clip=3.0)
    parts, _ = parts_of(clipped_evidence, ["ips", "dr"])
    assert parts["ips"].value == pytest.approx(0.5086321584581712, abs=1e-12)
    assert parts["dr"].value == pytest.approx(0.504401529348508, abs=1e-12)
    assert clipping.n_clipped == 5
    model = (clipped_evidence.target_reward, clipped_evidence.residual, clipped_evidence.weight)
    assert switch_dr(*model, tau=2.0).value == pytest.approx(0.5025172453933097, abs=1e-12)
    assert shrunk_dr(*model, lam=5.0).value == pytest.approx(0.5103545318001929, abs=1e-12)
    candidates = (0.5, 1.0, 2.0, 4.0, 8.0, np.inf)
    switched = {tau: switch_dr(*model, tau=tau) for tau in candidates}
    assert chosen_by_slope(switched) == 0.5
    assert switched[0.5].value == pytest.approx(0.5309773204634485, abs=1e-12)
    shrunk = {lam: shrunk_dr(*model, lam=lam) for lam in candidates}
    assert chosen_by_slope(shrunk) == 0.5
    assert shrunk[0.5].value == pytest.approx(0.5243276737353707, abs=1e-12)


@st.composite
def tiny_problems(draw):
    """Two contexts, three actions: chances of contexts and of two policies, true and guessed."""

    def chance(n):
        drawn = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
        return drawn / drawn.sum()

    def table(of):
        return np.array([draw(st.lists(of, min_size=3, max_size=3)) for _ in range(2)])

    logging, target = np.array([chance(3), chance(3)]), np.array([chance(3), chance(3)])
    return chance(2), logging, target, table(st.floats(0, 1)), table(rewards)


@settings(max_examples=25)
@given(tiny_problems())
def test_ips_and_doubly_robust_are_right_on_average_whatever_the_reward_model(problem):
    """Every log of two rounds, each weighed by its chance: 144 of them."""
    context_chance, logging, target, truth, guess = problem
    rounds = list(itertools.product(range(2), range(3), (0, 1)))
    average = {"ips": 0.0, "dr": 0.0}
    for pair in itertools.product(rounds, repeat=2):
        context, action, reward = (np.array(column) for column in zip(*pair, strict=True))
        of_reward = np.where(reward == 1, truth[context, action], 1 - truth[context, action])
        likelihood = np.prod(context_chance[context] * logging[context, action] * of_reward)
        feedback = LoggedFeedback(
            action, reward.astype(float), logging[context, action], n_actions=3
        )
        evidence, _ = evidence_of(feedback, target[context], guess[context])
        parts, _ = parts_of(evidence, list(average))
        for method in average:
            average[method] += likelihood * parts[method].value
    value = context_chance @ (target * truth).sum(axis=1)
    assert average["ips"] == pytest.approx(value, abs=1e-9)
    assert average["dr"] == pytest.approx(value, abs=1e-9)


def random_evidence(seed, *, n=40, n_actions=4):
    rng = np.random.default_rng(seed)
    logging = rng.dirichlet(np.ones(n_actions), size=n)
    target = rng.dirichlet(np.ones(n_actions), size=n)
    action = (logging.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    truth = rng.random((n, n_actions))
    feedback = LoggedFeedback(
        action, truth[np.arange(n), action], logging[np.arange(n), action], n_actions=n_actions
    )
    return feedback, target, truth, rng


@given(st.integers(0, 2**32 - 1))
def test_an_exact_model_makes_the_model_based_estimates_exact(seed):
    feedback, target, truth, _ = random_evidence(seed)
    evidence, _ = evidence_of(feedback, target, truth)
    parts, _ = parts_of(evidence, ("dm", "dr", "sndr", "switch_dr", "shrunk_dr"))
    value = (target * truth).sum(axis=1).mean()
    for one in parts.values():
        assert one.value == pytest.approx(value, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_self_normalised_estimates_do_not_change_when_all_weights_are_scaled(seed, scale):
    feedback, target, _, rng = random_evidence(seed)
    evidence, _ = evidence_of(feedback, target, rng.random(target.shape))
    reward, weight = evidence.reward, evidence.weight
    model = (evidence.target_reward, evidence.residual)
    assert snips(reward, scale * weight).value == pytest.approx(snips(reward, weight).value)
    assert self_normalised_dr(*model, scale * weight).value == pytest.approx(
        self_normalised_dr(*model, weight).value
    )


@given(st.integers(0, 2**32 - 1))
def test_snips_stays_within_the_rewards_and_keeps_a_constant(seed):
    feedback, target, truth, _ = random_evidence(seed)
    evidence, _ = evidence_of(feedback, target, truth)
    value = snips(evidence.reward, evidence.weight).value
    assert evidence.reward.min() - 1e-12 <= value <= evidence.reward.max() + 1e-12
    assert snips(np.full(40, 0.3), evidence.weight).value == pytest.approx(0.3)


@given(st.integers(0, 2**32 - 1))
def test_switched_and_shrunk_estimates_go_from_the_direct_method_to_doubly_robust(seed):
    feedback, target, _, rng = random_evidence(seed)
    evidence, _ = evidence_of(feedback, target, rng.random(target.shape))
    model = (evidence.target_reward, evidence.residual, evidence.weight)
    at_zero, at_infinity = direct(evidence.target_reward).value, doubly_robust(*model).value
    assert switch_dr(*model, tau=0.0).value == pytest.approx(at_zero, abs=1e-12)
    assert shrunk_dr(*model, lam=0.0).value == pytest.approx(at_zero, abs=1e-12)
    assert switch_dr(*model, tau=np.inf).value == at_infinity
    assert shrunk_dr(*model, lam=np.inf).value == at_infinity
    assert shrunk_dr(*model, lam=1e12).value == pytest.approx(at_infinity, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0.01, 20), min_size=2, max_size=6))
def test_a_lower_clip_never_raises_an_estimate_of_rewards_that_are_not_negative(seed, limits):
    feedback, target, truth, _ = random_evidence(seed)
    found = [evidence_of(feedback, target, truth, clip=limit) for limit in sorted(limits)]
    values = [ips(evidence.reward, evidence.used).value for evidence, _ in found]
    assert values == sorted(values)
    lost = [clipping.lost_share for _, clipping in found]
    shares = [clipping.clipped_share for _, clipping in found]
    assert lost == sorted(lost, reverse=True)
    assert shares == sorted(shares, reverse=True)
    unclipped = ips(found[0][0].reward, found[0][0].weight).value
    mean_weight = found[0][0].weight.mean()
    for value, share in zip(values, lost, strict=True):  # rewards are at most 1
        assert unclipped - mean_weight * share - 1e-9 <= value <= unclipped + 1e-9


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(seed, random):
    feedback, target, truth, _ = random_evidence(seed)
    order = np.array(random.sample(range(40), 40))
    shuffled = LoggedFeedback(
        feedback.action[order], feedback.reward[order], feedback.propensity[order], n_actions=4
    )
    before, _ = parts_of(evidence_of(feedback, target, truth * 0.5)[0])
    after, _ = parts_of(evidence_of(shuffled, target[order], truth[order] * 0.5)[0])
    for method in METHODS:
        assert after[method].value == pytest.approx(before[method].value, abs=1e-12)


@pytest.mark.parametrize(
    ("reward", "direction"),
    [
        ([1.0, 0, 1, 1], "too low"),
        ([-1.0, 0, -1, -1], "too high"),
        ([1.0, -1, 0, 0], "unknown"),
    ],
)
def test_clipping_says_how_many_rounds_and_which_way(reward, direction):
    used, told = clipped(WEIGHT, np.array(reward), largest=1.0)
    assert used.tolist() == [1, 0.5, 0, 1]
    assert (told.n_clipped, told.clipped_share, told.ips_bias) == (2, 0.5, direction)
    assert told.lost_share == pytest.approx(4 / 6.5)
    assert clipped(WEIGHT, np.array(reward), largest=np.inf)[1].ips_bias == "none"


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_clip_that_leaves_nothing_is_refused(limit):
    with pytest.raises(DataError, match="cannot be clipped"):
        clipped(WEIGHT, REWARD, largest=limit)


def test_without_any_weight_a_self_normalised_estimate_is_not_a_number():
    assert np.isnan(snips(REWARD, np.zeros(4)).value)


def spread_around(mean, half_spread):
    """Parts of 100 rounds whose values are the mean, give or take."""
    signs = np.where(np.arange(100) % 2 == 0, 1.0, -1.0)
    return Parts(mean + half_spread * signs, np.zeros(100), np.ones(100))


def test_slope_takes_the_narrowest_estimate_that_the_wider_ones_agree_with():
    agreeing = {10.0: spread_around(0.0, 0.1), 50.0: spread_around(0.0, 1.0)}
    assert chosen_by_slope(agreeing) == 10.0
    biased = {10.0: spread_around(9.0, 0.1), 50.0: spread_around(0.0, 1.0)}
    assert chosen_by_slope(biased) == 50.0
    # Half-widths are 1.660 (Student, 99 degrees) / sqrt(99) * spread = 0.01669 and 0.1669, so
    # they agree up to 0.01669 + 1.4495 * 0.1669 = 0.2586.
    for distance, chosen in ((0.258, 10.0), (0.259, 50.0)):
        tried = {10.0: spread_around(distance, 0.1), 50.0: spread_around(0.0, 1.0)}
        assert chosen_by_slope(tried) == chosen
