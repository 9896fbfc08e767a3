"""Visits to the tiny shop, and the contexts that the stages see. Import as `pages`."""

from __future__ import annotations

from collections.abc import Iterable

from endcap.bundle.read import Bundle
from endcap.bundle.scorer.panel import Scorers
from endcap.feedback.state import LiveState
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import SECOND_US
from endcap.serving import run
from endcap.serving.engine import Engine
from endcap.serving.gather import STEP_US, Context, gather
from endcap.serving.page import Page, Shelf
from shops import SHIFT_US, WALL_NOW_US

Act = tuple[str, Kind, str, float]
"""user, kind, item, seconds before now"""


def live_state(bundle: Bundle, acts: Iterable[Act] = ()) -> LiveState:
    """Return a state in which the acts have happened."""
    state = run.live_state(bundle)
    for act in acts:
        happen(state, act)
    return state


def happen(state: LiveState, act: Act) -> None:
    """Let one more act happen."""
    user_id, kind, item_id, age_s = act
    ts = WALL_NOW_US - int(age_s * SECOND_US)
    event = Event(f"event-{len(state)}", kind, user_id, item_id, ts)
    state.apply(event, ts - SHIFT_US)


def engine_of(bundle: Bundle, acts: Iterable[Act] = (), *, wall_us: int = WALL_NOW_US) -> Engine:
    """Return an engine whose clock stands still."""
    return Engine(bundle, live_state(bundle, acts), lambda: wall_us)


def context_of(
    bundle: Bundle,
    scorers: Scorers,
    user_id: str,
    acts: Iterable[Act] = (),
    *,
    wall_us: int = WALL_NOW_US,
) -> Context:
    """Return what the stages see of one visitor."""
    state = live_state(bundle, acts)
    now_us = bundle.data_time(wall_us)
    ranks = scorers.shop.at(
        now_us=now_us - now_us % STEP_US,
        live_popular=state.popular_counts,
        live_trending=state.trending_counts,
        live_shoppers=state.shoppers,
    )
    return gather(bundle, state, user_id, now_us, scorers=scorers, ranks=ranks)


def shelf_of(page: Page, shelf_id: str) -> Shelf:
    """Return one shelf of a page that has it."""
    (shelf,) = [shelf for shelf in page.shelves if shelf.shelf_id == shelf_id]
    return shelf


def items_of(shelf: Shelf | Page) -> list[str]:
    """Return the item ids of a shelf, or of a whole page, in order."""
    slots = shelf.slots if isinstance(shelf, Shelf) else shelf.slots()
    return [slot.item_id for slot in slots]
