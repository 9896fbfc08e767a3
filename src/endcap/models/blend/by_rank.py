"""The lists of several fitted models fused into one by rank, as "Recommended for you" is.

It learns nothing itself; the weights are settings of training.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.features.fusion import RRF_K, fuse_ranks
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Explains, Reason, Recommender, ScoresItems, TakesHistory
from endcap.schema.selection import places
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx

DEPTH = 120
"""How deep each list goes into the fusion; the page retrieves as many."""


class Blend:
    """Weighted reciprocal-rank fusion of models that are fitted already.

    What it can do besides recommending, it can do where all of its members can.

    Args:
        members: by name.
        weights: of each member by name; those above 0 take part.

    Raises:
        SettingsError: nobody takes part.
    """

    def __init__(self, members: Mapping[str, Recommender], weights: Mapping[str, float]) -> None:
        self._members = {
            name: (model, weights[name])
            for name, model in members.items()
            if weights.get(name, 0.0) > 0
        }
        if not self._members:
            raise SettingsError(
                f"none of {', '.join(members) or 'no models'} has a weight above 0",
                where="training.blend_weights",
            )

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of each user that the members together rank highest.

        Cost: one list of 120 (or k) a member and user.
        """
        depth = max(k, DEPTH)
        ranked = [
            model.recommend(users, depth, exclude_seen=exclude_seen, allowed=allowed).items
            for model, _ in self._members.values()
        ]
        weights = [weight for _, weight in self._members.values()]
        items = np.full((len(users), k), NO_ITEM, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for row in range(len(users)):
            fused = fuse_ranks([lists[row][lists[row] != NO_ITEM] for lists in ranked], weights)
            n_found = min(k, len(fused.items))
            items[row, :n_found] = fused.items[:n_found]
            scores[row, :n_found] = fused.scores[:n_found]
        return TopK(items, scores)

    def with_history(self, data: Dataset) -> Self:
        """Return the same blend of the members, each with the history.

        Raises:
            SettingsError: a member cannot be asked about other users.
        """
        members = {
            name: model.with_history(data)
            for name, (model, _) in self._members.items()
            if isinstance(model, TakesHistory)
        }
        self._require_all(members, "be asked about other users")
        return type(self)(members, {name: weight for name, (_, weight) in self._members.items()})

    def score(self, users: UserIdx) -> Scores:
        """Return the fused scores of all items, each from its places in the members' full orders.

        They rank as `recommend` does for the whole catalogue. A shorter list of `recommend` takes
        no notice of what its members place beyond 120 (or k), so it may differ further down.

        Raises:
            SettingsError: a member does not score all items.

        Cost: one sort of the catalogue a member and user.
        """
        total: NDArray[np.float64] | float = 0.0
        for part in self._parts(users):
            total = total + part
        return np.asarray(total, dtype=np.float32)

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the reason of the member that gives most of each score; of equals the first one.

        Raises:
            SettingsError: a member does not score all items, or cannot explain itself.
        """
        alone = np.array([user], dtype=np.int32)
        parts = np.concatenate(list(self._parts(alone)))
        told = {
            name: model.explain(user, items)
            for name, (model, _) in self._members.items()
            if isinstance(model, Explains)
        }
        self._require_all(told, "explain itself")
        strongest = parts[:, items].argmax(axis=0)
        by_number = list(told.values())
        return [by_number[number][place] for place, number in enumerate(strongest.tolist())]

    def _parts(self, users: UserIdx) -> Iterator[NDArray[np.float64]]:
        """Yield what each member gives each item, shape (n_users, n_items)."""
        able = {
            name: model
            for name, (model, _) in self._members.items()
            if isinstance(model, ScoresItems)
        }
        self._require_all(able, "score all items")
        for name, model in able.items():
            ranks = RRF_K + 1.0 + places(model.score(users)).astype(np.float64)
            yield np.asarray(self._members[name][1] / ranks)

    def _require_all(self, able: Collection[str], what: str) -> None:
        unable = [name for name in self._members if name not in able]
        if unable:
            raise SettingsError(
                f"a blend can {what} where all of its members can; {', '.join(unable)} cannot",
                where="training.blend_weights",
                mend="Give them a weight of 0",
            )
