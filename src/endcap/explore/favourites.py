"""What is taken most: departments, categories, brands and single items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.explore.overview import require_interactions
from endcap.figures.plots import sideways_bars
from endcap.figures.wording import percent
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Attribute: TypeAlias = Literal["department", "category", "brand"]
ATTRIBUTES: dict[Attribute, str] = {
    "department": "departments",
    "category": "categories",
    "brand": "brands",
}
"""The attributes of items that can be ranked, with their plural."""

N_TOP = 10


@dataclass(frozen=True, slots=True)
class Favourites:
    """The most frequent values of one attribute of items.

    attribute, plural: which, such as "brand" and "brands"; "item" for the items themselves.
    n_values: how many values have an interaction.
    names, interaction_shares, item_shares: the top ones, the most frequent first: their share of
        all interactions, and of the items that have any.
    unknown_share: the share of all interactions whose item lacks the attribute.
    """

    attribute: str
    plural: str
    n_values: int
    names: tuple[str, ...]
    interaction_shares: NDArray[np.float64]
    item_shares: NDArray[np.float64]
    unknown_share: float


def favourites(data: Dataset, attribute: Attribute, *, n: int = N_TOP) -> Favourites | None:
    """Return the values of an attribute that are taken most; None when no item has it."""
    require_interactions(data)
    codes: NDArray[np.int32] = getattr(data.items, attribute)
    names: tuple[str, ...] = getattr(data.items, f"{attribute}_names")
    per_item = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    known = (codes >= 0) & (per_item > 0)
    if not known.any():
        return None
    total = int(per_item.sum())
    taken = np.bincount(codes[known], weights=per_item[known], minlength=len(names))
    n_items = np.bincount(codes[known], minlength=len(names))
    top = np.argsort(-taken, kind="stable")[: min(n, int(np.count_nonzero(taken)))]
    return Favourites(
        attribute=attribute,
        plural=ATTRIBUTES[attribute],
        n_values=int(np.count_nonzero(taken)),
        names=tuple(names[code] for code in top),
        interaction_shares=taken[top] / total,
        item_shares=n_items[top] / int(np.count_nonzero(per_item)),
        unknown_share=float(1.0 - taken.sum() / total),
    )


def favourite_items(
    data: Dataset, names: Sequence[str | None], *, n: int = N_TOP
) -> Favourites | None:
    """Return the items that are taken most; None when none of them has a name.

    Args:
        data: interactions.
        names: of each item, by index; None where unknown.
        n: how many.
    """
    require_interactions(data)
    per_item = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    n_items = int(np.count_nonzero(per_item))
    top = np.argsort(-per_item, kind="stable")[: min(n, n_items)]
    if not any(names[item] for item in top):
        return None
    return Favourites(
        attribute="item",
        plural="items",
        n_values=n_items,
        names=tuple(names[item] or "(no name)" for item in top),
        interaction_shares=per_item[top] / len(data.interactions),
        item_shares=np.full(len(top), 1 / n_items),
        unknown_share=0.0,
    )


def say_favourites(found: Favourites, noun: str = "interactions") -> str:
    """Return what is taken most, as a sentence."""
    lead, top = found.interaction_shares[0], float(min(found.interaction_shares.sum(), 1.0))
    says = f"Most taken: {found.names[0]}, with {percent(lead)} of the {noun}."
    if len(found.names) < found.n_values:
        says += (
            f" The first {len(found.names)} of {found.n_values:,} {found.plural} have "
            f"{percent(top)}."
        )
    if found.unknown_share > 0:
        says += f" {percent(found.unknown_share)} are with an item without a {found.attribute}."
    return says


def plot_favourites(found: Favourites) -> Figure:
    """Return a bar for each of the most frequent values."""
    texts = [percent(share) for share in found.interaction_shares]
    return sideways_bars(found.names, found.interaction_shares, texts)[0]
