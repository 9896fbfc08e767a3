import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.features.fusion import fuse_ranks
from endcap.models.blend.fusion import Asked, Fusion, learn_fusion
from endcap.models.ranker.candidates import Candidates, merge_lists
from endcap.schema.types import NO_ITEM, TopK


def lists_of(rows, k):
    items = np.array([[*row, *[NO_ITEM] * (k - len(row))] for row in rows], dtype=np.int32)
    return TopK(items, np.where(items == NO_ITEM, -np.inf, 1.0).astype(np.float32))


ROWS = st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=6)
WEIGHTS = st.floats(0.1, 3)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, WEIGHTS, WEIGHTS, st.sampled_from([1, 20, 60]))
def test_it_is_the_fusion_that_pages_are_made_by(first, second, a, b, rrf_k):
    merged = merge_lists([lists_of([row], 6) for row in (first, second)])
    scores = Fusion((a, b), rrf_k).score(merged)
    best = merged.best(scores)
    fused = fuse_ranks([np.array(first), np.array(second)], [a, b], rrf_k=rrf_k)
    of_item = dict(zip(fused.items.tolist(), fused.scores.tolist(), strict=True))
    for item, score in zip(best.items[0].tolist(), best.scores[0].tolist(), strict=True):
        assert item == NO_ITEM or score == pytest.approx(of_item[item], rel=1e-5)


def asked(n_users=200, seed=0):
    """One list has the target first or second, the other is chance."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(30)[:10] for _ in range(n_users)]
    chance = [rng.permutation(30)[:10] for _ in range(n_users)]
    merged = merge_lists([lists_of(rows, 10), lists_of(chance, 10)])
    target = np.array([row[rng.integers(2)] for row in rows])[:, np.newaxis]
    return Asked(merged, merged.items == target, np.ones(n_users, dtype=np.int64))


def test_ndcg_by_hand():
    items = np.array([[3, 5, 8]], dtype=np.int32)
    merged = Candidates(items, np.zeros((1, 1, 3), np.int16), np.zeros((1, 1, 3), np.float32))
    what = Asked(merged, np.array([[True, False, True]]), np.array([3]))
    found = what.ndcg(np.array([[1.0, 3.0, 2.0]]), 2)
    # The second place of two holds a target, of three that there are.
    assert found == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3))])


def test_a_list_of_chance_loses_its_say():
    what = asked()
    learned = learn_fusion(what, k=5)
    assert learned.weights[0] == 1.0
    assert learned.weights[1] <= 0.25
    even = what.ndcg(Fusion.even(2).score(what.candidates), 5).mean()
    assert what.ndcg(learned.score(what.candidates), 5).mean() > even


def test_where_nothing_was_found_all_keep_the_same_say():
    what = asked(20)
    nothing = Asked(what.candidates, np.zeros_like(what.is_target), what.n_relevant)
    assert learn_fusion(nothing, k=5) == Fusion.even(2)


def test_an_unlisted_item_gets_nothing_from_a_list():
    merged = merge_lists([lists_of([[1, 2]], 2), lists_of([[2]], 2)])
    parts = Fusion((1.0, 2.0), 1.0).parts(merged)
    np.testing.assert_allclose(parts[:, 0], [[1 / 2, 1 / 3], [0, 2 / 2]], rtol=1e-6)
