import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.evaluation.certainty.bootstrap import Difference, bootstrap_means, resample


def rng(seed=0):
    return np.random.default_rng(seed)


def test_replicates_are_means_of_users_drawn_with_replacement():
    # With values 1, 10, 100, 1000 a mean says how often each user was drawn.
    values = np.array([[1.0], [10.0], [100.0], [1000.0]])
    sums = np.round(bootstrap_means(values, n_replicates=500, rng=rng()) * 4).astype(int)[:, 0]
    digits = np.stack([sums // 10**place % 10 for place in range(4)])
    assert (digits.sum(axis=0) == 4).all(), "as many are drawn as there are users"
    assert np.abs(digits.mean(axis=1) - 1).max() < 0.15
    assert digits.max() > 2, "with replacement"


def test_the_mean_of_many_blocks_of_users():
    values = rng(1).random((20_000, 3))
    replicates = bootstrap_means(values, n_replicates=200, rng=rng())
    spread = values.std(axis=0) / np.sqrt(len(values))
    np.testing.assert_allclose(replicates.mean(axis=0), values.mean(axis=0), atol=5 * spread.max())
    np.testing.assert_allclose(replicates.std(axis=0), spread, rtol=0.2)


def test_intervals_cover_the_truth_about_19_times_in_20():
    # Like NDCG: mostly 0, else spread over (0, 1]. One column is one simulated evaluation.
    p_any, n_users, n_evaluations = 0.15, 400, 1500
    draw = rng(2)
    values = draw.beta(2, 3, (n_users, n_evaluations)) * (
        draw.random((n_users, n_evaluations)) < p_any
    )
    truth = p_any * 2 / 5
    intervals = resample({"one": values}, n_replicates=600, rng=rng(3))["one"].intervals()
    covered = np.mean([each.low <= truth <= each.high for each in intervals])
    assert 0.92 < covered < 0.98
    below = np.mean([each.high < truth for each in intervals])
    assert 0.01 < below < 0.06, "neither end does all the work"


def test_paired_differences_cover_the_truth_and_are_narrower():
    n_users, n_evaluations = 300, 800
    draw = rng(4)
    shared = draw.random((n_users, n_evaluations))
    first = shared + 0.02 + 0.05 * draw.standard_normal((n_users, n_evaluations))
    second = shared + 0.05 * draw.standard_normal((n_users, n_evaluations))
    found = resample({"first": first, "second": second}, n_replicates=600, rng=rng(5))
    differences = found["first"].minus(found["second"])
    covered = np.mean([each.low <= 0.02 <= each.high for each in differences])
    assert 0.92 < covered < 0.98
    alone = np.mean([each.high - each.low for each in found["first"].intervals()])
    paired = np.mean([each.high - each.low for each in differences])
    assert paired < alone / 3, "what users have in common cancels"


def test_two_equal_models_are_rarely_told_apart():
    draw = rng(6)
    first, second = draw.random((200, 500)), draw.random((200, 500))
    found = resample({"a": first, "b": second}, n_replicates=500, rng=rng(7))
    verdicts = [each.verdict for each in found["a"].minus(found["b"])]
    assert 0.92 < np.mean([verdict == "not shown to differ from" for verdict in verdicts]) < 0.98


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Difference(0.3, 0.1, 0.5), "better than"),
        (Difference(-0.3, -0.5, -0.1), "worse than"),
        (Difference(0.3, -0.1, 0.5), "not shown to differ from"),
        (Difference(0.0, 0.0, 0.0), "not shown to differ from"),
        (Difference(np.nan, np.nan, np.nan), "not shown to differ from"),
        (Difference(0.3, 0.1, 0.5, p_value=0.001, p_adjusted=0.05), "better than"),
        (Difference(0.3, 0.1, 0.5, p_value=0.01, p_adjusted=0.06), "not shown to differ from"),
        (Difference(-0.3, -0.5, -0.1, p_value=0.001, p_adjusted=0.01), "worse than"),
        (Difference(-0.3, -0.5, 0.1, p_value=0.001, p_adjusted=0.01), "not shown to differ from"),
        (Difference(0.3, 0.1, 0.5, p_value=0.001), "not shown to differ from"),
    ],
)
def test_verdicts(difference, verdict):
    assert difference.verdict == verdict


def test_the_difference_is_the_first_minus_the_second():
    found = resample({"a": np.full((9, 1), 0.5), "b": np.full((9, 1), 0.2)}, rng=rng())
    (difference,) = found["a"].minus(found["b"])
    assert difference.n_users == 9
    assert [difference.mean, difference.low, difference.high] == pytest.approx([0.3] * 3)


def test_columns_stay_with_their_model():
    values = {"a": np.full((5, 2), [1.0, 2.0]), "b": np.full((5, 1), 3.0)}
    found = resample(values, n_replicates=20, rng=rng())
    assert [each.mean for each in found["a"].intervals()] == [1.0, 2.0]
    assert [each.low for each in found["b"].intervals()] == pytest.approx([3.0])


def test_the_same_generator_gives_the_same_interval():
    values = {"a": rng(8).random((50, 2))}
    first, again = (resample(values, rng=rng(9))["a"].intervals() for _ in range(2))
    assert first == again


def test_no_users_no_numbers():
    found = resample({"a": np.empty((0, 2))}, rng=rng())["a"]
    assert all(np.isnan([each.mean, each.low, each.high]).all() for each in found.intervals())
    assert np.isnan(found.minus(found)[0].mean)


def test_a_mean_is_over_the_users_for_whom_it_is_defined():
    values = np.array([[1.0, 5.0], [3.0, np.nan], [np.nan, np.nan], [8.0, 7.0]])
    first, second = resample({"a": values}, rng=rng())["a"].intervals()
    assert (first.mean, first.n_users) == (4.0, 3)
    assert (second.mean, second.n_users) == (6.0, 2)
    assert 1.0 <= first.low < first.high <= 8.0
    assert (second.low, second.high) == (5.0, 7.0)


def test_each_replicate_divides_by_its_own_number_of_defined_users():
    # A fixed denominator would spread: the drawn number of defined users is not always half.
    values = np.where(np.arange(100) % 2 == 0, 0.25, np.nan)[:, None]
    replicates = bootstrap_means(values, n_replicates=300, rng=rng())
    np.testing.assert_allclose(replicates, 0.25, rtol=1e-12)


def test_intervals_of_partly_defined_columns_cover_the_truth():
    draw, n_users, n_evaluations = rng(20), 300, 800
    values = draw.beta(2, 3, (n_users, n_evaluations))
    values[draw.random(values.shape) < 0.6] = np.nan
    intervals = resample({"a": values}, n_replicates=500, rng=rng(21))["a"].intervals()
    assert 0.92 < np.mean([each.low <= 0.4 <= each.high for each in intervals]) < 0.98


def test_a_difference_is_over_the_users_for_whom_both_are_defined():
    first = np.array([[1.0], [2.0], [np.nan], [9.0]])
    second = np.array([[0.5], [np.nan], [3.0], [8.0]])
    found = resample({"a": first, "b": second}, rng=rng())
    (difference,) = found["a"].minus(found["b"])
    assert (difference.mean, difference.n_users) == (0.75, 2)
    assert (difference.low, difference.high) == (0.5, 1.0)


def test_a_model_with_gaps_stays_paired_with_one_without():
    shared = rng(22).random((400, 1)) * 100
    first, second = shared + 1.0, shared.copy()
    first[rng(23).random((400, 1)) < 0.3] = np.nan
    found = resample({"a": first, "b": second}, n_replicates=200, rng=rng())
    (difference,) = found["a"].minus(found["b"])
    assert [difference.mean, difference.low, difference.high] == pytest.approx([1.0] * 3)
    assert difference.n_users == np.isfinite(first).sum()


def test_gaps_of_one_column_leave_the_others_as_they_were():
    values = rng(24).random((50, 3))
    holed = values.copy()
    holed[::3, 1] = np.nan
    whole, partly = (bootstrap_means(each, rng=rng(25)) for each in (values, holed))
    np.testing.assert_allclose(whole[:, [0, 2]], partly[:, [0, 2]], rtol=1e-12)


def test_a_column_defined_for_nobody_has_no_numbers_and_no_users():
    found = resample({"a": np.array([[1.0, np.nan], [2.0, np.nan]])}, rng=rng())["a"]
    nothing = found.intervals()[1]
    assert nothing.n_users == found.minus(found)[1].n_users == 0
    assert np.isnan([nothing.mean, nothing.low, nothing.high]).all()


def test_a_user_alone_among_many_has_a_mean_and_no_interval():
    values = np.full((60, 1), np.nan)
    values[7] = 0.5
    (alone,) = resample({"a": values}, rng=rng())["a"].intervals()
    assert (alone.mean, alone.n_users) == (0.5, 1)
    assert np.isnan([alone.low, alone.high]).all(), "one user says nothing of others"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0.0, 0.9))
def test_bounds_hold_the_mean_and_lie_within_the_values(n_users, seed, share_missing):
    values = rng(seed).normal(size=(n_users, 2))
    values[rng(seed + 1).random(values.shape) < share_missing] = np.nan
    intervals = resample({"a": values}, n_replicates=50, rng=rng(seed))["a"].intervals()
    for column, found in zip(values.T, intervals, strict=True):
        known = column[~np.isnan(column)]
        assert found.n_users == len(known)
        if len(known) and not np.isnan(found.low):
            slack = 1e-9
            assert known.min() - slack <= found.low <= found.high <= known.max() + slack
            assert found.mean == pytest.approx(known.mean())


@pytest.mark.slow
def test_a_thousand_replicates_of_a_whole_table_take_less_than_five_seconds():
    values = {f"model {number}": rng(number).random((22_363, 15)) for number in range(8)}
    for columns in values.values():
        columns[:2_000, 8] = np.nan
    started_s = time.process_time()
    found = resample(values, n_replicates=1000, rng=rng())
    for model in found.values():
        assert len(model.intervals()) == len(model.minus(found["model 0"])) == 15
    assert time.process_time() - started_s < 5
