import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.evaluation.seeds.labels import best_first, labels_by_order, split_labels
from endcap.evaluation.seeds.own_rows import own_lists, precision_over_k
from endcap.evaluation.seeds.report import render_seed_text, seed_verdicts
from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.evaluation.seeds.seed_1 import (
    BETTER,
    TRIVIAL,
    LabelPrediction,
    evaluate_seed_1,
    item_mean_labels,
)
from endcap.schema.errors import DataError
from rated import electronics_like, rated

N_PUBLISHED = 6_738_382


def rng(seed=0):
    return np.random.default_rng(seed)


def test_labels_have_the_published_counts():
    values, counts = np.unique(labels_by_order(N_PUBLISHED), return_counts=True)
    np.testing.assert_allclose(values, [0.0, 0.3, 0.6, 1.0], rtol=1e-6)
    assert counts.tolist() == [4_379_949, 1_684_595, 505_379, 168_459]


def test_published_errors_are_those_of_the_constant_one_half():
    labels = labels_by_order(N_PUBLISHED).astype(np.float64)
    assert np.mean((labels - 0.5) ** 2) == pytest.approx(0.1795, abs=5e-5)
    assert np.mean(np.abs(labels - 0.5)) == pytest.approx(0.3950, abs=5e-5)
    assert labels.mean() == pytest.approx(0.145, abs=1e-6)
    assert labels.var() == pytest.approx(0.0535, abs=5e-5)


def test_labels_by_hand():
    labels = labels_by_order(40)
    assert labels.tolist() == pytest.approx([1.0] + 3 * [0.6] + 10 * [0.3] + 26 * [0.0])


@given(st.integers(0, 3_000))
def test_labels_never_rise_and_keep_their_shares(n_rows):
    labels = labels_by_order(n_rows)
    assert (np.diff(labels) <= 0).all()
    for least, share in ((1.0, 0.025), (0.6, 0.10), (0.3, 0.35)):
        assert np.count_nonzero(labels >= np.float32(least)) == int(share * n_rows)


@pytest.mark.parametrize("ties", ["published", "shuffled"])
def test_rows_are_sorted_by_rating_each_once(ties):
    stars = rng().integers(1, 6, size=5_000).astype(np.float32)
    order = best_first(stars, ties=ties, rng=rng(1))
    assert np.array_equal(np.sort(order), np.arange(5_000))
    assert (np.diff(stars[order]) <= 0).all()


def test_the_published_order_is_that_of_pandas():
    stars = rng().integers(1, 6, size=5_000)
    frame = pd.DataFrame({"rating": stars}).sort_values("rating", ascending=False)
    assert np.array_equal(frame.index.to_numpy(), best_first(stars.astype(np.float32)))


def test_half_stars_are_told_apart():
    stars = np.array([4.0, 4.5, 0.5, 5.0, 4.5], dtype=np.float32)
    assert stars[best_first(stars)].tolist() == [5.0, 4.5, 4.5, 4.0, 0.5]


def test_all_labels_above_zero_are_given_among_equal_ratings():
    split = split_labels(electronics_like())
    assert split.facts["best_rating_share"] == pytest.approx(0.597, abs=0.01)
    assert split.facts["labelled_at_best_rating"] == 1.0


def test_the_three_parts_have_the_published_sizes():
    assert (0.885 * N_PUBLISHED // 1, N_PUBLISHED) == (5_963_468, 6_738_382)
    data = rated(np.arange(2_000) % 50, np.arange(2_000) % 40, np.ones(2_000))
    split = split_labels(data)
    assert (len(split.train), len(split.validation), len(split.test)) == (1_770, 200, 30)
    assert len(split.train_data.interactions) == 1_770


def test_the_parts_hold_every_row_once_and_training_rows_are_those_given_to_rankers():
    users = rng().integers(50, size=1_000)
    data = rated(users, np.arange(1_000), rng(1).integers(1, 6, size=1_000))
    split = split_labels(data)
    parts = [part.items for part in (split.train, split.validation, split.test)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(1_000))
    given = split.train_data.interactions
    assert np.array_equal(np.sort(given.item_idx), np.sort(split.train.items))
    assert np.array_equal(given.user_idx, users[given.item_idx])


def test_too_few_ratings_are_refused():
    with pytest.raises(DataError, match="too few"):
        split_labels(rated([0, 1], [0, 1], [5, 4]))


def test_precision_by_hand():
    # User 0 has 12 rows, of which the first ten by score hold 3 relevant; user 1 has one row.
    users = np.array([0] * 12 + [1], dtype=np.int32)
    scores = np.array([*range(12, 0, -1), 0.5])
    is_relevant = np.zeros(13, dtype=bool)
    is_relevant[[0, 4, 9, 10, 11, 12]] = True
    lists = own_lists(users, scores, rng=rng())
    assert precision_over_k(lists, is_relevant).tolist() == pytest.approx([0.3, 0.1])


def test_the_order_of_rows_and_users_does_not_matter():
    users = np.array([3, 1, 3, 3, 1], dtype=np.int32)
    scores = np.array([0.1, 0.5, 0.9, 0.4, 0.6])
    lists = own_lists(users, scores, rng=rng())
    assert lists.rows.tolist() == [4, 1, 2, 3, 0]
    assert lists.rank.tolist() == [0, 1, 0, 1, 2]
    assert lists.n_rows.tolist() == [2, 3]


def test_equal_scores_come_in_random_order():
    users = np.zeros(4, dtype=np.int32)
    first = [own_lists(users, np.ones(4), rng=rng(seed)).rows[0] for seed in range(400)]
    assert min(np.bincount(first, minlength=4)) > 60


def evaluation(**options) -> SeedEvaluation:
    split = split_labels(electronics_like(n_rows=40_000, n_users=5_000), **options)
    predictions = {
        "half": LabelPrediction(
            np.full(len(split.test), 0.5, dtype=np.float32),
            np.full(len(split.validation), 0.5, dtype=np.float32),
        ),
        "ranks": LabelPrediction(rng(3).random(len(split.test), dtype=np.float32)),
        "item_mean": item_mean_labels(split),
    }
    return evaluate_seed_1(split, predictions, rng=rng(), n_replicates=200)


def test_every_row_has_the_same_precision_and_the_metric_is_called_blind():
    found = evaluation()
    values = {row["precision@10"].mean for row in found.rows.values()}
    assert max(values) - min(values) < 1e-12
    assert found.blind == ("precision@10",)
    expected = found.facts["rows_per_test_user"] * 0.1 / 10
    assert values.pop() == pytest.approx(expected, abs=0.003)
    assert any(
        "P@10: this number cannot tell models apart" in line for line in seed_verdicts(found)
    )


def test_constants_score_what_was_published():
    rows = evaluation().rows
    assert rows["constant_half"]["mse_validation"].mean == pytest.approx(0.1795, abs=0.004)
    assert rows["constant_half"]["mae_validation"].mean == pytest.approx(0.3950, abs=0.005)
    assert rows["constant_mean"]["mse_validation"].mean == pytest.approx(0.0535, abs=0.004)
    assert rows["constant_zero"]["mae_validation"].mean == pytest.approx(0.145, abs=0.008)
    assert rows["half"]["mse"] == rows["constant_half"]["mse"]


def test_who_is_no_better_than_a_constant_is_named():
    found = evaluation()
    assert found.best_trivial("mse") == "constant_mean"
    assert "half" in found.behind("mse")
    assert "constant_mean" in next(line for line in seed_verdicts(found) if "test MSE" in line)


def test_what_constants_score_does_not_depend_on_which_of_equal_ratings_come_first():
    published, shuffled = evaluation(), evaluation(ties="shuffled", rng=rng(5))
    for name in ("constant_half", "constant_mean", "constant_zero"):
        for metric in ("mse_validation", "mae_validation", "mse", "mae"):
            one, other = published.rows[name][metric].mean, shuffled.rows[name][metric].mean
            assert one == pytest.approx(other, rel=1e-9), (name, metric)
    assert shuffled.blind == published.blind


def test_a_model_that_ranks_has_a_precision_and_no_errors():
    row = evaluation().rows["ranks"]
    assert np.isnan([row[metric].mean for metric in BETTER if "ms" in metric]).all()
    assert row["precision@10"].mean > 0


def test_in_a_file_sorted_by_item_labels_say_where_a_row_stood():
    """Equal ratings stay near their place under the published sort, so an item knows its label."""
    items = np.sort(rng(1).integers(400, size=30_000))
    data = rated(rng(2).integers(9_000, size=30_000), items, np.full(30_000, 5))
    mse = {}
    for ties in ("published", "shuffled"):
        split = split_labels(data, ties=ties, rng=rng(3))
        found = evaluate_seed_1(
            split, {"item_mean": item_mean_labels(split)}, rng=rng(), n_replicates=100
        )
        mse[ties] = found.rows["item_mean"]["mse_validation"]
        constant = found.rows["constant_mean"]["mse_validation"]
    assert mse["published"].high < 0.9 * constant.low, "it beats the best constant by far"
    assert mse["shuffled"].mean > 0.97 * constant.mean, "with ties shuffled there is nothing"


def test_the_table_marks_what_is_blind_and_always_has_the_rows_that_know_nothing():
    found = evaluation()
    text = render_seed_text(found)
    assert "P@10 (blind)" in " ".join(text.split())
    for name in TRIVIAL:
        assert f"\n {name} " in text or f"\n{name} " in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_no_cell_is_cut_short_on_a_narrow_terminal():
    text = render_seed_text(evaluation(), width=80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_table_is_the_same_from_its_record():
    found = evaluation()
    assert repr(SeedEvaluation.from_dict(found.to_dict())) == repr(found)
    assert '"blind"' in found.to_json()
