"""What lists give to groups of items: small groups, few users, no users, intervals."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from endcap.evaluation.certainty.bootstrap import resample
from endcap.evaluation.lists.rivals import RandomRanking
from endcap.evaluation.metrics.batches import Batches
from endcap.evaluation.metrics.exposure import ExposureResult, exposure, gini, measure_exposure
from endcap.evaluation.metrics.ground import POPULARITY, ground_of
from endcap.evaluation.split import Targets
from endcap.schema.types import TopK
from varied_shop import items_of, split_of

N_USERS, N_ITEMS, K = 400, 300, 10


def make_split(*, brand=None):
    """Return a split in which low items sell best; the third of the items with odd tens is b."""
    rng = np.random.default_rng(3)
    past = [(user, int(N_ITEMS * rng.random() ** 3)) for user in range(N_USERS) for _ in range(6)]
    future = [(user, int(N_ITEMS * rng.random() ** 2)) for user in range(N_USERS) for _ in range(3)]
    category = [1 if item % 3 == 0 else 0 for item in range(N_ITEMS)]
    return split_of(past, future, n_users=N_USERS, items=items_of(category=category, brand=brand))


@pytest.fixture(scope="module")
def split():
    return make_split()


def constant(items, n_users: int) -> TopK:
    rows = np.tile(np.array(items, dtype=np.int32), (n_users, 1))
    return TopK(rows, np.zeros(rows.shape, dtype=np.float32))


def random_lists(split) -> TopK:
    ranking = RandomRanking().fit(split.train, rng=np.random.default_rng(1))
    return ranking.recommend(split.targets["all"].users, K, exclude_seen=False)


def measured(split, lists, **options):
    options = {"n_replicates": 200, "rng": np.random.default_rng(0)} | options
    return measure_exposure(lists, split.targets["all"], ground_of(split), k=K, **options)


def test_random_lists_expose_each_group_like_the_catalogue(split):
    found = measured(split, {"random": random_lists(split)})
    for attribute in ("category", POPULARITY):
        result = found[attribute]["random"]
        for row in result.rows:
            share = row.exposure_share
            # Of many rows one may well lie outside of its 95 % interval, but not by far.
            standard_error = (share.high - share.low) / (2 * 1.96)
            assert abs(share.mean - row.catalogue_share) < 4 * standard_error
        assert result.parity_difference.mean < 0.1


def test_lists_of_best_sellers_expose_the_popular_alone(split):
    n_users = len(split.targets["all"])
    best = measured(split, {"popular": constant(range(K), n_users)})[POPULARITY]["popular"]
    assert best.rows[0].name == "most popular 10 %"
    assert best.rows[0].exposure_share.mean == 1.0
    assert best.parity_difference.mean == 1.0
    assert best.rows[-1].exposure_share.mean == 0.0
    # Every list alike: the head's targets are found, the tail's never.
    assert best.opportunity_difference.mean > 0.1


@pytest.mark.parametrize("k", [1, 3])
def test_a_constant_list_concentrates_exposure_on_its_items(k):
    shown = exposure(constant(range(k), 50).items, n_items=20)
    assert gini(shown) == pytest.approx(1 - k / 20)


def test_rows_of_an_attribute_sum_to_one():
    split = make_split(brand=[item % 40 if item % 7 else -1 for item in range(N_ITEMS)])
    found = measured(split, {"random": random_lists(split)}, min_items=7)
    assert list(found) == ["category", "brand", POPULARITY]
    for of_attribute in found.values():
        rows = of_attribute["random"].rows
        for share in ("catalogue_share", "history_share"):
            assert sum(getattr(row, share) for row in rows) == pytest.approx(1.0)
        assert sum(row.exposure_share.mean for row in rows) == pytest.approx(1.0)


def test_of_many_groups_the_largest_are_named_and_the_others_counted():
    # 38 brands of 7 items, and two of 8 and of 12
    sizes = {0: 8, 1: 12} | {brand: 7 for brand in range(2, 40)}
    brand = [one for one, size in sizes.items() for _ in range(size)]
    split = make_split(brand=[*brand, *[-1] * (N_ITEMS - len(brand))])
    result = measured(split, {"random": random_lists(split)}, min_items=7)["brand"]["random"]
    assert [row.n_items for row in result.rows[:3]] == [12, 8, 7]
    assert len(result.rows) == 22
    assert [row.in_parity for row in result.rows] == [True] * 20 + [False] * 2
    others, unknown = result.rows[-2:]
    assert (others.name, others.n_groups, others.n_items) == ("20 others", 20, 140)
    assert (unknown.name, unknown.n_groups) == ("unknown", 0)
    assert (result.n_pooled, len(result.pooled)) == (20, 20)
    assert not {row.name for row in result.rows} & set(result.pooled)


def test_groups_too_small_to_compare_leave_no_difference():
    split = make_split(brand=[min(item, 3) for item in range(N_ITEMS)])
    result = measured(split, {"random": random_lists(split)})["brand"]["random"]
    assert [row.name for row in result.rows] == ["d", "3 others"]
    assert result.pooled == ("a", "b", "c")
    assert np.isnan(result.parity_difference.mean)
    assert np.isnan(result.opportunity_difference.mean)


def test_groups_with_targets_of_few_users_do_not_count_for_opportunity(split):
    n_users = len(split.targets["all"])
    lists = {"popular": constant(range(K), n_users)}
    result = measured(split, lists, min_users=100)[POPULARITY]["popular"]
    compared = [row for row in result.rows if row.in_opportunity]
    few = [row for row in result.rows if row.in_parity and not row.in_opportunity]
    assert compared
    assert few
    assert all(row.hit_share.n_users >= 100 for row in compared)
    assert all(row.hit_share.n_users < 100 for row in few)
    shares = [row.hit_share.mean for row in compared]
    assert result.opportunity_difference.mean == pytest.approx(max(shares) - min(shares))


def test_only_candidates_count_where_not_everything_may_be_listed(split):
    allowed = np.arange(100, 200, dtype=np.int32)
    n_users = len(split.targets["all"])
    lists = {"model": constant(allowed[:K], n_users)}
    result = measured(split, lists, allowed=allowed)["category"]["model"]
    assert [row.n_items for row in result.rows] == [67, 33]
    assert sum(row.exposure_share.mean for row in result.rows) == pytest.approx(1.0)


def test_the_interval_of_a_difference_is_about_it(split):
    for of_attribute in measured(split, {"random": random_lists(split)}).values():
        result = of_attribute["random"]
        for found in (result.parity_difference, result.opportunity_difference):
            middle = (found.low + found.high) / 2
            assert found.low < found.mean < found.high
            assert middle == pytest.approx(found.mean, abs=(found.high - found.low) / 4)


def test_empty_lists_are_left_out_and_counted_out(split):
    ranked = random_lists(split)
    ranked.items[:50] = -1
    row = measured(split, {"model": ranked})["category"]["model"].rows[0]
    assert row.exposure_share.n_users == len(ranked) - 50


def test_a_view_without_users_has_no_shares(split):
    nobody = Targets(
        *(np.empty(0, np.int32), np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, bool))
    )
    lists = {"model": constant(range(K), 0)}
    found = measure_exposure(
        lists, nobody, ground_of(split), k=K, rng=np.random.default_rng(0), n_replicates=20
    )
    row = found["category"]["model"].rows[0]
    assert (row.n_items, row.exposure_share.n_users) == (200, 0)
    assert np.isnan([row.exposure_share.mean, row.hit_share.low]).all()


def test_the_same_generator_gives_the_same_result(split):
    lists = {"random": random_lists(split)}
    assert measured(split, lists) == measured(split, lists)


def test_a_model_is_measured_alike_in_any_company(split):
    ranked, n_users = random_lists(split), len(split.targets["all"])
    alone = measured(split, {"random": ranked})
    beside = measured(split, {"popular": constant(range(K), n_users), "random": ranked})
    assert alone["category"]["random"] == beside["category"]["random"]


def test_results_survive_json(split):
    result = measured(split, {"random": random_lists(split)})["category"]["random"]
    read = TypeAdapter(ExposureResult).validate_python(json.loads(json.dumps(asdict(result))))
    assert read == result


def test_batches_spread_a_mean_as_single_users_do():
    rng = np.random.default_rng(8)
    values = rng.random((20_000, 3)) * [1, 5, 100]
    values[rng.random(values.shape) < 0.4] = np.nan
    batches = Batches.of(len(values), n_replicates=1000, rng=rng)
    (means,) = batches.means([batches.gather(values)])
    single = resample({"model": values}, n_replicates=1000, rng=rng)["model"]
    np.testing.assert_allclose(means.mean, np.nanmean(values, axis=0))
    assert means.n_users.tolist() == (~np.isnan(values)).sum(axis=0).tolist()
    for column, expected in enumerate(single.intervals()):
        found = means.interval(column)
        assert found.mean == pytest.approx(expected.mean)
        # Either is known to some 3 %.
        assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.15)


def test_few_users_are_batches_of_their_own():
    values = np.array([[1.0], [2.0], [np.nan]])
    batches = Batches.of(3, n_replicates=500, rng=np.random.default_rng(2))
    (means,) = batches.means([batches.gather(values)])
    assert means.mean.tolist() == [1.5]
    drawn = means.replicates[~np.isnan(means.replicates)]
    assert set(drawn.round(6)) == {1.0, 2.0, 1.5, round(4 / 3, 6), round(5 / 3, 6)}


def test_histories_of_queries_are_not_those_of_users():
    split = make_split()
    one = split.train.interactions.take(slice(0, 1))
    asked = replace(split.train, interactions=one, n_users=N_USERS)
    ground, of_queries = ground_of(split), ground_of(replace(split, history=asked))
    np.testing.assert_array_equal(ground.percentile, of_queries.percentile)
    assert (~np.isnan(of_queries.history_percentile)).sum() == 1
    assert len(of_queries.taste.codes) == 1
