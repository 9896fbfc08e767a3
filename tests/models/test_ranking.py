import numpy as np
import pytest

from endcap.features.history import build_history
from endcap.models import ranking
from endcap.models.ranking import rank_beneath, rank_finalists, rank_users
from endcap.models.vectors import VectorRanking, exact_products, nearest
from endcap.testing.models import dataset

EMPTY = np.empty(0, dtype=np.int32)


def history(pairs, n_users, n_items):
    users, items = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    data = dataset(
        users, items, np.arange(len(users), dtype=np.int64), n_users=n_users, n_items=n_items
    )
    return build_history(data.interactions, n_users)


def test_scores_are_asked_for_in_blocks(monkeypatch):
    monkeypatch.setattr(ranking, "MAX_USERS", 2)
    asked = []

    def score_users(block):
        asked.append(block.tolist())
        return np.tile(np.array([1.0, 3.0, 2.0], dtype=np.float32), (len(block), 1))

    ranked = rank_users(
        score_users,
        np.array([4, 0, 1, 1, 2]),
        2,
        history=history([(0, 1), (1, 1), (1, 2)], 5, 3),
        n_items=3,
        exclude_seen=True,
        allowed=None,
    )
    assert asked == [[4, 0], [1, 1], [2]]
    assert ranked.items.tolist() == [[1, 2], [2, 0], [0, -1], [0, -1], [1, 2]]


def test_a_block_stays_within_its_memory():
    assert ranking.rows_at_a_time(100) == 256
    assert ranking.rows_at_a_time(10**6) == 33
    assert ranking.rows_at_a_time(10**9) == 1


def test_no_list_of_no_length():
    with pytest.raises(ValueError, match="k must be"):
        rank_users(
            lambda block: np.zeros((len(block), 1), dtype=np.float32),
            np.array([0]),
            0,
            history=history([], 1, 1),
            n_items=1,
            exclude_seen=True,
            allowed=None,
        )


def test_finalists_are_ranked_anew_with_ties_to_the_smaller_item():
    finalists = np.array([[5, 2, 9, -1]], dtype=np.int32)
    scores = np.array([[1.0, 1.0, 2.0, 99.0]], dtype=np.float32)
    ranked = rank_finalists(scores, finalists, 4)
    assert ranked.items.tolist() == [[9, 2, 5, -1]]
    assert ranked.scores.tolist() == [[2.0, 1.0, 1.0, -np.inf]]


def test_beneath_orders_as_the_counts_do_below_zero():
    beneath = rank_beneath(np.array([0.0, 7.5, 1e-300, 7.5, 1e9]))
    assert beneath.dtype == np.float32
    assert np.all((beneath >= -1) & (beneath < 0))
    assert beneath[1] == beneath[3]
    assert np.argsort(beneath[[0, 2, 1, 4]]).tolist() == [0, 1, 2, 3]


VECTORS = np.array([[1, 0], [0, 2], [0, 0], [2, 0], [-1, 0]], dtype=np.float32)
BENEATH = np.array([-0.9, -0.1, -0.3, -0.5, -0.7], dtype=np.float32)


def test_items_and_users_without_a_vector_fall_back_on_popularity():
    of_users = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    ranked = VectorRanking(VECTORS, BENEATH).rank(
        lambda users: of_users[users],
        np.array([1, 0, 1]),
        5,
        history=history([], 2, 5),
        exclude_seen=True,
        allowed=None,
    )
    assert ranked.items.tolist() == [[1, 2, 3, 4, 0], [3, 0, 1, 4, 2], [1, 2, 3, 4, 0]]
    assert ranked.scores[1, :4].tolist() == [2.0, 1.0, 0.0, -1.0]


def test_unknown_items_do_not_crowd_out_known_ones_that_are_disliked():
    vectors = np.zeros((400, 2), dtype=np.float32)
    vectors[[350, 399]] = [[-3, 0], [-2, 0]]
    ranked = VectorRanking(vectors, np.linspace(-0.1, -0.9, 400, dtype=np.float32)).rank(
        lambda users: np.tile(np.array([1, 0], dtype=np.float32), (len(users), 1)),
        np.array([0]),
        3,
        history=history([], 1, 400),
        exclude_seen=True,
        allowed=None,
    )
    assert ranked.items.tolist() == [[399, 350, 0]]


def test_finalists_are_scored_by_the_exact_rule():
    exact = np.linspace(0, 1, 500).astype(np.float32)
    noise = np.random.default_rng(0)

    def score_users(block):  # as a matrix product, near enough to find the finalists
        return exact + noise.normal(0, 0.01, (len(block), 500)).astype(np.float32)

    ranked = rank_users(
        score_users,
        np.array([0, 1]),
        5,
        history=history([(1, 499)], 2, 500),
        n_items=500,
        exclude_seen=True,
        allowed=None,
        score_pairs=lambda block, items: exact[items],
    )
    assert ranked.items.tolist() == [[499, 498, 497, 496, 495], [498, 497, 496, 495, 494]]
    assert ranked.scores[0].tolist() == exact[ranked.items[0]].tolist()


def test_nearest_is_by_cosine_and_never_the_item_itself_nor_a_vector_of_no_length():
    ranked = nearest(VECTORS, np.array([0, 2]), 4)
    assert ranked.items.tolist() == [[3, 1, 4, -1], [-1, -1, -1, -1]]
    np.testing.assert_allclose(ranked.scores[0], [1, 0, -1, -np.inf])


def test_products_of_a_row_do_not_depend_on_the_other_rows():
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((9, 50)).astype(np.float32)
    vectors = rng.standard_normal((9, 30, 50)).astype(np.float32)
    together = exact_products(queries, vectors)
    np.testing.assert_allclose(together, np.einsum("qd,qnd->qn", queries, vectors), rtol=1e-3)
    for row in range(9):
        alone = exact_products(queries[row : row + 1], vectors[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])
