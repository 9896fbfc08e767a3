"""What each group of items gets of each list, and of each user's targets: per user first.

What follows for the groups of a shop is in `exposure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.metrics.accuracy import discounts
from endcap.evaluation.metrics.ground import Groups
from endcap.evaluation.split import Targets
from endcap.schema.types import ItemIdx, TopK

Values: TypeAlias = NDArray[np.float64]

MAX_NAMED = 20
MIN_ITEMS = 10
UNKNOWN = "unknown"

_BLOCK_CELLS = 1 << 18  # of lists at once: 2 MB of float64, stays in the cache


@dataclass(frozen=True, slots=True)
class Parts:
    """A catalogue in few groups that hold every candidate once.

    groups: the named ones first, by size, then the pooled, then what is unknown, where there are
        any; -1 for what is no candidate.
    n_items: candidates in each, shape (n_groups,).
    n_named: how many are groups of their own: at least `min_items` large and among the largest.
    pooled: names of the other groups, largest first.
    """

    groups: Groups
    n_items: NDArray[np.int64]
    n_named: int
    pooled: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups.names)

    @property
    def catalogue_shares(self) -> Values:
        """The share of the candidates in each group, summing to 1."""
        return np.asarray(self.n_items / max(int(self.n_items.sum()), 1))


def parts_of(
    groups: Groups,
    *,
    allowed: ItemIdx | None = None,
    min_items: int = MIN_ITEMS,
    max_named: int = MAX_NAMED,
    by_size: bool = True,
) -> Parts:
    """Return the candidates in at most max_named groups, the small ones pooled.

    Args:
        groups: of the whole catalogue.
        allowed: the candidates; all items when None.
        min_items: a smaller group is pooled, as a single item would decide what it gets.
        max_named: of more, the largest are kept; of equals, those first in the alphabet.
        by_size: order the named by size; by code when not.
    """
    codes = groups.codes
    if allowed is not None:
        codes = np.full(len(groups.codes), -2, dtype=np.int32)
        codes[allowed] = groups.codes[allowed]
    n_each = np.bincount(codes[codes >= 0], minlength=len(groups.names))
    order = sorted(np.flatnonzero(n_each), key=lambda code: (-n_each[code], groups.names[code]))
    named = [code for code in order[:max_named] if n_each[code] >= min_items]
    pooled = tuple(groups.names[code] for code in order if code not in set(named))
    if not by_size:
        named = sorted(named)
    names = [groups.names[code] for code in named]
    lookup = np.full(len(groups.names), len(named), dtype=np.int32)
    lookup[named] = np.arange(len(named), dtype=np.int32)
    found = np.full(len(codes), -1, dtype=np.int32)
    found[codes >= 0] = lookup[codes[codes >= 0]]
    if pooled:
        names.append(f"{len(pooled)} others")
    if (codes == -1).any():
        found[codes == -1] = len(names)
        names.append(UNKNOWN)
    n_items = np.bincount(found[found >= 0], minlength=len(names))
    return Parts(Groups(tuple(names), found), n_items, len(named), pooled)


def group_exposure(ranked: TopK, groups: Groups, *, k: int) -> Values:
    """Return each group's share of the exposure of each list, shape (n_users, n_groups).

    An item at a position, from 0, is seen with weight 1 / log2(position + 2), as in NDCG. Shares
    are of all that the list shows; what is in no group is in no column. NaN for an empty list.

    Source: Singh, Joachims 2018 (exposure as position bias).
    """
    n_groups = len(groups.names)
    shares = np.empty((len(ranked), n_groups))
    codes = np.append(groups.codes, np.int32(-1))
    block = max(1, _BLOCK_CELLS // max(k, 1))
    for start in range(0, len(ranked), block):
        items = ranked.items[start : start + block, :k]
        weights = np.where(items >= 0, discounts(items.shape[1]), 0.0)
        # Column 0 takes what is in no group.
        cells = np.arange(len(items))[:, None] * (n_groups + 1) + codes[items] + 1
        sums = np.bincount(
            cells.ravel(), weights=weights.ravel(), minlength=len(items) * (n_groups + 1)
        ).reshape(len(items), n_groups + 1)
        # Of the very sums, so that a list of one group gives it 1 and not a rounding more.
        total = sums.sum(axis=1, keepdims=True)
        shares[start : start + block] = sums[:, 1:] / np.where(total > 0, total, np.nan)
    return shares


@dataclass(frozen=True, slots=True)
class Found:
    """The targets that the lists hold: row of the list and item, each of shape (n_found,)."""

    rows: NDArray[np.int64]
    items: ItemIdx


def find_targets(ranked: TopK, targets: Targets, *, k: int, n_items: int) -> Found:
    """Return which targets are among the first k items of the lists, one for each user."""
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)
    wanted = Pairs(rows * n_items + targets.items, n_items)  # in order already, as targets are
    items = ranked.items[:, :k]
    is_hit = wanted.contain(np.arange(len(targets))[:, None], items)
    return Found(np.nonzero(is_hit)[0], items[is_hit])


def count_targets(targets: Targets, groups: Groups) -> NDArray[np.int64]:
    """Return how many targets each user has in each group, shape (n_users, n_groups)."""
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)
    return _count(rows, groups.codes[targets.items], len(targets), len(groups.names))


def group_recall(found: Found, n_wanted: NDArray[np.int64], groups: Groups) -> Values:
    """Return the share of each user's targets in each group that was listed.

    Shape (n_users, n_groups); NaN where the user has no target in the group.

    Args:
        found: of `find_targets`.
        n_wanted: of `count_targets`, by the same groups.
        groups: of the items; targets in none are in no column.
    """
    n_found = _count(found.rows, groups.codes[found.items], *n_wanted.shape)
    return np.asarray(n_found / np.where(n_wanted > 0, n_wanted, np.nan))


def _count(
    rows: NDArray[np.int64], codes: NDArray[np.int32], n_rows: int, n_groups: int
) -> NDArray[np.int64]:
    is_known = codes >= 0
    cells = rows[is_known] * n_groups + codes[is_known]
    return np.bincount(cells, minlength=n_rows * n_groups).reshape(n_rows, n_groups)
