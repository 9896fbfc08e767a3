"""What the sequence model is trained on: each event, with what its user had had before it.

Numpy only; the network and its training are `network.py` and `training.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.features.weights import pair_keys
from endcap.models.histories import known_rows, places_from_end
from endcap.schema.dataset import Interactions
from endcap.schema.types import ItemIdx, Timestamps

WINDOW = 4
"""How many times `max_length` events are searched for the latest distinct items."""

PADDING = 0
"""Stands before the items of a short sequence; item i is written as i + 1."""

_LATER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Examples:
    """All events by user and time; an example is the number of an event that has a history.

    item_idx: of each event, shape (n_events,).
    ts: its time.
    next_same: the number of the user's next event that takes the place of this one, or one beyond
        all; where repeats stand again, there is none.
    known_from: the first event of its user.
    known_until: its history ends before this event: itself, or the first simultaneous one.
    n_known: length of its history: distinct items, or events where repeats stand again.
    is_repeat: whether its user had had the item before.
    is_last: whether it is the last event of its user.
    """

    item_idx: ItemIdx
    ts: Timestamps
    next_same: NDArray[np.int64]
    known_from: NDArray[np.int64]
    known_until: NDArray[np.int64]
    n_known: NDArray[np.int64]
    is_repeat: NDArray[np.bool_]
    is_last: NDArray[np.bool_]

    def numbers(self) -> NDArray[np.int64]:
        """Return the examples: the numbers of the events that have a history, ascending."""
        return np.flatnonzero(self.n_known > 0)

    def sequences(self, chosen: NDArray[np.int64], *, max_length: int) -> NDArray[np.int64]:
        """Return the latest items before each event, the last one at the end.

        Shape (n_chosen, length), the length being that of the longest; items are written as i + 1
        and shorter sequences begin with `PADDING`. Of somebody with very many repeats only the
        last `WINDOW * max_length` events are searched.
        """
        until = self.known_until[chosen][:, np.newaxis]
        places = until + np.arange(-WINDOW * max_length, 0)
        counts = places >= self.known_from[chosen][:, np.newaxis]
        places = np.maximum(places, 0)
        counts &= self.next_same[places] >= until
        n_later = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
        counts &= n_later <= max_length
        rows, columns = np.nonzero(counts)
        length = int(counts.sum(axis=1).max(initial=0))
        made = np.full((len(chosen), length), PADDING, dtype=np.int64)
        made[rows, length - n_later[rows, columns]] = self.item_idx[places[rows, columns]] + 1
        return made


def build_examples(told: Interactions, order: Order) -> Examples:
    """Return the examples of interactions.

    Args:
        told: sorted by time.
        order: where simultaneous events are not in order, none of them knows of the others.

    Cost: a few sorts of the interactions.
    """
    by_user = np.argsort(told.user_idx, kind="stable")  # in the order of the data within a user
    users, items, ts = told.user_idx[by_user], told.item_idx[by_user], told.ts[by_user]
    numbers = np.arange(len(by_user))
    starts_user = np.diff(users, prepend=-1) != 0
    known_from = np.maximum.accumulate(np.where(starts_user, numbers, 0))
    next_same, is_repeat = _next_same(pair_keys(told)[by_user])
    starts_moment = starts_user | (np.diff(ts, prepend=-1) != 0) | order.in_order
    known_until = np.maximum.accumulate(np.where(starts_moment, numbers, 0))
    stands = ~is_repeat if order.distinct else np.ones_like(is_repeat)
    n_until = np.concatenate([[0], np.cumsum(stands)])
    is_last = np.append(starts_user[1:], True)[: len(by_user)]
    return Examples(
        item_idx=items,
        ts=ts,
        next_same=next_same if order.distinct else np.full_like(next_same, _LATER),
        known_from=known_from,
        known_until=known_until,
        n_known=n_until[known_until] - n_until[known_from],
        is_repeat=is_repeat,
        is_last=is_last,
    )


@dataclass(frozen=True, slots=True)
class Order:
    """How the events of a user follow each other.

    in_order: whether simultaneous ones are one before the other, as they stand in the data.
    distinct: whether of an item that was had several times only the last one stands.
    """

    in_order: bool
    distinct: bool


def order_in(told: Interactions) -> Order:
    """Return the order that suits the data.

    Simultaneous events are in order where users have fewer than two at a time on average; and then
    an item stands again when it is had again, if that is so of more than every tenth event.
    """
    order = np.argsort(told.user_idx, kind="stable")
    users, ts = told.user_idx[order], told.ts[order]
    n_moments = np.count_nonzero((np.diff(users, prepend=-1) != 0) | (np.diff(ts, prepend=-1) != 0))
    n_pairs = len(np.unique(pair_keys(told)))
    in_order = len(told) < 2 * n_moments
    return Order(in_order=bool(in_order), distinct=not (in_order and n_pairs < 0.9 * len(told)))


def placed(history: History, told: Interactions, *, distinct: bool) -> History:
    """Return the events of each user with their places from the end in the place of counts.

    Args:
        history: what was built of the interactions.
        told: sorted by time; those of what is not in the history play no part.
        distinct: whether of an item that was had several times only the last one stands; otherwise
            there are as many entries as events.
    """
    if distinct:
        places = places_from_end(history, told)
        return replace(history, counts=places.astype(np.float32))
    rows, _ = known_rows(history, told)
    users = told.user_idx[rows]
    order = np.argsort(users, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=history.n_users))])
    after = indptr[users[order].astype(np.int64) + 1] - 1 - np.arange(len(rows))
    ts = told.ts[rows][order]
    return History(
        indptr=indptr.astype(np.int64),
        items=told.item_idx[rows][order],
        counts=after.astype(np.float32),
        first_ts=ts,
        last_ts=ts,
        refused=history.refused,
    )


def _next_same(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return of each entry the next equal one, and whether an equal one precedes it."""
    order = np.argsort(pairs, kind="stable")
    is_first = np.append(True, pairs[order][1:] != pairs[order][:-1])[: len(pairs)]
    next_same = np.full(len(pairs), _LATER, dtype=np.int64)
    next_same[order[:-1]] = np.where(is_first[1:], _LATER, order[1:])
    is_repeat = np.empty(len(pairs), dtype=np.bool_)
    is_repeat[order] = ~is_first
    return next_same, is_repeat
