import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, ttest_1samp

from endcap.evaluation.certainty.bootstrap import resample
from endcap.evaluation.certainty.significance import differences_from, holm, sign_flip_p_values


def rng(seed=0):
    return np.random.default_rng(seed)


def exact(differences):
    """The same p-value from all possible signs."""
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    sums = np.abs(signs @ differences)
    return (sums >= abs(differences.sum()) - 1e-9).mean()


@pytest.mark.parametrize(
    "differences",
    [[0.5, 0.25, 1.0, 0.125, 0.7], [0.3, -0.1, 0.9, 0.4, -0.2, 0.8, 0.6], [1.0, -1.0, 1.0, 1.0]],
)
def test_p_values_are_those_of_all_possible_signs(differences):
    column = np.array(differences)
    (found,) = sign_flip_p_values(column[:, None], n_flips=20_000, rng=rng())
    assert found == pytest.approx(exact(column), abs=0.012)


def test_golden_three_users_who_all_prefer_the_first():
    # Two of the eight ways to set the signs give as large a sum: + + + and - - -.
    (found,) = sign_flip_p_values(np.array([[1.0], [2.0], [3.0]]), n_flips=40_000, rng=rng(1))
    assert found == pytest.approx(0.25, abs=0.008)


def test_it_agrees_with_students_t_on_many_users():
    differences = rng(2).normal(0.05, 1.0, (1500, 12))
    found = sign_flip_p_values(differences, rng=rng(3))
    expected = ttest_1samp(differences, 0.0).pvalue
    np.testing.assert_allclose(found, expected, atol=0.015)


def test_it_agrees_with_the_binomial_test_on_hits_where_t_claims_too_much():
    column = np.zeros(20_000)
    column[:5] = 1.0  # five users were hit by the first alone, none by the second
    (found,) = sign_flip_p_values(column[:, None], rng=rng(4))
    assert found == pytest.approx(binomtest(5, 5).pvalue, abs=0.008)
    assert ttest_1samp(column, 0.0).pvalue < 0.05 < found


def test_equal_models_are_called_different_about_once_in_twenty():
    # Skewed, as metrics are: most users differ by nothing, a few by much.
    draw = rng(5)
    differences = draw.exponential(1.0, (400, 1500)) * (draw.random((400, 1500)) < 0.2)
    differences -= 0.2
    found = sign_flip_p_values(differences, n_flips=1000, rng=rng(6))
    assert 0.03 < (found <= 0.05).mean() < 0.075


def test_the_smallest_p_value_is_one_in_all_draws():
    (found,) = sign_flip_p_values(np.full((200, 1), 0.3), n_flips=999, rng=rng())
    assert found == 1 / 1000


def test_equal_models_have_a_p_value_of_one_and_unmeasured_ones_none():
    values = np.column_stack([np.zeros(6), np.full(6, np.nan), [np.nan, *np.zeros(5)]])
    np.testing.assert_array_equal(sign_flip_p_values(values, rng=rng()), [1.0, np.nan, 1.0])
    assert np.isnan(sign_flip_p_values(np.empty((0, 2)), rng=rng())).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_neither_the_order_of_models_nor_other_columns_matter(seed, n_users):
    differences = rng(seed).normal(size=(n_users, 3))
    differences[:, 2] *= rng(seed).random(n_users) < 0.3
    found = sign_flip_p_values(differences, n_flips=200, rng=rng(1))
    swapped = sign_flip_p_values(-differences, n_flips=200, rng=rng(1))
    (alone,) = sign_flip_p_values(differences[:, 2:], n_flips=200, rng=rng(1))
    np.testing.assert_array_equal(found, swapped)
    assert alone == found[2]
    assert ((found > 0) & (found <= 1)).all()


def test_golden_holm():
    # Sorted: .01 * 4, .02 * 3, .03 * 2 (no less than the one before), .04 * 1 likewise.
    found = holm(np.array([0.04, 0.01, 0.03, 0.02]))
    np.testing.assert_allclose(found, [0.06, 0.04, 0.06, 0.06])


def test_holm_leaves_out_what_was_not_compared_and_keeps_the_shape():
    found = holm(np.array([[0.01, np.nan], [0.5, 0.9]]))
    np.testing.assert_allclose(found, [[0.03, np.nan], [1.0, 1.0]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_lies_between_the_plain_and_the_bonferroni_p_values(p_values):
    plain = np.array(p_values)
    found = holm(plain)
    assert (found >= plain).all()
    assert (found <= np.minimum(plain * len(plain), 1.0) + 1e-15).all()
    assert (found >= false_discovery_control(plain) - 1e-12).all()
    assert (np.diff(found[np.argsort(plain, kind="stable")]) >= 0).all()


def test_a_family_of_equal_models_is_claimed_to_differ_at_most_once_in_twenty():
    draw, n_tables, n_models = rng(7), 300, 8
    claims, uncorrected = 0, 0
    for _ in range(n_tables):
        p_values = sign_flip_p_values(draw.normal(size=(60, n_models)), n_flips=400, rng=draw)
        claims += bool((holm(p_values) <= 0.05).any())
        uncorrected += bool((p_values <= 0.05).any())
    assert claims / n_tables < 0.08
    assert uncorrected / n_tables > 0.2


def table(n_users=600):
    draw = rng(8)
    shared = draw.random((n_users, 2))
    return {
        "popular": shared,
        "better": shared + draw.normal(0.05, 0.2, (n_users, 2)),
        "same": shared + draw.normal(0.0, 0.2, (n_users, 2)),
        "worse": shared + draw.normal(-0.05, 0.2, (n_users, 2)),
    }


def test_every_model_is_compared_with_the_rival_as_one_family():
    found = differences_from("popular", resample(table(), rng=rng(9)), rng=rng(10))
    assert list(found) == ["better", "same", "worse"]
    verdicts = {name: {each.verdict for each in columns} for name, columns in found.items()}
    assert verdicts == {
        "better": {"better than"},
        "same": {"not shown to differ from"},
        "worse": {"worse than"},
    }
    plain = np.array([[each.p_value for each in columns] for columns in found.values()])
    adjusted = np.array([[each.p_adjusted for each in columns] for columns in found.values()])
    np.testing.assert_array_equal(adjusted, holm(plain))


def test_columns_outside_of_the_family_have_intervals_alone():
    resampled = resample(table(), rng=rng(9))
    found = differences_from("popular", resampled, columns=[1], rng=rng(10))["better"]
    assert np.isnan(found[0].p_value)
    assert np.isnan(found[0].p_adjusted)
    assert found[1].p_adjusted == pytest.approx(3 * found[1].p_value)
    assert found[0].low == resampled["better"].minus(resampled["popular"])[0].low


def test_a_rival_without_others_leaves_nothing_to_compare():
    assert differences_from("a", resample({"a": np.ones((3, 1))}, rng=rng()), rng=rng()) == {}


def test_the_same_generator_gives_the_same_p_values():
    resampled = resample(table(100), rng=rng(9))
    first, again = (differences_from("popular", resampled, rng=rng(11)) for _ in range(2))
    assert first == again
