"""The lists of the counting models on the tiny shop, as they were before kinds had weights.

All of its interactions are purchases, so weights must not change a thing.
"""

from dataclasses import replace

import numpy as np
import pytest

from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.models import registry
from endcap.testing.toy_data import checkerboard

USERS = np.array([0, 3, 7], dtype=np.int32)
LISTS = {
    ("popular", True): [
        [206, 50, 57, 19, 100, 99, 261, 200, 25, 15],
        [206, 50, 19, 100, 200, 25, 120, 138, 295, 65],
        [206, 50, 57, 100, 99, 261, 200, 120, 48, 138],
    ],
    ("popular", False): [
        [206, 50, 57, 19, 100, 99, 261, 200, 25, 120],
        [206, 50, 57, 19, 100, 99, 261, 200, 25, 120],
        [206, 50, 57, 19, 100, 99, 261, 200, 25, 120],
    ],
    ("trending", True): [
        [206, 50, 265, 19, 25, 261, 236, 295, 200, 119],
        [206, 50, 265, 19, 25, 236, 295, 200, 138, 119],
        [206, 50, 261, 236, 200, 138, 119, 120, 100, 99],
    ],
    ("trending", False): [
        [206, 50, 265, 19, 25, 261, 236, 295, 200, 138],
        [206, 50, 265, 19, 25, 261, 236, 295, 200, 138],
        [206, 50, 265, 19, 25, 261, 236, 295, 200, 138],
    ],
    ("repeat", True): [
        [206, 50, 57, 19, 100, 99, 261, 200, 25, 15],
        [206, 50, 19, 100, 200, 25, 120, 138, 295, 65],
        [206, 50, 57, 100, 99, 261, 200, 120, 48, 138],
    ],
    ("repeat", False): [
        [72, 6, 240, 294, 12, 216, 0, 144, 120, 132],
        [9, 261, 153, 255, 285, 93, 57, 165, 207, 213],
        [25, 217, 43, 199, 139, 175, 115, 61, 295, 19],
    ],
    ("item_knn", True): [
        [210, 102, 264, 60, 42, 252, 108, 162, 90, 119],
        [273, 69, 291, 3, 51, 17, 260, 130, 120, 125],
        [223, 163, 13, 283, 259, 236, 50, 238, 195, 12],
    ],
    ("item_knn", False): [
        [78, 132, 180, 156, 246, 192, 186, 6, 138, 174],
        [225, 99, 141, 87, 57, 165, 261, 195, 15, 39],
        [1, 61, 193, 265, 199, 217, 181, 49, 145, 295],
    ],
}
"""By model and exclude_seen: ten items for each of the users."""


@pytest.mark.parametrize(("name", "exclude_seen"), list(LISTS))
def test_purchases_alone_rank_as_before(shop, name, exclude_seen):
    data = interest(weigh(shop.data, DEFAULT_WEIGHTS))
    model = registry.create(name).fit(data, rng=np.random.default_rng(7))
    ranked = model.recommend(USERS, 10, exclude_seen=exclude_seen)
    assert ranked.items.tolist() == LISTS[name, exclude_seen]


def create(name):
    if name != "two_tower":
        return registry.create(name)
    config = registry.model_class(name)().config
    return registry.model_class(name)(config.model_copy(update={"max_steps": 10}))


@pytest.mark.parametrize("name", registry.NAMES)
def test_weights_of_one_are_no_weights(name):
    data = checkerboard()
    ones = np.ones(len(data.interactions), dtype=np.float32)
    weighed = replace(data, interactions=replace(data.interactions, weight=ones))
    users = np.arange(data.n_users, dtype=np.int32)
    plain, told = (
        create(name).fit(one, rng=np.random.default_rng(7)).recommend(users, 8)
        for one in (data, weighed)
    )
    np.testing.assert_array_equal(plain.items, told.items)
    np.testing.assert_array_equal(plain.scores, told.scores)
