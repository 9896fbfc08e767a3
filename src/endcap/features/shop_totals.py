"""What is reckoned over all items of a shop, so that one item can be placed among them.

The only thing that the features of a part of the users or items need from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.prices import price_bands, price_edges
from endcap.features.spec import FeatureSpec
from endcap.schema.dataset import Items


@dataclass(frozen=True, slots=True)
class ShopTotals:
    """Sums and price bands over all items at one moment.

    n_events_recent: events of the window, of all items.
    n_events_recent_by_category: the same of each category, int64, shape (n_categories,); events of
        items without a category are in none.
    shop_price_edges: upper edges of the price bands among all items, shape (n_bands - 1,).
    group_price_edges: the same within each group, shape (n_groups, n_bands - 1); a group is a
        department (the last one: no department), or the whole shop.
    """

    n_events_recent: int
    n_events_recent_by_category: NDArray[np.int64]
    shop_price_edges: NDArray[np.float32]
    group_price_edges: NDArray[np.float32]


def shop_totals(
    price: NDArray[np.float32],
    n_events_recent: NDArray[np.int32],
    items: Items,
    *,
    spec: FeatureSpec,
) -> ShopTotals:
    """Return the totals over all items.

    Both arrays are fields of `ItemFeatures`, so an engine that works on parts of the items can put
    them together from its parts.

    Args:
        price: last price of each item, NaN where unknown, shape (n_items,).
        n_events_recent: its events of the window, shape (n_items,).
        items: the whole catalogue.
        spec: how many bands, within what.
    """
    known = items.category >= 0
    n_categories = max(len(items.category_names), int(items.category.max(initial=-1)) + 1)
    by_category = np.zeros(n_categories, dtype=np.int64)
    np.add.at(by_category, items.category[known], n_events_recent[known])
    n_groups = 1
    if spec.price_bands_within == "department":
        n_groups = max(len(items.department_names), int(items.department.max(initial=-1)) + 1) + 1
    whole = np.zeros(len(price), dtype=np.int32)
    return ShopTotals(
        n_events_recent=int(n_events_recent.sum(dtype=np.int64)),
        n_events_recent_by_category=by_category,
        shop_price_edges=price_edges(price, whole, 1, n_bands=spec.n_price_bands)[0],
        group_price_edges=price_edges(
            price,
            _price_groups(items.department, n_groups),
            n_groups,
            n_bands=spec.n_price_bands,
        ),
    )


def bands_in_group(
    price: NDArray[np.float32], department: NDArray[np.int32], totals: ShopTotals
) -> NDArray[np.int8]:
    """Return the price band of each item within its group, int8, shape (n,)."""
    groups = _price_groups(department, len(totals.group_price_edges))
    return price_bands(price, totals.group_price_edges, groups)


def bands_in_shop(price: NDArray[np.float32], totals: ShopTotals) -> NDArray[np.int8]:
    """Return the price band of each price among all items of the shop, int8, shape (n,)."""
    whole = np.zeros(len(price), dtype=np.int32)
    return price_bands(price, totals.shop_price_edges[np.newaxis], whole)


def category_shares(category: NDArray[np.int32], totals: ShopTotals) -> NDArray[np.float32]:
    """Return the share of each item's category in the recent events of the shop, shape (n,).

    NaN where the category is not known, or when there were no recent events at all.
    """
    shares = np.full(len(category), np.nan, dtype=np.float32)
    known = category >= 0
    if totals.n_events_recent:
        counts = totals.n_events_recent_by_category[category[known]]
        shares[known] = counts / totals.n_events_recent
    return shares


def _price_groups(department: NDArray[np.int32], n_groups: int) -> NDArray[np.int32]:
    if n_groups == 1:
        return np.zeros(len(department), dtype=np.int32)
    return np.where(department >= 0, department, n_groups - 1).astype(np.int32)
