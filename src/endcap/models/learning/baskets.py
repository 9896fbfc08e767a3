"""Baskets to learn from: what users took at a time, with the history strictly before it.

Numpy only; `two_tower` and `ncf` are trained on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import UserHistory, tower_weights
from endcap.schema.dataset import Interactions
from endcap.schema.types import ItemIdx, Timestamps

WINDOW = 4
"""How many times `max_history` events are searched for the latest distinct items."""

_LATER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Seeds:
    """Histories of several examples, one after another.

    offsets: int64, shape (n_examples,): where the items of each example begin.
    rows: int64, shape (n,): which example each item is of.
    items: int32, shape (n,).
    weights: float32, shape (n,), `features.history.tower_weights`, of each example summing to one.
    last_ts: int64, shape (n,): when the user had the item last.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]
    items: ItemIdx
    weights: NDArray[np.float32]
    last_ts: Timestamps

    def columns(self) -> NDArray[np.int64]:
        """Return the number of each item within its example, shape (n,)."""
        return np.arange(len(self.rows)) - self.offsets[self.rows]

    def places(self) -> NDArray[np.float32]:
        """Return `network.places_of` the weights, shape (n,)."""
        order = np.lexsort((-self.weights, self.rows))
        rows, weights = self.rows[order], self.weights[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (rows[1:] != rows[:-1]) | (weights[1:] != weights[:-1])
        starts = np.flatnonzero(is_first)
        ends = np.append(starts[1:], len(order))[: len(starts)]
        shared = (starts + ends - 1) / 2 - self.offsets[rows[starts]]
        places = np.empty(len(order), dtype=np.float32)
        places[order] = shared[np.cumsum(is_first) - 1]
        return places


@dataclass(frozen=True, slots=True)
class Baskets:
    """All events by user and time, and the baskets in it that have a history.

    item_idx, ts: of each event, shape (n_events,), sorted by user, then time, then item downwards.
    is_repeat: whether the user had had the item before.
    sum_so_far: float32, the weights of the user's events with the item up to and including this.
    next_same: the place of the user's next event with the same item, or a number beyond all.
    start, stop: the events of each basket, shape (n_baskets,).
    user_start: the first event of the basket's user.
    weight_until: float64, shape (n_events + 1,): the sum of the weights of the events before each.
    is_one_by_one: whether each event is a basket of its own.
    """

    item_idx: ItemIdx
    ts: Timestamps
    is_repeat: NDArray[np.bool_]
    sum_so_far: NDArray[np.float32]
    next_same: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    user_start: NDArray[np.int64]
    weight_until: NDArray[np.float64]
    is_one_by_one: bool = False

    def __len__(self) -> int:
        return len(self.start)

    def seeds(self, chosen: NDArray[np.int64], *, max_history: int, half_life_days: float) -> Seeds:
        """Return what was known of each user at the moment of the chosen baskets.

        That is `History.row(user).latest(max_history)` of the events strictly before the basket,
        except that of somebody with very many repeats only the last `WINDOW * max_history` events
        are searched.
        """
        start = self.start[chosen]
        longest = int((start - self.user_start[chosen]).max(initial=0))
        places = start[:, np.newaxis] + np.arange(-min(WINDOW * max_history, longest), 0)
        is_last = places >= self.user_start[chosen][:, np.newaxis]
        places = np.maximum(places, 0)
        is_last &= self.next_same[places] >= start[:, np.newaxis]
        n_later = np.cumsum(is_last[:, ::-1], axis=1)[:, ::-1]
        is_last &= n_later <= max_history
        rows, columns = np.nonzero(is_last)
        events = places[rows, columns]
        weights = self._weights(events, self.ts[start][rows], half_life_days)
        total = np.bincount(rows, weights=weights, minlength=len(chosen))
        return Seeds(
            offsets=np.searchsorted(rows, np.arange(len(chosen))),
            rows=rows,
            items=self.item_idx[events],
            weights=(weights / total[rows]).astype(np.float32),
            last_ts=self.ts[events],
        )

    def lengths(self) -> NDArray[np.int64]:
        """Return how many events each example has before it, shape (n_baskets,)."""
        return self.start - self.user_start

    def masses(self) -> NDArray[np.float64]:
        """Return the summed weight of what each example foresees, shape (n_baskets,)."""
        masses: NDArray[np.float64] = self.weight_until[self.stop] - self.weight_until[self.start]
        return masses

    def last_of_each_user(self) -> NDArray[np.int64]:
        """Return the examples that are the last of their user, ascending."""
        return np.flatnonzero(
            np.append(self.user_start[1:] != self.user_start[:-1], True)[: len(self)]
        )

    def targets(
        self, chosen: NDArray[np.int64], n_targets: int, *, rng: np.random.Generator
    ) -> ItemIdx:
        """Return items drawn from each basket with replacement, shape (n_chosen, n_targets).

        An item is drawn in proportion to its weight.
        """
        low = self.weight_until[self.start[chosen]][:, np.newaxis]
        high = self.weight_until[self.stop[chosen]][:, np.newaxis]
        drawn = low + rng.random((len(chosen), n_targets)) * (high - low)
        places = np.searchsorted(self.weight_until, drawn, side="right") - 1
        # A draw may be rounded up to the very end of the basket.
        places = np.minimum(places, self.stop[chosen][:, np.newaxis] - 1)
        items: ItemIdx = self.item_idx[places]
        return items

    def target_weight(self, n_items: int) -> NDArray[np.float64]:
        """Return how often each item is drawn as a target, but for a factor; shape (n_items,)."""
        return np.bincount(
            self.item_idx, weights=np.diff(self.weight_until), minlength=n_items
        ).astype(np.float64)

    def contents(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], ItemIdx]:
        """Return all items of the chosen baskets: the place in `chosen`, and the item."""
        rows, events = self.events(chosen)
        return rows, self.item_idx[events]

    def events(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return all events of the chosen baskets: the place in `chosen`, and that of the event."""
        n_events = (self.stop - self.start)[chosen]
        rows = np.repeat(np.arange(len(chosen)), n_events)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(n_events) - n_events, n_events)
        return rows, self.start[chosen][rows] + within

    def _weights(
        self, events: NDArray[np.int64], now_us: Timestamps, half_life_days: float
    ) -> NDArray[np.float32]:
        # The rule takes one moment; moving every time by its own moment gives each event its own.
        last_ts = self.ts[events] - now_us
        row = UserHistory(
            items=self.item_idx[events],
            counts=self.sum_so_far[events],
            first_ts=last_ts,
            last_ts=last_ts,
        )
        return tower_weights(row, 0, half_life_days)


def build_baskets(
    interactions: Interactions, *, repeat_weight: float, one_by_one: bool = False
) -> Baskets:
    """Return the baskets of the interactions: the events of one user at one time.

    The first basket of a user has no history and is left out as an example, and so is a basket
    without any weight.

    Args:
        interactions: of all users.
        repeat_weight: what an event weighs whose user had had the item before, of its own weight.
        one_by_one: each event is a basket of its own, after those that the data has before it.

    Cost: two sorts of the interactions.
    """
    # Downwards by item within a basket, so that of equally late items the smaller counts as later,
    # as in `UserHistory.latest`.
    within = np.zeros_like(interactions.item_idx) if one_by_one else -interactions.item_idx
    order = np.lexsort((within, interactions.ts, interactions.user_idx))
    users, items = interactions.user_idx[order], interactions.item_idx[order]
    ts = interactions.ts[order]
    shown = interactions.weights[order]
    is_repeat, sum_so_far, next_same = _occurrences((users.astype(np.int64) << 32) | items, shown)
    new_user = np.diff(users, prepend=-1) != 0
    start = np.flatnonzero(new_user | (np.diff(ts, prepend=-1) != 0) | one_by_one)
    stop = np.append(start[1:], len(ts))[: len(start)]
    user_start = np.flatnonzero(new_user)[np.cumsum(new_user)[start] - 1]
    weights = np.where(is_repeat, repeat_weight, 1.0) * shown
    weight_until = np.concatenate([[0.0], np.cumsum(weights)])
    is_example = (start > user_start) & (weight_until[stop] > weight_until[start])
    return Baskets(
        item_idx=items,
        ts=ts,
        is_repeat=is_repeat,
        sum_so_far=sum_so_far,
        next_same=next_same,
        start=start[is_example],
        stop=stop[is_example],
        user_start=user_start[is_example],
        weight_until=weight_until,
        is_one_by_one=one_by_one,
    )


def _occurrences(
    pairs: NDArray[np.int64], weights: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.int64]]:
    """Return of each entry whether an equal one precedes it, the weights up to it, the next one."""
    order = np.argsort(pairs, kind="stable")
    ordered = pairs[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    first = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    running = np.concatenate([[0.0], np.cumsum(weights[order], dtype=np.float64)])
    is_repeat = np.empty(len(pairs), dtype=np.bool_)
    is_repeat[order] = ~is_first
    sum_so_far = np.empty(len(pairs), dtype=np.float32)
    sum_so_far[order] = running[1:] - running[first]
    next_same = np.full(len(pairs), _LATER, dtype=np.int64)
    next_same[order[:-1]] = np.where(is_first[1:], _LATER, order[1:])
    return is_repeat, sum_so_far, next_same
