"""The last interaction of each user: only to compare with papers, as it learns from the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from endcap.evaluation.protocols.parts import (
    Known,
    Marks,
    Terms,
    known_of,
    nothing,
)
from endcap.evaluation.protocols.runs import Rows, group_starts
from endcap.evaluation.protocols.told import take
from endcap.evaluation.split import Fact, Split, View, ViewRule, pairs_of, seen_pairs, targets_of
from endcap.schema.dataset import Dataset, Interactions

LEAVE_ONE_OUT = "leave-one-out"

RULES: Mapping[View, ViewRule] = {
    "discovery": ViewRule("new to the user; seen items are not listed", exclude_seen=True),
    "all": ViewRule("whatever the user took; seen items may be listed", exclude_seen=False),
}


def leave_one_out(data: Dataset, terms: Terms) -> Split:
    """Return all but the last interaction of each user, and that one to foresee.

    Interactions come as they are, not made distinct; those at the same time keep the order of the
    data. A target is the user's last interaction that makes one, or the one before it for
    validation; what the same user did after it is told to nobody. With refit the model learns from
    all before the target; without, from all before the validation target, and is told the rest
    as history, as the S3-Rec line of papers does.

    A user with fewer than three interactions that make a target (two, with refit on the test) is
    learnt from and not measured.

    Source: Kang, McAuley 2018 (SASRec); Zhou et al. 2020 (S3-Rec).
    """
    choices = terms.choices
    is_test = choices.on == "test"
    depth = 1 if is_test else 2
    learn_depth = 2 if is_test and not choices.refit else depth
    rows = data.interactions
    wanted = terms.are_targets(rows)
    n_wanted = np.bincount(rows.user_idx[wanted], minlength=data.n_users)
    is_measured = n_wanted >= (learn_depth + 1 if is_test else 3)
    ahead = _Ahead(wanted, _n_left(rows, wanted), is_measured[rows.user_idx])
    is_target = ahead.target(depth)
    if not is_target.any():
        raise nothing("to leave out: no user has enough of them", protocol=LEAVE_ONE_OUT)
    known = known_of(
        data,
        terms,
        learnt=ahead.before(learn_depth),
        told=ahead.before(depth),
        protocol=LEAVE_ONE_OUT,
    )
    split = _assemble(data, known, np.flatnonzero(is_target))
    has_any = np.bincount(rows.user_idx, minlength=data.n_users) > 0
    facts: dict[str, Fact] = {
        "on": choices.on,
        "refit": choices.refit,
        "order": "by time, then as in the data; repeats as they come",
        "tied_share": _tied_share(rows, wanted, is_target),
        "n_repeat_targets": len(split.targets["all"].items) - len(split.targets["discovery"].items),
        "n_short_users": int((has_any & ~is_measured).sum()),
        "n_history_only": known.n_told - known.n_learnt,
    }
    return replace(split, facts=facts)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """How far each row is from the end of its user's rows that make a target.

    is_wanted: whether it makes one. n_left: how many there are from it on, itself included.
    is_measured: whether its user is asked about.
    """

    is_wanted: Marks
    n_left: Rows
    is_measured: Marks

    def target(self, depth: int) -> Marks:
        """Return the rows that are the depth-th target from the end."""
        return np.asarray(self.is_measured & self.is_wanted & (self.n_left == depth))

    def before(self, depth: int) -> Marks:
        """Return the rows before that one, and all rows of those who are not measured."""
        is_before = (self.n_left > depth) | ((self.n_left == depth) & ~self.is_wanted)
        return np.asarray(is_before | ~self.is_measured)


def _assemble(data: Dataset, known: Known, target_rows: Rows) -> Split:
    asked = take(data.interactions, target_rows)
    taken = pairs_of(asked, data.n_items)
    is_new = ~seen_pairs(known.told).contain(taken.rows, taken.items)
    targets = {
        "discovery": targets_of(taken, known.is_warm, is_new),
        "all": targets_of(taken, known.is_warm),
    }
    n_after = len(data.interactions) - known.n_told - len(asked)
    everything = targets["all"]
    return Split(
        known.train,
        targets,
        cut_us=int(asked.ts[0]),
        end_us=int(asked.ts[-1]) + 1,
        counts=known.count(everything, everything.users, n_window=len(asked), n_after=n_after),
        target_kinds=asked.kinds,
        rules=RULES,
        protocol=LEAVE_ONE_OUT,
        history=known.history,
    )


def _n_left(rows: Interactions, wanted: Marks) -> Rows:
    order = np.argsort(rows.user_idx[::-1], kind="stable")
    users, marks = rows.user_idx[::-1][order], wanted[::-1][order].astype(np.int64)
    running = np.cumsum(marks)
    start = group_starts(users)
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = running - running[start] + marks[start]
    return found[::-1]


def _tied_share(rows: Interactions, wanted: Marks, is_target: Marks) -> float:
    """Return the share of targets that have the same time as another candidate of their user."""
    order = np.flatnonzero(wanted)
    order = order[np.argsort(rows.user_idx[order], kind="stable")]
    users, ts = rows.user_idx[order], rows.ts[order]
    is_same = (users[1:] == users[:-1]) & (ts[1:] == ts[:-1])
    is_tied = np.append(is_same, False) | np.insert(is_same, 0, False)
    return float(is_tied[is_target[order]].mean())
