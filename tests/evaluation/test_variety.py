"""Measures of variety where something is missing, and side by side with rankings of known kind."""

from dataclasses import replace

import numpy as np
import pytest

from endcap.evaluation.lists.rivals import RandomRanking
from endcap.evaluation.metrics.accuracy import find_hits
from endcap.evaluation.metrics.ground import ground_of, had_pairs
from endcap.evaluation.metrics.variety import VARIETY, measure_variety
from endcap.schema.types import TopK
from varied_shop import CATALOGUE, PAST, dataset_of, items_of, lists_of, split_of, varied_ground

N_USERS, N_ITEMS, K = 300, 200, 10


@pytest.fixture(scope="module")
def split():
    """Users who keep to one of ten categories, in a shop where low items sell best."""
    rng = np.random.default_rng(4)
    category = [item % 10 for item in range(N_ITEMS)]

    def draw(user, n):
        return [(user, 10 * int(20 * rng.random() ** 2) + user % 10) for _ in range(n)]

    past = [pair for user in range(N_USERS) for pair in draw(user, 8)]
    future = [pair for user in range(N_USERS) for pair in draw(user, 3)]
    return split_of(past, future, n_users=N_USERS, items=items_of(category=category))


def columns_of(split, ranked) -> dict[str, np.ndarray]:
    targets = split.targets["all"]
    hits = find_hits(ranked, targets.rows())
    values = measure_variety(ranked, hits, targets.users, ground_of(split), k=K)
    return dict(zip(VARIETY, values.T, strict=True))


def popular_lists(split) -> TopK:
    counts = np.bincount(had_pairs(split.train).items, minlength=N_ITEMS)
    best = np.argsort(-counts, kind="stable")[:K]
    return lists_of(*[best] * len(split.targets["all"]))


def random_lists(split) -> TopK:
    ranking = RandomRanking().fit(split.train, rng=np.random.default_rng(1))
    return ranking.recommend(split.targets["all"].users, K, exclude_seen=False)


def of_own_category(split) -> TopK:
    return lists_of(*[np.arange(K) * 10 + user % 10 for user in split.targets["all"].users])


def test_measures_tell_rankings_of_known_kind_apart(split):
    popular, random, own = (
        {name: np.nanmean(column) for name, column in columns_of(split, make(split)).items()}
        for make in (popular_lists, random_lists, of_own_category)
    )
    assert popular["novelty"] < own["novelty"] < random["novelty"]
    assert popular["popularity_bias"] > 0 > random["popularity_bias"]
    assert own["serendipity"] > 5 * popular["serendipity"]
    assert own["diversity"] == 0.0
    # 10 of 200 items, 20 in each of ten categories: 19 of 199 others are alike.
    assert random["diversity"] == pytest.approx(1 - 19 / 199, abs=0.01)
    assert own["calibration"] == 0.0
    assert random["calibration"] > 1.0


def test_without_a_catalogue_nothing_is_said_of_categories(split):
    unknown = np.full(N_ITEMS, -1, dtype=np.int32)
    bare = replace(split.train, items=replace(split.train.items, category=unknown))
    found = columns_of(replace(split, train=bare), random_lists(split))
    assert np.isnan(found["diversity"]).all()
    assert np.isnan(found["calibration"]).all()
    assert not np.isnan(found["novelty"]).any()


def test_taste_is_of_departments_where_no_category_is_known():
    items = items_of(department=CATALOGUE.category.tolist())
    taste = ground_of(split_of(PAST, [(0, 0)], n_users=5, items=items)).taste
    assert taste.attribute == "department"
    assert taste.indptr.tolist() == varied_ground().taste.indptr.tolist()


def test_codes_without_names_are_named_by_number():
    items = replace(CATALOGUE, category_names=("a",))
    groups = ground_of(split_of(PAST, [(0, 0)], n_users=5, items=items)).groups
    assert groups["category"].names == ("a", "category 1", "category 2")


def test_who_had_an_item_twice_had_it_once():
    twice = ground_of(split_of([*PAST, *PAST], [(0, 0)], n_users=5, items=CATALOGUE))
    assert twice.n_users_who_had.tolist() == varied_ground().n_users_who_had.tolist()
    np.testing.assert_array_equal(twice.history_percentile, varied_ground().history_percentile)


def test_what_shows_no_interest_is_no_history():
    data = dataset_of([(0, 0, 0), (1, 0, 1)], n_users=1, items=CATALOGUE)
    weight = np.array([1.0, 0.0], dtype=np.float32)
    weighed = replace(data, interactions=replace(data.interactions, weight=weight))
    assert had_pairs(weighed).items.tolist() == [0]


def test_diversity_may_be_taken_from_vectors():
    ranked = lists_of([0, 1], [0, 2])
    hits = find_hits(ranked, [np.array([0], dtype=np.int32)] * 2)
    vectors = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]])
    whose = np.array([0, 1], dtype=np.int32)
    found = measure_variety(ranked, hits, whose, varied_ground(), k=2, vectors=vectors)
    assert found[:, VARIETY.index("diversity")].tolist() == [0.0, 1.0]


def test_no_users_give_no_values():
    ranked = lists_of([0, 1])
    empty = TopK(ranked.items[:0], ranked.scores[:0])
    nobody = np.empty(0, dtype=np.int32)
    found = measure_variety(empty, find_hits(empty, []), nobody, varied_ground(), k=2)
    assert found.shape == (0, len(VARIETY))
