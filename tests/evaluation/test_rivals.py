import itertools

import numpy as np
import pytest
from evaluation_shop import dataset_of

from endcap.evaluation.lists.checks import check_lists
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.lists.rivals import RandomRanking, expected_metrics_of_random
from endcap.evaluation.metrics.accuracy import MEASURES, find_hits, measure_all
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Recommender
from endcap.schema.types import NO_ITEM, TopK

N_USERS, N_ITEMS = 3_000, 60


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    rows = [(t, int(rng.integers(N_USERS - 2)), int(rng.integers(N_ITEMS))) for t in range(20_000)]
    rows += [(20_000, N_USERS - 1, item) for item in range(N_ITEMS - 3)]
    return dataset_of(rows, n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def model(data):
    return RandomRanking().fit(data, rng=np.random.default_rng(0))


USERS = np.arange(N_USERS, dtype=np.int32)


def test_is_a_recommender(model):
    assert isinstance(model, Recommender)


def test_asks_to_be_fitted():
    with pytest.raises(NotFittedError):
        RandomRanking().recommend(USERS, 3)


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_lists_are_sound(model, data, exclude_seen):
    seen = pair_set(data.interactions.user_idx, data.interactions.item_idx, stride=N_ITEMS)
    ranked = model.recommend(USERS, 10, exclude_seen=exclude_seen)
    forbidden = seen if exclude_seen else None
    check_lists(ranked, name="random", users=USERS, k=10, n_items=N_ITEMS, forbidden=forbidden)
    assert (ranked.items[: N_USERS - 1] != NO_ITEM).all()


def test_every_item_is_equally_likely_on_every_position(model):
    items = model.recommend(USERS, 5, exclude_seen=False).items
    for position in range(5):
        counts = np.bincount(items[:, position], minlength=N_ITEMS)
        expected = N_USERS / N_ITEMS
        chi_squared = ((counts - expected) ** 2 / expected).sum()
        assert chi_squared < 105, "the 99.98th percentile of chi squared with 59 degrees"


def test_a_user_who_has_seen_nearly_all_gets_the_rest_in_random_order(data):
    user, orders = np.array([N_USERS - 1], dtype=np.int32), set()
    for seed in range(40):
        model = RandomRanking().fit(data, rng=np.random.default_rng(seed))
        row = model.recommend(user, 5).items[0].tolist()
        assert row[3:] == [NO_ITEM, NO_ITEM]
        orders.add(tuple(row[:3]))
    assert orders == set(itertools.permutations(range(N_ITEMS - 3, N_ITEMS)))


def test_only_allowed_items(model):
    allowed = np.array([3, 17, 20, 44, 45, 46], dtype=np.int32)
    ranked = model.recommend(USERS, 4, exclude_seen=False, allowed=allowed)
    assert np.unique(ranked.items).tolist() == allowed.tolist()
    nothing = model.recommend(USERS[:2], 4, allowed=np.empty(0, dtype=np.int32))
    assert (nothing.items == NO_ITEM).all()
    assert (nothing.scores == -np.inf).all()


def test_a_list_longer_than_the_catalogue(model):
    ranked = model.recommend(USERS[:3], N_ITEMS + 5, exclude_seen=False)
    assert (np.sort(ranked.items[:, :N_ITEMS], axis=1) == np.arange(N_ITEMS)).all()
    assert (ranked.items[:, N_ITEMS:] == NO_ITEM).all()


def test_a_list_does_not_depend_on_who_else_is_asked(model, data):
    whole = model.recommend(USERS, 10).items
    for user in (0, 7, N_USERS - 1):
        np.testing.assert_array_equal(
            model.recommend(USERS[user : user + 1], 10).items[0], whole[user]
        )
    again = RandomRanking().fit(data, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.recommend(USERS, 10).items, whole)
    other = RandomRanking().fit(data, rng=np.random.default_rng(1))
    assert (other.recommend(USERS, 10).items != whole).mean() > 0.9


def means_over_every_order(*, n_relevant, n_candidates, k):
    """Return the mean of each metric over all orders of the candidates, of which some are right."""
    orders = np.array(list(itertools.permutations(range(n_candidates))), dtype=np.int32)
    items = np.full((len(orders), k), NO_ITEM, dtype=np.int32)
    items[:, : orders.shape[1]] = orders[:, :k]
    ranked = TopK(items, np.zeros(items.shape, dtype=np.float32))
    relevant = [np.arange(n_relevant, dtype=np.int32)] * len(orders)
    hits = find_hits(ranked, relevant, n_candidates=np.full(len(orders), n_candidates))
    return measure_all(hits, k).mean(axis=0)


@pytest.mark.parametrize("n_candidates", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_expected_metrics_against_every_order(n_candidates, k):
    n_relevant = np.arange(1, n_candidates + 1)
    expected = expected_metrics_of_random(n_relevant, np.full_like(n_relevant, n_candidates), k=k)
    assert tuple(expected) == tuple(MEASURES)
    for place, n in enumerate(n_relevant):
        means = means_over_every_order(n_relevant=n, n_candidates=n_candidates, k=k)
        found = [expected[name][place] for name in MEASURES]
        np.testing.assert_allclose(
            found, means, atol=1e-12, err_msg=f"{n} of {n_candidates} at {k}"
        )


def test_sampled_metrics_agree_with_the_expected(model, data):
    seen = pair_set(data.interactions.user_idx, data.interactions.item_idx, stride=N_ITEMS)
    rng = np.random.default_rng(3)
    users = USERS[:-2]
    relevant = []
    for user in users:
        unseen = np.setdiff1d(np.arange(N_ITEMS), seen.items[seen.rows == user])
        relevant.append(np.sort(rng.choice(unseen, rng.integers(1, 9), False)).astype(np.int32))
    n_relevant = np.array([len(row) for row in relevant])
    n_candidates = N_ITEMS - np.bincount(seen.rows, minlength=N_USERS)[users]
    expected = expected_metrics_of_random(n_relevant, n_candidates, k=10)
    ranked = model.recommend(users, 10)
    hits = find_hits(ranked, relevant, n_candidates=n_candidates)
    for name, values in zip(MEASURES, measure_all(hits, 10).T, strict=True):
        error = (values - expected[name]).std() / np.sqrt(len(users))
        assert abs(values.mean() - expected[name].mean()) < 3.5 * error, name
