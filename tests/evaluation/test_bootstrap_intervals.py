import numpy as np
import pytest

from endcap.evaluation.bootstrap import Difference, bootstrap_means, resample


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
    ],
)
def test_verdicts(difference, verdict):
    assert difference.verdict == verdict


def test_the_difference_is_the_first_minus_the_second():
    found = resample({"a": np.full((9, 1), 0.5), "b": np.full((9, 1), 0.2)}, rng=rng())
    (difference,) = found["a"].minus(found["b"])
    assert difference == Difference(*[pytest.approx(0.3)] * 3)


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
