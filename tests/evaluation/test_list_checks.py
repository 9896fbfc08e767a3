import numpy as np
import pytest

from endcap.evaluation.lists.checks import check_lists, is_repeated
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.metrics.accuracy import find_hits
from endcap.schema.errors import RankingError
from endcap.schema.types import NO_ITEM, TopK

USERS = np.array([4, 9], dtype=np.int32)
INF = np.inf


def lists(items, scores=None):
    items = np.array(items, dtype=np.int32)
    if scores is None:
        scores = np.where(items == NO_ITEM, -INF, -np.arange(items.shape[1]))
    return TopK(items, np.array(scores, dtype=np.float32))


def check(ranked, forbidden=None):
    check_lists(ranked, name="als", users=USERS, k=3, n_items=10, forbidden=forbidden)


@pytest.mark.parametrize(
    "ranked",
    [
        lists([[0, 1, 9], [9, 1, 0]]),
        lists([[5, NO_ITEM, NO_ITEM], [NO_ITEM] * 3]),
        lists([[0, 1, 2], [3, 4, 5]], [[1, 1, 1], [2, 2, -5]]),
    ],
)
def test_sound_lists_pass(ranked):
    check(ranked)


@pytest.mark.parametrize(
    ("ranked", "fault"),
    [
        (lists([[0, 1, 2], [3, 5, 3]]), r"item 3 is listed twice \(user 9, position 2; 1 of 2"),
        (lists([[0, 1, 10], [3, 5, 6]]), r"item 10 is unknown \(user 4, position 2"),
        (lists([[0, 1, 2], [-2, 5, 6]]), "item -2 is unknown"),
        (lists([[0, NO_ITEM, 2], [3, 5, 6]]), r"item 2 is behind the padding \(user 4, position 2"),
        (lists([[0, 1, 2], [3, 5, 6]], [[3, 2, 1], [1, 2, 0]]), r"item 5 is scored above .*user 9"),
        (lists([[0, 1, 2], [3, 5, 6]], [[3, 2, np.nan], [3, 2, 1]]), "item 2 is scored NaN"),
        (lists([[0, 1, 2], [3, 5, 6]], [[3, 2, -INF], [3, 2, 1]]), "item 2 is scored NaN or -inf"),
        (lists([[0, 1], [3, 5]]), r"must have shape \(2, 3\)"),
        (lists([[0, 1, 2]]), r"must have shape \(2, 3\)"),
    ],
)
def test_broken_lists_are_refused_by_name(ranked, fault):
    with pytest.raises(RankingError, match=fault) as caught:
        check(ranked)
    assert str(caught.value).startswith("als returned")


def test_seen_items_are_refused_only_where_they_were_to_be_left_out():
    ranked = lists([[0, 1, 2], [3, 5, 6]])
    check(ranked, pair_set(np.array([9, 4]), np.array([2, 3]), stride=10))
    with pytest.raises(RankingError, match="item 5 is seen before"):
        check(ranked, pair_set(np.array([9, 4]), np.array([5, 3]), stride=10))


def test_padding_is_not_a_repeated_item():
    items = np.array([[1, NO_ITEM, NO_ITEM], [2, 2, 2]], dtype=np.int32)
    assert is_repeated(items).tolist() == [[False] * 3, [False, True, True]]


def test_a_metric_refuses_a_list_that_counts_one_hit_twice():
    with pytest.raises(RankingError, match="listed twice"):
        find_hits(lists([[1, 1, 2]]), [np.array([1], dtype=np.int32)])


def test_lists_and_targets_must_be_of_the_same_users():
    with pytest.raises(ValueError, match="1 lists, but relevant items of 2 users"):
        find_hits(lists([[1, 0, 2]]), [np.array([1], dtype=np.int32)] * 2)
