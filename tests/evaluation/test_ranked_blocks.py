import numpy as np
import pytest

from endcap.evaluation.lists import rank
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.lists.rank import rank_users, ranked_blocks
from endcap.schema.errors import RankingError
from endcap.schema.types import TopK, top_k

N_ITEMS, K = 300, 7
USERS = np.arange(10, 510, 2, dtype=np.int32)
SEEN = pair_set(np.repeat(np.arange(600), 2), np.tile([1, 298], 600), stride=N_ITEMS)


class Noise:
    """Random scores in steps, so that some tie; remembers how many users it was asked about."""

    def __init__(self):
        self.n_asked = []

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        self.n_asked.append(len(users))
        scores = np.empty((len(users), N_ITEMS), dtype=np.float32)
        for row, user in enumerate(users.tolist()):
            scores[row] = np.random.default_rng(user).integers(500, size=N_ITEMS)
        if exclude_seen:
            scores[:, [1, 298]] = -np.inf
        return top_k(scores, k)


def asked(model, **changes):
    terms = {"k": K, "n_items": N_ITEMS, "forbidden": SEEN, "seed": 5}
    return ranked_blocks("noise", model, USERS, **(terms | changes))


def test_blocks_hold_the_lists_of_all_together(monkeypatch):
    lists = rank_users("noise", Noise(), USERS, k=K, n_items=N_ITEMS, forbidden=SEEN, seed=5)
    monkeypatch.setattr(rank, "USERS_AT_ONCE", 60)
    blocks = list(asked(Noise()))
    assert [block for block, _ in blocks] == [
        slice(start, min(start + 60, 250)) for start in range(0, 250, 60)
    ]
    for block, settled in blocks:
        np.testing.assert_array_equal(settled.ranked.items, lists.ranked.items[block])
        np.testing.assert_array_equal(settled.ranked.scores, lists.ranked.scores[block])
        np.testing.assert_array_equal(settled.is_cut, lists.is_cut[block])
    assert lists.is_cut.any()


def test_no_block_is_ranked_before_it_is_wanted(monkeypatch):
    monkeypatch.setattr(rank, "USERS_AT_ONCE", 100)
    model = Noise()
    blocks = asked(model)
    assert model.n_asked == []
    next(blocks)
    assert model.n_asked[0] == 100
    assert sum(n == 100 for n in model.n_asked) == 1


def test_a_seen_item_in_a_later_block_is_refused(monkeypatch):
    class Cheat(Noise):
        def recommend(self, users, k, *, exclude_seen=True, allowed=None):
            lists = super().recommend(users, k, exclude_seen=users[0] < 300)
            scores = lists.scores.copy()
            items = lists.items.copy()
            items[users == 402, 0] = 298
            return TopK(items, scores)

    monkeypatch.setattr(rank, "USERS_AT_ONCE", 50)
    blocks = asked(Cheat())
    assert len([next(blocks) for _ in range(3)]) == 3
    with pytest.raises(RankingError, match="is seen before"):
        list(blocks)


def test_nobody_asked_no_block():
    terms = {"k": K, "n_items": N_ITEMS, "seed": 5}
    nobody = USERS[:0]
    assert list(ranked_blocks("noise", Noise(), nobody, forbidden=SEEN, **terms)) == []
    lists = rank_users("noise", Noise(), nobody, forbidden=SEEN, **terms)
    assert lists.ranked.items.shape == (0, K)
