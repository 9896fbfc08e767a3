from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.bundle.scorer.neighbours import NeighbourScorer
from endcap.bundle.scorer.panel import open_scorers
from endcap.bundle.scorer.ranked import NEW_US, WEEK_US, ShopRanker
from endcap.features.fold_in import als_confidence, als_user_vector, item_gram
from endcap.features.history import UserHistory, tower_weights
from endcap.features.neighbours import score_neighbours
from endcap.schema.types import DAY_US, NO_ITEM
from endcap.testing.shop import SHOP_END_US

NOW_US = SHOP_END_US


def listed(ranked):
    return [item for item in ranked.items[0].tolist() if item != NO_ITEM]


def ranks_at(bundle, now_us=NOW_US, *, popular=None, trending=None, shoppers=None):
    none = np.zeros(bundle.n_items)
    return ShopRanker(bundle).at(
        now_us=now_us,
        live_popular=none if popular is None else popular,
        live_trending=none if trending is None else trending,
        live_shoppers=shoppers or {},
    )


class TestNeighbours:
    @pytest.fixture
    def scorer(self):
        return NeighbourScorer(
            np.array([[1, 2], [2, 3], [0, -1], [0, 1]], dtype=np.int32),
            np.array([[0.9, 0.5], [0.6, 0.2], [0.4, 0.0], [0.3, 0.1]], dtype=np.float32),
            is_available=np.array([True, True, True, False]),
        )

    def test_adds_the_similarities_of_all_seeds(self, scorer):
        seeds, weights = np.array([0, 1], dtype=np.int32), np.array([1.0, 2.0], dtype=np.float32)
        ranked = scorer.rank(seeds, weights, 3)
        assert ranked.items.tolist() == [[2, 1, NO_ITEM]]  # item 3 cannot be had
        assert ranked.scores[0, :2].tolist() == pytest.approx([0.5 + 2 * 0.6, 0.9])

    def test_leaves_out_what_is_excluded(self, scorer):
        ranked = scorer.rank(
            np.array([0], dtype=np.int32),
            np.ones(1, dtype=np.float32),
            3,
            exclude=np.array([1], dtype=np.int32),
        )
        assert listed(ranked) == [2]

    def test_counts_the_neighbours_that_can_be_shown(self, scorer):
        items = np.array([0, 1, 2], dtype=np.int32)
        nothing = np.empty(0, dtype=np.int32)
        assert scorer.n_neighbours(items, exclude=nothing).tolist() == [2, 1, 1]
        assert scorer.n_neighbours(items, exclude=np.array([2])).tolist() == [1, 0, 1]

    def test_names_the_seed_that_speaks_loudest(self, scorer):
        seeds, weights = np.array([0, 1], dtype=np.int32), np.array([1.0, 2.0], dtype=np.float32)
        items = np.array([2, 1, 0], dtype=np.int32)
        assert scorer.strongest_seeds(items, seeds, weights).tolist() == [1, 0, NO_ITEM]
        assert scorer.strongest_seeds(items, seeds[:0], weights[:0]).tolist() == [NO_ITEM] * 3

    def test_ranks_as_the_shared_rule_does(self, bundle):
        seeds = bundle.history.row(3).items
        weights = np.linspace(0.1, 1, len(seeds)).astype(np.float32)
        expected = score_neighbours(
            seeds, weights, bundle.neighbour_items, bundle.neighbour_sims, bundle.n_items
        )
        expected[~bundle.is_available] = 0
        ranked = open_scorers(bundle).neighbours.rank(seeds, weights, 30)
        np.testing.assert_array_equal(
            ranked.items[0], np.lexsort((np.arange(len(expected)), -expected))[:30]
        )


class TestVectors:
    def test_fold_in_is_the_shared_rule_over_what_can_be_had(self, bundle):
        row = bundle.history.row(5)
        confidence = als_confidence(
            row, now_us=NOW_US, alpha=bundle.als_alpha, half_life_days=bundle.als_half_life_days
        )
        factors = bundle.als_item_factors
        vector = als_user_vector(factors[row.items], confidence, item_gram(factors), bundle.als_reg)
        scorer = open_scorers(bundle).fold_in
        np.testing.assert_allclose(scorer.user_vector(row, now_us=NOW_US), vector, rtol=1e-5)
        scores = factors @ vector
        n_takers = np.diff(bundle.shoppers_indptr)
        scores[~bundle.is_available | (n_takers < 2)] = -np.inf
        expected = np.argsort(-scores, kind="stable")[:20]
        ranked = scorer.rank(row, 20, now_us=NOW_US)
        np.testing.assert_allclose(ranked.scores[0], scores[expected], rtol=1e-4)
        assert set(ranked.items[0].tolist()) == set(expected.tolist())

    def test_tower_gets_the_vectors_and_weights_of_the_history(self, tower_bundle):
        row = tower_bundle.history.row(5)
        weights = tower_weights(row, NOW_US, tower_bundle.tower_half_life_days)
        total = weights @ tower_bundle.tower_item_vectors[row.items]
        vector = open_scorers(tower_bundle).tower.user_vector(row, now_us=NOW_US)
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), rtol=1e-4, atol=1e-6)

    def test_tower_looks_at_the_latest_items_only(self, tower_bundle):
        n_items = tower_bundle.tower_max_history + 20
        row = UserHistory(
            items=np.arange(n_items, dtype=np.int32),
            counts=np.ones(n_items, dtype=np.float32),
            first_ts=np.arange(n_items, dtype=np.int64),
            last_ts=np.arange(n_items, dtype=np.int64),
        )
        scorer = open_scorers(tower_bundle).tower
        np.testing.assert_array_equal(
            scorer.user_vector(row, now_us=NOW_US),
            scorer.user_vector(row.latest(tower_bundle.tower_max_history), now_us=NOW_US),
        )

    def test_of_an_item_that_nobody_had_als_says_nothing(self, bundle):
        (never, *_) = np.flatnonzero(np.diff(bundle.shoppers_indptr) == 0)
        row = UserHistory(
            items=np.array([never], dtype=np.int32),
            counts=np.ones(1, dtype=np.float32),
            first_ts=np.array([NOW_US]),
            last_ts=np.array([NOW_US]),
        )
        assert np.abs(bundle.als_item_factors[never]).max() < 1e-6
        factors = np.array(bundle.als_item_factors)
        factors[never] = 0
        scorer = open_scorers(replace(bundle, als_item_factors=factors)).fold_in
        assert scorer.rank(row, 10, now_us=NOW_US).k == 0
        assert scorer.similar(int(never), 10).k == 0
        assert never not in listed(scorer.rank(bundle.history.row(5), 400, now_us=NOW_US))

    def test_similar_items_do_not_include_the_item_itself(self, tower_bundle):
        scorers = open_scorers(tower_bundle)
        for scorer in (scorers.fold_in, scorers.tower):
            assert 3 not in listed(scorer.similar(3, 10))


class TestShopRanks:
    def test_popular_is_by_decayed_count_of_what_can_be_had(self, bundle):
        counts = np.where(bundle.is_available, bundle.popular_counts, -1)
        expected = np.argsort(-counts.astype(np.float32), kind="stable")[:50]
        assert listed(ranks_at(bundle).popular)[:50] == expected.tolist()

    def test_a_department_holds_its_own_items_best_first(self, bundle):
        ranks = ranks_at(bundle)
        for code in ranks.departments:
            items = listed(ranks.department(code))
            counts = bundle.popular_counts[items]
            assert (bundle.department[items] == code).all()
            assert bundle.is_available[items].all()
            assert (np.diff(counts) <= 0).all()
        assert sorted(ranks.departments) == list(range(6))

    def test_live_events_lift_an_item(self, bundle):
        item = listed(ranks_at(bundle).popular)[40]
        live = np.zeros(bundle.n_items)
        live[item] = 1000.0
        ranks = ranks_at(bundle, popular=live, trending=live)
        assert listed(ranks.popular)[0] == item
        assert listed(ranks.department(int(bundle.department[item])))[0] == item

    def test_trending_rises_above_its_usual_and_was_bought_by_several(self, bundle):
        ranks = ranks_at(bundle)
        items = listed(ranks.trending)
        usual = bundle.popular_counts[items] * 7 / 90
        assert items
        assert (bundle.trending_counts[items] > usual).all()
        assert all(bundle.n_shoppers_since(item, NOW_US - WEEK_US) >= 2 for item in items)
        assert items[:10] != listed(ranks.popular)[:10]

    def test_nothing_trends_once_the_week_is_over(self, bundle):
        assert listed(ranks_at(bundle, NOW_US + 8 * DAY_US).trending) == []

    def test_new_is_what_was_first_seen_in_the_last_weeks(self, shop, bundle):
        items = listed(ranks_at(bundle).newest)
        events = shop.data.interactions
        old = set(events.item_idx[events.ts < NOW_US - NEW_US].tolist())
        late = set(events.item_idx.tolist()) - old
        assert set(items) == {item for item in late if bundle.is_available[item]}
        assert len(items) > 5
        assert listed(ranks_at(bundle, NOW_US + NEW_US).newest) == []

    def test_nothing_is_new_when_the_data_has_just_begun(self, bundle):
        young = replace(
            bundle, first_seen_us=np.full(bundle.n_items, NOW_US - DAY_US, dtype=np.int64)
        )
        assert listed(ranks_at(young).newest) == []

    def test_what_the_bundle_lacks_is_not_ranked(self, bundle):
        ranks = ranks_at(replace(bundle, trending_counts=None, first_seen_us=None))
        assert listed(ranks.trending) == listed(ranks.newest) == []
        assert listed(ranks.popular)


def test_scorers_are_opened_only_for_what_is_there(bundle, tower_bundle):
    bare = open_scorers(replace(bundle, neighbour_items=None, als_item_factors=None))
    assert (bare.neighbours, bare.fold_in, bare.tower) == (None, None, None)
    assert open_scorers(bundle).tower is None
    assert open_scorers(tower_bundle).tower is not None
