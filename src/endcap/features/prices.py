"""What things lately cost, and whether that is cheap or dear among others.

Prices come from interactions before a cut; the catalogue's price, which may be derived from all
sales, has no part in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNKNOWN_BAND = -1
"""The band of what has no known price, or of whose kind none has one."""


def median_of_latest(
    group: NDArray[np.int32], prices: NDArray[np.float32], n_groups: int, *, n_latest: int
) -> NDArray[np.float32]:
    """Return the median of the latest prices of each group, float32, shape (n_groups,).

    Of an even number of prices it is the lower middle one, so that it is a price that somebody
    really paid. NaN for a group without a price.

    Args:
        group: item or user of each price, in time order, shape (n,).
        prices: shape (n,); those that are not above zero (or NaN) are left out.
        n_groups: length of the result.
        n_latest: how many prices of a group are looked at, the latest ones.

    Cost: one stable sort of the groups, 4 bytes x n_groups x n_latest.
    """
    priced = prices > 0  # also False for NaN
    group, prices = group[priced], prices[priced]
    order = np.argsort(group, kind="stable")
    group, prices = group[order], prices[order]
    n_known = np.bincount(group, minlength=n_groups)
    from_end = np.cumsum(n_known)[group] - 1 - np.arange(len(group))
    kept = from_end < n_latest
    latest = np.full((n_groups, n_latest), np.nan, dtype=np.float32)
    latest[group[kept], from_end[kept]] = prices[kept]
    latest.sort(axis=1)  # NaN last
    middle = np.maximum(np.minimum(n_known, n_latest) - 1, 0) // 2
    medians: NDArray[np.float32] = latest[np.arange(n_groups), middle]
    return medians


def price_edges(
    prices: NDArray[np.float32], group: NDArray[np.int32], n_groups: int, *, n_bands: int
) -> NDArray[np.float32]:
    """Return the upper edges of all price bands but the highest, shape (n_groups, n_bands - 1).

    Edge k of a group is the smallest of its prices that at least (k + 1) / n_bands of them do not
    exceed. NaN for a group without a price.

    Args:
        prices: one an item, NaN where unknown, shape (n_items,).
        group: of each item, 0 to n_groups - 1, shape (n_items,).
        n_groups: rows of the result.
        n_bands: >= 2.
    """
    known = ~np.isnan(prices)
    order = np.lexsort((prices[known], group[known]))
    ascending = prices[known][order]
    n_known = np.bincount(group[known], minlength=n_groups)
    edges = np.full((n_groups, n_bands - 1), np.nan, dtype=np.float32)
    filled = np.flatnonzero(n_known)
    steps = np.arange(1, n_bands)
    # In whole numbers: the ceiling of k * n / n_bands, less one because positions count from 0.
    position = -(-n_known[filled, np.newaxis] * steps // n_bands) - 1
    starts = (np.cumsum(n_known) - n_known)[filled, np.newaxis]
    edges[filled] = ascending[starts + position]
    return edges


def price_bands(
    prices: NDArray[np.float32], edges: NDArray[np.float32], group: NDArray[np.int32]
) -> NDArray[np.int8]:
    """Return the price band of each price, 0 (cheapest) to n_bands - 1; `UNKNOWN_BAND` without one.

    A price at an edge belongs to the band below it.

    Args:
        prices: NaN where unknown, shape (n,).
        edges: of `price_edges`, shape (n_groups, n_bands - 1).
        group: row of `edges` for each price, shape (n,).
    """
    own = edges[group]
    bands: NDArray[np.int8] = (prices[:, np.newaxis] > own).sum(axis=1, dtype=np.int8)
    bands[np.isnan(prices) | np.isnan(own).any(axis=1)] = UNKNOWN_BAND
    return bands
