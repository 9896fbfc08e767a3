import numpy as np
import pytest

from endcap.features.fold_in import als_user_vector, item_gram
from endcap.models.als import ALS, ALSConfig
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.models.popular import Popular
from endcap.models.reasons import als_parts, drop_reason, strongest_reason
from endcap.models.repeat import Repeat
from endcap.models.trending import Trending
from endcap.schema.protocols import Reason
from endcap.testing.toy_data import START_US, dataset, planted_tastes

SEEDS = np.array([4, 7, 9], dtype=np.int32)


def test_the_strongest_part_is_named_with_its_share_of_what_speaks_for_the_item():
    assert strongest_reason(SEEDS, np.array([1.0, 3.0, -2.0])) == Reason("because_of", 7, 0.75)
    assert strongest_reason(SEEDS, np.array([2.0, 2.0, 0.0])) == Reason("because_of", 4, 0.5)
    assert strongest_reason(SEEDS, np.array([0.0, -1.0, -2.0])) == Reason("similar_taste", None, 0)


def test_the_largest_drop_is_named_as_it_is():
    assert drop_reason(SEEDS, np.array([0.25, -1.0, 0.5])) == Reason("because_of", 9, 0.5)
    assert drop_reason(SEEDS, np.array([-0.25, -1.0, 0.0])) == Reason("similar_taste", None, 0)


def test_the_parts_of_a_factorisation_add_up_to_the_score():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((30, 6)).astype(np.float32)
    confidence = (1 + rng.random(5)).astype(np.float32)
    gram = item_gram(factors)
    parts = als_parts(factors, factors[3:8], confidence, gram, 0.5)
    assert parts.shape == (30, 5)
    user = als_user_vector(factors[3:8], confidence, gram, 0.5)
    np.testing.assert_allclose(parts.sum(axis=1), factors @ user, rtol=1e-4, atol=1e-5)


def test_the_parts_of_a_fitted_factorisation_add_up_to_its_scores():
    data, _ = planted_tastes(np.random.default_rng(1))
    model = ALS(ALSConfig(embedding_size=8, iterations=3, reg=0.5, n_threads=1))
    model.fit(data, rng=np.random.default_rng(0))
    row = model.history_.row(11)
    parts = als_parts(
        model.item_factors_,
        model.item_factors_[row.items],
        model._confidence(row),
        model.gram_,
        model.config.reg,
    )
    scores = model.score(np.array([11], dtype=np.int32))[0]
    known = model.item_factors_.any(axis=1)
    assert known.sum() > 80
    np.testing.assert_allclose(parts.sum(axis=1)[known], scores[known], rtol=1e-3, atol=1e-5)
    named = {reason.item for reason in model.explain(11, np.arange(86, dtype=np.int32))}
    assert len(named) > 2


@pytest.fixture(scope="module")
def shop():
    """Six users had items 0 and 1 together, user 6 item 0 twice, user 7 item 2; nobody item 3."""
    users = np.array([0, 1, 2, 3, 4, 5] * 2 + [6, 6, 7], dtype=np.int32)
    items = np.array([0] * 6 + [1] * 6 + [0, 0, 2], dtype=np.int32)
    return dataset(users, items, np.full(15, START_US, dtype=np.int64), n_users=8, n_items=4)


def test_neighbours_are_named_and_the_rest_is_popular(shop):
    config = ItemKNNConfig(n_neighbours=3, min_users=1, shrink=0)
    model = ItemKNN(config).fit(shop, rng=np.random.default_rng(0))
    near, itself, far, never = model.explain(6, np.array([1, 0, 2, 3], dtype=np.int32))
    assert near == Reason("because_of", 0, 1.0)
    assert [itself.kind, far.kind, never.kind] == ["popular"] * 3
    assert 1 > itself.amount > far.amount > never.amount > 0


def test_what_was_had_is_counted(shop):
    model = Repeat().fit(shop, rng=np.random.default_rng(0))
    had, new = model.explain(6, np.array([0, 1], dtype=np.int32))
    assert had == Reason("had_before", 0, 2.0)
    assert (new.kind, new.item) == ("popular", None)


@pytest.mark.parametrize(("make", "kind"), [(Popular, "popular"), (Trending, "trending")])
def test_counts_are_told(shop, make, kind):
    model = make().fit(shop, rng=np.random.default_rng(0))
    often, never = model.explain(6, np.array([0, 3], dtype=np.int32))
    assert (often.kind, often.item) == (kind, None)
    assert often.amount == pytest.approx(8, rel=1e-6)
    assert never == Reason("none", None, 0.0)
