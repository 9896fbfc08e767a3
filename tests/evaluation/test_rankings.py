"""Each list is asked for once, however many views look at it."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import ScoredBy, dataset_of

from endcap.evaluation.lists.rankings import Rankings
from endcap.evaluation.split import ViewRule, split_by_time

ROWS = [(0, 0, 0), (0, 1, 1), (9, 0, 0), (9, 0, 2), (9, 1, 3), (9, 2, 1)]


@pytest.fixture
def split():
    return split_by_time(dataset_of(ROWS, n_users=3, n_items=5), cut_us=5)


class Counted(ScoredBy):
    """Remembers whom it was asked about, and with which rule."""

    def __init__(self, split, sign: float = 1.0) -> None:
        super().__init__(split.train, lambda users: np.tile(sign * np.arange(5), (len(users), 1)))
        self.asked = []

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        self.asked.append((users.tolist(), exclude_seen, allowed is not None))
        return super().recommend(users, k, exclude_seen=exclude_seen, allowed=allowed)


def rankings_of(split, *fits) -> Rankings:
    return Rankings(split, [{"model": fit} for fit in fits], 2, 0, split.seen)


def test_views_of_one_rule_share_their_lists(split):
    model = Counted(split)
    rankings = rankings_of(split, model)
    found = {view: rankings.of(view)["model"] for view in ("all", "repeat", "discovery", "all")}
    assert model.asked == [([0, 1, 2], False, False), ([0, 1, 2], True, False)]
    for view, lists in found.items():
        assert lists.users.tolist() == split.targets[view].users.tolist(), view
    assert found["all"].ranked.items.tolist() == [[4, 3]] * 3
    assert found["repeat"].ranked.items.tolist() == [[4, 3]]


def test_candidates_of_a_view_are_its_own(split):
    few = np.array([0, 2], dtype=np.int32)
    rules = {**split.rules, "repeat": ViewRule("few", exclude_seen=False, allowed=few)}
    model = Counted(split)
    rankings = rankings_of(replace(split, rules=rules), model)
    assert rankings.of("repeat")["model"].ranked.items.tolist() == [[2, 0]]
    assert rankings.of("all")["model"].ranked.items.tolist() == [[4, 3]] * 3
    assert [(users, confined) for users, _, confined in model.asked] == [
        ([0], True),
        ([0, 1, 2], False),
    ]


def test_each_fit_has_lists_of_its_own_and_time_is_that_of_all(split):
    first, second = Counted(split), Counted(split, sign=-1.0)
    rankings = rankings_of(split, first, second)
    assert rankings.names == ("model",)
    assert rankings.seconds_of_a_thousand() == {"model": 0.0}
    assert rankings.of("all")["model"].ranked.items[0].tolist() == [4, 3]
    assert rankings.of("all", fit=1)["model"].ranked.items[0].tolist() == [0, 1]
    assert rankings.seconds_of_a_thousand()["model"] > 0
