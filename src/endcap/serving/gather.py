"""Collect everything that one page depends on into one frozen `Context`.

After this nothing is looked up: the stages are pure functions of the context. All times in it are
data time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers
from endcap.bundle.scorer.ranked import ShopRanks
from endcap.features.history import (
    NO_ITEMS,
    UserHistory,
    empty_history,
    merge_events,
    seed_weights,
)
from endcap.features.unsettled import UserEvents, joined
from endcap.features.weights import REMOVE
from endcap.feedback.state import SALES, LiveState, Recent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import SECOND_US, ItemIdx, UserId
from endcap.serving.anchor import Anchor, choose_anchor
from endcap.serving.page import Visitor

STEP_US = 3600 * SECOND_US
"""Recency is reckoned to the hour, so that what was worked out for a visitor can be kept."""

MINUTE_US = 60 * SECOND_US
N_DEPARTMENTS = 3
SESSION_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about one visitor at one moment.

    now_us: the end of the current minute, so that a page can be kept until then and no "in the
        last 7 days" on it is ever untrue.
    step_us: now, rounded down to the hour; decay counts from here.
    taste: all that the visitor is interested in, live events of every kind included; what scores
        look at. What the visitor refused is told apart in it.
    bought: only what was bought; counts in it may be told to the visitor.
    session_items: distinct items that the visit under way shows interest in, newest first;
        session_kinds goes with it.
    off_limits: items refused, in the cart or bought in this visit, ascending; nowhere on the page.
    seen: items the visitor has, refused or has just looked at, ascending; not for discovery.
    anchor: the item that "Because you bought ..." is about.
    departments: favourite departments, best first, filled up with the busiest of the shop.
    """

    bundle: Bundle
    ranks: ShopRanks
    user_id: UserId
    visitor: Visitor
    now_us: int
    step_us: int
    taste: UserHistory
    bought: UserHistory
    session_items: ItemIdx
    session_kinds: tuple[Kind, ...]
    off_limits: ItemIdx
    seen: ItemIdx
    anchor: Anchor | None
    departments: tuple[int, ...]

    @property
    def in_session(self) -> bool:
        """Whether a visit is under way."""
        return len(self.session_items) > 0


def gather(
    bundle: Bundle,
    state: LiveState,
    user_id: UserId,
    now_us: int,
    *,
    scorers: Scorers,
    ranks: ShopRanks,
) -> Context:
    """Return everything that the page of one visitor depends on.

    Args:
        bundle: what was learnt.
        state: what happened since.
        user_id: any id; one that nobody has seen is a new visitor.
        now_us: data time, microseconds.
        scorers: of the bundle; asked how good the neighbours of an item are.
        ranks: of the shop, at this moment.
    """
    live = _known_items(bundle, state.remembered(user_id).events)
    session = _known_items(bundle, state.session(user_id, now_us=now_us))
    user = bundle.user_index.get(user_id)
    learnt = empty_history() if user is None else bundle.history.row(user)
    told = NO_ITEMS if user is None else bundle.told_history.row(user).items
    taste = _taste(bundle, state, user_id, learnt, live)
    bought = _bought(bundle, user, live)
    step_us = now_us - now_us % STEP_US
    standing = _standing(bundle, live, taste.refused)
    newest_first: dict[str, Kind] = {}
    for recent in reversed(_standing(bundle, session, taste.refused)):
        newest_first.setdefault(recent.item_id, recent.kind)
    session_items = _indices(bundle, newest_first)
    seen = _seen(bundle, live, session_items, told, bought.items, taste.refused)
    return Context(
        bundle=bundle,
        ranks=ranks,
        user_id=user_id,
        visitor="known" if user is not None else "session" if live else "new",
        now_us=minute_end(now_us),
        step_us=step_us,
        taste=taste,
        bought=bought,
        session_items=session_items,
        session_kinds=tuple(newest_first.values()),
        off_limits=_off_limits(bundle, session, state.cart(user_id), taste.refused),
        seen=seen,
        anchor=choose_anchor(
            taste=taste,
            seen=seen,
            session=newest_first,
            live=standing,
            bought=bought.items,
            told=told,
            bundle=bundle,
            neighbours=scorers.neighbours,
            now_us=step_us,
        ),
        departments=_departments(bundle, taste, session_items, ranks, step_us),
    )


def minute_end(now_us: int) -> int:
    """Return the end of the minute that a moment lies in; a whole minute is its own end."""
    return now_us + -now_us % MINUTE_US


def _known_items(bundle: Bundle, events: Sequence[Recent]) -> list[Recent]:
    return [recent for recent in events if recent.item_id in bundle.item_index]


def _indices(bundle: Bundle, item_ids: Sequence[str] | dict[str, Kind]) -> ItemIdx:
    return np.array([bundle.item_index[item_id] for item_id in item_ids], dtype=np.int32)


def _taste(
    bundle: Bundle,
    state: LiveState,
    user_id: UserId,
    learnt: UserHistory,
    live: Sequence[Recent],
) -> UserHistory:
    """Return what a visitor is interested in and what not, by all that was ever said."""
    refused = [
        Recent(item_id, Kind.DISLIKE, ts, -1.0)
        for item_id, ts in state.refused(user_id).items()
        if item_id in bundle.item_index
    ]
    unsettled = _still_said(bundle, state, user_id, bundle.unsettled_of(user_id))
    events = joined(unsettled, _events(bundle, live), _events(bundle, refused))
    return merge_events(learnt, events.items, events.ts, kinds=events.kinds, weights=events.weights)


def _still_said(
    bundle: Bundle, state: LiveState, user_id: UserId, learnt: UserEvents
) -> UserEvents:
    """Return learnt events without the refusals that live interest followed, however long ago."""
    is_refusal = (learnt.weights < 0) & (learnt.kinds != REMOVE)
    kept = np.ones(len(learnt), dtype=np.bool_)
    for row in np.flatnonzero(is_refusal).tolist():
        item_id = bundle.item_ids[int(learnt.items[row])]
        kept[row] = state.last_yes_us(user_id, item_id) <= int(learnt.ts[row])
    return learnt.take(kept)


def _events(bundle: Bundle, events: Sequence[Recent]) -> UserEvents:
    return UserEvents(
        items=_indices(bundle, [event.item_id for event in events]),
        kinds=np.array([KIND_CODES[event.kind] for event in events], dtype=np.uint8),
        weights=np.array([event.weight for event in events], dtype=np.float32),
        ts=np.array([event.ts for event in events], dtype=np.int64),
    )


def _bought(bundle: Bundle, user: int | None, live: Sequence[Recent]) -> UserHistory:
    """Return what was bought; each purchase counts one, for the number may be told."""
    known = bundle.bought_history
    row = empty_history() if user is None or known is None else known.row(user)
    events = _events(bundle, [recent for recent in live if recent.kind is Kind.PURCHASE])
    return merge_events(row, events.items, events.ts)


def _standing(bundle: Bundle, events: Sequence[Recent], refused: ItemIdx) -> list[Recent]:
    """Return the events that show interest and were not undone by a removal or a refusal."""
    removed_us = {event.item_id: event.ts for event in events if event.kind is Kind.REMOVE}
    no = {bundle.item_ids[item] for item in refused.tolist()}
    return [
        event
        for event in events
        if event.weight > 0
        and event.item_id not in no
        and not (
            event.kind is Kind.CART and event.ts <= removed_us.get(event.item_id, event.ts - 1)
        )
    ]


def _seen(
    bundle: Bundle,
    live: Sequence[Recent],
    session_items: ItemIdx,
    told: ItemIdx,
    *others: ItemIdx,
) -> ItemIdx:
    sold = _indices(bundle, [recent.item_id for recent in live if recent.kind in SALES])
    had = told if bundle.history_kind_verb != "viewed" else NO_ITEMS
    return np.unique(np.concatenate([sold, session_items, had, *others]))


def _off_limits(
    bundle: Bundle, session: Sequence[Recent], cart: Sequence[str], refused: ItemIdx
) -> ItemIdx:
    taken = {recent.item_id for recent in session if recent.kind is Kind.PURCHASE}
    taken.update(item_id for item_id in cart if item_id in bundle.item_index)
    return np.unique(np.concatenate([_indices(bundle, list(taken)), refused]))


def _departments(
    bundle: Bundle, taste: UserHistory, session_items: ItemIdx, ranks: ShopRanks, now_us: int
) -> tuple[int, ...]:
    """Return the departments a visitor likes best; each item of a visit adds a tenth of all."""
    weights = np.zeros(len(bundle.department_names) + 1)  # the last one is for the unknown
    amounts = seed_weights(taste, now_us=now_us, half_life_days=bundle.knn_half_life_days)
    np.add.at(weights, bundle.department[taste.items], amounts)
    np.add.at(
        weights, bundle.department[session_items], max(1.0, SESSION_SHARE * float(amounts.sum()))
    )
    liked = [
        int(code)
        for code in np.argsort(-weights[:-1], kind="stable")
        if weights[code] > 0 and code in ranks.departments
    ]
    others = [code for code in ranks.departments if code not in liked]
    return tuple([*liked, *others][:N_DEPARTMENTS])
