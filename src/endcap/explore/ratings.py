"""Which stars people give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.figures.plots import bars, filled_steps, marker_line, name_axes, new_axes, use_counts
from endcap.figures.wording import number, percent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_STEPS = 12


@dataclass(frozen=True, slots=True)
class Ratings:
    """The ratings of a data set.

    n: how many there are.
    mean, median: of the stars.
    edges: where each bar begins, and where the last ends; for a scale of few steps each step is
        the middle of its bar.
    steps: the values of a scale of few steps, ascending; empty for a fine scale.
    counts: ratings in each bar.
    """

    n: int
    mean: float
    median: float
    steps: tuple[float, ...]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each bar's share of the ratings."""
        return self.counts / self.n


def rating_distribution(data: Dataset) -> Ratings | None:
    """Return which stars were given; None when the data has no rating."""
    rated = data.interactions.kind == KIND_CODES[Kind.RATING]
    stars = data.interactions.value[rated].astype(np.float64)
    if len(stars) == 0:
        return None
    values, n_each = np.unique(stars, return_counts=True)
    if len(values) <= MAX_STEPS:
        between = (values[1:] + values[:-1]) / 2
        edges = np.concatenate([[values[0] - 0.5], between, [values[-1] + 0.5]])
        steps, counts = tuple(values.tolist()), n_each.astype(np.int64)
    else:
        edges = np.linspace(values[0], values[-1], 21)
        steps, counts = (), np.histogram(stars, edges)[0].astype(np.int64)
    return Ratings(
        n=len(stars),
        mean=float(stars.mean()),
        median=float(np.median(stars)),
        steps=steps,
        edges=edges,
        counts=counts,
    )


def say_ratings(found: Ratings) -> str:
    """Return which stars are given, as a sentence."""
    says = f"The mean of {found.n:,} ratings is {found.mean:.2f}, the median {found.median:g}."
    if found.steps:
        most = int(np.argmax(found.counts))
        says += f" {percent(float(found.shares[most]))} of them are {found.steps[most]:g}"
        says += f", {percent(float(found.shares[0]))} are {found.steps[0]:g}." if most else "."
    return says


def plot_ratings(found: Ratings) -> Figure:
    """Return the histogram of the stars with their mean."""
    figure, axes = new_axes()
    if found.steps:
        bars(axes, [f"{step:g}" for step in found.steps], found.shares)
        mean = float(np.interp(found.mean, found.steps, np.arange(len(found.steps))))
    else:
        filled_steps(axes, found.counts, found.edges)
        use_counts(axes)
        mean = found.mean
    marker_line(axes, mean, f"mean {number(round(found.mean, 2))}")
    name_axes(axes, "stars", "share of the ratings" if found.steps else "ratings")
    return figure
