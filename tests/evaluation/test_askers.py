"""Means over users who were asked about several times."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import Scripted, dataset_of

from endcap.evaluation.askers import Askers
from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.split import Targets, ViewRule, split_by_time
from endcap.schema.types import TopK

NAN = np.nan


def test_a_mean_is_over_the_queries_with_a_value():
    askers = Askers(np.array([3, 8], dtype=np.int32), np.array([1, 0, 1, 1]))
    values = np.array([[1.0, NAN], [5.0, 2.0], [0.0, 4.0], [0.5, NAN]])
    np.testing.assert_array_equal(askers.mean(values), [[5.0, 2.0], [0.5, 4.0]])
    nothing = askers.mean(np.full((4, 1), NAN))
    assert np.isnan(nothing).all()


def test_queries_of_others_order_change_the_order_alone():
    askers = Askers(np.array([3, 8], dtype=np.int32), np.array([1, 0]))
    np.testing.assert_array_equal(askers.mean(np.array([[1.0], [2.0]])), [[2.0], [1.0]])


def test_who_clicks_often_counts_once():
    """One user is asked about three times and always served, another once and never."""
    data = dataset_of([(0, 0, 0), (1, 1, 1), (9, 0, 2), (9, 1, 2)], n_users=2, n_items=4)
    split = split_by_time(data, cut_us=5)
    queries = np.arange(4, dtype=np.int32)
    wanted = Targets(queries, np.arange(5), np.full(4, 2, np.int32), np.ones(4, dtype=np.bool_))
    split = replace(
        split,
        targets={"next": wanted},
        rules={"next": ViewRule("the next click", exclude_seen=False)},
        history=replace(split.train, n_users=4),
        query_users=np.array([0, 0, 0, 1], dtype=np.int32),
    )

    def answer(users, k):
        items = np.where(users[:, None] < 3, [[2, 0]], [[0, 1]]).astype(np.int32)[:, :k]
        return TopK(items, np.tile(np.array([2.0, 1.0], np.float32)[:k], (len(users), 1)))

    found = evaluate(
        {"popular": Scripted(answer)},
        split,
        rng=np.random.default_rng(0),
        terms=Terms(k=1, n_replicates=200, slices=False),
    )
    view = found.evaluation.views["next"]
    assert (view.n_users, view.n_queries, view.n_targets) == (2, 4, 4)
    hit_rate = view.models["popular"].metrics["hit_rate"]
    assert (hit_rate.mean, hit_rate.n_users) == (0.5, 2)
    assert (hit_rate.low, hit_rate.high) == (0.0, 1.0), "two users say little"
    assert view.expected_random["hit_rate"] == pytest.approx(0.25)
    assert found.per_user["next"].users.tolist() == [0, 1]
    assert len(found.lists["next"]["popular"].users) == 4
