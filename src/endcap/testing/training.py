"""The laws of models whose training goes on: resumed after an interruption, or on new data.

The data and the laws of every model are `models.py`'s.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
import pytest

from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Recommender, Resumes
from endcap.schema.types import TopK, UserIdx
from endcap.testing.models import MakeModel, RecommenderContract, every_user, fit
from endcap.testing.toy_data import planted_tastes

N_SAVED = 2
"""After how many saved states the training is interrupted."""


@runtime_checkable
class _Trains(Recommender, Resumes, Protocol):
    """A model that recommends, and resumes its training."""


class ResumesContract(RecommenderContract):
    """What a model must do besides, if it keeps the state of its training.

    Its settings must have it save at least three times in a fit. What counts as saving is a file
    that is moved into place in the folder.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Dataset:
        """What is learnt from."""
        return planted_tastes(np.random.default_rng(3))[0]

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, make_model: MakeModel, data: Dataset) -> TopK:
        """The lists of a model whose training was neither kept nor interrupted."""
        return _lists(fit(make_model(), data), data)

    def test_keeping_the_state_changes_nothing(
        self, make_model: MakeModel, data: Dataset, whole: TopK, tmp_path: Path
    ) -> None:
        """The lists are the same, bit by bit, and there is a state in the folder."""
        _same_bits(_lists(fit(_kept(make_model, tmp_path), data), data), whole)
        assert any(path.is_file() for path in tmp_path.rglob("*"))

    def test_interrupted_and_resumed_equals_uninterrupted(
        self,
        make_model: MakeModel,
        data: Dataset,
        whole: TopK,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Bit by bit, and without learning again what was learnt before."""
        with monkeypatch.context() as patched:
            _count_saves(patched, tmp_path, stop_at=N_SAVED)
            model = _kept(make_model, tmp_path)
            with pytest.raises(KeyboardInterrupt):
                fit(model, data)
        with monkeypatch.context() as patched:
            saved = _count_saves(patched, tmp_path)
            resumed = fit(_kept(make_model, tmp_path), data)
        _same_bits(_lists(resumed, data), whole)
        with monkeypatch.context() as patched:
            all_saved = _count_saves(patched, tmp_path / "anew")
            fit(_kept(make_model, tmp_path / "anew"), data)
        assert len(saved) == len(all_saved) - N_SAVED

    def test_what_is_finished_is_not_trained_again(
        self,
        make_model: MakeModel,
        data: Dataset,
        whole: TopK,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The state of the end gives the model of the end."""
        fit(_kept(make_model, tmp_path), data)
        with monkeypatch.context() as patched:
            saved = _count_saves(patched, tmp_path)
            again = fit(_kept(make_model, tmp_path), data)
        assert not saved
        _same_bits(_lists(again, data), whole)

    def test_the_state_of_another_training_is_not_taken_up(
        self, make_model: MakeModel, data: Dataset, whole: TopK, tmp_path: Path
    ) -> None:
        """Neither that of another seed nor that of other data."""
        fit(_kept(make_model, tmp_path), data, seed=8)
        _same_bits(_lists(fit(_kept(make_model, tmp_path), data), data), whole)
        fit(_kept(make_model, tmp_path), data.between(None, data.end_us - 1))
        _same_bits(_lists(fit(_kept(make_model, tmp_path), data), data), whole)

    def test_a_damaged_state_begins_anew(
        self, make_model: MakeModel, data: Dataset, whole: TopK, tmp_path: Path
    ) -> None:
        """It is no error either."""
        fit(_kept(make_model, tmp_path), data)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for path in files:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        _same_bits(_lists(fit(_kept(make_model, tmp_path), data), data), whole)

    def test_nothing_is_kept_when_not_wanted(
        self, make_model: MakeModel, board: Dataset, tmp_path: Path
    ) -> None:
        """None takes back the wish."""
        model = _kept(make_model, tmp_path / "folder")
        fit(model.keep_training_in(None), board)
        assert not list(tmp_path.iterdir())


def _kept(make_model: MakeModel, folder: Path) -> _Trains:
    model = make_model()
    assert isinstance(model, Resumes)
    return cast("_Trains", model.keep_training_in(folder))


def _lists(model: Recommender, data: Dataset) -> TopK:
    users: UserIdx = np.append(every_user(data), np.int32(-1)).astype(np.int32)
    return model.recommend(users, 10)


def _same_bits(one: TopK, other: TopK) -> None:
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.scores, other.scores)


def _count_saves(patched: pytest.MonkeyPatch, folder: Path, *, stop_at: int = 0) -> list[Path]:
    """Return a list that grows with every state saved there; Ctrl-C is pressed at `stop_at`."""
    saved: list[Path] = []
    replace = os.replace

    def count(source: Path | str, target: Path | str) -> None:
        replace(source, target)
        if folder in Path(target).parents:
            saved.append(Path(target))
            if len(saved) == stop_at:
                raise KeyboardInterrupt

    patched.setattr(os, "replace", count)
    return saved
