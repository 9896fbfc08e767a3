"""How many pieces a purchase has, and what one costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from endcap.explore.binning import Buckets, LogBins, bucket_counts, log_histogram
from endcap.figures.plots import (
    bars,
    filled_steps,
    marker_line,
    name_axes,
    new_axes,
    use_counts,
    use_log,
)
from endcap.figures.wording import number, percent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Quantities:
    """How many pieces the purchases have.

    n: purchases.
    mean, median, most: pieces (or kilograms, …) of one purchase.
    one_share: the share of purchases of exactly one.
    buckets: purchases by quantity, rounded up to whole pieces.
    """

    n: int
    mean: float
    median: float
    most: float
    one_share: float
    buckets: Buckets


@dataclass(frozen=True, slots=True)
class Prices:
    """What was paid for one piece.

    n: interactions with a price above zero; known_share is their share of all they are among.
    p05, median, mean, p95: of those prices, in the currency of the data.
    revenue: price times quantity of the purchases among them.
    bins: how many there are at each price.
    """

    n: int
    known_share: float
    p05: float
    median: float
    mean: float
    p95: float
    revenue: float
    bins: LogBins


def quantities(data: Dataset) -> Quantities | None:
    """Return how many pieces were bought at once; None when the data has no purchase."""
    pieces = data.interactions.value[data.interactions.kind == KIND_CODES[Kind.PURCHASE]]
    pieces = pieces[pieces > 0]
    if len(pieces) == 0:
        return None
    return Quantities(
        n=len(pieces),
        mean=float(pieces.mean(dtype=np.float64)),
        median=float(np.median(pieces)),
        most=float(pieces.max()),
        one_share=float(np.count_nonzero(pieces == 1) / len(pieces)),
        buckets=bucket_counts(np.maximum(np.ceil(pieces), 1)),
    )


def prices(data: Dataset) -> Prices | None:
    """Return what was paid for one piece; None when no price is known.

    Prices of purchases, unless only other kinds have one.
    """
    events = data.interactions
    bought = events.kind == KIND_CODES[Kind.PURCHASE]
    priced = events.price > 0
    among = bought if (bought & priced).any() else np.ones(len(events), dtype=np.bool_)
    known = priced & among
    if not known.any():
        return None
    paid = events.price[known].astype(np.float64)
    sold = known & bought
    p05, median, p95 = (float(price) for price in np.quantile(paid, [0.05, 0.5, 0.95]))
    return Prices(
        n=len(paid),
        known_share=float(len(paid) / np.count_nonzero(among)),
        p05=p05,
        median=median,
        mean=float(paid.mean()),
        p95=p95,
        revenue=float(np.dot(events.price[sold].astype(np.float64), events.value[sold])),
        bins=log_histogram(paid),
    )


def say_quantities(found: Quantities) -> str:
    """Return how many pieces are bought at once, as a sentence."""
    if found.one_share == 1.0:
        return "Every purchase is of one piece."
    return (
        f"{percent(found.one_share)} of the purchases are of one piece; the mean is "
        f"{number(round(found.mean, 2))}, the median {number(found.median)}, the largest "
        f"{number(found.most)}."
    )


def say_prices(found: Prices) -> str:
    """Return what a piece costs, as a sentence."""
    says = (
        f"Half of what was taken cost up to {found.median:,.2f} a piece; nine in ten prices lie "
        f"between {found.p05:,.2f} and {found.p95:,.2f}."
    )
    if found.revenue > 0:
        says += f" All purchases together brought {found.revenue:,.0f}."
    if found.known_share < 1.0:
        says += f" {percent(1 - found.known_share)} have no price, or one of zero."
    return says


def plot_quantities(found: Quantities) -> Figure:
    """Return the purchases by the number of pieces."""
    figure, axes = new_axes()
    bars(axes, found.buckets.labels, found.buckets.shares)
    name_axes(axes, "pieces", "share of the purchases")
    return figure


def plot_prices(found: Prices) -> Figure:
    """Return the histogram of prices on a logarithmic axis, with the median."""
    figure, axes = new_axes()
    filled_steps(axes, found.bins.counts, found.bins.edges)
    use_log(axes, "x", lambda price: f"{price:,.12g}")
    use_counts(axes)
    marker_line(axes, found.median, f"median {found.median:,.2f}")
    name_axes(axes, "price of one piece", "interactions")
    return figure
