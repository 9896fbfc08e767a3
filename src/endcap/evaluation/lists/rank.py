"""The lists of one model for many users: asked for in blocks, checked, ties settled.

What the lists are worth is in `metrics`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.checks import check_lists
from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.lists.ties import Settled, settle_ties
from endcap.schema.types import ItemIdx, TopK, UserIdx
from endcap.telemetry import track

USERS_AT_ONCE = 1024
"""How many users a model is asked about at a time.

Enough for it to share among all cores; of a model that holds the scores of all of them for 160,000
items, 650 MB. Ours hold less.
"""


class Ranker(Protocol):
    """Anything that ranks: a fitted `Recommender`, or a saved table."""

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k best items of each user, shape (n_users, k), padded."""
        ...


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of one model for some users.

    users: ascending, shape (n_users,).
    ranked: k items each, without ties.
    is_cut: whether chance decided which items just made the list; see `ties.Settled`.
    seconds: what the ranking took, checks included.
    """

    users: UserIdx
    ranked: TopK
    is_cut: NDArray[np.bool_]
    seconds: float

    def of(self, users: UserIdx) -> Lists:
        """Return the lists of some of the users, given in ascending order."""
        rows = np.searchsorted(self.users, users)
        ranked = TopK(self.ranked.items[rows], self.ranked.scores[rows])
        return Lists(users, ranked, self.is_cut[rows], self.seconds)


def rank_users(
    name: str,
    model: Ranker,
    users: UserIdx,
    *,
    k: int,
    n_items: int,
    forbidden: Pairs | None,
    seed: int,
) -> Lists:
    """Return all the lists of `ranked_blocks`, whose arguments these are, with progress shown."""
    started_s = time.perf_counter()
    items = np.empty((len(users), k), dtype=np.int32)
    scores = np.empty((len(users), k), dtype=np.float32)
    is_cut = np.empty(len(users), dtype=np.bool_)
    blocks = ranked_blocks(name, model, users, k=k, n_items=n_items, forbidden=forbidden, seed=seed)
    with track(f"rank by {name}", total=len(users), unit="users") as task:
        for block, settled in blocks:
            items[block], scores[block] = settled.ranked.items, settled.ranked.scores
            is_cut[block] = settled.is_cut
            task.advance(len(settled.is_cut))
    return Lists(users, TopK(items, scores), is_cut, time.perf_counter() - started_s)


def ranked_blocks(
    name: str,
    model: Ranker,
    users: UserIdx,
    *,
    k: int,
    n_items: int,
    forbidden: Pairs | None,
    seed: int,
) -> Iterator[tuple[slice, Settled]]:
    """Yield a checked list of the k best items of the full catalogue for each user, in blocks.

    With each block comes where its users stand among `users`. Whoever measures a block and drops
    it can go through more users than there is memory for lists.

    Args:
        name: the model, for messages.
        model: asked for its lists in blocks of `USERS_AT_ONCE`.
        users: ascending.
        k: list length.
        n_items: size of the catalogue.
        forbidden: the (user, item) pairs seen before, when the model is to leave them out.
        seed: orders equal scores.

    Raises:
        RankingError: a list is not what `Recommender` promises.

    Cost: what the model takes, and some microseconds a list; memory for the lists of one block.
    """

    def ask(some: UserIdx, width: int) -> TopK:
        answer = model.recommend(some, width, exclude_seen=forbidden is not None)
        check_lists(answer, name=name, users=some, k=width, n_items=n_items, forbidden=forbidden)
        return answer

    for start in range(0, len(users), USERS_AT_ONCE):
        block = slice(start, min(start + USERS_AT_ONCE, len(users)))
        yield block, settle_ties(ask, users[block], k, n_items=n_items, seed=seed)
