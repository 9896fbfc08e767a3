"""Lists that another system made."""

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, popular_of
from evaluation_shop import shop_rows as make_rows

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.lists.saved import SavedLists
from endcap.evaluation.split import split_by_time
from endcap.schema.errors import DataError

SEEN = pair_set(np.array([0, 2]), np.array([7, 1]), stride=10)


def lists(rows, *, n_users=4, seen=SEEN):
    users, items, scores = (np.array(column) for column in zip(*rows, strict=True))
    return SavedLists.of(
        users.astype(np.int32), items.astype(np.int32), scores, n_users=n_users, seen=seen
    )


ROWS = [(2, 1, -2.0), (0, 3, -2.0), (0, 7, -1.0), (2, 9, -1.0), (2, 4, -3.0)]


def ask(saved, users, k, **options):
    return saved.recommend(np.array(users, dtype=np.int32), k, **options).items.tolist()


def test_rows_in_any_order_become_lists():
    saved = lists(ROWS)
    assert ask(saved, [0, 1, 2], 3, exclude_seen=False) == [[7, 3, -1], [-1, -1, -1], [9, 1, 4]]


def test_a_longer_list_than_is_known_is_padded_and_a_shorter_one_cut():
    saved = lists(ROWS)
    assert ask(saved, [2], 5, exclude_seen=False) == [[9, 1, 4, -1, -1]]
    assert ask(saved, [2], 1, exclude_seen=False) == [[9]]


def test_seen_items_make_room_for_those_behind_them():
    assert ask(lists(ROWS), [0, 2], 2) == [[3, -1], [9, 4]]


def test_only_what_is_allowed():
    allowed = np.array([3, 4], dtype=np.int32)
    assert ask(lists(ROWS), [0, 2], 2, exclude_seen=False, allowed=allowed) == [[3, -1], [4, -1]]


def test_an_item_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        lists([*ROWS, (2, 9, -8.0)])


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="finite"):
        lists([(0, 1, np.nan)])


def test_lists_of_a_model_measure_as_the_model():
    split = split_by_time(dataset_of(make_rows(), n_users=N_USERS, n_items=N_ITEMS), cut_us=CUT)
    popular = popular_of(split.train)
    users = np.arange(N_USERS, dtype=np.int32)
    ranked = popular.recommend(users, N_ITEMS, exclude_seen=False)
    saved = SavedLists.of(
        np.repeat(users, N_ITEMS),
        ranked.items.ravel(),
        ranked.scores.ravel(),
        n_users=N_USERS,
        seen=split.seen,
    )
    found = evaluate(
        {"popular": popular, "saved": saved},
        split,
        rng=np.random.default_rng(0),
        terms=Terms(n_replicates=100, slices=False, exact_auc=False),
    ).evaluation.to_dict()
    for view in found["views"].values():
        assert view["models"]["saved"]["metrics"] == view["models"]["popular"]["metrics"]
        assert view["models"]["saved"]["catalogue"] == view["models"]["popular"]["catalogue"]


@pytest.mark.parametrize("near", [lambda place: 1.7e9 - place, lambda place: 1 - place * 1e-9])
def test_scores_that_float32_cannot_tell_apart_keep_their_order(near):
    rows = [(0, item, near(item)) for item in range(10)]
    nothing = pair_set(np.zeros(0, dtype=int), np.zeros(0, dtype=int), stride=10)
    saved = lists(rows, n_users=1, seen=nothing)
    found = saved.recommend(np.array([0], dtype=np.int32), 10, exclude_seen=False)
    assert found.items.tolist() == [list(range(10))]
    assert len(set(found.scores[0].tolist())) == 10


def test_equal_scores_stay_a_tie():
    saved = lists([(0, 3, 5.0), (0, 1, 5.0), (0, 2, 4.0)])
    scores = saved.recommend(np.array([0], dtype=np.int32), 3, exclude_seen=False).scores[0]
    assert scores[0] == scores[1] > scores[2]
