import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.pointwise.ratings import PredictsRatings, ratings_of
from endcap.models.ratings.als import RatingALS, RatingALSConfig
from endcap.models.ratings.biased_mean import NO_BIAS, BiasedMean, BiasedMeanConfig, best_shrinkage
from endcap.models.ratings.biased_mf import BiasedMF, BiasedMFConfig
from endcap.models.ratings.ridge import solve_ridge, sparse_rows
from endcap.schema.errors import DataError, NotFittedError
from rated import electronics_like, rated

MODELS = (BiasedMean, BiasedMF, RatingALS)


def rng(seed=0):
    return np.random.default_rng(seed)


def rmse(model, rows):
    return float(np.sqrt(np.mean((model.predict(rows.users, rows.items) - rows.stars) ** 2)))


def planted(*, seed=0, n_users=300, n_items=120, per_user=30):
    """Ratings of a mean, biases and two factors, with little noise."""
    draw = rng(seed)
    users = np.repeat(np.arange(n_users), per_user)
    items = np.concatenate([draw.choice(n_items, per_user, replace=False) for _ in range(n_users)])
    of_user, of_item = draw.normal(0, 0.4, n_users), draw.normal(0, 0.4, n_items)
    left, right = draw.normal(0, 0.8, (n_users, 2)), draw.normal(0, 0.8, (n_items, 2))
    stars = 3.5 + of_user[users] + of_item[items] + (left[users] * right[items]).sum(axis=1)
    order = draw.permutation(len(users))
    stars = stars + draw.normal(0, 0.2, len(users))
    return rated(users[order], items[order], stars[order])


def halves(data, share=0.8):
    cut_us = int(data.interactions.ts[round(share * len(data.interactions))])
    return data.between(None, cut_us), ratings_of(data.between(cut_us, None))


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), min_size=1, max_size=60),
    st.floats(0.1, 10),
)
def test_ridge_is_that_of_the_normal_equations(d, pairs, penalty):
    rows, columns = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
    values = rng(1).normal(size=len(rows)).astype(np.float32)
    vectors = rng(2).normal(size=(8, d)).astype(np.float32)
    grouped = sparse_rows(rows, columns, values, n_rows=5)
    found = solve_ridge(
        grouped, grouped.values, vectors, penalties=np.full(5, penalty, dtype=np.float32)
    )
    for row in range(5):
        a = vectors[columns[rows == row]].astype(float)
        b = values[rows == row].astype(float)
        wanted = np.linalg.solve(a.T @ a + penalty * np.eye(d), a.T @ b)
        np.testing.assert_allclose(found[row], wanted, atol=2e-4)


def test_rows_of_many_lengths_go_through_in_blocks(monkeypatch):
    monkeypatch.setattr("endcap.models.ratings.ridge._BLOCK_CELLS", 16)
    rows = np.repeat(np.arange(40), np.arange(40) % 7).astype(np.int32)
    columns = rng().integers(30, size=len(rows)).astype(np.int32)
    grouped = sparse_rows(rows, columns, np.ones(len(rows), dtype=np.float32), n_rows=40)
    vectors = rng(1).normal(size=(30, 4)).astype(np.float32)
    in_blocks = solve_ridge(
        grouped, grouped.values, vectors, penalties=np.ones(40, dtype=np.float32)
    )
    monkeypatch.undo()
    at_once = solve_ridge(grouped, grouped.values, vectors, penalties=np.ones(40, dtype=np.float32))
    np.testing.assert_allclose(in_blocks, at_once, atol=1e-6)
    assert (in_blocks[::7] == 0).all(), "no observations, no vector"


def test_biases_by_hand():
    # Mean 3. Item 0 was given 5 and 3, item 1 given 1: residuals 2, 0 and -2.
    data = rated([0, 1, 0], [0, 0, 1], [5, 3, 1])
    config = BiasedMeanConfig(shrink_users=1, shrink_items=2, n_sweeps=1)
    model = BiasedMean(config).fit(data, rng=rng())
    assert model.item_bias_ == pytest.approx([2 / 4, -2 / 3])
    assert model.user_bias_ == pytest.approx([(1.5 - 4 / 3) / 3, -0.5 / 2])
    found = model.predict(np.array([0, 1], dtype=np.int32), np.array([1, 0], dtype=np.int32))
    assert found == pytest.approx([3 - 2 / 3 + (1.5 - 4 / 3) / 3, 3 + 0.5 - 0.25])


def test_shrinkage_is_the_share_of_noise_over_that_of_groups():
    groups = np.repeat(np.arange(3000), 8).astype(np.int32)
    draw = rng(3)
    values = draw.normal(0, 0.5, 3000)[groups] + draw.normal(0, 1.0, len(groups))
    assert best_shrinkage(groups, values) == pytest.approx(1.0 / 0.25, rel=0.1)


def test_shrinkage_by_hand():
    groups = np.array([0, 0, 1, 1], dtype=np.int32)
    values = np.array([4.0, 2.0, -1.0, -3.0])
    # Means 3 and -2, within 2 + 2 over 2 = 2; among (25 - 2) / (4 - 8 / 4) = 11.5.
    assert best_shrinkage(groups, values) == pytest.approx(2 / 11.5)


@pytest.mark.parametrize(
    ("groups", "values"),
    [([0, 1, 2], [1.0, 5.0, 3.0]), ([0, 0], [1.0, 5.0]), ([0, 0, 1, 1], [1.0, 5.0, 5.0, 1.0])],
)
def test_where_groups_cannot_be_told_apart_there_is_no_bias(groups, values):
    assert best_shrinkage(np.array(groups, dtype=np.int32), np.array(values)) == NO_BIAS


def test_the_shrinkage_that_the_ratings_call_for_beats_the_textbooks():
    train, test = halves(planted(per_user=6))
    textbook = BiasedMeanConfig(shrink_users=10, shrink_items=25)
    found = rmse(BiasedMean().fit(train, rng=rng()), test)
    assert found < rmse(BiasedMean(textbook).fit(train, rng=rng()), test)


def test_factors_find_what_biases_cannot():
    train, test = halves(planted())
    mean = BiasedMean().fit(train, rng=rng())
    factors = BiasedMF(BiasedMFConfig(rank=4, reg=1.0)).fit(train, rng=rng())
    assert rmse(factors, test) < 0.5 * rmse(mean, test)


def test_where_there_is_nothing_to_learn_biases_stay_at_the_mean_and_bare_factors_lose_to_it():
    train, test = halves(electronics_like(n_rows=15_000, n_users=2_000))
    known = np.isin(test.users, train.interactions.user_idx)
    known &= np.isin(test.items, train.interactions.item_idx)
    test = test.take(known)
    overall = ratings_of(train).stars.mean()
    constant = float(np.sqrt(np.mean((test.stars - overall) ** 2)))
    assert rmse(BiasedMean().fit(train, rng=rng()), test) < 1.03 * constant
    for reg in (0.05, 0.1, 0.4):
        bare = RatingALS(RatingALSConfig(rank=32, reg=reg)).fit(train, rng=rng())
        assert rmse(bare, test) > 1.1 * constant


def test_als_minimises_what_it_says():
    """One more half-sweep for users is a ridge with the penalty times the number of ratings."""
    data = planted(n_users=40, n_items=30, per_user=10)
    config = RatingALSConfig(rank=3, reg=0.05, iterations=5)
    model = RatingALS(config).fit(data, rng=rng())
    rows = ratings_of(data)
    for user in (0, 17, 39):
        own = rows.users == user
        vectors = model.item_factors_[rows.items[own]].astype(float)
        penalty = 0.05 * own.sum() * np.eye(3)
        wanted = np.linalg.solve(vectors.T @ vectors + penalty, vectors.T @ rows.stars[own])
        np.testing.assert_allclose(model.user_factors_[user], wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", MODELS)
def test_rating_models_keep_their_promises(kind, tmp_path):
    data = planted(n_users=60, n_items=40, per_user=8)
    users, items = np.array([0, 5, 59], dtype=np.int32), np.array([3, 39, 0], dtype=np.int32)
    model = kind().fit(data, rng=rng(4))
    assert isinstance(model, PredictsRatings)
    first = model.predict(users, items)
    assert first.dtype == np.float32
    assert np.array_equal(first, kind().fit(data, rng=rng(4)).predict(users, items))
    assert np.array_equal(first, model.fit(data, rng=rng(4)).predict(users, items))
    one_by_one = [model.predict(users[[row]], items[[row]])[0] for row in range(3)]
    np.testing.assert_allclose(one_by_one, first, rtol=1e-6)
    model.save(tmp_path)
    assert np.array_equal(kind.load(tmp_path).predict(users, items), first)


@pytest.mark.parametrize("kind", MODELS)
def test_whom_nobody_knows_gets_a_mean(kind):
    data = planted(n_users=60, n_items=40, per_user=8)
    given = data.interactions
    grown = rated(given.user_idx, given.item_idx, given.value, n_users=61, n_items=41)
    model = kind().fit(grown, rng=rng())
    new = model.predict(np.array([60], dtype=np.int32), np.array([40], dtype=np.int32))
    assert new == pytest.approx(given.value.mean(), abs=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_rating_models_say_when_they_cannot(kind, tmp_path):
    with pytest.raises(NotFittedError):
        kind().predict(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32))
    with pytest.raises(NotFittedError):
        kind().save(tmp_path)
    with pytest.raises(DataError):
        kind().fit(planted().between(0, 0), rng=rng())
