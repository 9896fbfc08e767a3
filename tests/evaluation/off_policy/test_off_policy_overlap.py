"""How far a log can speak for a target is counted, and where it cannot, nothing is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from endcap.evaluation.off_policy.feedback import LoggedFeedback
from endcap.evaluation.off_policy.overlap import (
    CAUTION,
    Limits,
    clustered_error,
    effective_size,
    overlap_of,
)
from endcap.evaluation.off_policy.target import chances, same_in_every_context
from endcap.evaluation.off_policy.value import policy_value
from endcap.schema.errors import DataError, SettingsError

UNIFORM = same_in_every_context(np.full((1, 4), 0.25))


def logged(logging, n_rounds=4000, *, seed=0, rate=0.3, claimed=None, group=None):
    """A log of a policy without context over four actions, each with the same chance of a reward.

    claimed: the propensities that the log states, if they are not the true ones.
    """
    rng = np.random.default_rng(seed)
    action = rng.choice(4, size=n_rounds, p=logging)
    reward = (rng.random(n_rounds) < rate).astype(float)
    propensity = np.array(logging if claimed is None else claimed)[action]
    return LoggedFeedback(action, reward, propensity, n_actions=4, group=group)


def value_of(feedback, target=UNIFORM, **options):
    return policy_value(feedback, target, rng=np.random.default_rng(1), **options)


def test_effective_size_by_hand():
    assert effective_size(np.array([1.0, 1, 1, 1])) == 4
    assert effective_size(np.array([4.0, 0, 0, 0])) == 1
    assert effective_size(np.array([2.0, 0.5, 0, 4])) == pytest.approx(6.5**2 / 20.25)
    assert effective_size(np.array([1e300, 1e300])) == 2
    assert effective_size(np.zeros(3)) == 0


def test_overlap_by_hand():
    feedback = LoggedFeedback(
        np.array([0, 0, 1, 2]),
        np.array([1.0, 0, 1, 0]),
        np.array([0.5, 0.5, 0.25, 0.25]),
        n_actions=4,
    )
    found = overlap_of(feedback, chances(np.tile([0.25, 0.25, 0.0, 0.5], (4, 1)), feedback))
    # Weights 0.5, 0.5, 1, 0; rewarded ones 0.5 and 1.
    assert found.ess == pytest.approx(4 / 1.5)
    assert found.effective_rewards == pytest.approx(1.5**2 / 1.25)
    assert (found.n_rewards, found.max_weight, found.top_share) == (2, 1.0, 0.5)
    assert found.mean_weight == 0.5
    assert found.unsupported == 0.5
    assert found.n_unseen == 1
    assert found.mean_std_error == pytest.approx(np.std([0.5, 0.5, 1, 0], ddof=1) / 2)


def test_known_chances_of_the_log_tell_the_never_shown_from_the_impossible():
    feedback = logged([0.5, 0.5, 0.0, 0.0], n_rounds=50)
    target = chances(UNIFORM, feedback)
    assert overlap_of(feedback, target).unsupported == 0.5
    known = np.tile([0.5, 0.499, 0.001, 0.0], (50, 1))
    assert overlap_of(feedback, target, logging_chances=known).unsupported == 0.25


def test_a_log_like_the_target_has_all_its_rounds_and_no_warning():
    found = value_of(logged([0.25] * 4))
    assert found.overlap.ess == 4000
    assert found.overlap.mean_p_value == 1.0
    assert found.warnings == ()
    assert found.estimates["ips"].value == pytest.approx(found.logged.value)
    assert found.lifts["ips"].low == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        (logged([0.9985, 0.0005, 0.0005, 0.0005]), "rounds are worth"),
        (logged([0.5, 0.5, 0.0, 0.0]), "50.0% of what the target does was never shown"),
        (logged([0.25] * 4, rate=0.0015), "rewards are worth .* fewer than 10"),
        (logged([0.25] * 4, n_rounds=150), "150 rounds are worth 150"),
        (logged([0.25] * 4, group=np.arange(4000) % 7), "of 7 groups, fewer than 20"),
        (logged([0.25] * 4, claimed=[0.5] * 4), r"mean of 0.500, not 1 \(p = 0\): propensities"),
        (logged([0.4, 0.3, 0.2, 0.1], claimed=[0.1, 0.2, 0.3, 0.4]), "propensities are wrong"),
    ],
    ids=["heavy", "missing", "rewards", "short", "groups", "doubled", "swapped"],
)
def test_an_estimate_that_would_mislead_is_refused(feedback, message):
    with pytest.raises(DataError, match="^not enough overlap: .*" + message) as refused:
        value_of(feedback)
    assert "direct method alone" in refused.value.mend


def test_clipping_does_not_talk_a_refusal_away():
    with pytest.raises(DataError, match="not enough overlap"):
        value_of(logged([0.9985, 0.0005, 0.0005, 0.0005]), clip=10.0)


def test_the_direct_method_alone_is_not_refused_but_says_that_it_extrapolates():
    found = value_of(logged([0.5, 0.5, 0.0, 0.0]), methods=["dm"])
    assert list(found.estimates) == ["dm"]
    assert 0.4 < found.extrapolated < 0.6
    assert any("50.0% of what the target does was never shown" in words for words in found.warnings)


def test_a_refusal_may_be_overruled_by_other_limits_and_the_warning_stays():
    anything = Limits(0, 0, 0, 0, 1, math.inf)
    found = value_of(logged([0.5, 0.5, 0.0, 0.0]), limits=anything)
    assert found.estimates["ips"].value == pytest.approx(0.15, abs=0.03)  # half of the truth
    assert any("never shown" in words for words in found.warnings)


def test_whatever_is_refused_is_also_warned_of():
    refused, warned = Limits(), CAUTION
    assert warned.min_groups > refused.min_groups
    assert warned.min_rounds > refused.min_rounds
    assert warned.min_share > refused.min_share
    assert warned.min_rewards > refused.min_rewards
    assert warned.max_unsupported < refused.max_unsupported
    assert warned.max_mean_off < refused.max_mean_off


def test_what_does_not_fit_the_log_is_refused():
    feedback = logged([0.25] * 4, n_rounds=300)
    with pytest.raises(DataError, match=r"predicted has the shape \(300, 3\), not \(300, 4\)"):
        value_of(feedback, predicted=np.zeros((300, 3)))
    others = np.tile([0.4, 0.2, 0.2, 0.2], (300, 1))
    with pytest.raises(DataError, match="propensity is not what logging_chances say in 300 of"):
        value_of(feedback, logging_chances=others)


@pytest.mark.parametrize("methods", [["magic"], []])
def test_an_unknown_method_is_refused(methods):
    with pytest.raises(SettingsError, match="is no method"):
        value_of(logged([0.25] * 4), methods=methods)


def test_the_error_of_a_mean_counts_groups_not_rounds():
    values = np.random.default_rng(3).normal(size=50)
    centred = values - values.mean()
    alone = clustered_error(centred, np.arange(50))
    assert alone == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    # Every round ten times over says nothing new, once it is known whose they are.
    tenfold, owners = np.repeat(centred, 10), np.repeat(np.arange(50), 10)
    assert clustered_error(tenfold, owners) == pytest.approx(alone)
    assert clustered_error(tenfold, np.arange(500)) < alone / 3
    assert math.isnan(clustered_error(centred, np.zeros(50, dtype=int)))
