"""The features of users and of items at one moment, from what happened strictly before it.

The only place where features are defined; how a visitor's live events come in is `online.py`'s
affair, and which model takes which feature is the model's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.activity import acts_of, count_distinct, count_events, days_before, sales_of
from endcap.features.history import History, build_history, history_of
from endcap.features.popularity import NEVER, decayed_counts, first_seen, last_price
from endcap.features.prices import UNKNOWN_BAND, median_of_latest
from endcap.features.sessions import latest_sessions
from endcap.features.shop_totals import (
    ShopTotals,
    bands_in_group,
    bands_in_shop,
    category_shares,
    shop_totals,
)
from endcap.features.spec import FeatureSpec
from endcap.features.taste import Taste, taste_of
from endcap.features.weights import interest
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import ItemIdx, Timestamps, UserIdx


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """What is known about each user at one moment; every array has one entry a user.

    Events are those of `activity.acts_of`; recent ones lie within `FeatureSpec.window_days`.

    user_idx: the users, in the order asked for.
    n_items: different items ever.
    days_since_first_event, days_since_last_event: NaN for somebody without any.
    n_events_recent: events of the window.
    n_items_recent: different items of the window.
    n_items_bought_recent: different items bought, or reviewed, in the window.
    price_level: median of the latest prices paid, a price that was paid; NaN without one.
    price_band: band of that price among all items of the shop; -1 without one.
    session_n_events: events of the latest session.
    session_length_s: from its first event to its last; 0 for a single event.
    taste: shares of departments or categories in what the user wants: by weight, without what was
        refused or taken back.
    """

    user_idx: UserIdx
    n_items: NDArray[np.int32]
    days_since_first_event: NDArray[np.float32]
    days_since_last_event: NDArray[np.float32]
    n_events_recent: NDArray[np.int32]
    n_items_recent: NDArray[np.int32]
    n_items_bought_recent: NDArray[np.int32]
    price_level: NDArray[np.float32]
    price_band: NDArray[np.int8]
    session_n_events: NDArray[np.int32]
    session_length_s: NDArray[np.float32]
    taste: Taste

    def __len__(self) -> int:
        return len(self.user_idx)


@dataclass(frozen=True, slots=True)
class ItemFeatures:
    """What is known about each item at one moment; every array has one entry an item.

    Events are those of `activity.acts_of`; recent ones lie within `FeatureSpec.window_days`.

    item_idx: the items, in the order asked for.
    n_events: events ever, of all users.
    n_users: different users ever.
    n_events_recent: events of the window.
    n_bought: purchases and ratings ever.
    count_ratings: ratings ever.
    avg_rating: mean of their stars; NaN without one.
    popularity: events with a long half-life, as seen from the moment; an event just now counts 1.
    trend: the same with a short half-life.
    price: median of the latest prices paid, a price that was paid; NaN without one.
    price_band: band of that price among the items of its department, or of the shop; -1 without.
    category_share: share of its category in the recent events of the shop; NaN without a category.
    days_since_first_seen, days_since_last_seen: NaN for an item without an event.
    """

    item_idx: ItemIdx
    n_events: NDArray[np.int32]
    n_users: NDArray[np.int32]
    n_events_recent: NDArray[np.int32]
    n_bought: NDArray[np.int32]
    count_ratings: NDArray[np.int32]
    avg_rating: NDArray[np.float32]
    popularity: NDArray[np.float32]
    trend: NDArray[np.float32]
    price: NDArray[np.float32]
    price_band: NDArray[np.int8]
    category_share: NDArray[np.float32]
    days_since_first_seen: NDArray[np.float32]
    days_since_last_seen: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.item_idx)


@dataclass(frozen=True, slots=True)
class UserRecords:
    """What is known of some users, one row each, from before the moment.

    touched: the items of every event, undone later or not; the counts are not read.
    wanted: what is left of it by the weights of the kinds, see `features.weights.interest`.
    bought: the items that were bought; the counts are not read.
    acts: the events one by one, `user_idx` naming rows; live, those that are known one by one.
    """

    touched: History
    wanted: History
    bought: History
    acts: Interactions


def user_features(
    interactions: Interactions,
    items: Items,
    *,
    users: UserIdx,
    at_us: int,
    spec: FeatureSpec,
    totals: ShopTotals | None = None,
) -> UserFeatures:
    """Return the features of some users as they were just before `at_us`.

    Point in time: an event at or after `at_us` changes nothing. A user's values depend on that
    user's events alone (and on `totals`), so a part of the users gives the same bits as all.

    Args:
        interactions: those of the users at least; others do no harm.
        items: the whole catalogue.
        users: one row each, none twice; one without events gets zeros and NaN.
        at_us: the moment, data time, microseconds.
        spec: windows and half-lives.
        totals: places a user's price level among the items of the shop; without them the price
            band is unknown.

    Raises:
        ValueError: a user is named twice.

    Cost: three sorts of the events before the moment.
    """
    past = _by_user(interactions.between(None, at_us), users)
    acts = acts_of(past)
    wanted = touched = build_history(acts, len(users))
    if past.weight is not None:
        wanted = history_of(_interest(past, n_users=len(users), n_items=len(items)))
    sales = sales_of(acts)
    return describe_users(
        UserRecords(
            touched=touched,
            wanted=wanted,
            bought=touched if len(sales) == len(acts) else build_history(sales, len(users)),
            acts=acts,
        ),
        taste_codes(items, spec),
        users=users,
        at_us=at_us,
        spec=spec,
        totals=totals,
    )


def item_features(
    interactions: Interactions,
    items: Items,
    *,
    at_us: int,
    spec: FeatureSpec,
    item_idx: ItemIdx | None = None,
    totals: ShopTotals | None = None,
) -> ItemFeatures:
    """Return the features of items as they were just before `at_us`.

    Point in time: an event at or after `at_us` changes nothing. An item's values depend on that
    item's events and on the totals alone, so a part of the items gives the same bits as all.

    Args:
        interactions: those of the items at least.
        items: the whole catalogue.
        at_us: the moment, data time, microseconds.
        spec: windows, half-lives and bands.
        item_idx: one row each, none twice; all items of the catalogue when None.
        totals: of the whole shop. When None they are reckoned from what is given here, which is
            right for all items; for a part of them, see `totals_of` and `placed_in_shop`.

    Raises:
        ValueError: an item is named twice.

    Cost: two sorts of the events before the moment.
    """
    if item_idx is None:
        item_idx = np.arange(len(items), dtype=np.int32)
    own = _own_item_features(interactions, item_idx, at_us=at_us, spec=spec)
    if totals is None:
        totals = totals_of(own, items, spec=spec)
    return placed_in_shop(own, items, totals)


def totals_of(features: ItemFeatures, items: Items, *, spec: FeatureSpec) -> ShopTotals:
    """Return the totals of a shop from the features of its items; one without a row has no events.

    Only `price` and `n_events_recent` are read, which no totals go into.
    """
    price = np.full(len(items), np.nan, dtype=np.float32)
    n_events_recent = np.zeros(len(items), dtype=np.int32)
    price[features.item_idx] = features.price
    n_events_recent[features.item_idx] = features.n_events_recent
    return shop_totals(price, n_events_recent, items, spec=spec)


def placed_in_shop(features: ItemFeatures, items: Items, totals: ShopTotals) -> ItemFeatures:
    """Return the features with `price_band` and `category_share` as these totals give them."""
    rows = features.item_idx
    return replace(
        features,
        price_band=bands_in_group(features.price, items.department[rows], totals),
        category_share=category_shares(items.category[rows], totals),
    )


def taste_codes(items: Items, spec: FeatureSpec) -> NDArray[np.int32]:
    """Return what tastes are for: the department or category of each item, -1 where unknown."""
    return items.department if spec.taste_by == "department" else items.category


def describe_users(
    records: UserRecords,
    code_of_item: NDArray[np.int32],
    *,
    users: UserIdx,
    at_us: int,
    spec: FeatureSpec,
    totals: ShopTotals | None,
) -> UserFeatures:
    """Return the features of users from what is known of them; batch and live both end here.

    Args:
        records: of the users, before `at_us`.
        code_of_item: see `taste_codes`.
        users: what the rows are called in the result.
        at_us: the moment, microseconds.
        spec: windows and half-lives.
        totals: of the shop, or None.
    """
    touched, acts = records.touched, records.acts
    n_users, start_us = touched.n_users, at_us - spec.window_us
    first_us, last_us = _span(touched)
    is_known = np.diff(touched.indptr) > 0
    sales = sales_of(acts)
    price = median_of_latest(sales.user_idx, sales.price, n_users, n_latest=spec.n_prices_of_user)
    session_n_events, session_length_s = latest_sessions(
        acts.user_idx, acts.ts, n_users, gap_s=spec.session_gap_s
    )
    return UserFeatures(
        user_idx=users,
        n_items=np.diff(touched.indptr).astype(np.int32),
        days_since_first_event=days_before(first_us, at_us=at_us, is_known=is_known),
        days_since_last_event=days_before(last_us, at_us=at_us, is_known=is_known),
        n_events_recent=count_events(acts.user_idx[acts.ts >= start_us], n_users),
        n_items_recent=_pairs_since(touched, start_us),
        n_items_bought_recent=_pairs_since(records.bought, start_us),
        price_level=price,
        price_band=_no_bands(n_users) if totals is None else bands_in_shop(price, totals),
        session_n_events=session_n_events,
        session_length_s=session_length_s,
        taste=taste_of(
            records.wanted,
            code_of_item,
            at_us=at_us,
            half_life_days=spec.taste_half_life_days,
            n_tastes=spec.n_tastes,
        ),
    )


def _own_item_features(
    interactions: Interactions, item_idx: ItemIdx, *, at_us: int, spec: FeatureSpec
) -> ItemFeatures:
    """Return what the items' own events say; what needs the rest of the shop is left unknown."""
    past = _by_item(interactions.between(None, at_us), item_idx)
    acts, n = acts_of(past), len(item_idx)
    item, ts = acts.item_idx, acts.ts
    n_events = count_events(item, n)
    rated = acts.take(acts.kind == KIND_CODES[Kind.RATING])
    count_ratings = count_events(rated.item_idx, n)
    stars = np.bincount(rated.item_idx, weights=rated.value, minlength=n).astype(np.float64)
    wanted = acts if past.weight is None else _interest(past, n_users=0, n_items=n).interactions
    last_us = np.full(n, NEVER, dtype=np.int64)
    np.maximum.at(last_us, item, ts)
    return ItemFeatures(
        item_idx=item_idx,
        n_events=n_events,
        n_users=count_distinct(item, acts.user_idx, n),
        n_events_recent=count_events(item[ts >= at_us - spec.window_us], n),
        n_bought=count_events(sales_of(acts).item_idx, n),
        count_ratings=count_ratings,
        avg_rating=_ratio(stars, count_ratings),
        popularity=_decayed(wanted, n, spec.popularity_half_life_days, at_us),
        trend=_decayed(wanted, n, spec.trend_half_life_days, at_us),
        price=last_price(acts, n, n_latest=spec.n_prices_of_item),
        price_band=_no_bands(n),
        category_share=np.full(n, np.nan, dtype=np.float32),
        days_since_first_seen=days_before(
            first_seen(item, ts, n), at_us=at_us, is_known=n_events > 0
        ),
        days_since_last_seen=days_before(last_us, at_us=at_us, is_known=n_events > 0),
    )


def _decayed(
    wanted: Interactions, n_items: int, half_life_days: float, at_us: int
) -> NDArray[np.float32]:
    """Return the decayed sums of weights as seen from the moment, which is their origin."""
    return decayed_counts(
        wanted.item_idx,
        wanted.ts,
        n_items=n_items,
        half_life_days=half_life_days,
        origin_us=at_us,
        weights=wanted.weight,
    ).astype(np.float32)


def _interest(past: Interactions, *, n_users: int, n_items: int) -> Dataset:
    """Return the interest less removals and refusals, which concern one user and item each."""
    unknown = np.full(n_items, -1, dtype=np.int32)
    nameless = Items(department=unknown, category=unknown, brand=unknown)
    return interest(Dataset(past, n_users, n_items, nameless))


def _pairs_since(history: History, start_us: int) -> NDArray[np.int32]:
    """Return of each user how many items had their latest event at `start_us` or later."""
    user_of_pair = np.repeat(np.arange(history.n_users), np.diff(history.indptr))
    is_recent = history.last_ts >= start_us
    return np.bincount(user_of_pair[is_recent], minlength=history.n_users).astype(np.int32)


def _span(history: History) -> tuple[Timestamps, Timestamps]:
    """Return the first and the last event of each user; `NEVER` without any."""
    first = np.full(history.n_users, NEVER, dtype=np.int64)
    last = first.copy()
    filled = np.flatnonzero(np.diff(history.indptr))
    if len(filled):
        starts = history.indptr[filled]
        first[filled] = np.minimum.reduceat(history.first_ts, starts)
        last[filled] = np.maximum.reduceat(history.last_ts, starts)
    return first, last


def _ratio(total: NDArray[np.float64], count: NDArray[np.int32]) -> NDArray[np.float32]:
    ratio = np.full(len(count), np.nan, dtype=np.float32)
    some = count > 0
    ratio[some] = total[some] / count[some]
    return ratio


def _no_bands(n: int) -> NDArray[np.int8]:
    return np.full(n, UNKNOWN_BAND, dtype=np.int8)


def _by_user(events: Interactions, users: UserIdx) -> Interactions:
    """Return the events of the users, `user_idx` now naming a row of `users`."""
    is_own, row = _rows_of(events.user_idx, users)
    return replace(events.take(is_own), user_idx=row)


def _by_item(events: Interactions, item_idx: ItemIdx) -> Interactions:
    """Return the events of the items, `item_idx` now naming a row of the argument."""
    is_own, row = _rows_of(events.item_idx, item_idx)
    return replace(events.take(is_own), item_idx=row)


def _rows_of(
    index: NDArray[np.int32], wanted: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return which entries of `index` are wanted, and the place in `wanted` of those that are."""
    size = 1 + max(int(index.max(initial=-1)), int(wanted.max(initial=-1)))
    place = np.full(size, -1, dtype=np.int32)
    place[wanted] = np.arange(len(wanted), dtype=np.int32)
    if np.count_nonzero(place >= 0) != len(wanted):
        raise ValueError("each user or item may be named once")
    row = place[index]
    is_own = row >= 0
    return is_own, row[is_own]
