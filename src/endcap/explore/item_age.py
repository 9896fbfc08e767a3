"""How long items have been around when somebody takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.explore.overview import require_interactions
from endcap.features.popularity import NEVER, first_seen
from endcap.figures.plots import name_axes, new_axes, paired_bars
from endcap.figures.wording import percent
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGES_DAYS = (0, 7, 30, 90, 180, 365, 730)
RECENT_DAYS = 28.0


@dataclass(frozen=True, slots=True)
class ItemAge:
    """How old items are: the time since the data first saw them, so never more than it spans.

    labels: ages in days: "0-6", "7-29", …, "365+".
    item_shares: items by their age at the end of the data, shape (n_labels,).
    recent_shares: interactions of the last `recent_days` by the age of their item at that moment,
        shape (n_labels,).
    median_days: the age of half of the items at the end of the data.
    """

    labels: tuple[str, ...]
    item_shares: NDArray[np.float64]
    recent_shares: NDArray[np.float64]
    median_days: float
    recent_days: float


def item_age(data: Dataset, *, recent_days: float = RECENT_DAYS) -> ItemAge | None:
    """Return how old the items are, and how old the items are that are taken lately.

    None when the data spans less than twice `recent_days`: everything in it is new then.
    """
    require_interactions(data)
    events = data.interactions
    if data.end_us - int(events.ts[0]) < 2 * recent_days * DAY_US:
        return None
    first = first_seen(events.item_idx, events.ts, data.n_items)
    at_end = (data.end_us - first[first != NEVER]) / DAY_US
    recent = events.between(data.end_us - round(recent_days * DAY_US), None)
    when_taken = (recent.ts - first[recent.item_idx]) / DAY_US
    starts = [start for start in AGES_DAYS if start <= at_end.max()]
    ends = [f"-{end - 1}" for end in starts[1:]] + ["+"]
    return ItemAge(
        labels=tuple(f"{start}{end}" for start, end in zip(starts, ends, strict=True)),
        item_shares=_shares(at_end, starts),
        recent_shares=_shares(when_taken, starts),
        median_days=float(np.median(at_end)),
        recent_days=recent_days,
    )


def say_item_age(found: ItemAge, noun: str = "interactions") -> str:
    """Return how much of what happens is with new items, as a sentence."""
    n_new = sum(1 for start in AGES_DAYS[: len(found.labels)] if start < 30)
    return (
        f"Half of the items were first seen {found.median_days:,.0f} days or more before the end. "
        f"In the last {found.recent_days:g} days, "
        f"{percent(float(min(found.recent_shares[:n_new].sum(), 1.0)))} of the {noun} were with an "
        f"item first seen less than 30 days before."
    )


def plot_item_age(found: ItemAge) -> Figure:
    """Return the items, and what was taken lately, by the age of the item."""
    figure, axes = new_axes()
    paired_bars(
        axes,
        found.labels,
        ("of the items, at the end", found.item_shares),
        (f"of the last {found.recent_days:g} days", found.recent_shares),
    )
    name_axes(axes, "days since the item was first seen")
    return figure


def _shares(ages_days: NDArray[np.float64], starts: list[int]) -> NDArray[np.float64]:
    places = np.searchsorted(starts, ages_days, side="right") - 1
    return np.bincount(places, minlength=len(starts)) / len(ages_days)
