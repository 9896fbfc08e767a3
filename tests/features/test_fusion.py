import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.fusion import fuse_ranks


def as_items(*items):
    return np.array(items, dtype=np.int32)


def test_by_hand():
    fused = fuse_ranks([as_items(7, 3), as_items(3, 9)], [1.0, 2.0], rrf_k=20)
    assert fused.items.tolist() == [3, 9, 7]
    assert fused.scores.tolist() == pytest.approx([1 / 22 + 2 / 21, 2 / 22, 1 / 21])
    assert fused.strongest.tolist() == [1, 1, 0]


def test_equal_scores_go_to_the_smaller_item():
    assert fuse_ranks([as_items(9), as_items(4)], [1.0, 1.0]).items.tolist() == [4, 9]


@pytest.mark.parametrize("lists", [[], [as_items()], [as_items(), as_items()]])
def test_nothing_fused_is_nothing(lists):
    assert len(fuse_ranks(lists, [1.0] * len(lists)).items) == 0


ranked = st.lists(st.integers(0, 30), unique=True, max_size=12)


@given(st.lists(st.tuples(ranked, st.floats(0.1, 5)), min_size=1, max_size=4), st.randoms())
def test_each_item_once_best_first_whatever_the_order_of_the_lists(pairs, random):
    fused = fuse_ranks([as_items(*items) for items, _ in pairs], [w for _, w in pairs])
    assert sorted(fused.items.tolist()) == sorted({item for items, _ in pairs for item in items})
    assert (np.diff(fused.scores) <= 0).all()
    random.shuffle(pairs)
    again = fuse_ranks([as_items(*items) for items, _ in pairs], [w for _, w in pairs])
    assert dict(zip(again.items.tolist(), again.scores.tolist(), strict=True)) == pytest.approx(
        dict(zip(fused.items.tolist(), fused.scores.tolist(), strict=True))
    )


@given(ranked, ranked)
def test_to_be_ranked_higher_never_lowers_the_score(first, second):
    if len(first) < 2:
        return
    lists = [as_items(*first), as_items(*second)]
    raised = [as_items(first[-1], *first[:-1]), lists[1]]
    before, after = fuse_ranks(lists, [1.0, 1.0]), fuse_ranks(raised, [1.0, 1.0])

    def score(fused):
        return fused.scores[fused.items.tolist().index(first[-1])]

    assert score(after) >= score(before)
