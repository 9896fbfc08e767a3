"""What the system believes about a visitor now: the features of `endcap.features`, live.

For a person to look at and for a ranker to take; what is put on a page is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any

import numpy as np

from endcap.bundle.read import Bundle
from endcap.features.history import History, UserHistory, empty_history, merge_events
from endcap.features.online import KnownEvents, Learnt, LiveFeatures, live_user_features
from endcap.features.point_in_time import UserFeatures, taste_codes
from endcap.features.shop_totals import ShopTotals, shop_totals
from endcap.features.spec import FeatureSpec
from endcap.features.taste import Taste
from endcap.features.unsettled import NO_EVENTS
from endcap.feedback.state import LiveState, Recent
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions, Items
from endcap.schema.types import UserId
from endcap.serving.page import Visitor

NOT_TOLD = frozenset({"user_idx", "taste"})
"""Fields of the row that an answer does not take over as they stand."""


class Beliefs:
    """The features of single visitors, from a bundle and the live state.

    Args:
        bundle: what was learnt.
        state: what happened since; read, never changed.
        spec: windows and half-lives.
    """

    def __init__(
        self, bundle: Bundle, state: LiveState, *, spec: FeatureSpec | None = None
    ) -> None:
        self._bundle, self._state = bundle, state
        self.spec = spec or FeatureSpec()
        nameless = np.full(bundle.n_items, -1, dtype=np.int32)
        self._items = Items(
            department=bundle.department,
            category=bundle.category,
            brand=nameless,
            department_names=tuple(bundle.department_names),
            category_names=tuple(bundle.category_names),
        )

    def about(self, user_id: UserId, now_us: int) -> LiveFeatures:
        """Return the features of any visitor just before `now_us`, data time.

        A sale has the price that the shop asks for the item, because events do not tell one.

        Cost: below a millisecond.
        """
        remembered = self._state.remembered(user_id)
        known = [one for one in remembered.events if one.item_id in self._bundle.item_index]
        return live_user_features(
            self._learnt(user_id),
            KnownEvents(
                self._events(known),
                forgotten_until_us=remembered.forgotten_until_us,
                sales_forgotten_until_us=remembered.sales_forgotten_until_us,
            ),
            taste_codes(self._items, self.spec),
            at_us=now_us,
            spec=self.spec,
            totals=self._totals,
        )

    def visitor(self, user_id: UserId) -> Visitor:
        """Return what kind of visitor this is, as pages call it."""
        if user_id in self._bundle.user_index:
            return "known"
        live = self._state.recent(user_id)
        return "session" if any(one.item_id in self._bundle.item_index for one in live) else "new"

    def told(self, features: LiveFeatures) -> dict[str, Any]:
        """Return the features in words and plain numbers; None where one is not known."""
        row = features.row
        return {
            **{
                part.name: _plain(getattr(row, part.name)[0])
                for part in fields(UserFeatures)
                if part.name not in NOT_TOLD
            },
            "price_band": None if row.price_band[0] < 0 else int(row.price_band[0]),
            "taste": self._taste(row.taste),
        }

    @cached_property
    def _totals(self) -> ShopTotals:
        """The price bands among what the shop asks for its items now."""
        no_events = np.zeros(self._bundle.n_items, dtype=np.int32)
        return shop_totals(self._bundle.price, no_events, self._items, spec=self.spec)

    def _learnt(self, user_id: UserId) -> Learnt:
        bundle = self._bundle
        user = bundle.user_index.get(user_id)
        if user is None:
            return Learnt()
        return Learnt(
            settled=bundle.history.row(user),
            unsettled=NO_EVENTS if bundle.unsettled is None else bundle.unsettled.row(user),
            bought=self._bought(user),
        )

    def _bought(self, user: int) -> UserHistory | None:
        """Return what a user bought or reviewed; None where the bundle does not keep all of it."""
        bundle = self._bundle
        is_reviewed = bundle.history_kind_verb == "reviewed"
        if Kind.RATING.value in bundle.kinds and not is_reviewed:
            return None
        parts: list[History | None] = [bundle.bought_history]
        if is_reviewed:
            parts.append(bundle.told_history)
        row = empty_history()
        for part in parts:
            if part is not None:
                more = part.row(user)
                row = merge_events(row, more.items, more.last_ts)
        return row

    def _events(self, known: Sequence[Recent]) -> Interactions:
        index, n = self._bundle.item_index, len(known)
        items = np.array([index[one.item_id] for one in known], dtype=np.int32)
        return Interactions(
            user_idx=np.zeros(n, dtype=np.int32),
            item_idx=items,
            kind=np.array([KIND_CODES[one.kind] for one in known], dtype=np.uint8),
            value=np.ones(n, dtype=np.float32),
            price=self._bundle.price[items],
            ts=np.array([one.ts for one in known], dtype=np.int64),
            weight=np.array([one.weight for one in known], dtype=np.float32),
        )

    def _taste(self, taste: Taste) -> list[dict[str, Any]]:
        bundle = self._bundle
        names = bundle.department_names
        if self.spec.taste_by == "category":
            names = bundle.category_names
        return [
            {self.spec.taste_by: names[code], "share": _plain(share)}
            for code, share in zip(taste.code.tolist(), taste.share, strict=True)
        ]


def _plain(number: np.generic) -> int | float | None:
    """Return a number of numpy's as one of Python's with as many digits; None for NaN."""
    value: Any = number.item()
    if isinstance(value, float):
        return None if np.isnan(value) else float(str(number))
    return int(value)
