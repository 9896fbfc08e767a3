import numpy as np

from endcap.models.blend.lessons import Lesson, hold_out
from endcap.schema.types import DAY_US, NO_ITEM
from endcap.testing.toy_data import START_US, dataset

EVENTS = np.array([(0, 1, 0), (0, 2, 2), (0, 1, 8), (1, 1, 1), (1, 3, 3), (2, 4, 4)])


def data():
    users, items, days = EVENTS.T
    return dataset(users, items, START_US + days * DAY_US, n_users=3, n_items=5)


def told(lesson):
    rows = np.split(lesson.items, lesson.indptr[1:-1])
    return {int(u): row.tolist() for u, row in zip(lesson.users, rows, strict=True)}


def test_the_last_item_of_who_has_two_is_held_out():
    past, lessons = hold_out(data(), days=None)
    news, anything = lessons
    assert (news.exclude_seen, anything.exclude_seen) == (True, False)
    assert told(news) == {1: [3]}, "what user 0 took last was no news"
    assert told(anything) == {0: [1], 1: [3]}
    assert past.interactions.item_idx.tolist() == [1, 1, 2, 4]


def test_a_window_at_the_end_is_held_out():
    past, lessons = hold_out(data(), days=5.5)
    news, anything = lessons
    assert told(news) == {1: [3], 2: [4]}
    assert told(anything) == {0: [1], 1: [3], 2: [4]}
    assert past.interactions.ts.max() == START_US + 2 * DAY_US


def test_nothing_is_taught_by_nothing():
    none = np.empty(0, dtype=np.int32)
    shop = dataset(none, none, none.astype(np.int64), n_users=3, n_items=4)
    for days in (None, 3.0):
        past, lessons = hold_out(shop, days=days)
        assert past is shop
        assert lessons == []


def test_targets_are_found_among_candidates_row_by_row():
    lesson = Lesson(np.array([4, 9]), np.array([0, 2, 3]), np.array([7, 1, 5]), True)
    found = lesson.are_targets(np.array([[1, 5, 7], [5, 7, NO_ITEM]], dtype=np.int32))
    assert found.tolist() == [[True, False, True], [True, False, False]]
    assert lesson.n_relevant.tolist() == [2, 1]


def test_drawn_users_keep_their_targets():
    users = np.arange(50, dtype=np.int32)
    n_each = 1 + users % 3
    items = np.repeat(users, n_each) * 3 + np.concatenate([np.arange(n) for n in n_each])
    whole = Lesson(users, np.concatenate([[0], np.cumsum(n_each)]), items.astype(np.int32), False)
    some = whole.draw(20, seed=1)
    assert len(some) == 20
    assert told(some).items() <= told(whole).items()
    assert told(whole.draw(20, seed=1)) == told(some)
    assert whole.draw(50, seed=1) is whole
