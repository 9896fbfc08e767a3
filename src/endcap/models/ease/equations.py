"""What EASE regresses on what: each item on what a user had beside it, or on what came around it.

The equations are sparse; solving them is `whole.py` and `near.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

LEAST_WEIGHT = 0.02  # of an item in a context; what stands farther off is left out
MAX_TARGETS = 1 << 17  # contexts that are multiplied at once: about 300 MB


@dataclass(frozen=True, slots=True)
class Equations:
    """For each item i the b with (left + reg I) b = right[:, i], row and column i left out.

    left: products of what stands together in a context, symmetric, shape (n_items, n_items).
    right: products of it with the item whose context it is, the same shape; `left` itself where
        the whole set of a user's items is the context.
    """

    left: sparse.csr_array
    right: sparse.csr_array


@dataclass(frozen=True, slots=True)
class Sequences:
    """Items in the order in which users had them, one user after another; shape (n,) each.

    users: ascending.
    items: distinct within a user.
    interest: how much interest each entry shows, in (0, 1].
    """

    users: NDArray[np.int64]
    items: NDArray[np.int32]
    interest: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.items)


def of_sets(taken: sparse.csr_array) -> Equations:
    """Return the equations by which all items of a user explain each other, whatever their order.

    Args:
        taken: float32, shape (n_users, n_items).

    Cost: the sum over users of the square of how many items they had.
    Source: Steck 2019, equation 4.
    """
    gram = (taken.T @ taken).tocsr()
    return Equations(gram, gram)


def of_sequences(sequences: Sequences, *, n_items: int, tau: float, backward: float) -> Equations:
    """Return the equations by which what came just before an item explains it, and what came after.

    Every entry is a target once. In its context an item that stands d places before it weighs
    exp(-(d - 1) / tau), as the item d places from the end of a history does when the next one is
    asked for; one that stands d places after it weighs `backward` times that.

    Args:
        sequences: who had what in which order.
        n_items: rows and columns of the equations.
        tau: > 0.
        backward: at least 0; 0 learns from the past alone.

    Cost: an entry and its context of at most 4 tau places to a side: 8 tau squared products.
    Source: Choi et al. 2021, "Session-aware linear item-item models", section 4.2 (SLIT), with the
    weights of the history asked about in the place of theirs, and both directions.
    """
    left = right = _nothing(n_items)
    weights = _weights(tau, backward)
    for start in range(0, len(sequences), MAX_TARGETS):
        targets = np.arange(start, min(start + MAX_TARGETS, len(sequences)))
        contexts = _contexts(sequences, targets, weights, n_items)
        ends = np.arange(len(targets) + 1)
        own = (sequences.interest[targets], sequences.items[targets], ends)
        given = sparse.csr_array(own, shape=(len(targets), n_items))
        turned = contexts.T.tocsr()
        left = left + turned @ contexts
        right = right + turned @ given
    return Equations(left, right)


def _nothing(n_items: int) -> sparse.csr_array:
    none = np.empty(0, dtype=np.int32)
    indptr = np.zeros(n_items + 1, dtype=np.int32)
    return sparse.csr_array((none.astype(np.float32), none, indptr), shape=(n_items, n_items))


def _weights(tau: float, backward: float) -> dict[int, float]:
    """Return by how many places an item comes before its target, and what it weighs there."""
    weights: dict[int, float] = {}
    for sign, most in ((1, 1.0), (-1, backward)):
        if most > 0:
            n_places = ceil(tau * max(log(most / LEAST_WEIGHT), 0.0)) or 1
            steps = range(1, n_places + 1)
            weights |= {sign * step: most * float(np.exp((1 - step) / tau)) for step in steps}
    return weights


def _contexts(
    sequences: Sequences, targets: NDArray[np.int64], weights: dict[int, float], n_items: int
) -> sparse.csr_array:
    """Return what stands around each target and its weight, shape (n_targets, n_items)."""
    rows, entries, values = [], [], []
    for distance, weight in weights.items():
        others = targets - distance
        inside = np.flatnonzero((others >= 0) & (others < len(sequences)))
        is_same = sequences.users[others[inside]] == sequences.users[targets[inside]]
        inside = inside[is_same]
        rows.append(inside)
        entries.append(others[inside])
        values.append(np.float32(weight) * sequences.interest[others[inside]])
    places = (np.concatenate(rows), sequences.items[np.concatenate(entries)])
    return sparse.csr_array((np.concatenate(values), places), shape=(len(targets), n_items))
