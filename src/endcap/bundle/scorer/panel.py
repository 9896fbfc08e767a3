"""All scorers that a bundle has what it takes for, made once when it is opened.

Which of them a shelf listens to is serving's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.neighbours import NeighbourScorer
from endcap.bundle.scorer.ranked import ShopRanker
from endcap.bundle.scorer.vectors import FoldInScorer, TowerScorer

MIN_TAKERS = 2
"""Of an item that fewer users had, collaborative filtering knows at most who had it."""


@dataclass(frozen=True, slots=True)
class Scorers:
    """One scorer each; None where the bundle was made without its arrays."""

    shop: ShopRanker
    neighbours: NeighbourScorer | None
    fold_in: FoldInScorer | None
    tower: TowerScorer | None


def open_scorers(bundle: Bundle) -> Scorers:
    """Return the scorers of a bundle.

    Cost: copies the vectors of the items that can be shown; loads the user tower.
    """
    available = np.flatnonzero(bundle.is_available).astype(np.int32)
    n_takers = np.diff(bundle.shoppers_indptr)
    if bundle.told is not None:
        n_takers = np.bincount(bundle.history.items, minlength=bundle.n_items)
    is_shared = n_takers >= MIN_TAKERS
    neighbours = fold_in = tower = None
    if bundle.neighbour_items is not None and bundle.neighbour_sims is not None:
        neighbours = NeighbourScorer(
            bundle.neighbour_items, bundle.neighbour_sims, is_available=bundle.is_available
        )
    if bundle.als_item_factors is not None:
        fold_in = FoldInScorer(
            bundle.als_item_factors,
            available=available[is_shared[available]],
            reg=bundle.als_reg,
            alpha=bundle.als_alpha,
            half_life_days=bundle.als_half_life_days,
        )
    if bundle.tower_item_vectors is not None and bundle.user_tower_onnx is not None:
        tower = TowerScorer(
            bundle.tower_item_vectors,
            bundle.user_tower_onnx,
            available=available,
            half_life_days=bundle.tower_half_life_days,
            max_history=bundle.tower_max_history,
            categories=bundle.category,
        )
    return Scorers(ShopRanker(bundle), neighbours, fold_in, tower)
