"""Interactions drawn at random: it leaks the future, and is here to compare with papers alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.chance import draws
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.parts import (
    Marks,
    Terms,
    known_of,
    nothing,
)
from endcap.evaluation.protocols.runs import Rows, group_starts, places
from endcap.evaluation.protocols.told import take
from endcap.evaluation.split import Fact, Split, View, ViewRule, pairs_of, seen_pairs, targets_of
from endcap.schema.dataset import Dataset, Interactions

RANDOM_ROWS = "random"

_WARNING = "leaks the future, only to compare with papers"
RULES: Mapping[View, ViewRule] = {
    "discovery": ViewRule(f"new to the user; {_WARNING}", exclude_seen=True),
    "all": ViewRule(f"whatever the user took; {_WARNING}", exclude_seen=False),
}

_TRAIN, _VALIDATION, _TEST = 0, 1, 2
_MIN_ROWS = 3


def random_rows(data: Dataset, terms: Terms) -> Split:
    """Return the data without interactions that were drawn at random, and those to foresee.

    Only what makes a target is drawn; the rest is learnt from. By user, as MMRec does: of n
    interactions floor(2 share n) are drawn, and the odd one goes to the test; one and one where
    share n is below 1; none where n is below 3. By row, each interaction is drawn for itself.
    Without refit, what belongs to the validation is neither learnt from, nor told, nor left out of
    the lists, as MMRec has it. A draw depends on (seed, user, how many interactions of that user
    came before) alone.

    Source: Zhou 2023 (MMRec), preprocessing and evaluation.
    """
    choices, rows = terms.choices, data.interactions
    wanted = np.flatnonzero(terms.are_targets(rows))
    part = np.zeros(len(rows), dtype=np.int64)
    part[wanted] = _parts(take(rows, wanted), choices)
    is_test = choices.on == "test"
    learnt = part != _TEST if is_test and choices.refit else part == _TRAIN
    asked = take(rows, np.flatnonzero(part == (_TEST if is_test else _VALIDATION)))
    if len(asked) == 0:
        raise nothing("to foresee: none was drawn", protocol=RANDOM_ROWS)
    known = known_of(data, terms, learnt=learnt, told=learnt, protocol=RANDOM_ROWS)
    taken = pairs_of(asked, data.n_items)
    is_new = ~seen_pairs(known.told).contain(taken.rows, taken.items)
    everything = targets_of(taken, known.is_warm)
    n_after = len(rows) - known.n_told - len(asked)
    counts = known.count(everything, everything.users, n_window=len(asked), n_after=n_after)
    return Split(
        known.train,
        {"discovery": targets_of(taken, known.is_warm, is_new), "all": everything},
        cut_us=int(asked.ts[0]),
        end_us=int(asked.ts[-1]) + 1,
        counts=counts,
        target_kinds=asked.kinds,
        rules=RULES,
        protocol=RANDOM_ROWS,
        facts={**_facts(choices), "n_repeat_targets": int((~is_new).sum())},
    )


def _facts(choices: ProtocolConfig) -> dict[str, Fact]:
    return {
        "on": choices.on,
        "refit": choices.refit,
        "seed": choices.seed,
        "random_by": choices.random_by,
        "random_share": choices.random_share,
        "warning": _WARNING,
    }


def _parts(rows: Interactions, choices: ProtocolConfig) -> Rows:
    chance = draws(choices.seed, rows.user_idx, places(rows.user_idx))
    if choices.random_by == "row":
        share = chance / 2.0**64
        is_test, is_drawn = share < choices.random_share, share < 2 * choices.random_share
        return np.where(is_test, _TEST, np.where(is_drawn, _VALIDATION, _TRAIN))
    return _parts_by_user(rows, chance, share=choices.random_share)


def _parts_by_user(rows: Interactions, chance: NDArray[np.uint64], *, share: float) -> Rows:
    order = np.lexsort((chance, rows.user_idx))
    place = np.arange(len(rows)) - group_starts(rows.user_idx[order])
    n_each = np.bincount(rows.user_idx)[rows.user_idx[order]]
    # A share is a decimal number: 0.2 * 15 must not become 2.999.
    n_out = np.floor(2 * share * n_each + 1e-9).astype(np.int64)
    n_out = np.where(_is_few(n_each, share), np.where(n_each < _MIN_ROWS, 0, 2), n_out)
    n_test = n_out - n_out // 2
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = np.where(place >= n_out, _TRAIN, np.where(place < n_test, _TEST, _VALIDATION))
    return found


def _is_few(n_each: Rows, share: float) -> Marks:
    return np.asarray(share * n_each < 1 - 1e-9)
