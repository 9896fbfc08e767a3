"""Whether a model has seen what it is to foresee.

Nothing that happens after the cut may change what an honest pipeline lists. So the future is
shuffled, the pipeline runs again, and its lists have to be the same. That finds a leak wherever
it is: in a feature, a price, a filter, or in a model that reads more than it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.lists.rank import Ranker, rank_users
from endcap.evaluation.metrics.accuracy import find_hits, ndcg
from endcap.evaluation.split import Split, Targets
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import ScoresItems
from endcap.schema.types import DAY_US

Pipeline: TypeAlias = Callable[[Dataset], Mapping[str, Ranker]]
"""Makes models from a whole data set, cutting off the future by itself."""

N_USERS = 2_000
"""More test users are not asked: a leak shows in a few."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What shuffling the future did to one model.

    n_users: whose lists were compared, `n_changed` of them were not the same.
    before, after: the mean NDCG on the true targets, with the true future and with a shuffled one.
    """

    model: str
    n_users: int
    n_changed: int
    before: float
    after: float

    @property
    def is_leak(self) -> bool:
        """Whether the model has seen the future."""
        return self.n_changed > 0

    def __str__(self) -> str:
        if not self.is_leak:
            return f"{self.model}: none of {self.n_users:,} lists depends on the future"
        return (
            f"{self.model} has seen the future: shuffling it changes {self.n_changed:,} of "
            f"{self.n_users:,} lists, and NDCG goes from {self.before:.4f} to {self.after:.4f}"
        )


def find_leaks(
    pipeline: Pipeline,
    data: Dataset,
    split: Split,
    *,
    k: int,
    rng: np.random.Generator,
    days: float | None = None,
) -> list[Leak]:
    """Return for each model of a pipeline what shuffling the future does to its lists.

    Args:
        pipeline: run twice, on the data and on the data with a shuffled future.
        data: all of it, as the pipeline gets it when it is evaluated.
        split: of that data, with one cut in time.
        k: list length.
        rng: seeds the shuffle and the order of equal scores.
        days: only the last so many days are shuffled; all after the cut when None.

    Cost: everything is fitted twice; 2,000 users are ranked twice.
    """
    from_us = (
        split.cut_us if days is None else max(split.cut_us, data.end_us - round(days * DAY_US))
    )
    targets = split.targets[next(iter(split.targets))]
    if len(targets) > N_USERS:
        targets = targets.take(np.sort(rng.choice(len(targets), N_USERS, replace=False)))
    seed = int(rng.integers(2**63))
    true = pipeline(data)
    shuffled = pipeline(shuffle_future(data, from_us, rng=rng))
    return [
        _compare(name, true[name], shuffled[name], targets, k=k, n_items=data.n_items, seed=seed)
        for name in true
    ]


def shuffle_future(data: Dataset, from_us: int, *, rng: np.random.Generator) -> Dataset:
    """Return the data with other items in all later interactions.

    They are dealt out anew among these, so that who takes what is lost, and the items of the
    catalogue change names, so that how often each is taken is lost as well: a model may have seen
    no more than that. Users, times and kinds stay.
    """
    told = data.interactions
    start = int(np.searchsorted(told.ts, from_us, side="left"))
    items, users = told.item_idx.copy(), told.user_idx.copy()
    other = rng.permutation(data.n_items).astype(np.int32)
    items[start:] = other[rng.permutation(items[start:])]
    users[start:] = rng.permutation(data.n_users).astype(np.int32)[users[start:]]
    return replace(data, interactions=replace(told, item_idx=items, user_idx=users))


def _compare(
    name: str, true: Ranker, shuffled: Ranker, targets: Targets, *, k: int, n_items: int, seed: int
) -> Leak:
    """Compare the lists with seen items and those without, and the scores where there are any."""
    relevant = targets.rows()
    no_pairs = Pairs(np.empty(0, dtype=np.int64), max(n_items, 1))  # leaves out seen, unchecked
    is_other = np.zeros(len(targets), dtype=np.bool_)
    worth: list[tuple[float, float]] = []
    for forbidden in (None, no_pairs):
        both = [
            rank_users(
                name, model, targets.users, k=k, n_items=n_items, forbidden=forbidden, seed=seed
            ).ranked
            for model in (true, shuffled)
        ]
        is_other |= (both[0].items != both[1].items).any(axis=1)
        before, after = (float(ndcg(find_hits(one, relevant), k).mean()) for one in both)
        worth.append((before, after))
    if isinstance(true, ScoresItems) and isinstance(shuffled, ScoresItems):
        for start in range(0, len(targets), 256):
            rows = slice(start, start + 256)
            first, again = (one.score(targets.users[rows]) for one in (true, shuffled))
            is_other[rows] |= ~np.isclose(first, again, rtol=1e-4, equal_nan=True).all(axis=1)
    before, after = max(worth, key=lambda pair: pair[0] - pair[1])
    return Leak(name, len(targets), int(is_other.sum()), before, after)
