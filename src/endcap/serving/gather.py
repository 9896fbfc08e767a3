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
from endcap.features.history import UserHistory, empty_history, merge_events, seed_weights
from endcap.feedback.state import SALES, LiveState, Recent
from endcap.schema.columns import Kind
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
    taste: all that the visitor did, live events of every kind included; what scores look at.
    bought: only what was bought; counts in it may be told to the visitor.
    session_items: distinct items of the visit under way, newest first; session_kinds goes with it.
    off_limits: items in the cart or bought in this visit, ascending; nowhere on the page.
    seen: items the visitor has or has just looked at, ascending; not for discovery.
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
    live = _known_items(bundle, state.recent(user_id))
    session = _known_items(bundle, state.session(user_id, now_us=now_us))
    user = bundle.user_index.get(user_id)
    learnt = empty_history() if user is None else bundle.history.row(user)
    taste = _merge(bundle, learnt, live)
    purchases = [recent for recent in live if recent.kind is Kind.PURCHASE]
    bought = _merge(
        bundle, learnt if bundle.history_kind_verb == "bought" else empty_history(), purchases
    )
    step_us = now_us - now_us % STEP_US
    newest_first: dict[str, Kind] = {}
    for recent in reversed(session):
        newest_first.setdefault(recent.item_id, recent.kind)
    session_items = _indices(bundle, newest_first)
    seen = _seen(bundle, learnt, live, session_items)
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
        off_limits=_off_limits(bundle, session, state.cart(user_id)),
        seen=seen,
        anchor=choose_anchor(
            taste=taste,
            seen=seen,
            session=newest_first,
            live=live,
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


def _merge(bundle: Bundle, row: UserHistory, events: Sequence[Recent]) -> UserHistory:
    times = np.array([recent.ts for recent in events], dtype=np.int64)
    return merge_events(row, _indices(bundle, [recent.item_id for recent in events]), times)


def _seen(
    bundle: Bundle, learnt: UserHistory, live: Sequence[Recent], session_items: ItemIdx
) -> ItemIdx:
    sold = _indices(bundle, [recent.item_id for recent in live if recent.kind in SALES])
    had = learnt.items if bundle.history_kind_verb != "viewed" else sold
    return np.unique(np.concatenate([had, sold, session_items]))


def _off_limits(bundle: Bundle, session: Sequence[Recent], cart: Sequence[str]) -> ItemIdx:
    taken = {recent.item_id for recent in session if recent.kind is Kind.PURCHASE}
    taken.update(item_id for item_id in cart if item_id in bundle.item_index)
    return np.sort(_indices(bundle, list(taken)))


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
