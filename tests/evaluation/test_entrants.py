"""Models kept to candidates, and the AUC over all of those."""

import numpy as np
import pytest
from evaluation_shop import ScoredBy, Scripted, dataset_of

from endcap.evaluation.lists import entrants
from endcap.evaluation.lists.entrants import Confined, exact_auc
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.split import split_by_time
from endcap.schema.errors import RankingError
from endcap.schema.types import TopK

USERS = np.array([0, 1], dtype=np.int32)
SCORES = np.array([[5, 4, 3, 2, 1], [1, 1, 1, 0, 2]], dtype=np.float32)
ROWS = [(0, 0, 0), (0, 1, 4), (9, 0, 1), (9, 0, 3), (9, 1, 2)]


@pytest.fixture
def split():
    return split_by_time(dataset_of(ROWS, n_users=2, n_items=5), cut_us=5)


@pytest.fixture
def model(split):
    return ScoredBy(split.train, lambda users: SCORES[users])


def items(*some: int) -> np.ndarray:
    return np.array(some, dtype=np.int32)


def test_a_confined_model_lists_candidates_alone(model):
    confined = Confined("model", model, items(1, 2, 4))
    found = confined.recommend(USERS, 4, exclude_seen=False).items
    assert found.tolist() == [[1, 2, 4, -1], [4, 1, 2, -1]]
    fewer = confined.recommend(USERS, 4, exclude_seen=False, allowed=items(0, 2))
    assert fewer.items.tolist() == [[2, -1, -1, -1]] * 2, "candidates of both"
    assert confined.recommend(USERS, 1).items.tolist() == [[1], [1]], "what was seen stays out"


def test_a_model_that_lists_another_item_is_refused():
    def answer(users, k):
        return TopK(np.array([[1, 2], [1, 3]], np.int32)[:, :k], np.zeros((2, k), np.float32))

    with pytest.raises(RankingError, match="cheat listed item 3") as refused:
        Confined("cheat", Scripted(answer), items(1, 2)).recommend(USERS, 2)
    assert "user 1, position 1" in str(refused.value)


@pytest.mark.parametrize(
    ("allowed", "forbidden", "expected"),
    [
        # User 0 took 1 and 3: right are (1, 2), (1, 4), (3, 4) of six pairs.
        # User 1 took 2: above 3, tied with 0 and 1, below 4: two of four.
        (None, None, [3 / 6, 2 / 4]),
        # Without the item that each had: (1, 2), (1, 4), (3, 4) of four; 3, and half of 0 and 1.
        (None, [(0, 0), (1, 4)], [3 / 4, 2 / 3]),
        # A target that is no candidate is behind all: (1, 2), (1, 4) of four.
        ([1, 2, 4], None, [2 / 4, 0.5 / 2]),
        ([2], None, [0.0, np.nan]),  # nothing beside the target
    ],
)
def test_auc_by_hand(split, model, allowed, forbidden, expected):
    pairs = None
    if forbidden is not None:
        pairs = pair_set(*np.array(forbidden).T, stride=5)
    found = exact_auc(
        model,
        split.targets["all"],
        allowed=None if allowed is None else items(*allowed),
        forbidden=pairs,
        n_items=5,
    )
    np.testing.assert_allclose(found, expected)


def test_blocks_change_nothing(split, model, monkeypatch):
    options = {"allowed": None, "forbidden": split.seen, "n_items": 5}
    whole = exact_auc(model, split.targets["all"], **options)
    monkeypatch.setattr(entrants, "_CELLS", 1)
    np.testing.assert_array_equal(exact_auc(model, split.targets["all"], **options), whole)


def test_who_gives_no_scores_has_no_auc(split):
    silent = Scripted(lambda users, k: TopK(np.zeros((2, k), np.int32), np.zeros((2, k))))
    found = exact_auc(silent, split.targets["all"], allowed=None, forbidden=None, n_items=5)
    assert np.isnan(found).tolist() == [True, True]
