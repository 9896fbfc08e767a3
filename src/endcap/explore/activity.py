"""How much users do, and how often items are taken: few have much, many have little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.explore.binning import Buckets, bucket_counts, log_spaced
from endcap.explore.overview import require_interactions
from endcap.figures.plots import (
    ACCENT,
    name_axes,
    new_axes,
    paired_bars,
    short,
    use_log,
)
from endcap.figures.wording import counted, number, percent
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 5
"""Users and items with fewer interactions than this are hard to learn from."""


@dataclass(frozen=True, slots=True)
class Activity:
    """How interactions are spread over users, or over items; those without any do not count.

    n: users or items with at least one interaction.
    mean, median, p90, p99, most: interactions of one.
    few_share: the share of them that have fewer than `FEW`.
    few_interactions_share: the share of all interactions that are theirs.
    at_least: numbers of interactions, ascending, shape (n_points,).
    share: of the users or items, the share that have at least so many, shape (n_points,).
    lengths: the same in buckets.
    """

    n: int
    mean: float
    median: float
    p90: float
    p99: float
    most: int
    few_share: float
    few_interactions_share: float
    at_least: NDArray[np.int64]
    share: NDArray[np.float64]
    lengths: Buckets


def user_activity(data: Dataset) -> Activity:
    """Return how many interactions the users have."""
    require_interactions(data)
    return _activity(np.bincount(data.interactions.user_idx))


def item_popularity(data: Dataset) -> Activity:
    """Return how many interactions the items have."""
    require_interactions(data)
    return _activity(np.bincount(data.interactions.item_idx))


def say_user_activity(found: Activity, noun: str = "interactions") -> str:
    """Return how active users are, as a sentence."""
    return (
        f"{noun.capitalize()} of a user: {number(found.median)} in the median, "
        f"{number(found.mean)} on average, {number(found.p99)} or more for one in a hundred, "
        f"{found.most:,} for the busiest."
    )


def say_item_popularity(found: Activity, noun: str = "interactions") -> str:
    """Return how popular items are, as a sentence."""
    return (
        f"{noun.capitalize()} of an item: {number(found.median)} in the median, {found.most:,} for "
        f"the most popular; {percent(found.few_share)} of the items have fewer than {FEW}."
    )


def say_history_lengths(found: Activity, noun: str = "interactions") -> str:
    """Return how many users are hard to learn from, as a sentence."""
    n_few = round(found.few_share * found.n)
    if n_few == 0:
        return f"Every user has at least {FEW} {noun}."
    return (
        f"{percent(found.few_share)} of the users ({counted(n_few, 'user', 'users')}) have fewer "
        f"than {FEW} {noun}; together they made {percent(found.few_interactions_share)} of all."
    )


def plot_user_activity(found: Activity) -> Figure:
    """Return the share of users with at least so many interactions, both axes logarithmic."""
    return _plot_at_least(found, "users")


def plot_item_popularity(found: Activity) -> Figure:
    """Return the share of items with at least so many interactions, both axes logarithmic."""
    return _plot_at_least(found, "items")


def plot_history_lengths(found: Activity) -> Figure:
    """Return the users by the number of their interactions, and the share these users made."""
    figure, axes = new_axes()
    paired_bars(
        axes,
        found.lengths.labels,
        ("of the users", found.lengths.shares),
        ("of the interactions", found.lengths.total_shares),
    )
    name_axes(axes, "interactions of a user")
    return figure


def _activity(counts: NDArray[np.int64]) -> Activity:
    counts = np.sort(counts[counts > 0])
    n, total = len(counts), int(counts.sum())
    n_few = int(np.searchsorted(counts, FEW))
    at_least = log_spaced(int(counts[-1]))
    median, p90, p99 = (float(value) for value in np.quantile(counts, [0.5, 0.9, 0.99]))
    return Activity(
        n=n,
        mean=total / n,
        median=median,
        p90=p90,
        p99=p99,
        most=int(counts[-1]),
        few_share=n_few / n,
        few_interactions_share=int(counts[:n_few].sum()) / total,
        at_least=at_least,
        share=(n - np.searchsorted(counts, at_least)) / n,
        lengths=bucket_counts(counts),
    )


def _plot_at_least(found: Activity, who: str) -> Figure:
    figure, axes = new_axes()
    axes.plot(found.at_least, found.share, color=ACCENT, linewidth=2)
    axes.fill_between(found.at_least, found.share, found.share.min(), color=ACCENT, alpha=0.12)
    use_log(axes, "x", short)
    use_log(axes, "y", lambda share: f"{100 * share:g}%")
    name_axes(axes, "have at least so many interactions", f"share of the {who}")
    return figure
