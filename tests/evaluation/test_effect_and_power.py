import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.evaluation.certainty.effect import Effect, effect
from endcap.evaluation.certainty.power import smallest_difference, users_needed
from endcap.evaluation.certainty.significance import sign_flip_p_values


def rng(seed=0):
    return np.random.default_rng(seed)


def test_golden_effect():
    first = np.array([0.5, 0.0, 1.0, 0.25, np.nan])
    second = np.array([0.0, 0.0, 0.5, 0.50, 1.0])
    found = effect(first, second)
    # Differences .5, 0, .5, -.25: mean .1875, squares about it sum to .421875, over 3 users.
    assert found.d == pytest.approx(0.1875 / math.sqrt(0.421875 / 3))
    assert found.relative == pytest.approx(0.1875 / 0.25)
    assert (found.n_higher, found.n_equal, found.n_lower) == (2, 1, 1)


@pytest.mark.parametrize(
    ("d", "size"),
    [
        (0.0, "none"),
        (0.05, "very small"),
        (-0.2, "small"),
        (0.6, "medium"),
        (-1.5, "large"),
        (math.nan, "unknown"),
    ],
)
def test_the_size_in_words(d, size):
    assert Effect(0.1, d, 1, 1, 1).size == size


def test_equal_models_have_no_effect_and_no_users_an_unknown_one():
    same = np.array([0.2, 0.4])
    assert effect(same, same) == Effect(0.0, 0.0, 0, 2, 0)
    assert math.isnan(effect(np.array([np.nan]), np.array([1.0])).d)
    assert math.isnan(effect(same + 1, same).d), "all differ by the same"
    assert math.isnan(effect(same, np.zeros(2)).relative)


def test_golden_smallest_difference():
    # 10,001 users, half at +1 and half at -1: the standard error is .01; 1.96 + .8416 of it.
    differences = np.tile([1.0, -1.0], 5000)
    assert smallest_difference(differences) == pytest.approx(0.028016, rel=1e-3)
    # With ten comparisons each has .5 %: 2.807 + .8416.
    assert smallest_difference(differences, n_comparisons=10) == pytest.approx(0.036486, rel=1e-3)


@pytest.mark.parametrize("n_users", [40, 400])
def test_a_difference_of_that_size_is_found_four_times_in_five(n_users):
    draw, n_sets = rng(1), 1500
    spread = (
        0.3 * draw.exponential(1.0, (n_users, n_sets)) * draw.choice([-1, 1], (n_users, n_sets))
    )
    shown = np.mean([smallest_difference(column) for column in spread.T])
    found = sign_flip_p_values(spread + shown, n_flips=1000, rng=rng(2)) <= 0.05
    assert 0.75 < found.mean() < 0.85


def test_corrected_for_more_comparisons_it_is_found_as_often():
    draw, n_comparisons = rng(3), 8
    spread = draw.normal(size=(300, 1200))
    shown = np.mean(
        [smallest_difference(column, n_comparisons=n_comparisons) for column in spread.T]
    )
    p_values = sign_flip_p_values(spread + shown, n_flips=4000, rng=rng(4))
    assert 0.76 < (p_values * n_comparisons <= 0.05).mean() < 0.84


def test_the_users_that_are_needed_do_show_the_difference():
    draw, asked = rng(5), 0.15
    n_users = users_needed(asked, draw.normal(size=4000))
    assert n_users == pytest.approx((2.8016 / 0.15) ** 2, rel=0.06)
    samples = draw.normal(asked, 1.0, (n_users, 1500))
    found = sign_flip_p_values(samples, n_flips=1000, rng=rng(6)) <= 0.05
    assert 0.75 < found.mean() < 0.85


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60), st.integers(1, 30), st.floats(0.01, 3.0))
def test_one_user_fewer_than_needed_is_too_few(seed, n_users, n_comparisons, asked):
    differences = rng(seed).normal(size=n_users)
    n_needed = users_needed(asked, differences, n_comparisons=n_comparisons)
    scale = differences.std(ddof=1)

    def shown_by(n):
        column = np.tile([1.0, -1.0], n)[:n]
        column = (column - column.mean()) / column.std(ddof=1) * scale
        return smallest_difference(column, n_comparisons=n_comparisons)

    assert n_needed is not None
    if n_needed < 3000:
        assert shown_by(n_needed) <= asked * (1 + 1e-9)
        assert n_needed == 2 or shown_by(n_needed - 1) > asked * (1 - 1e-9)


def test_more_users_show_less_and_more_power_asks_for_more():
    differences = rng(7).normal(size=500)
    assert smallest_difference(np.tile(differences, 4)) < smallest_difference(differences)
    assert smallest_difference(differences, power=0.9) > smallest_difference(differences)


def test_what_nobody_shows_is_not_known():
    assert math.isnan(smallest_difference(np.array([0.1])))
    assert math.isnan(smallest_difference(np.full(9, np.nan)))
    assert users_needed(0.0, np.array([0.1, 0.2])) is None
    assert users_needed(math.nan, np.array([0.1, 0.2])) is None
    assert users_needed(0.1, np.array([0.1])) is None
    assert users_needed(1e-12, np.array([0.0, 1.0])) is None
