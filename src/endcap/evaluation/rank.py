"""The lists of one model for many users: asked for in blocks, checked, ties settled.

What the lists are worth is in `metrics.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists import check_lists
from endcap.evaluation.pairs import Pairs
from endcap.evaluation.ties import settle_ties
from endcap.schema.types import ItemIdx, TopK, UserIdx
from endcap.telemetry import track

_USERS_AT_ONCE = 256  # times 100,000 items are 100 MB of scores inside a model


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
    """Return one checked list of the k best items of the full catalogue for each user.

    Args:
        name: the model, for messages and progress.
        model: asked for its lists in blocks of 256 users.
        users: ascending.
        k: list length.
        n_items: size of the catalogue.
        forbidden: the (user, item) pairs seen before, when the model is to leave them out.
        seed: orders equal scores.

    Raises:
        RankingError: a list is not what `Recommender` promises.
    """

    def ask(some: UserIdx, width: int) -> TopK:
        answer = model.recommend(some, width, exclude_seen=forbidden is not None)
        check_lists(answer, name=name, users=some, k=width, n_items=n_items, forbidden=forbidden)
        return answer

    started_s = time.perf_counter()
    items = np.empty((len(users), k), dtype=np.int32)
    scores = np.empty((len(users), k), dtype=np.float32)
    is_cut = np.empty(len(users), dtype=np.bool_)
    with track(f"rank by {name}", total=len(users), unit="users") as task:
        for start in range(0, len(users), _USERS_AT_ONCE):
            block = slice(start, start + _USERS_AT_ONCE)
            settled = settle_ties(ask, users[block], k, n_items=n_items, seed=seed)
            items[block], scores[block] = settled.ranked.items, settled.ranked.scores
            is_cut[block] = settled.is_cut
            task.advance(len(settled.is_cut))
    return Lists(users, TopK(items, scores), is_cut, time.perf_counter() - started_s)
