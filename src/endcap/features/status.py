"""`interaction_status`: how far a user went with an item, in four steps from 0 to 1.

Two ways to it, which must not be mixed: from what users did, and as a rank of ratings. The second
is there to repeat a published protocol; its numbers say nothing about carts or purchases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.weights import pair_keys
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions
from endcap.schema.types import ItemIdx, UserIdx

IGNORED, INTERACTED, CARTED, BOUGHT = (np.float32(step) for step in (0.0, 0.3, 0.6, 1.0))

STATUS_OF_KIND = {
    Kind.IMPRESSION: IGNORED,
    Kind.DISLIKE: IGNORED,
    Kind.REMOVE: IGNORED,
    Kind.VIEW: INTERACTED,
    Kind.LIKE: INTERACTED,
    Kind.CART: CARTED,
    Kind.PURCHASE: BOUGHT,
    Kind.RATING: BOUGHT,
}
"""The status that one event gives. Who reviews an item has bought it; a like is interest, no more
than a view; what was shown and not touched, disliked or taken back out is ignored."""

RANK_STEPS_PER_MILLE = ((25, BOUGHT), (100, CARTED), (350, INTERACTED))
"""Down to which part of the rows, best rating first, each step reaches; the rest is ignored."""


@dataclass(frozen=True, slots=True)
class PairStatus:
    """The strongest status of each pair of user and item, ascending by user, then item.

    All arrays have shape (n_pairs,).
    """

    user_idx: UserIdx
    item_idx: ItemIdx
    status: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.status)


def status_from_kinds(kind: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the status that each event gives by its kind, float32, shape (n_events,).

    Args:
        kind: codes of `KIND_CODES`.

    Raises:
        ValueError: a code names no kind.
    """
    by_code = np.full(256, np.nan, dtype=np.float32)
    for one, status in STATUS_OF_KIND.items():
        by_code[KIND_CODES[one]] = status
    found: NDArray[np.float32] = by_code[kind]
    if np.isnan(found).any():
        raise ValueError(f"no kind has the code {int(kind[np.isnan(found)][0])}")
    return found


def pair_status(interactions: Interactions) -> PairStatus:
    """Return how far each user went with each item at most.

    A cart that was emptied later was a cart; a dislike after a purchase leaves it bought.

    Cost: one sort of the interactions.
    """
    pairs, pair_of = np.unique(pair_keys(interactions), return_inverse=True)
    strongest = np.zeros(len(pairs), dtype=np.float32)
    np.maximum.at(strongest, pair_of, status_from_kinds(interactions.kind))
    return PairStatus(
        user_idx=(pairs >> 32).astype(np.int32),
        item_idx=(pairs & 0xFFFFFFFF).astype(np.int32),
        status=strongest,
    )


def status_from_rating_ranks(ratings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the status by the rank of each rating, float32, shape (n_rows,).

    Rows are sorted by rating, best first. By their place in that order the first 2.5 % get 1.0,
    those down to 10 % 0.6, those down to 35 % 0.3, the rest 0.0; each bound is rounded down to
    whole rows. Where, as usual, more than 35 % of the ratings are the highest one, all three upper
    steps are equal ratings told apart by their place in the file alone.

    The protocol that this repeats sorted by an unstable quicksort. Here the sort is stable: equal
    ratings stay in the order of the rows, so the counts agree and single rows need not.

    Args:
        ratings: one a row; NaN comes last.
    """
    order = np.argsort(-np.asarray(ratings, dtype=np.float64), kind="stable")
    by_rank = np.full(len(ratings), IGNORED, dtype=np.float32)
    start = 0
    for per_mille, status in RANK_STEPS_PER_MILLE:
        end = len(ratings) * per_mille // 1000
        by_rank[start:end] = status
        start = end
    statuses = np.empty_like(by_rank)
    statuses[order] = by_rank
    return statuses
