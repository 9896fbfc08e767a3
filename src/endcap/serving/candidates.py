"""Items that may be shown, with what proposed them: the arrays that the stages hand on.

Knows no stage and no shelf.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK


class Source(IntEnum):
    """What proposed a candidate. Slates are kept, so a code is never reused."""

    REPEAT = 1
    ITEM_KNN = 2
    ALS = 3
    TWO_TOWER = 4
    SESSION = 5
    BECAUSE = 6
    TRENDING = 7
    DEPARTMENT = 8
    NEW = 9
    POPULAR = 10


N_CODES = max(Source) + 1
SOURCE_NAMES: dict[int, str] = {source.value: source.name.lower() for source in Source}

DISCOVERY = (Source.ITEM_KNN, Source.ALS, Source.TWO_TOWER, Source.SESSION, Source.BECAUSE)
"""Sources that are there to show a visitor something they do not have yet."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """A struct of arrays, one row a proposal; an item may have one row a source.

    items: int32, shape (n,); scores: float32, shape (n,), comparable within one source only;
    source: uint8, shape (n,), codes of `Source`.
    """

    items: ItemIdx
    scores: Scores
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """Return the chosen rows, in the order that they are asked for."""
        return Candidates(self.items[rows], self.scores[rows], self.source[rows])

    def of(self, sources: Sequence[Source]) -> Candidates:
        """Return the rows of some sources, in their order."""
        is_wanted = np.zeros(N_CODES, dtype=np.bool_)
        is_wanted[list(sources)] = True
        return self.take(is_wanted[self.source])


def proposals(ranked: TopK, source: Source) -> Candidates:
    """Return the one ranked list of a `TopK` with a single row, without its padding."""
    items, scores = ranked.items[0], ranked.scores[0]
    kept = items != NO_ITEM
    items, scores = items[kept], scores[kept]
    return Candidates(items, scores, np.full(len(items), source, dtype=np.uint8))


def join(parts: Iterable[Candidates]) -> Candidates:
    """Return all rows, one part after the other."""
    listed = [part for part in parts if len(part)]
    if not listed:
        empty = np.empty(0, dtype=np.int32)
        return Candidates(empty, empty.astype(np.float32), empty.astype(np.uint8))
    return Candidates(
        np.concatenate([part.items for part in listed]),
        np.concatenate([part.scores for part in listed]),
        np.concatenate([part.source for part in listed]),
    )
