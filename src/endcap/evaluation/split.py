"""The past to learn from and the future to predict: what any protocol makes of the data.

The headline protocol is here, one cut in time for everybody; the others are in `protocols/`, and
say what they leak.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs, pair_set
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US, ItemIdx, UserIdx

View: TypeAlias = str
"""A named part of the targets, with a rule for what may be listed."""

Fact: TypeAlias = str | int | float | bool
"""What a protocol chose or found, as it is printed and kept."""

TEMPORAL = "temporal"


@dataclass(frozen=True, slots=True)
class ViewRule:
    """What the lists of a view may hold.

    meaning: a few words for the heading of its table.
    exclude_seen: whether the lists leave out what the user had before. Where repeats count, a
        shop may show them; where only discoveries count, each would waste a position.
    allowed: the candidates, ascending; the whole catalogue when None.
    """

    meaning: str
    exclude_seen: bool
    allowed: ItemIdx | None = None


VIEW_RULES: Mapping[View, ViewRule] = {
    "all": ViewRule("whatever the user took; seen items may be listed", exclude_seen=False),
    "repeat": ViewRule("had before the cut; seen items may be listed", exclude_seen=False),
    "discovery": ViewRule("new to the user; seen items are not listed", exclude_seen=True),
}
"""The views of a cut in time."""
VIEWS = tuple(VIEW_RULES)

Prepare: TypeAlias = Callable[[Dataset], Dataset]
"""Makes of the past what models may learn from: `features.weights.interest`."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The items that each user went on to take, under one view; users without any are not in it.

    users: int32, ascending, shape (n_users,).
    indptr: int64, shape (n_users + 1,); user row r owns items[indptr[r]:indptr[r + 1]].
    items: int32, distinct and ascending within a row, shape (n_targets,).
    is_cold: whether nobody interacted with the item before the cut, shape (n_targets,).
    """

    users: UserIdx
    indptr: NDArray[np.int64]
    items: ItemIdx
    is_cold: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """How many targets each user has, >= 1, shape (n_users,)."""
        return np.diff(self.indptr)

    def rows(self) -> list[ItemIdx]:
        """Return the targets of each user, as the metrics take them."""
        return np.split(self.items, self.indptr[1:-1]) if len(self) else []

    def take(self, rows: NDArray[np.integer]) -> Targets:
        """Return the targets of some user rows, given in ascending order."""
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[rows] = True
        kept = np.repeat(chosen, self.n_relevant)
        indptr = np.concatenate([[0], np.cumsum(self.n_relevant[chosen])])
        return Targets(self.users[chosen], indptr, self.items[kept], self.is_cold[kept])


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Where every interaction and every user of the data went.

    n_train + n_window + n_after is the number of interactions in the data. Of those before the cut
    `n_train_unused` are no interest, and of those in the window `n_window_unused` are of no kind
    that makes a target. `n_targets` is smaller than the rest of the window when a user took the
    same item more than once. `n_cold_users` have targets but no history; `n_silent_users` have a
    history but no targets, so no metric counts them.
    """

    n_train: int
    n_window: int
    n_after: int
    n_targets: int
    n_cold_targets: int
    n_cold_items: int
    n_test_users: int
    n_cold_users: int
    n_silent_users: int
    n_train_unused: int = 0
    n_window_unused: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """What a model may learn from, what it is told when asked, and what it is measured by.

    train: what is learnt from; still knows the whole catalogue. Under a cut in time, what lies
        strictly before `cut_us`.
    targets: by view, the headline first. Under a cut in time: `all`; `repeat` (this user had the
        item before the cut); `discovery` (not). What the user had refused by then is in `all`
        alone.
    cut_us, end_us: the window of the targets; what a protocol without one cut spans.
    n_drawn_users: how many test users were drawn by `sample`; None when all are measured.
    target_kinds: the kinds of interaction that make a target, of those in the window.
    rules: what the lists of each view may hold; the same keys as `targets`.
    protocol: its name, and `facts` what it chose and found.
    history: what a model knows of whom it is asked about, when that is not `train`: its users are
        then queries, whom `targets` name, and `query_users` says which user each of them is.
    """

    train: Dataset
    targets: Mapping[View, Targets]
    cut_us: int
    end_us: int
    counts: SplitCounts
    n_drawn_users: int | None = None
    target_kinds: tuple[Kind, ...] = ()
    rules: Mapping[View, ViewRule] = field(default_factory=lambda: VIEW_RULES)
    protocol: str = TEMPORAL
    facts: Mapping[str, Fact] = field(default_factory=dict)
    history: Dataset | None = None
    query_users: UserIdx | None = None

    @property
    def known(self) -> Dataset:
        """What a model knows of those it is asked about."""
        return self.train if self.history is None else self.history

    @property
    def seen(self) -> Pairs:
        """The distinct (query, item) pairs that were had or refused; O(n log n) each time."""
        return seen_pairs(self.known)

    @property
    def split_id(self) -> str:
        """A hash of what is asked: two evaluations of the same id ask the same of every user."""
        digest = hashlib.sha256()
        chosen = [self.protocol, dict(self.facts), self.cut_us, self.end_us, self.train.n_items]
        digest.update(json.dumps(chosen).encode())
        told = self.train.interactions
        arrays: list[NDArray[Any]] = [told.user_idx, told.item_idx, told.ts]
        for view, targets in self.targets.items():
            digest.update(view.encode())
            allowed = self.rules[view].allowed
            arrays += [targets.users, targets.indptr, targets.items]
            arrays += [] if allowed is None else [allowed]
        if self.history is not None:
            asked = self.history.interactions
            arrays += [asked.user_idx, asked.item_idx, asked.ts]
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def sample(self, max_users: int, *, rng: np.random.Generator) -> Split:
        """Return the split with at most `max_users` test users, drawn uniformly without repeat.

        All queries of a drawn user stay, so that views which ask of the same user stay comparable.
        """
        queries: UserIdx = np.unique(
            np.concatenate([targets.users for targets in self.targets.values()])
        )
        users = queries if self.query_users is None else np.unique(self.query_users[queries])
        if len(users) <= max_users:
            return self
        drawn = rng.choice(users, size=max_users, replace=False)
        kept = {}
        for view, targets in self.targets.items():
            asked = targets.users if self.query_users is None else self.query_users[targets.users]
            kept[view] = targets.take(np.flatnonzero(np.isin(asked, drawn)))
        return replace(self, targets=kept, n_drawn_users=max_users)


@dataclass(frozen=True, slots=True)
class TimeCuts:
    """Three points in time: train | validation_us | validation | test_us | test | end_us.

    Choose settings on the validation split alone; report the test split alone.
    """

    validation_us: int
    test_us: int
    end_us: int

    @staticmethod
    def before_end(data: Dataset, *, test_days: float, validation_days: float) -> TimeCuts:
        """Return the cuts of a test window at the end of the data and a validation one before."""
        return TimeCuts(
            validation_us=days_before_end(data, test_days + validation_days),
            test_us=days_before_end(data, test_days),
            end_us=data.end_us,
        )

    def validation(
        self, data: Dataset, *, prepare: Prepare | None = None, target_kinds: Collection[Kind] = ()
    ) -> Split:
        """Return the split that settings may be chosen on; nothing in it comes from the test."""
        return split_by_time(
            data,
            cut_us=self.validation_us,
            end_us=self.test_us,
            prepare=prepare,
            target_kinds=target_kinds,
        )

    def test(
        self, data: Dataset, *, prepare: Prepare | None = None, target_kinds: Collection[Kind] = ()
    ) -> Split:
        """Return the split to report."""
        return split_by_time(
            data,
            cut_us=self.test_us,
            end_us=self.end_us,
            prepare=prepare,
            target_kinds=target_kinds,
        )


def days_before_end(data: Dataset, days: float) -> int:
    """Return the time, in microseconds, that lies so many days before the end of the data."""
    return data.end_us - round(days * DAY_US)


def split_by_time(
    data: Dataset,
    *,
    cut_us: int,
    end_us: int | None = None,
    prepare: Prepare | None = None,
    target_kinds: Collection[Kind] = (),
) -> Split:
    """Return the data before the cut, and each user's distinct items in cut_us <= ts < end_us.

    An interaction of a weight above 0 makes a target. Targets that a model cannot know (nobody had
    the item before the cut) stay, as misses; users without a history stay too. `counts` says how
    many.

    Args:
        data: interactions of any number of users, weighed or not.
        cut_us: the first moment of the future.
        end_us: where the window ends; the end of the data when None.
        prepare: applied to what lies before the cut, and to that alone; nothing when None.
        target_kinds: only interactions of these kinds make a target; of any when empty.

    Raises:
        DataError: nothing lies before the cut, or no target in the window.

    Cost: two sorts, O(n log n).
    """
    end_us = data.end_us if end_us is None else end_us
    past = data.between(None, cut_us)
    train = past if prepare is None else prepare(past)
    window = data.interactions.between(cut_us, end_us)
    wanted = window.take(are_targets(window, target_kinds))
    if len(train.interactions) == 0 or len(wanted) == 0:
        part = "before the cut" if len(train.interactions) == 0 else "between the cut and the end"
        raise DataError(
            f"there is no interaction that counts {part}",
            where=_window_in_days(data, cut_us=cut_us, end_us=end_us),
            mend="Choose another window or other kinds: settings training.test_days, "
            "training.target_kinds and kinds",
        )
    taken, seen, is_warm = pairs_of(wanted, data.n_items), seen_pairs(train), warm_items(train)
    targets = views_of(taken, train, seen, is_warm)
    cold = taken.items[~is_warm[taken.items]]
    history_users, test_users = np.unique(seen.rows), targets["all"].users
    counts = SplitCounts(
        n_train=len(past.interactions),
        n_window=len(window),
        n_after=len(data.interactions) - len(past.interactions) - len(window),
        n_targets=len(taken),
        n_cold_targets=len(cold),
        n_cold_items=len(np.unique(cold)),
        n_test_users=len(test_users),
        n_cold_users=int((~np.isin(test_users, history_users)).sum()),
        n_silent_users=int((~np.isin(history_users, test_users)).sum()),
        n_train_unused=len(past.interactions) - len(train.interactions),
        n_window_unused=len(window) - len(wanted),
    )
    return Split(train, targets, cut_us, end_us, counts, target_kinds=wanted.kinds)


def seen_pairs(data: Dataset) -> Pairs:
    """Return the distinct (user, item) pairs of the interactions and the refusals."""
    parts = [part for part in (data.interactions, data.refusals) if part is not None]
    return pair_set(
        np.concatenate([part.user_idx for part in parts]),
        np.concatenate([part.item_idx for part in parts]),
        stride=data.n_items,
    )


def pairs_of(interactions: Interactions, n_items: int) -> Pairs:
    """Return the distinct (user, item) pairs."""
    return pair_set(interactions.user_idx, interactions.item_idx, stride=n_items)


def warm_items(train: Dataset) -> NDArray[np.bool_]:
    """Return which items anybody had in what models learn from, shape (n_items,)."""
    is_warm = np.zeros(train.n_items, dtype=np.bool_)
    is_warm[train.interactions.item_idx] = True
    return is_warm


def are_targets(interactions: Interactions, kinds: Collection[Kind]) -> NDArray[np.bool_]:
    """Return which interactions make a target, by weight and by kind; of any kind when empty."""
    marks = interactions.weights > 0
    if kinds:
        marks &= np.isin(interactions.kind, [KIND_CODES[kind] for kind in kinds])
    return np.asarray(marks)


def targets_of(
    taken: Pairs, is_warm: NDArray[np.bool_], kept: NDArray[np.bool_] | None = None
) -> Targets:
    """Return the pairs to foresee, or those of them that are marked, as targets."""
    rows, items = taken.rows, taken.items
    if kept is not None:
        rows, items = rows[kept], items[kept]
    users, n_each = np.unique(rows, return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(n_each, dtype=np.int64)])
    return Targets(
        users.astype(np.int32), indptr, items.astype(np.int32), np.asarray(~is_warm[items])
    )


def views_of(
    taken: Pairs, train: Dataset, seen: Pairs, is_warm: NDArray[np.bool_]
) -> dict[View, Targets]:
    """Return the targets of the views in `VIEW_RULES`.

    Args:
        taken: (query, item) pairs to foresee.
        train: what is known of the queries, for what they refused.
        seen: (query, item) pairs had or refused before.
        is_warm: whether anybody had the item in what models learn from, shape (n_items,).
    """
    was_seen = seen.contain(taken.rows, taken.items)
    was_had = was_seen
    if train.refusals is not None:
        was_had = was_seen & ~pairs_of(train.refusals, train.n_items).contain(
            taken.rows, taken.items
        )
    return {
        "all": targets_of(taken, is_warm),
        "repeat": targets_of(taken, is_warm, was_had),
        "discovery": targets_of(taken, is_warm, ~was_seen),
    }


def _window_in_days(data: Dataset, *, cut_us: int, end_us: int) -> str:
    first_us = int(data.interactions.ts[0]) if len(data.interactions) else data.end_us
    span, before, length = (
        (later - earlier) / DAY_US
        for later, earlier in ((data.end_us, first_us), (data.end_us, cut_us), (end_us, cut_us))
    )
    return (
        f"the data span {span:.1f} days; the window begins {before:.1f} days before their end "
        f"and is {length:.1f} days long"
    )
