"""The features of one visitor now, from a learnt history and the live events since.

The same code as for all users at once: `point_in_time.describe_users`. What is kept of a visitor
is bounded, so this file also says which features may lack something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.activity import acts_of, sales_of
from endcap.features.history import History, UserHistory, empty_history, merge_events
from endcap.features.point_in_time import UserFeatures, UserRecords, describe_users
from endcap.features.sessions import session_starts
from endcap.features.shop_totals import ShopTotals
from endcap.features.spec import FeatureSpec
from endcap.features.unsettled import NO_EVENTS, UserEvents
from endcap.schema.dataset import Interactions

SINCE_EVER = -(2**63)
"""As the time up to which something was forgotten: nothing was."""

LIFELONG = ("n_items", "days_since_first_event", "taste")
"""The features that need every event a user ever had."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a bundle knows of one visitor, up to its own moment.

    settled, unsettled: as `features.unsettled.settle` tells them apart.
    bought: the items that were bought, or None where that was not learnt; counts are not read.
    """

    settled: UserHistory = field(default_factory=empty_history)
    unsettled: UserEvents = NO_EVENTS
    bought: UserHistory | None = field(default_factory=empty_history)

    @property
    def until_us(self) -> int:
        """The time of the last event; `SINCE_EVER` for a stranger."""
        return max(
            int(self.settled.last_ts.max(initial=SINCE_EVER)),
            int(self.unsettled.ts.max(initial=SINCE_EVER)),
        )


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """The events of one visitor that are known one by one.

    events: in time order, weighed as what was learnt; `user_idx` is 0 throughout.
    forgotten_until_us: time of the newest event that is no longer kept; `SINCE_EVER` when all are.
    sales_forgotten_until_us: the same for purchases and ratings.
    """

    events: Interactions
    forgotten_until_us: int = SINCE_EVER
    sales_forgotten_until_us: int = SINCE_EVER


@dataclass(frozen=True, slots=True)
class LiveFeatures:
    """The features of one visitor.

    row: one row, `user_idx` 0.
    incomplete: names of the features that may lack events, because those happened before what is
        known one by one; all others are what the batch form gives on all events.
    """

    row: UserFeatures
    incomplete: frozenset[str]


def live_user_features(
    learnt: Learnt,
    known: KnownEvents,
    code_of_item: NDArray[np.int32],
    *,
    at_us: int,
    spec: FeatureSpec,
    totals: ShopTotals | None = None,
) -> LiveFeatures:
    """Return the features of one visitor as they are just before `at_us`.

    Equal to `user_features` on all events of the visitor together, but for those in `incomplete`.

    Args:
        learnt: what training knew of the visitor, all of it before `at_us`.
        known: what happened since.
        code_of_item: see `point_in_time.taste_codes`.
        at_us: now, data time, microseconds.
        spec: windows and half-lives.
        totals: place the price level among the items of the shop.

    Cost: about a hundred numpy calls on a few hundred numbers, below half a millisecond.
    """
    past = known.events.between(None, at_us)
    acts = acts_of(past)
    touched = merge_events(_touched(learnt), acts.item_idx, acts.ts)
    row = describe_users(
        UserRecords(
            touched=_one_row(touched),
            wanted=_one_row(_wanted(learnt, past)),
            bought=_one_row(_bought(learnt, acts)),
            acts=acts,
        ),
        code_of_item,
        users=np.zeros(1, dtype=np.int32),
        at_us=at_us,
        spec=spec,
        totals=totals,
    )
    incomplete = {
        *_lacking_items(learnt, touched, known, window_start_us=at_us - spec.window_us),
        *_lacking_events(learnt, replace(known, events=acts), at_us=at_us, spec=spec),
    }
    return LiveFeatures(row, frozenset(incomplete))


def _touched(learnt: Learnt) -> UserHistory:
    """Return the items of every learnt event, whatever came of it."""
    some, shows = learnt.unsettled, learnt.unsettled.weights > 0
    return merge_events(learnt.settled, some.items[shows], some.ts[shows])


def _wanted(learnt: Learnt, past: Interactions) -> UserHistory:
    """Return what is left of the interest in each item, learnt and live."""
    some = learnt.unsettled
    if past.weight is None:
        past = acts_of(past)
    return merge_events(
        learnt.settled,
        np.concatenate([some.items, past.item_idx]),
        np.concatenate([some.ts, past.ts]),
        kinds=np.concatenate([some.kinds, past.kind]),
        weights=np.concatenate([some.weights, past.weights]),
    )


def _bought(learnt: Learnt, acts: Interactions) -> UserHistory:
    sales = sales_of(acts)
    return merge_events(learnt.bought or empty_history(), sales.item_idx, sales.ts)


def _one_row(row: UserHistory) -> History:
    return History(
        indptr=np.array([0, len(row)], dtype=np.int64),
        items=row.items,
        counts=row.counts,
        first_ts=row.first_ts,
        last_ts=row.last_ts,
    )


def _lacking_items(
    learnt: Learnt, touched: UserHistory, known: KnownEvents, *, window_start_us: int
) -> Iterator[str]:
    """Yield the features of items that lack something because events were forgotten."""
    if known.forgotten_until_us > SINCE_EVER:
        yield from LIFELONG
    if known.forgotten_until_us >= window_start_us:
        yield "n_items_recent"
    if SINCE_EVER < known.forgotten_until_us >= touched.last_ts.max(initial=SINCE_EVER):
        yield "days_since_last_event"
    sales_forgotten_us = known.sales_forgotten_until_us
    if learnt.bought is None:  # what was learnt may have been a sale, up to its last event
        sales_forgotten_us = max(sales_forgotten_us, learnt.until_us)
    if sales_forgotten_us >= window_start_us:
        yield "n_items_bought_recent"


def _lacking_events(
    learnt: Learnt, known: KnownEvents, *, at_us: int, spec: FeatureSpec
) -> Iterator[str]:
    """Yield the features of single events that lack some.

    What was learnt is known by item only: the single events are known after the last of it.
    """
    unknown_until_us = max(learnt.until_us, known.forgotten_until_us)
    sales_unknown_until_us = max(learnt.until_us, known.sales_forgotten_until_us)
    if unknown_until_us >= at_us - spec.window_us:
        yield "n_events_recent"
    if _lacks_prices(known.events, sales_unknown_until_us, spec):
        yield from ("price_level", "price_band")
    if _lacks_session(known.events, unknown_until_us, spec):
        yield from ("session_n_events", "session_length_s")


def _lacks_prices(acts: Interactions, unknown_until_us: int, spec: FeatureSpec) -> bool:
    if unknown_until_us == SINCE_EVER:
        return False
    sales = sales_of(acts)
    n_known = np.count_nonzero((sales.price > 0) & (sales.ts > unknown_until_us))
    return bool(n_known < spec.n_prices_of_user)


def _lacks_session(acts: Interactions, unknown_until_us: int, spec: FeatureSpec) -> bool:
    """Say whether an unknown event may belong to the latest session."""
    if unknown_until_us == SINCE_EVER:
        return False
    starts = session_starts(acts.user_idx, acts.ts, gap_s=spec.session_gap_s)
    began_us = int(acts.ts[starts].max(initial=SINCE_EVER))
    return began_us <= unknown_until_us + spec.session_gap_us
