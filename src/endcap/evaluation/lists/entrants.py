"""What is asked of a model besides lists: to keep to some candidates, and for all its scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.metrics.accuracy import auc_of_scores
from endcap.evaluation.split import Targets
from endcap.schema.errors import RankingError
from endcap.schema.protocols import ScoresItems
from endcap.schema.types import NO_ITEM, ItemIdx, TopK, UserIdx

_CELLS = 1 << 23  # scores at a time: 32 MB


@dataclass(frozen=True, slots=True)
class Confined:
    """A model that may list some items only; a `Ranker`.

    name: for messages.
    allowed: ascending.
    """

    name: str
    model: Ranker
    allowed: ItemIdx

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k best of the candidates for each user.

        Raises:
            RankingError: the model lists what is none.
        """
        candidates = self.allowed if allowed is None else np.intersect1d(self.allowed, allowed)
        ranked = self.model.recommend(users, k, exclude_seen=exclude_seen, allowed=candidates)
        is_strange = (ranked.items != NO_ITEM) & ~np.isin(ranked.items, candidates)
        if is_strange.any():
            row, column = np.argwhere(is_strange)[0]
            raise RankingError(
                f"{self.name} listed item {ranked.items[row, column]}, which is not among the "
                f"{len(candidates):,} candidates",
                where=f"user {users[row]}, position {column}",
                mend="Have recommend keep to `allowed`",
            )
        return ranked


def exact_auc(
    model: Ranker,
    targets: Targets,
    *,
    allowed: ItemIdx | None,
    forbidden: Pairs | None,
    n_items: int,
) -> NDArray[np.float64]:
    """Return the AUC of each user over all candidates, shape (n_users,).

    NaN where it is not defined, and for a model that cannot score the whole catalogue.

    Args:
        model: asked for its scores if it is a `ScoresItems`.
        targets: of the users.
        allowed: the candidates; all items when None.
        forbidden: (user, item) pairs that are none.
        n_items: size of the catalogue.

    Cost: all scores of all users, in blocks of about 32 MB.
    """
    found = np.full(len(targets), np.nan)
    if not isinstance(model, ScoresItems):
        return found
    for rows in _blocks(len(targets), n_items):
        users = targets.users[rows]
        is_candidate = np.zeros((len(users), n_items), dtype=np.bool_)
        is_candidate[:, slice(None) if allowed is None else allowed] = True
        if forbidden is not None:
            is_candidate[forbidden.of_rows(users)] = False
        block = targets.take(np.arange(rows.start, rows.stop))
        found[rows] = auc_of_scores(model.score(users), block.rows(), is_candidate)
    return found


def _blocks(n_rows: int, n_items: int) -> Iterator[slice]:
    n_at_once = max(1, _CELLS // max(n_items, 1))
    for start in range(0, n_rows, n_at_once):
        yield slice(start, min(start + n_at_once, n_rows))
