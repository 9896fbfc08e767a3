"""One ranking out of several whose scores cannot be compared, by their ranks alone.

How much each of them counts is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import ItemIdx, Scores

RRF_K = 20
"""Small enough for the first ranks to stand out, large enough that one list does not decide."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Distinct items, best first, shape (n,).

    strongest: for each item the index of the list that gave most of its score.
    """

    items: ItemIdx
    scores: Scores
    strongest: NDArray[np.int64]


def fuse_ranks(lists: Sequence[ItemIdx], weights: Sequence[float], *, rrf_k: int = RRF_K) -> Fused:
    """Return the weighted reciprocal-rank fusion of ranked lists.

    score = sum over lists of weight / (rrf_k + rank), rank from 1; equal scores go to the smaller
    item. The order of the lists does not matter, but that of equal contributions names the first.

    Args:
        lists: each best first, its items distinct, without padding.
        weights: one a list, above 0.
        rrf_k: the larger, the less the first ranks stand out.

    Cost: sorting all entries.
    Source: Cormack, Clarke, Buettcher 2009, with weights.
    """
    listed = [np.asarray(items, dtype=np.int32) for items in lists]
    if not sum(map(len, listed)):
        nothing = np.empty(0, dtype=np.int32)
        return Fused(nothing, nothing.astype(np.float32), nothing.astype(np.int64))
    entries = np.concatenate(listed)
    source = np.repeat(np.arange(len(listed)), [len(items) for items in listed])
    parts = np.concatenate(
        [
            weight / (rrf_k + 1.0 + np.arange(len(items)))
            for items, weight in zip(listed, weights, strict=True)
        ]
    )
    items, row_of = np.unique(entries, return_inverse=True)
    scores = np.bincount(row_of, weights=parts)
    # Entries of an item from its largest part to its smallest: the first one names the list.
    by_part = np.lexsort((source, -parts, row_of))
    first = by_part[np.flatnonzero(np.diff(row_of[by_part], prepend=-1))]
    best = np.lexsort((items, -scores))
    return Fused(items[best], scores[best].astype(np.float32), source[first][best])
