"""What a blend learns from: users asked about, and what they went on to take."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.weights import pair_keys
from endcap.models import registry
from endcap.models.blend.config import BlendConfig
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.protocols import Recommender
from endcap.schema.types import DAY_US, ItemIdx, UserIdx


@dataclass(frozen=True, slots=True)
class Lesson:
    """The items that some users went on to take, for one kind of list.

    users: ascending, shape (n_users,). indptr: user row r owns items[indptr[r]:indptr[r + 1]],
        one at least. items: distinct within a row.
    exclude_seen: whether the lists leave out what the users had; then no target is among that.
    """

    users: UserIdx
    indptr: NDArray[np.int64]
    items: ItemIdx
    exclude_seen: bool

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """How many targets each user has, shape (n_users,)."""
        return np.diff(self.indptr)

    def are_targets(self, items: ItemIdx) -> NDArray[np.bool_]:
        """Return which items of a board are targets of the user of their row, padding never.

        Args:
            items: -1 padded, shape (n_users, width).
        """
        rows = np.arange(len(self))
        keys = (np.repeat(rows, self.n_relevant) << 32) | self.items
        wanted = (rows[:, np.newaxis] << 32) | items
        return np.isin(wanted, keys) & (items >= 0)

    def draw(self, max_users: int, *, seed: int) -> Lesson:
        """Return the lesson of at most so many users, drawn without repeat."""
        if len(self) <= max_users:
            return self
        drawn = np.random.default_rng(seed).choice(len(self), size=max_users, replace=False)
        kept = np.zeros(len(self), dtype=np.bool_)
        kept[drawn] = True
        indptr = np.concatenate([[0], np.cumsum(self.n_relevant[kept])])
        items = self.items[np.repeat(kept, self.n_relevant)]
        return Lesson(self.users[kept], indptr, items, self.exclude_seen)


def hold_out(data: Dataset, *, days: float | None) -> tuple[Dataset, list[Lesson]]:
    """Return the data without their end, and what the end teaches, for both kinds of list.

    Args:
        data: prepared, as models are fitted on.
        days: the last so many days are held out; the last interaction of each user who has two at
            least when None.

    Returns:
        the earlier data, and no lesson where there is nothing to learn from or nothing to foresee.
    """
    told = data.interactions
    if days is None:
        is_held = _last_of_each(told, data.n_users)
        past = replace(data, interactions=told.take(~is_held))
    else:
        cut_us = data.end_us - round(days * DAY_US)
        is_held = told.ts >= cut_us
        past = data.between(None, cut_us)
    if not is_held.any() or not len(past.interactions):
        return data, []
    taken = np.unique(pair_keys(told.take(is_held)))
    is_new = ~np.isin(taken, pair_keys(past.interactions))
    lessons = [_lesson(taken[is_new], exclude_seen=True), _lesson(taken, exclude_seen=False)]
    return past, [lesson for lesson in lessons if len(lesson)]


def fit_members(data: Dataset, config: BlendConfig, *, seed: int) -> dict[str, Recommender]:
    """Return the members by name, fitted, each with a random stream of its own."""
    return {
        name: registry.create(name, config.params.get(name)).fit(
            data, rng=np.random.default_rng([seed, number])
        )
        for number, name in enumerate(config.members)
    }


def _last_of_each(told: Interactions, n_users: int) -> NDArray[np.bool_]:
    """Return which row is the last of its user, among those who have two rows at least."""
    last = np.full(n_users, -1, dtype=np.int64)
    last[told.user_idx] = np.arange(len(told))  # of repeated places the last value stays
    n_each = np.bincount(told.user_idx, minlength=n_users)
    held = np.zeros(len(told), dtype=np.bool_)
    held[last[n_each >= 2]] = True
    return held


def _lesson(taken: NDArray[np.int64], *, exclude_seen: bool) -> Lesson:
    """Return the lesson of distinct pairs of user and item, ascending."""
    users, n_each = np.unique(taken >> 32, return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(n_each, dtype=np.int64)])
    items = (taken & 0xFFFFFFFF).astype(np.int32)
    return Lesson(users.astype(np.int32), indptr, items, exclude_seen)
