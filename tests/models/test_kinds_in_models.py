"""What each model makes of the weights of interactions, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.features.weights import KindWeights, interest, weigh
from endcap.models.als import ALS, ALSConfig
from endcap.models.learning.baskets import build_baskets
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.models.popular import Popular
from endcap.models.repeat import Repeat, RepeatConfig
from endcap.models.trending import Trending
from endcap.models.two_tower import model as two_tower
from endcap.models.two_tower.inputs import log_popularity
from endcap.models.two_tower.model import TwoTower
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import START_US, dataset

N_ITEMS = 6
LONG = 1e9  # a half-life so long that nothing decays


def learnt(*events) -> Dataset:
    """What may be learnt from (user, item, kind, day), where a view weighs a quarter."""
    events = sorted(events, key=lambda event: event[3])
    users, items, days = (np.array([event[n] for event in events]) for n in (0, 1, 3))
    data = dataset(
        users.astype(np.int32),
        items.astype(np.int32),
        START_US + days.astype(np.int64) * DAY_US,
        n_users=int(users.max()) + 1,
        n_items=N_ITEMS,
    )
    kind = np.array([KIND_CODES[event[2]] for event in events], dtype=np.uint8)
    told = replace(data, interactions=replace(data.interactions, kind=kind))
    return interest(weigh(told, KindWeights(view=0.25)))


def rng():
    return np.random.default_rng(0)


THREE_LOOKS_ONE_SALE = (
    (0, 1, Kind.VIEW, 1),
    (1, 1, Kind.VIEW, 1),
    (2, 1, Kind.VIEW, 1),
    (0, 2, Kind.PURCHASE, 1),
    (0, 3, Kind.VIEW, 1),
)


@pytest.mark.parametrize("model", [Popular, Trending])
def test_one_sale_is_more_popular_than_three_looks(model):
    fitted = model().fit(learnt(*THREE_LOOKS_ONE_SALE), rng=rng())
    np.testing.assert_allclose(fitted.counts_[1:4], [0.75, 1.0, 0.25], rtol=1e-5)
    stranger = np.array([-1], dtype=np.int32)
    assert fitted.recommend(stranger, 3).items.tolist() == [[2, 1, 3]]


@pytest.mark.parametrize(
    "model", [Repeat(), ItemKNN(), ALS(ALSConfig(embedding_size=2, iterations=1))]
)
def test_lists_are_filled_up_by_the_same_popularity(model):
    fitted = model.fit(learnt(*THREE_LOOKS_ONE_SALE), rng=rng())
    assert np.argsort(-fitted.beneath_, kind="stable")[:3].tolist() == [2, 1, 3]


def test_the_tower_knows_popularity_by_weight():
    popularity = log_popularity(learnt(*THREE_LOOKS_ONE_SALE), half_life_days=LONG)
    np.testing.assert_allclose(np.exp(popularity[1:4]) - 0.5, [0.75, 1.0, 0.25], rtol=1e-5)


def test_repeats_count_by_weight():
    data = learnt(
        (0, 1, Kind.VIEW, 1),
        (0, 1, Kind.VIEW, 1),
        (0, 1, Kind.VIEW, 1),
        (0, 2, Kind.PURCHASE, 1),
    )
    fitted = Repeat(RepeatConfig(half_life_days=LONG)).fit(data, rng=rng())
    ranked = fitted.recommend(np.array([0], dtype=np.int32), 2, exclude_seen=False)
    assert ranked.items.tolist() == [[2, 1]]
    np.testing.assert_allclose(ranked.scores, [[1.0, 0.75]], rtol=1e-5)


def test_neighbours_are_tied_by_the_interest_in_both():
    data = learnt(
        (0, 0, Kind.PURCHASE, 1),
        (0, 1, Kind.PURCHASE, 1),
        (0, 2, Kind.VIEW, 1),
        (1, 0, Kind.PURCHASE, 1),
        (1, 0, Kind.PURCHASE, 1),
        (1, 2, Kind.VIEW, 1),
        (1, 2, Kind.VIEW, 1),
    )
    config = ItemKNNConfig(
        n_neighbours=3,
        shrink=1,
        popularity_power=0.5,
        pair_half_life_days=LONG,
        min_users=1,
        user_power=0,
    )
    fitted = ItemKNN(config).fit(data, rng=rng())
    # Interest of users 0 and 1, at most 1: item 0 (1, 1), item 1 (1, 0), item 2 (0.25, 0.5).
    sizes = [2.0, 1.0, 0.25**2 + 0.5**2]
    with_1 = 1 * 1 / (np.sqrt(sizes[0] * sizes[1]) + 1)
    with_2 = (0.25 + 0.5) / (np.sqrt(sizes[0] * sizes[2]) + 1)
    assert fitted.neighbour_items_[0].tolist() == [2, 1, -1]
    np.testing.assert_allclose(fitted.neighbour_sims_[0], [with_2, with_1, 0], rtol=1e-5)


def test_als_is_surer_of_a_purchase_than_of_a_look():
    fitted = ALS(ALSConfig(embedding_size=2, iterations=1, alpha=4.0, half_life_days=LONG)).fit(
        learnt((0, 1, Kind.VIEW, 1), (0, 2, Kind.PURCHASE, 1)), rng=rng()
    )
    confidence = fitted._confidence(fitted.history_)
    np.testing.assert_allclose(confidence, 1 + 4 * np.log1p([0.25, 1.0]), rtol=1e-5)


def test_the_tower_is_trained_to_foresee_by_weight():
    data = learnt(
        (0, 0, Kind.PURCHASE, 1),
        (0, 1, Kind.VIEW, 2),
        (0, 2, Kind.PURCHASE, 2),
        (0, 0, Kind.VIEW, 2),
    )
    baskets = build_baskets(data.interactions, repeat_weight=0.5)
    np.testing.assert_allclose(
        baskets.target_weight(N_ITEMS)[:3], [1.0 + 0.5 * 0.25, 0.25, 1.0], rtol=1e-6
    )
    drawn = baskets.targets(np.array([0]), 4000, rng=rng())
    assert np.mean(drawn == 1) / np.mean(drawn == 2) == pytest.approx(0.25, abs=0.05)


def test_the_history_of_the_tower_says_as_much_as_was_done_so_far():
    data = learnt(
        (0, 1, Kind.VIEW, 1),
        (0, 1, Kind.VIEW, 2),
        (0, 2, Kind.PURCHASE, 2),
        (0, 3, Kind.PURCHASE, 3),
    )
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    seeds = baskets.seeds(np.array([1]), max_history=5, half_life_days=LONG)
    expected = np.log1p([0.5, 1.0])
    by_item = dict(zip(seeds.items.tolist(), seeds.weights.tolist(), strict=True))
    np.testing.assert_allclose([by_item[1], by_item[2]], expected / expected.sum(), rtol=1e-5)


def test_the_tower_never_learns_that_what_was_refused_was_wanted(monkeypatch):
    data = learnt(
        (0, 0, Kind.PURCHASE, 1),
        (0, 1, Kind.PURCHASE, 2),
        (0, 2, Kind.PURCHASE, 3),
        (0, 1, Kind.DISLIKE, 4),
        (1, 1, Kind.PURCHASE, 1),
        (1, 3, Kind.PURCHASE, 2),
    )
    told = []

    def note(interactions, **options):
        told.append(interactions)
        raise StopTrainingError

    monkeypatch.setattr(two_tower, "build_baskets", note)
    with pytest.raises(StopTrainingError):
        TwoTower().fit(data, rng=rng())
    pairs = set(zip(told[0].user_idx.tolist(), told[0].item_idx.tolist(), strict=True))
    assert pairs == {(0, 0), (0, 2), (1, 1), (1, 3)}


class StopTrainingError(Exception):
    """Training is not what is tested."""
