import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.pointwise.metrics import (
    error_sums,
    interval,
    mean_sums,
    pooled,
    resampled_pooled,
)

USERS = np.array([7, 2, 7, 2, 2, 9], dtype=np.int32)
GIVEN = np.array([5, 1, 3, 4, 4, 2], dtype=np.float32)
PREDICTED = np.array([4, 3, 3, 4, 5, 5], dtype=np.float32)
"""Errors: user 2: 2, 0, 1; user 7: -1, 0; user 9: 3."""


def test_errors_by_hand():
    sums = error_sums(USERS, GIVEN, PREDICTED)
    assert sums.users.tolist() == [2, 7, 9]
    assert sums.n_rows.tolist() == [3, 2, 1]
    assert sums.squared.tolist() == [5, 1, 9]
    assert sums.absolute.tolist() == [3, 1, 3]
    rmse, mae, mse = sums.per_user().T
    np.testing.assert_allclose(mse, [5 / 3, 1 / 2, 9])
    np.testing.assert_allclose(mae, [1, 1 / 2, 3])
    np.testing.assert_allclose(rmse, np.sqrt([5 / 3, 1 / 2, 9]))
    np.testing.assert_allclose(pooled(sums.sums().sum(axis=0)), [np.sqrt(15 / 6), 7 / 6, 15 / 6])


def test_a_mean_over_users_is_not_the_pooled_error():
    sums = error_sums(USERS, GIVEN, PREDICTED)
    assert sums.per_user()[:, 2].mean() == pytest.approx((5 / 3 + 1 / 2 + 9) / 3)
    assert pooled(sums.sums().sum(axis=0))[2] == pytest.approx(2.5)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.floats(1, 5, width=32), st.floats(-9, 9, width=32)),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_errors_do_not_depend_on_the_order_of_rows_and_keep_their_bounds(rows, random):
    def errors(rows):
        users, given, predicted = (np.array(column) for column in zip(*rows, strict=True))
        return error_sums(
            users.astype(np.int32), given.astype(np.float32), predicted.astype(np.float32)
        )

    first = errors(rows)
    again = errors(random.sample(rows, len(rows)))
    np.testing.assert_allclose(first.sums(), again.sums())
    for columns in (first.per_user(), pooled(first.sums().sum(axis=0))[None]):
        rmse, mae, mse = columns.T
        assert (mae >= 0).all()
        assert (rmse >= mae - 1e-9).all(), "a mean of squares is no less than a squared mean"
        np.testing.assert_allclose(rmse**2, mse, atol=1e-9)


@given(st.integers(1, 30), st.floats(0.1, 3))
def test_moving_every_prediction_further_away_makes_every_error_larger(n_rows, step):
    rng = np.random.default_rng(n_rows)
    users = rng.integers(4, size=n_rows).astype(np.int32)
    given = rng.integers(1, 6, size=n_rows).astype(np.float32)
    away = given + rng.choice([-1.0, 1.0], size=n_rows).astype(np.float32)
    further = away + np.sign(away - given) * np.float32(step)
    near, far = (error_sums(users, given, predicted) for predicted in (away, further))
    assert (far.per_user() > near.per_user()).all()


def test_sums_of_several_draws_are_averaged():
    sums = [error_sums(USERS, GIVEN, GIVEN + shift) for shift in (np.float32(1), np.float32(3))]
    np.testing.assert_allclose(mean_sums(sums).squared, 5 * sums[0].n_rows)
    np.testing.assert_allclose(mean_sums(sums).absolute, 2 * sums[0].n_rows)


def test_intervals_of_pooled_errors_allow_for_rows_of_one_user_being_alike():
    # Each user errs by one amount in all rows, so the users are the sample, and not the rows.
    rng = np.random.default_rng(1)
    n_evaluations, n_users, covered, by_rows = 150, 120, 0, 0
    for _ in range(n_evaluations):
        n_own = rng.geometric(0.2, size=n_users)
        errors = np.repeat(rng.standard_normal(n_users), n_own).astype(np.float32)
        users = np.repeat(np.arange(n_users), n_own).astype(np.int32)
        given = np.zeros(len(users), dtype=np.float32)
        sums = error_sums(users, given, errors)
        replicates = resampled_pooled({"one": sums}, n_replicates=200, rng=rng)["one"]
        found = interval(float("nan"), replicates[:, 2], n_users=n_users)
        covered += found.low <= 1.0 <= found.high
        alone = 1.96 * np.std(errors**2) / np.sqrt(len(errors))
        by_rows += abs(np.mean(errors**2) - 1.0) <= alone
    assert 0.85 < covered / n_evaluations < 0.99
    assert by_rows / n_evaluations < 0.8, "as if rows were independent: too narrow"
