import math

import numpy as np
import pytest

from endcap.evaluation.seeds.own_rows import (
    ndcg_of_own_rows,
    own_lists,
    precision_over_present,
)
from endcap.evaluation.seeds.report import render_seed_text, seed_verdicts
from endcap.evaluation.seeds.seed_2 import (
    TRIVIAL,
    evaluate_seed_2,
    filtered_once,
    split_rows,
)
from endcap.schema.errors import DataError
from rated import electronics_like, rated


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_filter_counts_once_before_anything_goes():
    # User 1 has two ratings and goes; that leaves item 1 with one, and it stays all the same.
    data = rated([0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 1, 0, 0, 2, 2], np.full(8, 5))
    kept = filtered_once(data, min_ratings=3)
    assert list(zip(kept.interactions.user_idx, kept.interactions.item_idx, strict=True)) == [
        (0, 0),
        (0, 2),
        (2, 0),
        (2, 2),
        (2, 2),
    ]
    assert filtered_once(data, min_ratings=2).interactions.item_idx.tolist().count(1) == 2
    assert len(filtered_once(data, min_ratings=1).interactions) == 8


def test_every_rating_is_filtered_learnt_from_dropped_or_predicted():
    split = split_rows(electronics_like(n_rows=12_000, n_users=2_300))
    facts = split.facts
    assert facts["n_ratings"] == 12_000
    total = facts["n_filtered_out"] + facts["n_train"] + facts["n_dropped"] + facts["n_test"]
    assert total == 12_000
    assert facts["n_held_out"] == facts["n_dropped"] + facts["n_test"]
    assert facts["n_held_out"] / (facts["n_train"] + facts["n_held_out"]) == pytest.approx(
        0.2, abs=0.02
    )
    assert len(split.test) == facts["n_test"]


def test_only_rows_of_known_users_and_items_are_left_and_the_others_are_counted():
    split = split_rows(electronics_like(n_rows=3_000, n_users=1_500), min_ratings=1)
    given = split.train.interactions
    assert np.isin(split.test.users, given.user_idx).all()
    assert np.isin(split.test.items, given.item_idx).all()
    assert 0 < split.facts["n_dropped_new_user"] <= split.facts["n_dropped"]


def test_the_split_is_drawn_by_its_seed():
    data = electronics_like(n_rows=2_000, n_users=300)
    first, again, other = (split_rows(data, seed=seed) for seed in (42, 42, 43))
    assert np.array_equal(first.test.stars, again.test.stars)
    assert len(first.test) != len(other.test) or (first.test.items != other.test.items).any()


def test_data_too_thin_for_the_filter_are_refused():
    with pytest.raises(DataError, match="no held-out rating"):
        split_rows(rated([0, 1, 2], [0, 1, 2], [5, 5, 5]))


def test_precision_and_ndcg_by_hand():
    # User 0: relevant at ranks 1 and 3 of three; user 1: none; user 2: 11 rows, the last relevant.
    users = np.array([0, 0, 0, 1, 1, *([2] * 11)], dtype=np.int32)
    scores = np.array([3, 2, 1, 5, 4, *range(11, 0, -1)], dtype=float)
    is_relevant = np.zeros(16, dtype=bool)
    is_relevant[[0, 2, 15]] = True
    lists = own_lists(users, scores, rng=rng())
    assert precision_over_present(lists, is_relevant).tolist() == pytest.approx([2 / 3, 0, 0])
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_of_own_rows(lists, is_relevant).tolist() == pytest.approx([1.5 / ideal, 0, 0])


def test_a_perfect_order_has_an_ndcg_of_one_where_there_is_anything_relevant():
    users = rng().integers(50, size=400).astype(np.int32)
    is_relevant = rng(1).random(400) < 0.3
    lists = own_lists(users, is_relevant.astype(float), rng=rng())
    found = ndcg_of_own_rows(lists, is_relevant)
    has_any = np.bincount(users, weights=is_relevant)[np.unique(users)] > 0
    np.testing.assert_allclose(found, has_any.astype(float))


def evaluation(predictions=None, **options):
    split = split_rows(electronics_like(n_rows=60_000, n_users=7_000), **options)
    made = predictions(split) if predictions else {}
    return evaluate_seed_2(split, made, rng=rng(), n_replicates=200)


def test_precision_is_the_share_of_good_ratings_whatever_the_order():
    found = evaluation()
    values = [row["precision@10"].mean for row in found.rows.values()]
    assert max(values) - min(values) < 0.002
    assert values[0] == pytest.approx(0.8028, abs=0.01), "the base rate of the histogram"
    assert found.blind == ("precision@10",)


def test_random_scores_have_the_published_ndcg():
    rows = evaluation().rows
    assert rows["random"]["ndcg@10"].mean == pytest.approx(0.868, abs=0.02)
    assert rows["oracle"]["ndcg@10"].mean == pytest.approx(0.911, abs=0.02)
    assert rows["random"]["ndcg@10"].mean < rows["oracle"]["ndcg@10"].low


def test_the_global_mean_errs_by_the_deviation_of_the_ratings():
    found = evaluation()
    error = found.rows["global_mean"]["rmse"].mean
    assert error == pytest.approx(1.1856, abs=0.02)
    assert error == pytest.approx(found.facts["deviation_of_ratings"], abs=0.001)
    assert found.rows["oracle"]["rmse"].mean == 0
    assert found.best_trivial("rmse") == "global_mean"


def test_a_model_behind_the_global_mean_is_named():
    def too_low(split):
        return {"low": np.full(len(split.test), 3, dtype=np.float32)}

    found = evaluation(too_low)
    assert found.behind("rmse") == ("low",)
    assert any("no better than global_mean" in line for line in seed_verdicts(found))


def test_every_number_has_its_denominator():
    found = evaluation()
    for row in found.rows.values():
        assert {interval.n_users for interval in row.values()} == {found.facts["n_test_users"]}
    text = " ".join(render_seed_text(found).split())
    assert f"n_dropped {found.facts['n_dropped']:,}" in text
    assert all(name in text for name in TRIVIAL)
