"""Finds when something began: the stretch of time in which it is most out of the ordinary.

Counts go in, a stretch comes out; what is counted is for the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.ingest.wording import HOUR_US
from endcap.schema.types import DAY_US

MAX_BUCKETS = 400
BUCKETS_US = (HOUR_US, 6 * HOUR_US, DAY_US, 7 * DAY_US, 28 * DAY_US, 364 * DAY_US)
LEAST_EVIDENCE = 6.0
"""Log likelihood ratio below which a stretch may well be chance: e to the 6 is 400 to 1."""
LEAST_RATIO = 1.25
"""Rates inside and outside that differ by less are alike, however many rows make them certain."""
GOOD_AS = 2.0
"""A stretch that lasts to the end is told rather than one with so little more evidence."""


@dataclass(frozen=True, slots=True)
class Onset:
    """A stretch that stands out.

    start, stop: the buckets from `start` up to `stop`, which is not one of them.
    lasts: whether it goes on to the end.
    rate_inside, rate_outside: events per exposure.
    """

    start: int
    stop: int
    lasts: bool
    rate_inside: float
    rate_outside: float


def bucket_us(span_us: int) -> int:
    """Return the length of the finest buckets that cut the span into no more than 400."""
    return next((one for one in BUCKETS_US if span_us // one < MAX_BUCKETS), BUCKETS_US[-1])


def find_onset(
    events: Sequence[float], exposure: Sequence[float], *, low: bool = False
) -> Onset | None:
    """Return the stretch of buckets in which events are most unusually frequent (or rare).

    None when they are spread so evenly that no stretch stands out. A stretch up to the last
    bucket is preferred when it explains about as much: trouble usually lasts.

    Args:
        events: how many in each bucket, in order.
        exposure: how many there could have been, such as rows or hours; not all 0.
        low: look for too few rather than too many.

    Source: the spatial scan statistic of Kulldorff 1997 in one dimension, with Poisson counts.

    Cost: O(n ** 2) for n buckets.
    """
    seen, possible = _cumulated(events), _cumulated(exposure)
    n = len(events)
    if n < 2 or seen[-1] == 0 or possible[-1] == 0:
        return None
    inside = seen[None, :] - seen[:, None]  # from bucket i up to j
    share = (possible[None, :] - possible[:, None]) / possible[-1]
    evidence = _evidence(inside, seen[-1], share, low=low)
    start, stop = (int(place) for place in np.unravel_index(np.argmax(evidence), evidence.shape))
    best = evidence[start, stop]
    if best < LEAST_EVIDENCE:
        return None
    last = int(np.argmax(evidence[:, n]))
    if evidence[last, n] >= best - GOOD_AS:
        start, stop = last, n
    n_inside, n_possible = inside[start, stop], share[start, stop] * possible[-1]
    return Onset(
        start=start,
        stop=stop,
        lasts=stop == n,
        rate_inside=float(n_inside / n_possible) if n_possible else 0.0,
        rate_outside=float((seen[-1] - n_inside) / (possible[-1] - n_possible)),
    )


def _cumulated(values: Sequence[float]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.asarray(values, dtype=np.float64))])


def _evidence(
    inside: NDArray[np.float64], total: float, share: NDArray[np.float64], *, low: bool
) -> NDArray[np.float64]:
    """Return the log likelihood ratio of each stretch; 0 where it is no stretch or ordinary."""
    expected = total * share
    outside, expected_outside = total - inside, total - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _entropy(inside, expected) + _entropy(outside, expected_outside)
    many, few = inside * expected_outside, outside * expected
    unusual = few > LEAST_RATIO * many if low else many > LEAST_RATIO * few
    usable = unusual & (share > 0) & (share < 1)
    return np.where(usable, ratio, 0.0)


def _entropy(count: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(count > 0, count * np.log(count / expected), 0.0)
