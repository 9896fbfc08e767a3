"""Rows that may stand for one act, and acts that people really repeat.

Counts only; whether a near duplicate is dropped is decided in `ingest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from endcap.explore.binning import Buckets, bucket_counts
from endcap.explore.overview import require_interactions
from endcap.figures.plots import name_axes, new_axes, paired_bars
from endcap.figures.wording import counted, duration, percent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset
from endcap.schema.types import SECOND_US

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAR_S = 2.0
"""The same act twice within so long is more likely one act, told twice."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Interactions that follow one of the same user, item and kind closely.

    n: interactions in all.
    n_same_time: those at the very same time as an earlier one.
    n_near: those within `near_s` of an earlier one, at another time.
    near_s: how close is near, in seconds.
    by_kind: both together, of each kind that has any.
    """

    n: int
    n_same_time: int
    n_near: int
    near_s: float
    by_kind: dict[str, int]

    @property
    def same_time_share(self) -> float:
        """The share of the interactions that bear the time of an earlier one."""
        return self.n_same_time / self.n

    @property
    def near_share(self) -> float:
        """The share of the interactions that come shortly after an earlier one."""
        return self.n_near / self.n


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the same user takes the same item.

    n_pairs: distinct pairs of user and item.
    repeat_share: the share of the interactions whose pair had occurred before.
    repeat_user_share: the share of the users who ever came back to an item.
    pairs: the pairs by their number of interactions.
    """

    n_pairs: int
    repeat_share: float
    repeat_user_share: float
    pairs: Buckets


def duplicates(data: Dataset, *, near_s: float = NEAR_S) -> Duplicates:
    """Return how many interactions look like one that was there already.

    Cost: one stable sort of the interactions.
    """
    require_interactions(data)
    events = data.interactions
    n_codes = max(KIND_CODES.values()) + 1
    key = events.user_idx.astype(np.int64) * max(data.n_items, 1) + events.item_idx
    key = key * n_codes + events.kind
    order = np.argsort(key, kind="stable")
    key = key[order]
    again = key[1:] == key[:-1]
    pause_us = np.diff(events.ts[order])
    same_time = again & (pause_us == 0)
    near = again & (pause_us > 0) & (pause_us <= near_s * SECOND_US)
    by_code = np.bincount(key[1:][same_time | near] % n_codes, minlength=n_codes)
    return Duplicates(
        n=len(events),
        n_same_time=int(np.count_nonzero(same_time)),
        n_near=int(np.count_nonzero(near)),
        near_s=near_s,
        by_kind={kind: int(by_code[code]) for kind, code in KIND_CODES.items() if by_code[code]},
    )


def repeats(data: Dataset) -> Repeats:
    """Return how often users come back to an item.

    Cost: one sort of the pairs.
    """
    require_interactions(data)
    events = data.interactions
    stride = max(data.n_items, 1)
    keys = np.sort(events.user_idx.astype(np.int64) * stride + events.item_idx)
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    n_each = np.diff(np.append(begins, len(keys)))
    users = keys[begins] // stride
    n_users = np.count_nonzero(np.bincount(users))
    n_returning = np.count_nonzero(np.bincount(users[n_each > 1]))
    return Repeats(
        n_pairs=len(begins),
        repeat_share=1.0 - len(begins) / len(events),
        repeat_user_share=n_returning / n_users,
        pairs=bucket_counts(n_each, (1, 2, 3, 5, 10, 20, 50)),
    )


def say_duplicates(found: Duplicates) -> str:
    """Return how many rows may tell the same act twice, as a sentence."""
    if found.n_same_time + found.n_near == 0:
        return (
            "No row repeats user, item and kind of an earlier one at the same time or within "
            f"{duration(found.near_s)}."
        )
    if found.n_same_time == 0:
        says = (
            f"{counted(found.n_near, 'row repeats', 'rows repeat')} user, item and kind of another "
            f"within the {duration(found.near_s)} before ({percent(found.near_share)} of all)"
        )
    else:
        says = (
            f"{counted(found.n_same_time, 'row repeats', 'rows repeat')} user, item, kind and time "
            f"of an earlier one ({percent(found.same_time_share)} of all)"
        )
        if found.n_near:
            says += f"; {found.n_near:,} more ({percent(found.near_share)}) come within "
            says += f"{duration(found.near_s)} of one"
    if Kind.PURCHASE in found.by_kind:
        says += ". Of purchases these may be true pieces of one basket"
    return says + "."


def say_repeats(found: Repeats, noun: str = "interactions") -> str:
    """Return how often users come back to an item, as a sentence."""
    if found.repeat_share == 0.0:
        return "No user took the same item twice."
    return (
        f"{percent(found.repeat_share)} of the {noun} are with an item that the user had before; "
        f"{percent(found.repeat_user_share)} of the users ever came back to one."
    )


def plot_repeats(found: Repeats) -> Figure:
    """Return the pairs of user and item by how often they occur, and the share these make up."""
    figure, axes = new_axes()
    paired_bars(
        axes,
        found.pairs.labels,
        ("of the pairs", found.pairs.shares),
        ("of the interactions", found.pairs.total_shares),
    )
    name_axes(axes, "times that a user took the same item")
    return figure
