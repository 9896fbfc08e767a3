"""The lists of several fitted models fused into one by rank, as "Recommended for you" is.

It learns nothing itself; the weights are settings of training.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from endcap.features.fusion import fuse_ranks
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Recommender
from endcap.schema.types import NO_ITEM, ItemIdx, TopK, UserIdx

DEPTH = 120
"""How deep each list goes into the fusion; the page retrieves as many."""


class Blend:
    """Weighted reciprocal-rank fusion of models that are fitted already.

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
