import numpy as np

from endcap.features.fold_in import als_confidence, als_user_vector, item_gram
from endcap.features.history import UserHistory
from endcap.schema.types import DAY_US


def test_solves_the_weighted_least_squares_it_states():
    rng = np.random.default_rng(5)
    factors = rng.standard_normal((30, 4)).astype(np.float32)
    own, confidence, reg = np.array([3, 8, 20]), np.array([2.0, 5.0, 1.5], dtype=np.float32), 0.7
    found = als_user_vector(factors[own], confidence, item_gram(factors), reg)
    # The same written out: sum of c (p - x.y)^2 over all items, plus reg |x|^2, at its minimum.
    c, p = np.ones(30), np.zeros(30)
    c[own], p[own] = confidence, 1.0
    gradient = factors.T @ (c * (factors @ found - p)) + reg * found
    assert found.dtype == np.float32
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_without_history_the_vector_is_zero():
    factors = np.eye(3, dtype=np.float32)
    none = np.empty(0, dtype=np.float32)
    assert als_user_vector(factors[:0], none, item_gram(factors), 0.1).tolist() == [0, 0, 0]


def test_the_gram_is_not_changed():
    factors = np.eye(3, dtype=np.float32)
    gram = item_gram(factors)
    als_user_vector(factors[:1], np.array([3.0], dtype=np.float32), gram, 0.1)
    np.testing.assert_array_equal(gram, np.eye(3))


def test_confidence_is_one_for_the_forgotten_and_grows_with_count_and_recency():
    now = 100 * DAY_US
    row = UserHistory(
        items=np.arange(3, dtype=np.int32),
        counts=np.array([1, 1, 3], dtype=np.float32),
        first_ts=np.array([0, now, now]),
        last_ts=np.array([now - 60 * DAY_US, now, now]),
    )
    confidence = als_confidence(row, now_us=now, alpha=2.0, half_life_days=60.0)
    assert confidence.dtype == np.float32
    np.testing.assert_allclose(
        confidence, [1 + np.log(2), 1 + 2 * np.log(2), 1 + 2 * np.log(4)], rtol=1e-6
    )
    forgotten = als_confidence(row, now_us=10**5 * DAY_US, alpha=2.0, half_life_days=1.0)
    assert forgotten.tolist() == [1, 1, 1]
