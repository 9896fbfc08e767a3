import numpy as np
import pytest

from endcap.features.history import build_history
from endcap.models import ranking
from endcap.models import vectors as vectors_module
from endcap.models.ranking import rank_beneath, rank_users
from endcap.models.vectors import VectorRanking, nearest, own_products
from endcap.testing.toy_data import dataset

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

    def score_users(histories, out):
        asked.append([histories.row(row).items.tolist() for row in range(histories.n_users)])
        out[:] = [1.0, 3.0, 2.0]

    ranked = rank_users(
        score_users,
        np.array([4, 0, 1, 1, 2]),
        2,
        history=history([(0, 1), (1, 1), (1, 2)], 5, 3),
        n_items=3,
        exclude_seen=True,
        allowed=None,
    )
    assert asked == [[[], [1]], [[1, 2], [1, 2]], [[]]]
    assert ranked.items.tolist() == [[1, 2], [2, 0], [0, -1], [0, -1], [1, 2]]


def test_a_block_stays_within_its_memory():
    assert ranking.rows_at_a_time(100) == 256
    assert ranking.rows_at_a_time(10**6) == 33
    assert ranking.rows_at_a_time(10**9) == 1


def test_no_list_of_no_length():
    with pytest.raises(ValueError, match="k must be"):
        rank_users(
            lambda asked, out: out.fill(0),
            np.array([0]),
            0,
            history=history([], 1, 1),
            n_items=1,
            exclude_seen=True,
            allowed=None,
        )


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
        lambda asked: of_users,
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
        lambda asked: np.array([[1, 0]], dtype=np.float32),
        np.array([0]),
        3,
        history=history([], 1, 400),
        exclude_seen=True,
        allowed=None,
    )
    assert ranked.items.tolist() == [[399, 350, 0]]


def random_ranking(n_users, n_items, *, d=16):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_items, d)).astype(np.float32)
    vectors[5::11] = vectors[4::11][: len(vectors[5::11])]  # equal ones
    vectors[7::13] = 0  # unknown ones
    of_users = rng.standard_normal((n_users, d)).astype(np.float32)
    of_users[3::17] = 0
    pairs = np.column_stack(
        [np.repeat(np.arange(n_users), 5), rng.integers(n_items, size=5 * n_users)]
    )
    beneath = rank_beneath(rng.integers(50, size=n_items).astype(np.float64))
    return VectorRanking(vectors, beneath), of_users, history(pairs.tolist(), n_users, n_items)


def test_blocks_shared_among_threads_give_the_lists_of_one_block(monkeypatch):
    ranking_of, of_users, seen = random_ranking(150, 700)

    def lists():
        return ranking_of.rank(
            lambda asked: of_users,
            np.arange(150),
            20,
            history=seen,
            exclude_seen=True,
            allowed=np.arange(0, 700, 2),
        )

    whole = lists()
    monkeypatch.setattr(vectors_module, "MIN_ROWS", 7)
    monkeypatch.setattr(vectors_module, "BLOCK_BYTES", 1)
    monkeypatch.setattr(vectors_module, "N_CORES", 3)
    shared = lists()
    np.testing.assert_array_equal(whole.items, shared.items)
    np.testing.assert_array_equal(whole.scores, shared.scores)
    assert np.all(whole.items % 2 == 0)


def test_lists_are_those_of_a_full_sort_of_exact_products():
    ranking_of, of_users, seen = random_ranking(60, 900)
    ranked = ranking_of.rank(
        lambda asked: of_users,
        np.arange(60),
        30,
        history=seen,
        exclude_seen=True,
        allowed=None,
    )
    exact = of_users.astype(np.float64) @ ranking_of._vectors[:, :-1].astype(np.float64).T
    exact[:, 7::13] = -np.inf
    for user in np.flatnonzero(of_users.any(axis=1)):
        exact[user, seen.seen_by(user)] = -np.inf
        expected = np.sort(exact[user])[::-1][:30]
        np.testing.assert_allclose(ranked.scores[user], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(exact[user, ranked.items[user]], expected, rtol=1e-5, atol=1e-6)


def test_scores_of_all_are_those_of_the_lists():
    ranking_of, of_users, seen = random_ranking(40, 300)
    users = np.array([3, 9, 3], dtype=np.int32)
    scores = ranking_of.score(lambda asked: of_users[users], users, history=seen)
    assert scores.shape == (3, 300)
    np.testing.assert_array_equal(scores[0], ranking_of._beneath)
    assert (scores[1, 7::13] < -9_000).all()


def test_nearest_is_by_cosine_and_never_the_item_itself_nor_a_vector_of_no_length():
    ranked = nearest(VECTORS, np.array([0, 2]), 4)
    assert ranked.items.tolist() == [[3, 1, 4, -1], [-1, -1, -1, -1]]
    np.testing.assert_allclose(ranked.scores[0], [1, 0, -1, -np.inf])


def test_products_of_a_row_do_not_depend_on_the_other_rows():
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((9, 50)).astype(np.float32)
    vectors = rng.standard_normal((9, 30, 50)).astype(np.float32)
    together = own_products(queries, vectors)
    np.testing.assert_allclose(together, np.einsum("qd,qnd->qn", queries, vectors), rtol=1e-3)
    for row in range(9):
        alone = own_products(queries[row : row + 1], vectors[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])
