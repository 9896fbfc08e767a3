"""The laws of a model, for any implementation: subclass, override one fixture, run.

The data is generated, small, and has a right answer; nothing here says how good a model is on
real data.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from endcap.schema.dataset import Dataset
from endcap.schema.errors import NotFittedError
from endcap.schema.protocols import Persistent, Recommender, SimilarItems
from endcap.schema.types import NO_ITEM, TopK, UserIdx
from endcap.testing.toy_data import (
    BOARD_SIZE,
    START_US,
    checkerboard,
    checkerboard_of_refusals,
    dataset,
    planted_tastes,
)

MakeModel: TypeAlias = Callable[[], Recommender]
"""Returns a new, unfitted model, always with the same settings."""


def fit(model: Recommender, data: Dataset, *, seed: int = 7) -> Recommender:
    """Return the model, fitted with a random stream of its own."""
    return model.fit(data, rng=np.random.default_rng(seed))


def every_user(data: Dataset) -> UserIdx:
    """Return all users of the data."""
    return np.arange(data.n_users, dtype=np.int32)


def same_lists(one: TopK, other: TopK) -> None:
    """Assert that two rankings are equal: items exactly, scores but for rounding."""
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5, atol=1e-6)


class RecommenderContract:
    """What every model must do. Override `make_model`."""

    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls) -> MakeModel:
        """Override: return what makes a new, unfitted model, small and quick to fit."""
        raise NotImplementedError("override the fixture `make_model`")

    @pytest.fixture(scope="class")
    @classmethod
    def board(cls) -> Dataset:
        """The checkerboard."""
        return checkerboard()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, make_model: MakeModel, board: Dataset) -> Recommender:
        """A model that knows the checkerboard."""
        return fit(make_model(), board)

    def test_is_a_recommender(self, make_model: MakeModel) -> None:
        """It has the methods that the protocol asks for."""
        assert isinstance(make_model(), Recommender)

    def test_asking_before_fitting_is_an_error(self, make_model: MakeModel) -> None:
        """A model that knows nothing says so."""
        with pytest.raises(NotFittedError):
            make_model().recommend(np.array([0], dtype=np.int32), 3)

    def test_fit_returns_the_model(self, make_model: MakeModel, board: Dataset) -> None:
        """So that calls can be chained."""
        model = make_model()
        assert fit(model, board) is model

    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_lists_are_well_formed(
        self, fitted: Recommender, board: Dataset, exclude_seen: bool
    ) -> None:
        """Shape, types, order, no item twice, padding only at the end."""
        users = every_user(board)
        ranked = fitted.recommend(users, 9, exclude_seen=exclude_seen)
        assert ranked.items.shape == ranked.scores.shape == (len(users), 9)
        assert ranked.items.dtype == np.int32
        assert ranked.scores.dtype == np.float32
        assert ranked.items.max() < board.n_items
        for items, scores in zip(ranked.items, ranked.scores, strict=True):
            shown = items[items != NO_ITEM]
            np.testing.assert_array_equal(items[: len(shown)], shown)
            assert len(set(shown.tolist())) == len(shown)
            assert np.all(scores[: len(shown)] > -np.inf)
            assert np.all(scores[len(shown) :] == -np.inf)
            assert np.all(np.diff(scores[: len(shown)]) <= 0)

    def test_never_recommends_what_was_seen(self, fitted: Recommender, board: Dataset) -> None:
        """Seen is what the fitted data says."""
        ranked = fitted.recommend(every_user(board), board.n_items)
        seen = set(
            zip(
                board.interactions.user_idx.tolist(),
                board.interactions.item_idx.tolist(),
                strict=True,
            )
        )
        for user, items in enumerate(ranked.items.tolist()):
            assert not [item for item in items if (user, item) in seen]

    def test_seen_items_come_back_when_wanted(self, fitted: Recommender, board: Dataset) -> None:
        """With exclude_seen off, nothing is left out."""
        ranked = fitted.recommend(every_user(board), board.n_items, exclude_seen=False)
        np.testing.assert_array_equal(
            np.sort(ranked.items, axis=1), np.tile(np.arange(board.n_items), (board.n_users, 1))
        )

    def test_never_recommends_what_was_refused(self, make_model: MakeModel) -> None:
        """Neither as news nor, where seen items are wanted, as something the user had."""
        data = checkerboard_of_refusals()
        model = fit(make_model(), data)
        for exclude_seen in (True, False):
            ranked = model.recommend(every_user(data), data.n_items, exclude_seen=exclude_seen)
            for user in range(BOARD_SIZE):
                refused = {user, (user + 2) % BOARD_SIZE}
                assert not refused & set(ranked.items[user].tolist())
            assert np.count_nonzero(ranked.items[-1] != NO_ITEM) == data.n_items

    def test_only_allowed_items(self, fitted: Recommender, board: Dataset) -> None:
        """The rest of a list is padding, even when the allowed ones do not fill it."""
        allowed = np.array([1, 2, 5, 8], dtype=np.int32)
        for exclude_seen in (True, False):
            ranked = fitted.recommend(
                every_user(board), 6, exclude_seen=exclude_seen, allowed=allowed
            )
            assert set(ranked.items.ravel().tolist()) <= {*allowed.tolist(), NO_ITEM}
        np.testing.assert_array_equal(
            np.sort(ranked.items, axis=1)[:, 2:], np.tile(allowed, (board.n_users, 1))
        )
        none = fitted.recommend(every_user(board), 3, allowed=np.empty(0, dtype=np.int32))
        assert np.all(none.items == NO_ITEM)

    def test_allowing_some_keeps_their_order(self, fitted: Recommender, board: Dataset) -> None:
        """The list of the allowed items is the full list without the others."""
        allowed = np.arange(0, board.n_items, 3, dtype=np.int32)
        users = every_user(board)
        full = fitted.recommend(users, board.n_items)
        part = fitted.recommend(users, len(allowed), allowed=allowed)
        for whole, some in zip(full.items, part.items, strict=True):
            expected = whole[np.isin(whole, allowed)]
            np.testing.assert_array_equal(some[: len(expected)], expected)

    def test_longer_than_the_catalogue_is_padded(self, fitted: Recommender, board: Dataset) -> None:
        """A short list stays short."""
        ranked = fitted.recommend(every_user(board), board.n_items + 5, exclude_seen=False)
        assert ranked.k == board.n_items + 5
        assert np.all(ranked.items[:, board.n_items :] == NO_ITEM)

    def test_a_shorter_list_is_the_head_of_a_longer_one(
        self, fitted: Recommender, board: Dataset
    ) -> None:
        """K cuts, and does nothing else."""
        users = every_user(board)
        longer, shorter = fitted.recommend(users, 12), fitted.recommend(users, 4)
        same_lists(shorter, TopK(longer.items[:, :4], longer.scores[:, :4]))

    def test_batch_equals_single(self, fitted: Recommender, board: Dataset) -> None:
        """A user has the same list alone as among others, whoever they are and in any order."""
        users = np.array([3, 0, 17, 3, board.n_users - 1, 8], dtype=np.int32)
        together = fitted.recommend(users, 10)
        for place in range(len(users)):
            alone = fitted.recommend(users[place : place + 1], 10)
            row = slice(place, place + 1)
            same_lists(alone, TopK(together.items[row], together.scores[row]))

    def test_nobody_asked_nobody_answered(self, fitted: Recommender) -> None:
        """No user gives no row."""
        assert fitted.recommend(np.empty(0, dtype=np.int32), 4).items.shape == (0, 4)

    def test_fit_twice_equals_once(self, make_model: MakeModel, board: Dataset) -> None:
        """Nothing of an earlier fit is left, not even of other data."""
        other, _ = planted_tastes(np.random.default_rng(3))
        model = fit(fit(make_model(), other), board)
        users = every_user(board)
        same_lists(model.recommend(users, 8), fit(make_model(), board).recommend(users, 8))

    def test_deterministic_under_one_rng(self, make_model: MakeModel) -> None:
        """The same data and seed give the same lists."""
        data, _ = planted_tastes(np.random.default_rng(3))
        one, other = fit(make_model(), data), fit(make_model(), data)
        users = every_user(data)
        same_lists(one.recommend(users, 10), other.recommend(users, 10))

    def test_unknown_users_get_a_full_list(self, fitted: Recommender, board: Dataset) -> None:
        """No history, no index or one beyond all: a list, and the same for each of them."""
        strangers = np.array([board.n_users - 1, -1, board.n_users + 50], dtype=np.int32)
        ranked = fitted.recommend(strangers, 5)
        assert np.all(ranked.items != NO_ITEM)
        np.testing.assert_array_equal(ranked.items, np.tile(ranked.items[0], (3, 1)))

    def test_strangers_are_shown_what_sells(self, make_model: MakeModel) -> None:
        """An item that everybody takes comes before one that nobody does."""
        data, _ = planted_tastes(np.random.default_rng(3))
        model = fit(make_model(), data)
        bestseller = int(np.bincount(data.interactions.item_idx).argmax())
        ranked = model.recommend(np.array([-1], dtype=np.int32), data.n_items)
        assert ranked.items[0].tolist().index(bestseller) < data.n_items // 4

    def test_learns_from_nothing(self, make_model: MakeModel) -> None:
        """A shop before its first sale has lists too."""
        none = np.empty(0, dtype=np.int32)
        data = dataset(none, none, none.astype(np.int64), n_users=3, n_items=4)
        ranked = fit(make_model(), data).recommend(every_user(data), 2)
        assert np.all(ranked.items != NO_ITEM)

    def test_learns_from_a_single_sale(self, make_model: MakeModel) -> None:
        """One user, one item, one event."""
        one = np.zeros(1, dtype=np.int32)
        data = dataset(one, one, np.array([START_US]), n_users=1, n_items=1)
        model = fit(make_model(), data)
        assert model.recommend(one, 2).items.tolist() == [[NO_ITEM, NO_ITEM]]
        assert model.recommend(one, 2, exclude_seen=False).items.tolist() == [[0, NO_ITEM]]


class PersonalContract(RecommenderContract):
    """What a model must do besides, if it is to find items that are new to a user."""

    def test_finds_the_missing_square(self, fitted: Recommender, board: Dataset) -> None:
        """The best unseen item of user u is item u."""
        users = np.arange(BOARD_SIZE, dtype=np.int32)
        np.testing.assert_array_equal(fitted.recommend(users, 1).items[:, 0], users)

    def test_beats_popularity_on_planted_tastes(self, make_model: MakeModel) -> None:
        """It finds at least half more of what users take next than a ranking by counts does."""
        data, held_out = planted_tastes(np.random.default_rng(3))
        ranked = fit(make_model(), data).recommend(every_user(data), 10)
        counts = np.bincount(data.interactions.item_idx, minlength=data.n_items)
        popular = np.argsort(-counts, kind="stable")[:10]
        found = np.mean([np.isin(held_out[u], ranked.items[u]).mean() for u in every_user(data)])
        assert found > 1.5 * np.isin(held_out, popular).mean()
        assert found > 0.5


class PersistentContract(RecommenderContract):
    """What a model must do besides, if it can be kept."""

    def test_loaded_recommends_the_same(
        self, fitted: Recommender, board: Dataset, tmp_path: Path
    ) -> None:
        """Items and scores survive, bit by bit."""
        assert isinstance(fitted, Persistent)
        fitted.save(tmp_path)
        loaded = type(fitted).load(tmp_path)
        assert isinstance(loaded, Recommender)
        users = np.append(every_user(board), np.int32(-1)).astype(np.int32)
        for exclude_seen in (True, False):
            before = fitted.recommend(users, 10, exclude_seen=exclude_seen)
            after = loaded.recommend(users, 10, exclude_seen=exclude_seen)
            np.testing.assert_array_equal(before.items, after.items)
            np.testing.assert_array_equal(before.scores, after.scores)

    def test_saving_before_fitting_is_an_error(self, make_model: MakeModel, tmp_path: Path) -> None:
        """There is nothing to keep, and nothing is left behind."""
        model = make_model()
        assert isinstance(model, Persistent)
        with pytest.raises(NotFittedError):
            model.save(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_keeps_no_pickle(self, fitted: Recommender, tmp_path: Path) -> None:
        """Whoever loads a model runs no code from its files."""
        assert isinstance(fitted, Persistent)
        fitted.save(tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert path.suffix not in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    assert all(arrays[name].dtype != object for name in arrays.files)


class SimilarItemsContract(RecommenderContract):
    """What a model must do besides, if it knows which items go together."""

    def test_similar_lists_are_well_formed(self, fitted: Recommender, board: Dataset) -> None:
        """Padded, in order, never the item itself."""
        assert isinstance(fitted, SimilarItems)
        items = np.array([4, 0, 4, 11], dtype=np.int32)
        ranked = fitted.similar_items(items, board.n_items + 3)
        assert ranked.items.shape == ranked.scores.shape == (4, board.n_items + 3)
        assert ranked.items.dtype == np.int32
        for item, near, scores in zip(items.tolist(), ranked.items, ranked.scores, strict=True):
            shown = near[near != NO_ITEM].tolist()
            assert len(shown) > 0
            assert item not in shown
            assert len(set(shown)) == len(shown)
            assert np.all(np.diff(scores[: len(shown)]) <= 0)
            assert np.all(scores[len(shown) :] == -np.inf)
        np.testing.assert_array_equal(ranked.items[0], ranked.items[2])

    def test_similar_items_have_the_same_colour(self, fitted: Recommender) -> None:
        """On the checkerboard, what goes with an item is what the same users had."""
        assert isinstance(fitted, SimilarItems)
        items = np.arange(BOARD_SIZE, dtype=np.int32)
        ranked = fitted.similar_items(items, 5)
        assert np.all(ranked.items % 2 == items[:, np.newaxis] % 2)

    def test_asking_for_similar_before_fitting_is_an_error(self, make_model: MakeModel) -> None:
        """A model that knows nothing says so."""
        model = make_model()
        assert isinstance(model, SimilarItems)
        with pytest.raises(NotFittedError):
            model.similar_items(np.array([0], dtype=np.int32), 3)
