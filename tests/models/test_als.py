import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from endcap.models.als import ALS, ALSConfig
from endcap.testing.models import planted_tastes

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
    def loss(model, data):
        history = model.history_
        weight, taken = (
            np.ones((data.n_users, data.n_items)),
            np.zeros((data.n_users, data.n_items)),
        )
        sure = model._confidence(history)
        for user in range(data.n_users):
            part = history.part(user)
            weight[user, history.items[part]], taken[user, history.items[part]] = sure[part], 1
        users = model.user_vectors(np.arange(data.n_users))
        error = taken - users @ model.item_factors_.T
        lengths = np.sum(users**2) + np.sum(model.item_factors_**2)
        return np.sum(weight * error**2) + model.config.reg * lengths

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
