"""Reciprocal-rank fusion of lists with weights that are learnt: the floor of every blend.

The rule is that of `features/fusion.py`, for many users at once; here its numbers are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.models.ranker.candidates import NOT_LISTED, Candidates
from endcap.schema.types import NO_ITEM, Scores, top_k

K_STEPS = (1.0, 3.0, 10.0, 20.0, 40.0, 80.0)
WEIGHT_STEPS = (0.0, 0.25, 0.5, 0.7, 1.4, 2.0, 4.0)
"""What a weight is multiplied by to see whether the lists get better."""
MAX_SWEEPS = 3


@dataclass(frozen=True, slots=True)
class Fusion:
    """score(item) = sum over lists of weight / (rrf_k + place), place from 1.

    weights: one a list, at least 0, one of them above 0.
    rrf_k: above 0; the larger, the less the first places stand out.
    """

    weights: tuple[float, ...]
    rrf_k: float = 20.0

    @staticmethod
    def even(n_lists: int) -> Fusion:
        """Return the fusion in which all lists have the same say."""
        return Fusion((1.0,) * n_lists)

    def score(self, candidates: Candidates) -> Scores:
        """Return the score of each candidate, 0 where there is none, shape (n_users, width)."""
        return np.asarray(self.parts(candidates).sum(axis=0, dtype=np.float32))

    def parts(self, candidates: Candidates) -> NDArray[np.float32]:
        """Return what each list gives each candidate, shape (n_lists, n_users, width)."""
        weights = np.array(self.weights, dtype=np.float32)[:, np.newaxis, np.newaxis]
        places = candidates.places
        parts = weights / (np.float32(self.rrf_k + 1) + places)
        parts[places == NOT_LISTED] = 0
        return np.asarray(parts, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Asked:
    """Candidates with what their users went on to take.

    is_target: whether a user took each candidate, shape (n_users, width).
    n_relevant: how many items each user took, candidates or not, >= 1, shape (n_users,).
    """

    candidates: Candidates
    is_target: NDArray[np.bool_]
    n_relevant: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.candidates)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Asked:
        """Return some of the users."""
        return Asked(self.candidates.take(rows), self.is_target[rows], self.n_relevant[rows])

    def ndcg(self, scores: NDArray[np.floating], k: int) -> NDArray[np.float64]:
        """Return the NDCG@k of each user when candidates are ranked by the scores.

        Source: Järvelin, Kekäläinen 2002, with gains of 0 and 1.
        """
        shown = np.where(self.candidates.is_real, scores, -np.inf).astype(np.float32)
        best = top_k(shown, k).items
        hit = np.take_along_axis(self.is_target, np.maximum(best, 0), axis=1) & (best >= 0)
        discount = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.concatenate([[0], np.cumsum(discount)])[np.minimum(self.n_relevant, k)]
        return np.asarray((hit * discount).sum(axis=1) / ideal)


def joined(parts: Sequence[Asked]) -> Asked:
    """Return the users of all parts, one part behind the other; the lists must be the same."""
    width = max(part.candidates.items.shape[1] for part in parts)

    def side_by_side(boards: list[NDArray[Any]], filled_with: float) -> NDArray[Any]:
        padded = [
            np.pad(
                board,
                [(0, 0)] * (board.ndim - 1) + [(0, width - board.shape[-1])],
                constant_values=filled_with,
            )
            for board in boards
        ]
        return np.concatenate(padded, axis=-2)

    candidates = [part.candidates for part in parts]
    return Asked(
        Candidates(
            side_by_side([some.items for some in candidates], NO_ITEM),
            side_by_side([some.places for some in candidates], NOT_LISTED),
            side_by_side([some.scores for some in candidates], np.nan),
        ),
        side_by_side([part.is_target for part in parts], False),
        np.concatenate([part.n_relevant for part in parts]),
    )


def learn_fusion(asked: Asked, *, k: int) -> Fusion:
    """Return the weights and the rrf_k that rank best what the users took, by mean NDCG@k.

    A search along one number at a time, from equal weights, until no step makes the lists better.
    Where there is nothing to learn from, all lists keep the same say.

    Cost: some dozens of rankings of those users of whom a target is among the candidates.
    """
    best = Fusion.even(len(asked.candidates.places))
    within = asked.take(np.flatnonzero(asked.is_target.any(axis=1)))
    if not len(within):
        return best
    quality = _quality(within, best, k)
    for _ in range(MAX_SWEEPS):
        before = quality
        for place in range(-1, len(best.weights)):
            for other in _steps(best, place):
                if (found := _quality(within, other, k)) > quality:
                    best, quality = other, found
        if quality <= before:
            break
    return _scaled(best)


def _steps(fusion: Fusion, place: int) -> Iterator[Fusion]:
    """Yield the neighbours along one weight, or along rrf_k for a place of -1."""
    if place < 0:
        yield from (replace(fusion, rrf_k=rrf_k) for rrf_k in K_STEPS)
        return
    for factor in WEIGHT_STEPS:
        weights = list(fusion.weights)
        # A list that has lost its say may come back with a small one.
        weights[place] = factor * (weights[place] or 0.25 * max(weights))
        if any(weights):
            yield replace(fusion, weights=tuple(weights))


def _quality(asked: Asked, fusion: Fusion, k: int) -> float:
    return float(asked.ndcg(fusion.score(asked.candidates), k).mean())


def _scaled(fusion: Fusion) -> Fusion:
    """Return the same order of lists with 1 for the largest weight."""
    top = max(fusion.weights)
    return replace(fusion, weights=tuple(round(weight / top, 6) for weight in fusion.weights))
