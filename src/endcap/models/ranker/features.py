"""What a learned ranker sees of each pair of a user and a candidate, at one moment.

Point in time by construction: items are described by what was learnt from, users by what is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import seed_weights
from endcap.features.repeat import repeat_scores
from endcap.models.ranker.candidates import NOT_LISTED, Candidates
from endcap.models.ranker.facts import HALF_LIVES_DAYS, ItemFacts, UserFacts
from endcap.models.ranking import rows_at_a_time
from endcap.schema.types import DAY_US, NO_ITEM, ItemIdx

Rows: TypeAlias = NDArray[np.integer]
"""User row, candidate column or item of each pair, shape (n_pairs,)."""

Columns: TypeAlias = dict[str, NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_]]
"""Features by name, each of shape (n_pairs,)."""

N_LATEST = 10
"""So many items of a history, the latest ones, are compared with each candidate."""
REACH = 3.0
"""After so many later items an item of a history says 1/e as much."""
TASTE_HALF_LIFE_DAYS = 60.0
RECENT_DAYS = (30, 180)
ATTRIBUTES = ("category", "department", "brand")


def describe(
    candidates: Candidates, users: UserFacts, items: ItemFacts, *, members: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the names of the features, and their values: float32, shape (n_pairs, n_features).

    Pairs are the real candidates, user by user, items ascending. NaN where something is unknown.

    Args:
        candidates: of the users, in their order.
        users: what they did.
        items: what is known of the items.
        members: names of the lists that the candidates come from.

    Cost: about 25 microseconds a user and list of 100.
    """
    row, column = np.nonzero(candidates.is_real)
    item = candidates.items[row, column]
    columns: Columns = {}
    columns |= _of_lists(candidates, members, row, column)
    columns |= _of_items(items, item)
    columns |= _of_users(users, items, row, item)
    columns |= _of_pairs(users, row, item)
    for number, name in enumerate(ATTRIBUTES):
        columns |= _of_attribute(name, items.codes[number], users, row, item)
    columns |= _of_neighbours(candidates, users, items, row, column)
    columns |= _of_the_time(users, items, row, item)
    matrix = np.empty((len(item), len(columns)), dtype=np.float32)
    for place, values in enumerate(columns.values()):
        matrix[:, place] = values
    return tuple(columns), matrix


def _of_lists(candidates: Candidates, members: Sequence[str], row: Rows, column: Rows) -> Columns:
    """What the lists say: place, score, score within the list; and how far they agree."""
    columns: Columns = {}
    listed = candidates.places != NOT_LISTED
    for number, name in enumerate(members):
        place = candidates.places[number][row, column].astype(np.float32)
        score, own = candidates.scores[number], listed[number]
        best = np.where(own, score, -np.inf).max(axis=1, initial=-np.inf)
        worst = np.where(own, score, np.inf).min(axis=1, initial=np.inf)
        span = np.maximum(best - worst, np.float32(1e-12))
        here = score[row, column]
        columns[f"{name}.place"] = np.where(place == NOT_LISTED, np.nan, place)
        columns[f"{name}.score"] = here
        columns[f"{name}.height"] = (here - worst[row]) / span[row]
    places = np.where(listed, candidates.places, np.iinfo(np.int16).max)[:, row, column]
    columns["lists.n"] = listed.sum(axis=0)[row, column]
    columns["lists.best_place"] = places.min(axis=0)
    columns["lists.fused"] = (listed[:, row, column] / (21.0 + places)).sum(axis=0)
    return columns


def _of_items(items: ItemFacts, item: Rows) -> Columns:
    columns: Columns = {
        f"item.popularity_{half_life:.0f}d": counts[item]
        for half_life, counts in zip(HALF_LIVES_DAYS, items.popularity, strict=True)
    }
    columns["item.n_users"] = items.n_users[item]
    columns["item.repeat_share"] = items.repeat_share[item]
    columns["item.age_days"] = items.age_days[item]
    columns["item.silence_days"] = items.silence_days[item]
    columns["item.price"] = items.price[item]
    return columns


def _of_users(users: UserFacts, items: ItemFacts, row: Rows, item: Rows) -> Columns:
    """What kind of user asks, and how the price of the item stands to what the user usually pays.

    Usual is the mean of the logarithms of the prices of what the user had.
    """
    history, n_users = users.history, users.history.n_users
    paid = np.log(items.price)
    own = paid[history.items]
    known = np.isfinite(own)
    n_priced = np.bincount(users.rows[known], minlength=n_users)
    total = np.bincount(users.rows[known], weights=own[known], minlength=n_users)
    usual = np.where(n_priced > 0, total / np.maximum(n_priced, 1), np.nan)
    silence = _days_before(_last_ts(users), users.now_us)
    categories = np.unique((users.rows << 32) | (items.codes[0][history.items] + 1))
    n_categories = np.bincount(categories >> 32, minlength=n_users)
    amount = np.bincount(users.rows, weights=history.counts, minlength=n_users)
    return {
        "user.n_items": users.n_had[row],
        "user.amount": amount[row],
        "user.n_categories": n_categories[row],
        "user.silence_days": silence[row],
        "pair.price_above_usual": paid[item] - usual[row],
    }


def _of_pairs(users: UserFacts, row: Rows, item: Rows) -> Columns:
    """What the user did with the item before; NaN for one that is new."""
    history = users.history
    keys = (users.rows << 32) | history.items
    wanted = (row.astype(np.int64) << 32) | item
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    had = keys[place] == wanted if len(keys) else np.zeros(len(wanted), dtype=np.bool_)
    place = place[had]

    def spread(values: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float32]:
        found = np.full(len(wanted), np.nan, dtype=np.float32)
        found[had] = values[place]
        return found

    since_last = _days_before(history.last_ts, users.now_us)
    span = (history.last_ts - history.first_ts) / DAY_US
    interval = np.where(history.counts > 1, span / np.maximum(history.counts - 1, 1), np.nan)
    due = repeat_scores(history, now_us=users.now_us, half_life_days=TASTE_HALF_LIFE_DAYS)
    return {
        "pair.had": had,
        "pair.amount": spread(history.counts),
        "pair.silence_days": spread(since_last),
        "pair.interval_days": spread(interval),
        "pair.overdue": spread(since_last / np.maximum(interval, 0.5)),
        "pair.due": spread(due),
        "pair.due_share": spread(due / _sum_of_row(users, due)),
        "pair.place": spread(users.places),
    }


def _of_attribute(
    name: str, codes: NDArray[np.int32], users: UserFacts, row: Rows, item: Rows
) -> Columns:
    """Which share of the user's taste is of the item's kind, and since when nothing of it."""
    history, own = users.history, codes[users.history.items]
    weights = seed_weights(
        history, now_us=users.now_us, half_life_days=TASTE_HALF_LIFE_DAYS
    ) + np.float32(1e-9)
    known = own >= 0
    keys, entry = np.unique((users.rows[known] << 32) | own[known], return_inverse=True)
    said = np.bincount(entry, weights=weights[known], minlength=len(keys))
    last = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(last, entry, history.last_ts[known])
    share, silence = np.zeros(len(item)), np.full(len(item), np.nan)
    if len(keys):
        total = np.bincount(keys >> 32, weights=said, minlength=history.n_users)
        wanted = (row.astype(np.int64) << 32) | codes[item]
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = (keys[place] == wanted) & (codes[item] >= 0)
        share[found] = (said / total[keys >> 32])[place[found]]
        silence[found] = _days_before(last, users.now_us)[place[found]]
    share[codes[item] < 0] = np.nan
    return {f"pair.{name}_share": share, f"pair.{name}_silence_days": silence}


def _of_neighbours(
    candidates: Candidates, users: UserFacts, items: ItemFacts, row: Rows, column: Rows
) -> Columns:
    """How near each candidate is to the latest items of its user, and how often it came next."""
    latest = users.latest(N_LATEST)
    near = _nearness(candidates, latest, items.near_items, items.near_sims)
    after = _nearness(candidates, latest, items.next_items, items.next_sims)
    fading = np.exp(-np.arange(N_LATEST) / REACH).astype(np.float32)[:, np.newaxis]
    near, after = near[:, row, column], after[:, row, column]
    n_latest = np.maximum(np.minimum(users.n_had, N_LATEST), 1)[row]
    return {
        "near.last": near[0],
        "near.second": near[1],
        "near.max": near.max(axis=0),
        "near.mean": near.sum(axis=0) / n_latest,
        "near.recent": (near * fading).sum(axis=0),
        "next.last": after[0],
        "next.second": after[1],
        "next.recent": (after * fading).sum(axis=0),
    }


def _nearness(
    candidates: Candidates, latest: ItemIdx, table: ItemIdx, sims: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return sims of each candidate to each latest item, shape (n_latest, n_users, width)."""
    n_users, width = candidates.items.shape
    found = np.zeros((latest.shape[1], n_users, width), dtype=np.float32)
    n_rows = rows_at_a_time(len(table) + 1)
    # One column more takes what is padding; each row is emptied again after use.
    board = np.zeros((min(n_rows, n_users), len(table) + 1), dtype=np.float32)
    for start in range(0, n_users, n_rows):
        block = slice(start, start + n_rows)
        asked = candidates.items[block]
        rows = np.arange(len(asked))[:, np.newaxis]
        for place in range(latest.shape[1]):
            seeds = latest[block, place]
            real = np.flatnonzero(seeds != NO_ITEM)
            if not len(real):
                break
            near = table[seeds[real]]
            board[rows[real], near] = sims[seeds[real]]
            board[:, -1] = 0
            found[place, block] = board[rows, asked]
            board[rows[real], near] = 0
    return found


def _of_the_time(users: UserFacts, items: ItemFacts, row: Rows, item: Rows) -> Columns:
    """What the item was when the user was last there, and what has become of it since."""
    last = _last_ts(users)[row]
    until = items.n_events_until(item, last)
    columns: Columns = {
        f"then.n_events_{days}d": until - items.n_events_until(item, last - days * DAY_US)
        for days in RECENT_DAYS
    }
    columns["then.n_events_next"] = (
        items.n_events_until(item, last + RECENT_DAYS[0] * DAY_US) - until
    )
    age = ((last - items.born_us[item]) / DAY_US).astype(np.float32)
    age[users.n_had[row] == 0] = np.nan
    columns["then.age_days"] = age
    return columns


def _last_ts(users: UserFacts) -> NDArray[np.int64]:
    """Return when each user did something last; the end of the data for who did nothing."""
    last = np.full(users.history.n_users, -1, dtype=np.int64)
    np.maximum.at(last, users.rows, users.history.last_ts)
    return np.where(last < 0, users.now_us, last)


def _sum_of_row(users: UserFacts, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each entry of the history the sum over its user."""
    total = np.bincount(users.rows, weights=values, minlength=users.history.n_users)
    return np.maximum(total, 1e-30)[users.rows]


def _days_before(ts: NDArray[np.int64], now_us: int) -> NDArray[np.float32]:
    return ((now_us - ts) / DAY_US).astype(np.float32)
