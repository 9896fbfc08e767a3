import numpy as np
import pytest

from endcap.evaluation.certainty.bootstrap import resample, resample_seeds
from endcap.evaluation.certainty.significance import differences_from


def rng(seed=0):
    return np.random.default_rng(seed)


def trained(draw, *, n_seeds, n_users, n_columns, spread_of_seeds, spread_of_users=1.0):
    """Values whose true mean is 0: one column is one simulated evaluation."""
    of_seeds = spread_of_seeds * draw.standard_normal((n_seeds, 1, n_columns))
    of_users = spread_of_users * draw.standard_normal((1, n_users, n_columns))
    return of_seeds + of_users


def test_one_seed_is_the_bootstrap_over_users():
    values = rng(1).random((80, 3))
    plain = resample({"a": values}, rng=rng(2))["a"]
    seeded = resample_seeds({"a": values[None]}, rng=rng(2))["a"]
    assert plain.intervals() == seeded.intervals()
    assert {found.n_seeds for found in plain.intervals()} == {1}


def test_seeds_widen_the_interval_and_are_named_in_it():
    values = trained(rng(3), n_seeds=5, n_users=400, n_columns=1, spread_of_seeds=0.2)
    (blind,) = resample({"a": values.mean(axis=0)}, rng=rng(4))["a"].intervals()
    (aware,) = resample_seeds({"a": values}, rng=rng(4))["a"].intervals()
    assert aware.mean == pytest.approx(blind.mean)
    assert aware.high - aware.low > 1.3 * (blind.high - blind.low)
    assert (blind.n_seeds, aware.n_seeds) == (1, 5)


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_the_spread_of_replicates_is_that_of_the_mean_over_seeds(n_seeds):
    # With so many users only the seeds are chance; drawing n of n would give (n - 1) / n of it.
    values = trained(
        rng(5),
        n_seeds=n_seeds,
        n_users=20,
        n_columns=400,
        spread_of_seeds=1.0,
        spread_of_users=0.0,
    )
    found = resample_seeds({"a": values}, n_replicates=400, rng=rng(6))["a"]
    measured = found.replicates.var(axis=0).mean()
    assert measured == pytest.approx(1.0 / n_seeds, rel=0.12)


def test_intervals_cover_the_truth_where_those_over_users_alone_do_not():
    values = trained(rng(7), n_seeds=8, n_users=200, n_columns=400, spread_of_seeds=0.3)
    aware = resample_seeds({"a": values}, n_replicates=300, rng=rng(8))["a"].intervals()
    blind = resample({"a": values[0]}, n_replicates=300, rng=rng(8))["a"].intervals()
    assert np.mean([found.low <= 0 <= found.high for found in aware]) > 0.88
    assert np.mean([found.low <= 0 <= found.high for found in blind]) < 0.5


def test_seeds_of_two_models_are_drawn_apart():
    values = trained(
        rng(9), n_seeds=4, n_users=30, n_columns=1, spread_of_seeds=1.0, spread_of_users=0.0
    )
    found = resample_seeds({"a": values, "b": values.copy()}, rng=rng(10))
    (difference,) = found["a"].minus(found["b"])
    assert difference.mean == 0
    assert difference.low < -0.1 < 0.1 < difference.high
    assert difference.n_seeds == 4


def test_a_user_counts_when_it_is_defined_under_every_seed():
    values = np.array([[[1.0], [2.0], [4.0]], [[3.0], [np.nan], [6.0]]])
    (found,) = resample_seeds({"a": values}, rng=rng())["a"].intervals()
    assert (found.mean, found.n_users) == (3.5, 2)


def test_what_no_seed_changes_may_stand_beside_what_each_changes():
    fixed = np.broadcast_to(rng(11).random((50, 2)), (3, 50, 2))
    values = {"a": rng(12).random((3, 50, 2)), "b": fixed}
    found = resample_seeds(values, n_replicates=50, rng=rng())
    expected = resample({"b": fixed[0]}, n_replicates=50, rng=rng())["b"]
    np.testing.assert_allclose(found["b"].replicates, expected.replicates, rtol=1e-12)


def test_models_of_unlike_numbers_of_users_are_refused():
    with pytest.raises(ValueError, match="numbers of users"):
        resample_seeds({"a": np.zeros((2, 5, 1)), "b": np.zeros((2, 6, 1))}, rng=rng())


def test_a_difference_allows_for_the_seeds_of_the_one_with_fewer():
    values = {"a": rng(19).random((4, 30, 1)), "b": rng(20).random((1, 30, 1))}
    found = resample_seeds(values, n_replicates=50, rng=rng())
    assert found["a"].minus(found["b"])[0].n_seeds == 1
    (tested,) = differences_from("b", found, n_flips=100, rng=rng())["a"]
    assert 0 < tested.p_value <= 1


def test_models_that_differ_by_the_luck_of_their_seeds_are_rarely_told_apart():
    draw, n_columns = rng(13), 300
    shared = draw.standard_normal((1, 500, n_columns))
    values = {
        name: shared
        + 0.1 * draw.standard_normal((4, 1, n_columns))
        + 0.05 * draw.standard_normal((4, 500, n_columns))
        for name in ("a", "b")
    }
    aware = resample_seeds(values, n_replicates=100, rng=rng(14))
    found = differences_from("b", aware, n_flips=500, rng=rng(15))["a"]
    assert np.mean([difference.p_value <= 0.05 for difference in found]) < 0.09
    one = resample({name: of_model[0] for name, of_model in values.items()}, rng=rng(14))
    blind = differences_from("b", one, n_flips=500, rng=rng(15))["a"]
    assert np.mean([difference.p_value <= 0.05 for difference in blind]) > 0.8


def test_a_difference_beyond_the_luck_of_seeds_is_shown():
    draw = rng(16)
    values = {
        name: mean + 0.01 * draw.standard_normal((5, 1, 1)) + 0.1 * draw.random((5, 300, 1))
        for name, mean in (("a", 0.2), ("b", 0.1))
    }
    resampled = resample_seeds(values, n_replicates=300, rng=rng(17))
    (found,) = differences_from("b", resampled, n_flips=2000, rng=rng(18))["a"]
    assert found.verdict == "better than"
    assert found.n_seeds == 5
