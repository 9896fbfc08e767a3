import time

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from endcap.models.als import ALS, ALSConfig
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Updates
from endcap.schema.types import DAY_US
from endcap.testing.models import every_user
from endcap.testing.toy_data import dataset, planted_tastes

CONFIG = ALSConfig(embedding_size=8, iterations=3, reg=0.5, alpha=3.0, n_threads=1)


def fitted(config=CONFIG):
    data, _ = planted_tastes(np.random.default_rng(1))
    return ALS(config).fit(data, rng=np.random.default_rng(0)), data


def test_folding_in_equals_the_librarys_own():
    model, data = fitted()
    history = model.history_
    confidence = sparse.csr_matrix(
        (model._confidence(history), history.items, history.indptr),
        shape=(data.n_users, data.n_items),
    )
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(factors=8, regularization=0.5, alpha=1.0, use_cg=False)
        library.item_factors = model.item_factors_
        users = np.arange(data.n_users)
        expected = library.recalculate_user(users, confidence)
    np.testing.assert_allclose(model.user_vectors(users), expected, rtol=1e-3, atol=1e-5)


def test_training_has_lowered_the_loss_it_is_for():
    once = loss(*fitted(CONFIG.model_copy(update={"iterations": 1})))
    often = loss(*fitted(CONFIG.model_copy(update={"iterations": 10})))
    assert often < once


def test_an_item_nobody_took_has_no_vector_and_comes_last():
    data, _ = planted_tastes(np.random.default_rng(1))
    wider = type(data)(
        interactions=data.interactions,
        n_users=data.n_users,
        n_items=data.n_items + 1,
        items=type(data.items)(*[np.full(data.n_items + 1, -1, dtype=np.int32)] * 3),
    )
    model = ALS(CONFIG).fit(wider, rng=np.random.default_rng(0))
    assert not model.item_factors_[-1].any()
    ranked = model.recommend(np.array([0, 5]), wider.n_items, exclude_seen=False)
    assert ranked.items[:, -1].tolist() == [data.n_items, data.n_items]


def loss(model, data):
    """What training lowers: weighed squared errors of all users and items, and squared lengths."""
    history = model.history_
    weight, taken = np.ones((data.n_users, data.n_items)), np.zeros((data.n_users, data.n_items))
    sure = model._confidence(history)
    for user in range(data.n_users):
        part = history.part(user)
        weight[user, history.items[part]], taken[user, history.items[part]] = sure[part], 1
    users = model.user_vectors(np.arange(data.n_users))
    error = taken - users @ model.item_factors_.T
    lengths = np.sum(users**2) + np.sum(model.item_factors_**2)
    return np.sum(weight * error**2) + model.config.reg * lengths


def test_an_update_starts_from_what_is_known():
    whole, _ = planted_tastes(np.random.default_rng(1))
    cut_us = int(whole.interactions.ts[9 * len(whole.interactions) // 10])
    config = CONFIG.model_copy(update={"iterations": 15, "update_iterations": 2})
    model = ALS(config).fit(whole.between(None, cut_us), rng=np.random.default_rng(0))
    assert isinstance(model, Updates)
    before = model.item_factors_.copy()
    updated = model.update(whole, since_us=cut_us, rng=np.random.default_rng(0))
    short = config.model_copy(update={"iterations": 2})
    cold = ALS(short).fit(whole, rng=np.random.default_rng(0))
    long = ALS(config).fit(whole, rng=np.random.default_rng(0))
    assert loss(updated, whole) < loss(cold, whole)
    assert loss(updated, whole) == pytest.approx(loss(long, whole), rel=0.02)
    np.testing.assert_array_equal(model.item_factors_, before)


def test_an_update_knows_new_users_and_items():
    data, _ = planted_tastes(np.random.default_rng(1))
    told, new_item, new_user = data.interactions, data.n_items, data.n_users
    takers = np.arange(0, 40, 4)  # of one group
    more = dataset(
        np.concatenate([told.user_idx, takers, [new_user]]),
        np.concatenate([told.item_idx, np.full(11, new_item)]),
        np.concatenate([told.ts, np.full(11, data.end_us)]),
        n_users=data.n_users + 1,
        n_items=data.n_items + 1,
    )
    model = ALS(CONFIG).fit(data, rng=np.random.default_rng(0))
    updated = model.update(more, since_us=data.end_us, rng=np.random.default_rng(0))
    assert updated.item_factors_.shape == (data.n_items + 1, 8)
    shown = updated.recommend(np.array([new_user], dtype=np.int32), 8).items[0]
    taste = shown[shown < 80]  # the others are bestsellers
    assert len(taste) > 0
    assert np.all(taste < 20), "what the group takes that took the new item"
    assert new_item not in shown
    assert len(updated.recommend(every_user(more), 3).items) == data.n_users + 1


def test_updating_before_fitting_is_an_error():
    data, _ = planted_tastes(np.random.default_rng(1))
    with pytest.raises(NotFittedError):
        ALS(CONFIG).update(data, since_us=0, rng=np.random.default_rng(0))


def test_the_factors_are_those_of_the_bare_library():
    model, data = fitted()
    history = model.history_
    confidence = sparse.csr_matrix(
        (model._confidence(history), history.items, history.indptr),
        shape=(data.n_users, data.n_items),
    )
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(
            factors=8,
            regularization=0.5,
            alpha=1.0,
            iterations=3,
            num_threads=1,
            random_state=int(np.random.default_rng(0).integers(2**31)),
        )
        library.fit(confidence, show_progress=False)
    np.testing.assert_array_equal(model.item_factors_, library.item_factors)


@pytest.mark.slow
def test_nearly_all_of_the_time_is_the_librarys(monkeypatch):
    draw = np.random.default_rng(0)
    n = 150_000
    data = dataset(
        draw.integers(20_000, size=n).astype(np.int32),
        (12_000 * draw.random(n) ** 2).astype(np.int32),
        np.sort(draw.integers(10**12, size=n)),
        n_users=20_000,
        n_items=12_000,
    )
    inside_s = []
    bare = AlternatingLeastSquares.fit

    def timed(self, *arguments, **options):
        started_s = time.process_time()
        bare(self, *arguments, **options)
        inside_s.append(time.process_time() - started_s)

    monkeypatch.setattr(AlternatingLeastSquares, "fit", timed)
    ratios = []
    for _ in range(3):  # what else runs on the machine can only add to a round
        started_s = time.process_time()
        ALS(ALSConfig(n_threads=1)).fit(data, rng=np.random.default_rng(0))
        ratios.append((time.process_time() - started_s) / inside_s[-1])
    assert min(ratios) < 1.05


@pytest.mark.parametrize(("at_once", "alpha"), [(1, 20.0), (3, 5.0)])
def test_what_is_left_open_follows_from_the_data(tmp_path, at_once, alpha):
    """A hundred users, of whom half were last seen 200 days before the end or longer ago."""
    draw = np.random.default_rng(2)
    n_users, n_moments = 100, 4
    days = 400 - 4 * np.arange(n_users)[:, np.newaxis] - np.arange(n_moments)
    ts_us = np.repeat(days.ravel(), at_once).astype(np.int64) * DAY_US + 10**15
    users = np.repeat(np.arange(n_users), n_moments * at_once)
    order = np.argsort(ts_us, kind="stable")
    items = draw.integers(50, size=len(users))
    data = dataset(users[order], items[order], ts_us[order], n_users=n_users, n_items=50)
    open_ = ALSConfig(embedding_size=4, iterations=1, n_threads=1)
    model = ALS(open_).fit(data, rng=draw)
    assert model.config.alpha == alpha
    assert model.config.half_life_days == pytest.approx(200, abs=3)
    model.save(tmp_path)
    assert ALS.load(tmp_path).config == model.config
    given = ALS(open_.model_copy(update={"alpha": 1.0, "half_life_days": 7.0})).fit(data, rng=draw)
    assert (given.config.alpha, given.config.half_life_days) == (1.0, 7.0)
    fresh = data.between(data.end_us - 40 * DAY_US, None)
    assert model.fit(fresh, rng=draw).config.half_life_days == 30.0, "a fit begins anew"
