"""The long tail: how much of everything falls on how few items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.metrics.exposure import gini
from endcap.explore.overview import require_interactions
from endcap.figures.plots import (
    ACCENT,
    MUTED,
    SECOND,
    TEXT_PT,
    name_axes,
    new_axes,
    use_percent,
)
from endcap.figures.wording import percent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP_SHARES = (0.01, 0.1, 0.2)
N_POINTS = 200


@dataclass(frozen=True, slots=True)
class Concentration:
    """How unequally items share a total; items without any of it do not count.

    n_items: items with any of it.
    gini: 0 when all have the same, near 1 when one has it all.
    half_share: the smallest share of the items that has half of the total.
    top: share of the items, best first -> their share of the total; rounded up to whole items.
    item_share, total_share: the Lorenz curve, best items first, both from 0 to 1.
    """

    n_items: int
    gini: float
    half_share: float
    top: dict[float, float]
    item_share: NDArray[np.float64]
    total_share: NDArray[np.float64]


def concentration(amounts: NDArray[np.int64]) -> Concentration:
    """Return how unequally a total is shared.

    Args:
        amounts: what each item has, shape (n_items,), with at least one above zero.
    """
    amounts = np.sort(amounts[amounts > 0])
    n = len(amounts)
    reached = np.concatenate([[0.0], np.cumsum(amounts[::-1], dtype=np.float64)])
    reached /= reached[-1]
    points = np.unique(np.round(np.linspace(0, n, min(n, N_POINTS) + 1)).astype(np.int64))
    return Concentration(
        n_items=n,
        gini=gini(amounts),
        half_share=int(np.searchsorted(reached, 0.5)) / n,
        top={share: float(reached[int(np.ceil(share * n))]) for share in TOP_SHARES},
        item_share=points / n,
        total_share=reached[points],
    )


def item_concentration(data: Dataset) -> Concentration:
    """Return how unequally the items share the interactions."""
    require_interactions(data)
    return concentration(np.bincount(data.interactions.item_idx))


def revenue_concentration(data: Dataset) -> Concentration | None:
    """Return how unequally the items share what was paid; None when no price is known."""
    bought = data.interactions
    paid = (bought.kind == KIND_CODES[Kind.PURCHASE]) & (bought.price > 0)
    if not paid.any():
        return None
    spent = bought.value[paid].astype(np.float64) * bought.price[paid]
    by_item = np.bincount(bought.item_idx[paid], weights=spent)
    hundredths = np.round(100 * by_item).astype(np.int64)
    return concentration(hundredths) if hundredths.any() else None


def say_concentration(
    found: Concentration, noun: str = "interactions", revenue: Concentration | None = None
) -> str:
    """Return the long tail as a sentence."""
    says = (
        f"Half of the {noun} fall on {percent(found.half_share)} of the items; the top 1% has "
        f"{percent(found.top[0.01])}, the top 20% has {percent(found.top[0.2])} (Gini "
        f"{found.gini:.2f})."
    )
    if revenue is not None:
        says += f" Half of the revenue comes from {percent(revenue.half_share)} of the items."
    return says


def plot_concentration(found: Concentration, revenue: Concentration | None = None) -> Figure:
    """Return the Lorenz curve, best items first; the further from the diagonal, the less equal."""
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label="all equal")
    axes.plot(found.item_share, found.total_share, color=ACCENT, linewidth=2, label="interactions")
    if revenue is not None:
        axes.plot(
            revenue.item_share, revenue.total_share, color=SECOND, linewidth=1.6, label="revenue"
        )
    axes.plot([found.half_share], [0.5], "o", color=ACCENT)
    axes.legend(frameon=False, fontsize=TEXT_PT, labelcolor=MUTED, loc="lower right")
    use_percent(axes, "x")
    use_percent(axes, "y")
    name_axes(axes, "share of the items, best first", "share of the total")
    return figure
