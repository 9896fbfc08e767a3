"""The laws of a model that can go on learning, `schema.protocols.Updates`.

How much cheaper than a fit it is, each model's own tests and benchmarks say.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from endcap.schema.dataset import Dataset
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Recommender, Updates
from endcap.schema.types import DAY_US, TopK
from endcap.testing.models import MakeModel, RecommenderContract, every_user, fit, same_lists
from endcap.testing.toy_data import BOARD_SIZE, dataset


def later_board(board: Dataset) -> Dataset:
    """Return the checkerboard a day later: with one user and one item more.

    The new user has taken items 0 to 8 of even number; half of the even users have taken the new
    item, and it is the last thing that happened.
    """
    told = board.interactions
    newcomer, novelty = board.n_users, board.n_items
    events = [(newcomer, item) for item in range(0, 9, 2)]
    events += [(user, novelty) for user in range(0, BOARD_SIZE, 4)]
    users, items = np.array(events, dtype=np.int32).T
    ts = board.end_us + DAY_US + np.arange(len(events), dtype=np.int64)
    return dataset(
        np.concatenate([told.user_idx, users]),
        np.concatenate([told.item_idx, items]),
        np.concatenate([told.ts, ts]),
        n_users=newcomer + 1,
        n_items=novelty + 1,
    )


class UpdatesContract(RecommenderContract):
    """What a model must do besides, if it can go on learning.

    Set `update_equals_fit` to False for a model whose update is another thing than a fit.
    """

    update_equals_fit: ClassVar[bool] = True

    @pytest.fixture(scope="class")
    @classmethod
    def later(cls, board: Dataset) -> Dataset:
        """The checkerboard, and a day more."""
        return later_board(board)

    @pytest.fixture(scope="class")
    @classmethod
    def updated(cls, fitted: Recommender, board: Dataset, later: Dataset) -> Recommender:
        """The model that knew the checkerboard, a day later."""
        return _update(fitted, later, since_us=board.end_us)

    def test_nothing_new_changes_no_list(self, make_model: MakeModel, board: Dataset) -> None:
        """Whoever is asked about, and whether or not seen items are wanted."""
        model = fit(make_model(), board)
        again = _update(model, board, since_us=board.end_us)
        users = np.append(every_user(board), np.int32(-1)).astype(np.int32)
        for exclude_seen in (True, False):
            before = model.recommend(users, 12, exclude_seen=exclude_seen)
            same_lists(again.recommend(users, 12, exclude_seen=exclude_seen), before)

    def test_a_new_user_is_known(self, updated: Recommender, later: Dataset) -> None:
        """What the user took is not shown as news, and everything else can be."""
        newcomer = np.array([later.n_users - 1], dtype=np.int32)
        shown = updated.recommend(newcomer, later.n_items).items[0]
        assert set(shown.tolist()) - {-1} == set(range(later.n_items)) - {0, 2, 4, 6, 8}

    def test_a_new_item_can_be_recommended(
        self, fitted: Recommender, updated: Recommender, later: Dataset
    ) -> None:
        """To whoever did not have it; the model knew nothing of it before."""
        novelty = later.n_items - 1
        users = np.arange(1, BOARD_SIZE, 2, dtype=np.int32)
        before = fitted.recommend(users, later.n_items, exclude_seen=False).items
        after = updated.recommend(users, later.n_items).items
        assert novelty not in before
        assert np.all((after == novelty).sum(axis=1) == 1)
        had = np.arange(0, BOARD_SIZE, 4, dtype=np.int32)
        assert novelty not in updated.recommend(had, later.n_items).items

    def test_updating_leaves_the_model_as_it_was(
        self, make_model: MakeModel, board: Dataset, later: Dataset
    ) -> None:
        """Bit by bit: it may be serving meanwhile."""
        model, users = fit(make_model(), board), every_user(board)
        before = model.recommend(users, board.n_items, exclude_seen=False)
        assert _update(model, later, since_us=board.end_us) is not model
        after: TopK = model.recommend(users, board.n_items, exclude_seen=False)
        np.testing.assert_array_equal(after.items, before.items)
        np.testing.assert_array_equal(after.scores, before.scores)

    def test_updating_equals_fitting_on_everything(
        self, make_model: MakeModel, updated: Recommender, later: Dataset
    ) -> None:
        """Or, where it is said not to, gives well-formed lists for everybody."""
        users = every_user(later)
        ranked = updated.recommend(users, 10)
        assert np.all(np.diff(ranked.scores, axis=1) <= 0)
        if self.update_equals_fit:
            same_lists(ranked, fit(make_model(), later).recommend(users, 10))

    def test_updating_before_fitting_is_an_error(
        self, make_model: MakeModel, board: Dataset
    ) -> None:
        """A model that knows nothing says so."""
        model = make_model()
        assert isinstance(model, Updates)
        with pytest.raises(NotFittedError):
            model.update(board, since_us=0, rng=np.random.default_rng(7))


def _update(model: Recommender, data: Dataset, *, since_us: int) -> Recommender:
    """Return the model after an update with a random stream of its own."""
    assert isinstance(model, Updates)
    other = model.update(data, since_us=since_us, rng=np.random.default_rng(7))
    assert isinstance(other, Recommender)
    return other
