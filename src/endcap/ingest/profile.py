"""The few numbers that tell what kind of data set one has: size, density, span, repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from endcap.schema.columns import KIND_CODES
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US


@dataclass(frozen=True, slots=True)
class Profile:
    """A data set in numbers.

    n_users, n_items: with at least one interaction; n_known_items counts the whole catalogue.
    density: share of the pairs of an active user and an active item that occurred.
    repeat_share: share of the interactions whose pair had occurred before.
    n_days: from the first interaction to the last.
    kinds: interactions of each kind.
    """

    n_interactions: int
    n_users: int
    n_items: int
    n_known_items: int
    density: float
    repeat_share: float
    median_per_user: float
    n_days: float
    kinds: dict[str, int]


def profile(data: Dataset) -> Profile:
    """Return the summary of a data set; all zeros when it has no interaction."""
    interactions = data.interactions
    n_rows = len(interactions)
    per_user = np.bincount(interactions.user_idx, minlength=1)
    n_users = int(np.count_nonzero(per_user))
    n_items = int(np.count_nonzero(np.bincount(interactions.item_idx, minlength=1)))
    pairs = interactions.user_idx.astype(np.int64) * max(data.n_items, 1) + interactions.item_idx
    n_pairs = len(np.unique(pairs))
    span_us = int(interactions.ts[-1] - interactions.ts[0]) if n_rows else 0
    by_code = np.bincount(interactions.kind, minlength=max(KIND_CODES.values()) + 1)
    return Profile(
        n_interactions=n_rows,
        n_users=n_users,
        n_items=n_items,
        n_known_items=data.n_items,
        density=n_pairs / (n_users * n_items) if n_rows else 0.0,
        repeat_share=1.0 - n_pairs / n_rows if n_rows else 0.0,
        median_per_user=float(np.median(per_user[per_user > 0])) if n_rows else 0.0,
        n_days=span_us / DAY_US,
        kinds={
            kind.value: int(by_code[code]) for kind, code in KIND_CODES.items() if by_code[code]
        },
    )
