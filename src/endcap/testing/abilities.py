"""The laws of what a model may be able to do besides recommending: one suite an ability.

The data and the laws of every model are `models.py`'s.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Explains, Recommender, ScoresItems, TakesHistory
from endcap.schema.types import ItemIdx, UserIdx, top_k
from endcap.testing.models import MakeModel, RecommenderContract, every_user, fit, same_lists
from endcap.testing.toy_data import BOARD_SIZE, START_US, checkerboard_of_refusals, dataset


class TakesHistoryContract(RecommenderContract):
    """What a model must do besides, if it can be asked about other users."""

    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_the_same_history_gives_the_same_lists(
        self, fitted: Recommender, board: Dataset, exclude_seen: bool
    ) -> None:
        """Items and scores, bit by bit: nothing about users is known but their history."""
        assert isinstance(fitted, TakesHistory)
        users = np.append(every_user(board), np.int32(-1)).astype(np.int32)
        one = fitted.recommend(users, 12, exclude_seen=exclude_seen)
        other = fitted.with_history(board).recommend(users, 12, exclude_seen=exclude_seen)
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)

    def test_users_may_have_other_numbers(self, fitted: Recommender, board: Dataset) -> None:
        """Who somebody was when the model was fitted plays no part."""
        assert isinstance(fitted, TakesHistory)
        users = every_user(board)
        moved = (100 + users[::-1]).astype(np.int32)
        renamed = _renamed(board, moved, n_users=100 + board.n_users)
        same_lists(fitted.with_history(renamed).recommend(moved, 10), fitted.recommend(users, 10))

    def test_who_has_no_history_there_is_a_stranger(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """What a user had in the fitted data is forgotten, also as seen."""
        assert isinstance(fitted, TakesHistory)
        nothing = board.between(0, 0)
        users = every_user(board)
        ranked = fitted.with_history(nothing).recommend(users, board.n_items)
        stranger = fitted.recommend(np.array([-1], dtype=np.int32), board.n_items)
        np.testing.assert_array_equal(ranked.items, np.tile(stranger.items, (len(users), 1)))

    def test_what_is_seen_is_what_the_history_says(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """One user had one item: it is not shown, and all others are."""
        assert isinstance(fitted, TakesHistory)
        one = _one_sale(item=5, like=board)
        ranked = fitted.with_history(one).recommend(np.zeros(1, dtype=np.int32), board.n_items)
        shown = set(ranked.items[0].tolist()) - {-1}
        assert shown == set(range(board.n_items)) - {5}

    def test_items_that_it_never_heard_of_are_ignored(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """They are neither an error nor a hint, and never come back."""
        assert isinstance(fitted, TakesHistory)
        users = every_user(board)
        ranked = fitted.with_history(_with_new_items(board)).recommend(users, board.n_items)
        same_lists(ranked, fitted.recommend(users, board.n_items))

    def test_what_was_refused_there_is_not_shown(self, fitted: Recommender, board: Dataset) -> None:
        """A refusal in the history counts as one in the fitted data does."""
        assert isinstance(fitted, TakesHistory)
        data = checkerboard_of_refusals()
        ranked = fitted.with_history(data).recommend(
            every_user(data), data.n_items, exclude_seen=False
        )
        for user in range(BOARD_SIZE):
            assert not {user, (user + 2) % BOARD_SIZE} & set(ranked.items[user].tolist())

    def test_the_model_itself_is_left_as_it_was(
        self, make_model: MakeModel, board: Dataset
    ) -> None:
        """Asking about others changes nothing for those it knows, nor the other way round."""
        model, users = fit(make_model(), board), every_user(board)
        assert isinstance(model, TakesHistory)
        before = model.recommend(users, 8)
        other = model.with_history(_one_sale(item=5, like=board))
        of_other = other.recommend(users, 8)
        same_lists(model.recommend(users, 8), before)
        fit(model, checkerboard_of_refusals(), seed=1)
        same_lists(other.recommend(users, 8), of_other)

    def test_other_histories_before_fitting_are_an_error(
        self, make_model: MakeModel, board: Dataset
    ) -> None:
        """A model that knows nothing says so."""
        model = make_model()
        assert isinstance(model, TakesHistory)
        with pytest.raises(NotFittedError):
            model.with_history(board)


class ScoresItemsContract(RecommenderContract):
    """What a model must do besides, if its scores of all items can be seen."""

    def test_scores_are_finite_and_of_every_item(self, fitted: Recommender, board: Dataset) -> None:
        """For everybody, strangers included; what a user had is scored like the rest."""
        assert isinstance(fitted, ScoresItems)
        users = np.append(every_user(board), np.int32(-1)).astype(np.int32)
        scores = fitted.score(users)
        assert scores.dtype == np.float32
        assert scores.shape == (board.n_users + 1, board.n_items)
        assert np.all(np.isfinite(scores))
        np.testing.assert_allclose(scores[-1], scores[board.n_users - 1], rtol=1e-5)

    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_ranking_by_the_scores_gives_the_lists(
        self, fitted: Recommender, board: Dataset, exclude_seen: bool
    ) -> None:
        """The lists hold the best scores of what may be shown, with those scores."""
        assert isinstance(fitted, ScoresItems)
        users = every_user(board)
        scores = fitted.score(users)
        if exclude_seen:
            scores[board.interactions.user_idx, board.interactions.item_idx] = -np.inf
        ranked = fitted.recommend(users, 9, exclude_seen=exclude_seen)
        of_lists = np.take_along_axis(scores, ranked.items, axis=1)
        np.testing.assert_allclose(of_lists, top_k(scores, 9).scores, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(of_lists, ranked.scores, rtol=1e-4, atol=1e-6)

    def test_scores_do_not_depend_on_company(self, fitted: Recommender, board: Dataset) -> None:
        """But for rounding, a user's scores are the same alone as among others."""
        assert isinstance(fitted, ScoresItems)
        users = np.array([7, 2, 7, 0], dtype=np.int32)
        together = fitted.score(users)
        for place in range(len(users)):
            alone = fitted.score(users[place : place + 1])
            np.testing.assert_allclose(alone[0], together[place], rtol=1e-4, atol=1e-6)

    def test_nobody_asked_nothing_scored(self, fitted: Recommender, board: Dataset) -> None:
        """No user gives no row."""
        assert isinstance(fitted, ScoresItems)
        assert fitted.score(np.empty(0, dtype=np.int32)).shape == (0, board.n_items)

    def test_scoring_before_fitting_is_an_error(self, make_model: MakeModel) -> None:
        """A model that knows nothing says so."""
        model = make_model()
        assert isinstance(model, ScoresItems)
        with pytest.raises(NotFittedError):
            model.score(np.array([0], dtype=np.int32))


class ExplainsContract(RecommenderContract):
    """What a model must do besides, if it can say why."""

    def test_one_reason_an_item_whatever_the_order(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """Each reason belongs to its item; seen and unseen ones have one."""
        assert isinstance(fitted, Explains)
        items: ItemIdx = np.arange(board.n_items, dtype=np.int32)
        reasons = fitted.explain(4, items)
        assert len(reasons) == board.n_items
        turned = fitted.explain(4, items[::-1])[::-1]
        assert [(one.kind, one.item) for one in turned] == [(one.kind, one.item) for one in reasons]
        np.testing.assert_allclose(
            [one.amount for one in turned], [one.amount for one in reasons], rtol=1e-4, atol=1e-6
        )
        assert fitted.explain(4, items[:0]) == []

    def test_only_what_the_user_had_is_named(self, fitted: Recommender, board: Dataset) -> None:
        """And only by the kinds of reason that name something; amounts are numbers from 0."""
        assert isinstance(fitted, Explains)
        items: ItemIdx = np.arange(board.n_items, dtype=np.int32)
        for user in every_user(board).tolist():
            had = set(board.interactions.item_idx[board.interactions.user_idx == user].tolist())
            for reason in fitted.explain(user, items):
                assert (reason.item is not None) == (reason.kind in {"because_of", "had_before"})
                assert reason.item is None or reason.item in had
                assert np.isfinite(reason.amount)
                assert reason.amount >= 0

    def test_nothing_personal_about_strangers(self, fitted: Recommender, board: Dataset) -> None:
        """Who has no history is shown what others take, or for no reason at all."""
        assert isinstance(fitted, Explains)
        items: ItemIdx = np.arange(board.n_items, dtype=np.int32)
        for stranger in (-1, board.n_users - 1, board.n_users + 50):
            kinds = {reason.kind for reason in fitted.explain(stranger, items)}
            assert kinds <= {"popular", "trending", "none"}

    def test_without_what_is_named_the_score_is_lower(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """The reason is the model's, not a story: forget the named item, and the score falls."""
        assert isinstance(fitted, Explains)
        assert isinstance(fitted, TakesHistory)
        assert isinstance(fitted, ScoresItems)
        for user in range(0, BOARD_SIZE, 5):
            asked: UserIdx = np.array([user], dtype=np.int32)
            items = fitted.recommend(asked, 3, exclude_seen=False).items[0]
            before = fitted.score(asked)[0]
            for item, reason in zip(items.tolist(), fitted.explain(user, items), strict=True):
                if reason.item is None:
                    continue
                without = fitted.with_history(_without(board, user, reason.item))
                assert isinstance(without, ScoresItems)
                assert without.score(asked)[0, item] < before[item]

    def test_explaining_before_fitting_is_an_error(self, make_model: MakeModel) -> None:
        """A model that knows nothing says so."""
        model = make_model()
        assert isinstance(model, Explains)
        with pytest.raises(NotFittedError):
            model.explain(0, np.array([0], dtype=np.int32))


def _renamed(data: Dataset, names: UserIdx, *, n_users: int) -> Dataset:
    """Return the data with user u called names[u]."""
    told = data.interactions
    return replace(data, interactions=replace(told, user_idx=names[told.user_idx]), n_users=n_users)


def _without(data: Dataset, user: int, item: int) -> Dataset:
    """Return the data without what a user did with an item."""
    told = data.interactions
    return replace(data, interactions=told.take((told.user_idx != user) | (told.item_idx != item)))


def _one_sale(*, item: int, like: Dataset) -> Dataset:
    """Return one user who had one item of a catalogue."""
    one = np.zeros(1, dtype=np.int32)
    ts = np.array([START_US], dtype=np.int64)
    return dataset(one, one + np.int32(item), ts, n_users=1, n_items=like.n_items)


def _with_new_items(data: Dataset) -> Dataset:
    """Return the data with two more items, each of which somebody had at every time."""
    told = data.interactions

    def twice(item_idx: ItemIdx) -> Interactions:
        return replace(
            told,
            user_idx=np.repeat(told.user_idx, 2),
            item_idx=np.column_stack([told.item_idx, item_idx]).ravel(),
            kind=np.repeat(told.kind, 2),
            value=np.repeat(told.value, 2),
            price=np.repeat(told.price, 2),
            ts=np.repeat(told.ts, 2),
        )

    new = (data.n_items + np.arange(len(told)) % 2).astype(np.int32)
    unknown = np.full(data.n_items + 2, -1, dtype=np.int32)
    return replace(
        data,
        interactions=twice(new),
        n_items=data.n_items + 2,
        items=Items(department=unknown, category=unknown, brand=unknown),
    )
