"""How popular, how new and how dear each item is, from the interactions it is given.

Point-in-time by construction: cut the interactions first, and nothing later can be seen. Who
likes an item is not asked here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.prices import median_of_latest
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US, ItemIdx, Timestamps

NEVER = -1
"""The `first_seen` of an item that was not seen: older than any window one may compare with."""


def decay_weights(ts: Timestamps, *, half_life_days: float, origin_us: int) -> NDArray[np.float64]:
    """Return what an event at each time adds to a forward-decayed count: 2 ** (time / half-life).

    Time is counted from `origin_us`. Choose an origin near the newest data: long before it the
    weight vanishes, which is right; 1,000 half-lives after it the weight would overflow.

    Raises:
        ValueError: a time lies that far after the origin, or the half-life is not positive.
    """
    if not half_life_days > 0:
        raise ValueError(f"half_life_days must be above 0, not {half_life_days}")
    exponent = (np.asarray(ts, dtype=np.int64) - origin_us) / (half_life_days * DAY_US)
    if exponent.size and exponent.max() > 1000:
        raise ValueError("an event lies more than 1,000 half-lives after the origin")
    return np.exp2(exponent)


def decayed_counts(
    item_idx: ItemIdx,
    ts: Timestamps,
    *,
    n_items: int,
    half_life_days: float,
    origin_us: int,
    weights: NDArray[np.float64] | NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Return a forward-decayed number of events of each item, float64, shape (n_items,).

    Independent of the order of events (but for rounding), and incremental: a later event is one
    addition of its `decay_weights`, never a rescaling. Compare items by it as it stands; `as_of`
    turns it into a number of events.

    Args:
        item_idx: item of each event, shape (n_events,).
        ts: time of each event in microseconds, shape (n_events,).
        n_items: length of the result.
        half_life_days: after how many days an event counts half.
        origin_us: the time at which an event has weight one; keep it with the counts.
        weights: a factor for each event; one when None.

    Source: Cormode, Shkapenyuk, Srivastava, Xu 2009, forward decay, exponential form.
    """
    amounts = decay_weights(ts, half_life_days=half_life_days, origin_us=origin_us)
    if weights is not None:
        amounts = amounts * weights
    # Without any event, bincount gives integers.
    return np.bincount(item_idx, weights=amounts, minlength=n_items).astype(np.float64)


def as_of(
    counts: NDArray[np.float64], *, now_us: int, origin_us: int, half_life_days: float
) -> NDArray[np.float64]:
    """Return forward-decayed counts as events seen from `now_us`, where an event now counts one."""
    factor: float = 2.0 ** (-(now_us - origin_us) / (DAY_US * half_life_days))
    return counts * factor


def first_seen(item_idx: ItemIdx, ts: Timestamps, n_items: int) -> Timestamps:
    """Return the time of the first event of each item, int64, shape (n_items,); or `NEVER`."""
    unseen = np.iinfo(np.int64).max
    first = np.full(n_items, unseen, dtype=np.int64)
    np.minimum.at(first, item_idx, ts)
    first[first == unseen] = NEVER
    return first


def last_price(
    interactions: Interactions, n_items: int, *, n_latest: int = 5
) -> NDArray[np.float32]:
    """Return what each item lately cost, float32, shape (n_items,); NaN where no price is known.

    It is the median of the latest prices paid, so that one special offer does not set it; of an
    even number the lower one, so that it is a price that somebody really paid.

    Args:
        interactions: entries without a price, or with one that is not above zero, are left out.
        n_items: length of the result.
        n_latest: how many prices of an item are looked at, the latest ones.
    """
    return median_of_latest(interactions.item_idx, interactions.price, n_items, n_latest=n_latest)
