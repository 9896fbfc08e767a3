"""What protocols are made of: the window, what makes a target, who is told what, the counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.runs import Rows
from endcap.evaluation.protocols.told import rows_of
from endcap.evaluation.split import (
    Fact,
    Prepare,
    Split,
    SplitCounts,
    Targets,
    TimeCuts,
    are_targets,
    seen_pairs,
    warm_items,
)
from endcap.schema.columns import Kind
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import DataError
from endcap.schema.types import UserIdx

Marks: TypeAlias = NDArray[np.bool_]
"""Which interactions, or which items."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a protocol is asked with, beside the data.

    choices: windows, shares, lengths.
    prepare: makes of a past what may be learnt from or told; nothing when None.
    target_kinds: only interactions of these kinds make a target; of any when empty.
    session_of: the session of each interaction, shape (n,); only `sessions` reads it.
    """

    choices: ProtocolConfig
    prepare: Prepare | None = None
    target_kinds: tuple[Kind, ...] = ()
    session_of: Rows | None = None

    def prepared(self, past: Dataset) -> Dataset:
        """Return what may be learnt from or told of a past."""
        return past if self.prepare is None else self.prepare(past)

    def are_targets(self, interactions: Interactions) -> Marks:
        """Return which interactions make a target, shape (n,): by weight and by kind."""
        return are_targets(interactions, self.target_kinds)


@dataclass(frozen=True, slots=True)
class Window:
    """What is learnt from ends at `learn_us`, what is told at `cut_us`, targets at `end_us`."""

    learn_us: int
    cut_us: int
    end_us: int

    @staticmethod
    def of(data: Dataset, choices: ProtocolConfig) -> Window:
        """Return the window at the end of the data, or the one before it for validation."""
        cuts = TimeCuts.before_end(
            data, test_days=choices.test_days, validation_days=choices.validation_days
        )
        if choices.on == "validation":
            return Window(cuts.validation_us, cuts.validation_us, cuts.test_us)
        learn_us = cuts.test_us if choices.refit else cuts.validation_us
        return Window(learn_us, cuts.test_us, cuts.end_us)


@dataclass(frozen=True, slots=True)
class Known:
    """What is learnt from and what is told, made from rows of the data.

    train: learnt from. told: what is known of whom is asked; the same object unless more is told.
    n_learnt, n_told: rows of the data that they were made from.
    """

    train: Dataset
    told: Dataset
    n_learnt: int
    n_told: int

    @property
    def history(self) -> Dataset | None:
        """What `Split` calls so: None where nothing is told that was not learnt from."""
        return None if self.told is self.train else self.told

    @property
    def is_warm(self) -> Marks:
        """Whether anybody had the item in what is learnt from, shape (n_items,)."""
        return warm_items(self.train)

    def count(self, asked: Targets, askers: UserIdx, *, n_window: int, n_after: int) -> SplitCounts:
        """Return where everything went, but for what of the window is not used.

        Args:
            asked: all targets, each once.
            askers: the user of each row of `asked`.
            n_window: interactions to foresee, usable or not.
            n_after: interactions that nobody is told of or asked about.
        """
        with_history = np.unique(seen_pairs(self.told).rows)
        test_users = np.unique(askers)
        cold = asked.items[asked.is_cold]
        return SplitCounts(
            n_train=self.n_told,
            n_window=n_window,
            n_after=n_after,
            n_targets=len(asked.items),
            n_cold_targets=len(cold),
            n_cold_items=len(np.unique(cold)),
            n_test_users=len(test_users),
            n_cold_users=int((~np.isin(test_users, with_history)).sum()),
            n_silent_users=int((~np.isin(with_history, test_users)).sum()),
            n_train_unused=self.n_learnt - len(self.train.interactions),
        )


def known_of(data: Dataset, terms: Terms, *, learnt: Marks, told: Marks, protocol: str) -> Known:
    """Return what rows of the data give to learn from and to be told; all learnt is told as well.

    Raises:
        DataError: nothing is left to learn from.
    """
    train = terms.prepared(rows_of(data, learnt))
    if len(train.interactions) == 0:
        raise nothing("to learn from", protocol=protocol)
    n_learnt, n_told = int(learnt.sum()), int(told.sum())
    more = train if n_told == n_learnt else terms.prepared(rows_of(data, told))
    return Known(train, more, n_learnt, n_told)


def with_facts(split: Split, facts: Mapping[str, Fact]) -> Split:
    """Return the split with more facts behind those it has."""
    return replace(split, facts={**split.facts, **facts})


def nothing(part: str, *, protocol: str) -> DataError:
    """Return the error that says that nothing is there."""
    return DataError(
        f"there is no interaction {part}",
        where=f"protocol {protocol}",
        mend="Choose another window, other kinds or shares: settings training.test_days, "
        "training.target_kinds and those of section evaluation",
    )
