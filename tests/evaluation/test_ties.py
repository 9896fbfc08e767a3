import numpy as np
from evaluation_shop import Scripted

from endcap.evaluation.lists.ties import settle_ties
from endcap.schema.types import NO_ITEM, TopK, top_k

USERS = np.arange(4_000, dtype=np.int32)


class Table:
    """Answers from one row of scores, the same for everybody, and remembers what was asked."""

    def __init__(self, scores):
        self.scores = np.array(scores, dtype=np.float32)
        self.asked = []

    def __call__(self, users, width):
        self.asked.append((len(users), width))
        one = top_k(self.scores[None, :], width)
        return TopK(np.repeat(one.items, len(users), 0), np.repeat(one.scores, len(users), 0))


def settle(table, k, users=USERS, seed=0):
    return settle_ties(table, users, k, n_items=len(table.scores), seed=seed)


def test_lists_without_ties_stay_as_they_are():
    table = Table([3, 9, 5, 7, 1])
    settled = settle(table, 3)
    assert (settled.ranked.items == [1, 3, 2]).all()
    assert not settled.is_cut.any()
    assert table.asked == [(len(USERS), 4)]


def test_a_tie_within_the_list_is_shuffled_evenly():
    settled = settle(Table([3, 9, 9, 9, 1]), 3)
    items = settled.ranked.items
    for position in range(3):
        shares = np.bincount(items[:, position], minlength=5)[1:4] / len(USERS)
        assert np.abs(shares - 1 / 3).max() < 0.03
    assert (np.sort(items, axis=1) == [1, 2, 3]).all()
    assert not settled.is_cut.any()


def test_a_tie_across_the_end_gives_each_item_the_same_chance():
    # 2 places for the 30 items that share the second score: far more than the first answer shows.
    scores = np.zeros(120)
    scores[50], scores[60:90] = 9, 5
    table = Table(scores)
    settled = settle(table, 3)
    items = settled.ranked.items
    assert settled.is_cut.all()
    assert (items[:, 0] == 50).all()
    assert set(items[:, 1:].ravel().tolist()) == set(range(60, 90))
    shares = np.bincount(items[:, 1:].ravel(), minlength=120)[60:90] / len(USERS)
    assert np.abs(shares - 2 / 30).max() < 0.02
    assert (items[:, 1] != items[:, 2]).all()


def test_a_constant_score_reaches_every_item():
    settled = settle(Table(np.zeros(40)), 5)
    shares = np.bincount(settled.ranked.items.ravel(), minlength=40) / len(USERS)
    assert np.abs(shares - 5 / 40).max() < 0.03
    assert settled.is_cut.all()


def test_only_users_with_an_open_tie_are_asked_again():
    class Mixed(Table):
        def __call__(self, users, width):
            self.asked.append((len(users), width))
            scores = np.where(users[:, None] % 10 == 0, 0.0, -np.arange(1000.0)[None, :])
            return top_k(scores.astype(np.float32), width)

    table = Mixed(np.zeros(1000))
    settled = settle(table, 4, users=USERS[:40])
    assert table.asked[0] == (40, 5)
    assert {n for n, _ in table.asked[1:]} == {4}
    assert settled.is_cut.tolist() == [user % 10 == 0 for user in range(40)]
    assert (settled.ranked.items[1] == [0, 1, 2, 3]).all()


def test_padding_is_no_tie():
    scores = np.full(30, -np.inf)
    scores[[3, 8]] = 1, 2
    settled = settle(Table(scores), 4)
    assert (settled.ranked.items == [8, 3, NO_ITEM, NO_ITEM]).all()
    assert (settled.ranked.scores[:, 2:] == -np.inf).all()
    assert not settled.is_cut.any()


def test_a_catalogue_smaller_than_the_list():
    settled = settle(Table([1, 1]), 4)
    assert (np.sort(settled.ranked.items, axis=1) == [NO_ITEM, NO_ITEM, 0, 1]).all()
    assert not settled.is_cut.any()


def test_the_order_depends_on_seed_user_and_item_alone():
    scores = np.repeat([3, 2, 1], 30)
    whole = settle(Table(scores), 5).ranked.items
    some = settle(Table(scores), 5, users=USERS[1000:1010]).ranked.items
    np.testing.assert_array_equal(whole[1000:1010], some)
    assert (settle(Table(scores), 5, seed=1).ranked.items != whole).any()
    assert (whole[1:] != whole[:-1]).any(axis=1).mean() > 0.99


def test_what_is_tied_at_the_end_of_a_list_that_begins_differently_when_longer_is_a_miss():
    """Chance cannot decide who comes in, and the model may not."""

    def fickle(users, width):
        scores = np.full((len(users), width), float(width), dtype=np.float32)
        items = np.tile(np.arange(width, dtype=np.int32) + width, (len(users), 1))
        return TopK(items, scores)

    model = Scripted(fickle)
    settled = settle_ties(model.recommend, USERS[:50], 3, n_items=100, seed=0)
    assert settled.is_cut.all()
    assert (settled.ranked.items == NO_ITEM).all()
