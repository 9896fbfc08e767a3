import math
from dataclasses import replace

import numpy as np
import pytest

from endcap.evaluation.pointwise.evaluate import evaluate_ratings
from endcap.evaluation.pointwise.ratings import PredictsRatings, Ratings, ratings_of
from endcap.evaluation.pointwise.report import rating_verdicts, render_ratings_text
from endcap.evaluation.pointwise.result import RatingEvaluation
from endcap.evaluation.pointwise.rivals import GlobalMean, ItemMean, UserMean
from endcap.evaluation.pointwise.split import split_ratings
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError, NotFittedError, RankingError
from rated import electronics_like, rated


class Knows:
    """Predicts what a function makes of (users, items)."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def fit(self, data, *, rng):
        return self

    def predict(self, users, items):
        return self.answer(users, items)


def rng():
    return np.random.default_rng(0)


def small():
    """Four rows to learn from, then: a known row, a new user, a new item, both new."""
    users, items = [0, 0, 1, 2, 1, 3, 2, 4], [0, 1, 0, 1, 1, 0, 2, 3]
    return rated(users, items, [5, 4, 1, 2, 3, 5, 4, 1], ts=range(8))


def test_every_rating_is_accounted_for():
    split = split_ratings(small(), cut_us=4, end_us=7)
    counts = split.counts
    assert (counts.n_train, counts.n_rows, counts.n_after) == (4, 3, 1)
    assert (counts.n_new_users, counts.n_rows_of_new_users) == (1, 1)
    assert (counts.n_new_items, counts.n_rows_of_new_items) == (1, 1)
    assert counts.n_known_rows == 1
    assert split.is_known.tolist() == [True, False, False]


def test_nothing_after_the_cut_can_be_learnt():
    split = split_ratings(small(), cut_us=4)
    assert split.train.end_us <= 4
    assert len(split.test) == 4


def test_other_kinds_are_no_ratings():
    data = small()
    kind = data.interactions.kind.copy()
    kind[[0, 5]] = KIND_CODES[Kind.VIEW]
    mixed = replace(data, interactions=replace(data.interactions, kind=kind))
    split = split_ratings(mixed, cut_us=4)
    assert split.counts.n_train == 3
    assert split.counts.n_rows == 3
    assert ratings_of(mixed).stars.tolist() == [4, 1, 2, 3, 4, 1]


def test_data_without_ratings_are_refused():
    data = small()
    views = np.full(8, KIND_CODES[Kind.VIEW], dtype=np.uint8)
    with pytest.raises(DataError, match="no ratings"):
        split_ratings(replace(data, interactions=replace(data.interactions, kind=views)), cut_us=4)


@pytest.mark.parametrize(("cut_us", "part"), [(0, "before the cut"), (8, "between")])
def test_an_empty_side_of_the_cut_is_refused(cut_us, part):
    with pytest.raises(DataError, match=part):
        split_ratings(small(), cut_us=cut_us)


def test_the_three_means_by_hand():
    split = split_ratings(small(), cut_us=4)
    users, items = split.test.users, split.test.items
    predict = {
        kind: kind().fit(split.train, rng=rng()).predict(users, items).tolist()
        for kind in (GlobalMean, UserMean, ItemMean)
    }
    assert predict[GlobalMean] == [3, 3, 3, 3]
    assert predict[UserMean] == [1, 3, 2, 3]
    assert predict[ItemMean] == [3, 3, 3, 3]
    assert ItemMean().fit(split.train, rng=rng()).predict(
        np.array([0, 0], dtype=np.int32), np.array([0, 1], dtype=np.int32)
    ).tolist() == [3, 3]


@pytest.mark.parametrize("kind", [GlobalMean, UserMean, ItemMean])
def test_means_answer_the_protocol_and_say_when_they_are_not_fitted(kind):
    assert isinstance(kind(), PredictsRatings)
    with pytest.raises(NotFittedError):
        kind().predict(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32))


def test_new_users_and_items_are_predicted_and_counted_never_dropped():
    split = split_ratings(small(), cut_us=4)
    evaluation = evaluate_ratings({}, split, rng=rng(), n_replicates=100)
    # Given 3, 5, 4, 1, all predicted as 3.
    found = evaluation.models["global_mean"]
    assert found.pooled["mse"].mean == pytest.approx((0 + 4 + 1 + 4) / 4)
    assert found.pooled["mse"].n_users == 4
    assert found.rmse_of == {
        "known": 0.0,
        "new_user": pytest.approx(2.0),
        "new_item": pytest.approx(math.sqrt(2.5)),
    }
    known = {name: model.rmse_of["known"] for name, model in evaluation.models.items()}
    assert known == {"global_mean": 0, "user_mean": 2, "item_mean": 0}


def test_a_model_that_leaves_rows_out_is_refused():
    split = split_ratings(small(), cut_us=4)
    for answer in (
        lambda users, items: np.full(len(users) - 1, 3, dtype=np.float32),
        lambda users, items: np.where(users > 2, np.nan, 3).astype(np.float32),
    ):
        with pytest.raises(RankingError, match="did not predict a number"):
            evaluate_ratings({"holes": Knows(answer)}, split, rng=rng(), n_replicates=100)


def judged():
    data = electronics_like(n_rows=6_000)
    split = split_ratings(data, cut_us=4_500)
    truth = {
        (int(user), int(item)): float(stars)
        for user, item, stars in zip(
            split.test.users, split.test.items, split.test.stars, strict=True
        )
    }

    def near(users, items):
        return np.array(
            [truth[pair] * 0.5 + 2 for pair in zip(users.tolist(), items.tolist(), strict=True)],
            dtype=np.float32,
        )

    models = {
        "near": Knows(near),
        "mirror": Knows(lambda users, items: 6 - near(users, items)),
        "same": Knows(lambda users, items: np.full(len(users), mean, dtype=np.float32)),
    }
    mean = ratings_of(split.train).stars.mean()
    return evaluate_ratings(models, split, rng=rng(), n_replicates=300)


def test_verdicts_say_who_beats_the_mean_and_who_loses_to_it():
    lines = rating_verdicts(judged())
    assert [line.split(":")[0] for line in lines] == [
        "Pooled RMSE, better than global_mean",
        "Pooled RMSE, not shown to differ from global_mean",
        "Pooled RMSE, worse than global_mean",
    ]
    assert "near" in lines[0]
    assert "same" in lines[1]
    assert "mirror" in lines[2]
    assert "user_mean" in lines[2], "a mean of two or three ratings is worse than that of all"


def test_no_constant_has_a_smaller_error_than_the_deviation():
    evaluation = judged()
    constant = evaluation.models["global_mean"].pooled["rmse"].mean
    assert evaluation.test_deviation <= constant < evaluation.test_deviation + 0.01


def test_an_evaluation_of_ratings_is_the_same_from_json():
    evaluation = judged()
    assert RatingEvaluation.from_json(evaluation.to_json()) == evaluation
    with pytest.raises(DataError, match="no readable evaluation"):
        RatingEvaluation.from_json('{"format": 0}')


def test_an_undefined_part_is_null_in_json_and_a_dash_in_the_table():
    split = split_ratings(rated([0, 1, 0, 1], [0, 0, 1, 1], [1, 2, 3, 4]), cut_us=3)
    evaluation = evaluate_ratings({}, split, rng=rng(), n_replicates=100)
    assert '"new_user": null' in evaluation.to_json()
    again = RatingEvaluation.from_json(evaluation.to_json())
    assert math.isnan(again.models["item_mean"].rmse_of["new_user"])
    assert " -" in render_ratings_text(evaluation)


def test_the_report_names_every_denominator_and_fits_its_width():
    evaluation = judged()
    text = render_ratings_text(evaluation)
    counts = evaluation.counts
    joined = " ".join(text.split())
    for number in (counts.n_users, counts.n_rows, counts.n_rows_of_new_users, counts.n_known_rows):
        assert f"{number:,}" in joined
    assert max(len(line) for line in text.splitlines()) <= 110
    assert "near" in text


@pytest.mark.parametrize("width", [80, 110])
def test_no_cell_is_cut_short(width):
    text = render_ratings_text(judged(), width=width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_rows_can_be_chosen_by_mask_and_by_position():
    rows = Ratings(
        np.array([1, 2], dtype=np.int32),
        np.array([3, 4], dtype=np.int32),
        np.array([5, 1], dtype=np.float32),
    )
    assert rows.take(np.array([False, True])).items.tolist() == [4]
    assert rows.take(np.array([1, 0])).stars.tolist() == [1, 5]
