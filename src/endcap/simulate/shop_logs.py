"""Writes events as RetailRocket's event log has them, and as plain CSV and JSON lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from endcap.schema.columns import KIND_CODES, Kind
from endcap.simulate.block import Block
from endcap.simulate.lines import Bytes, Layout, Sheet, choices
from endcap.simulate.population import price_cents
from endcap.simulate.scramble import Integers, reordered
from endcap.simulate.spec import EventSpec

TS_WIDTH, SESSION_WIDTH, DOLLARS_WIDTH = 13, 10, 4
PLAIN_WORDS = {
    kind: kind.value.encode() for kind in (Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.RATING)
}
RETAILROCKET_WORDS = {Kind.VIEW: b"view", Kind.CART: b"addtocart", Kind.PURCHASE: b"transaction"}


class PlainCsv:
    """Writes CSV with a header; users are u0, u1, ..., items i0, i1, ..., times milliseconds."""

    header = b"user_id,item_id,kind,value,price,ts,session_id\n"

    def __init__(self, spec: EventSpec) -> None:
        self._spec = spec
        self._layout = Layout(
            *(b"u", _user(spec), b",i", _item(spec), b",", ("kind", 8), b",", ("value", 1), b","),
            *(("dollars", DOLLARS_WIDTH), b".", ("cents", 2), b",", ("ts", TS_WIDTH)),
            *(b",", ("session", SESSION_WIDTH), b"\n"),
        )
        self._kinds = kind_words(PLAIN_WORDS)

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        return _plain_fields(self._layout, block, self._spec, self._kinds).encoded()


class PlainJsonLines:
    """Writes an object a line with the same fields as `PlainCsv`."""

    header = b""

    def __init__(self, spec: EventSpec) -> None:
        self._spec = spec
        self._layout = Layout(
            *(b'{"user_id": "u', _user(spec), b'", "item_id": "i', _item(spec)),
            *(b'", "kind": "', ("kind", 8), b'", "value": ', ("value", 1)),
            *(b', "price": ', ("dollars", DOLLARS_WIDTH), b".", ("cents", 2)),
            *(b', "ts": ', ("ts", TS_WIDTH), b', "session_id": ', ("session", SESSION_WIDTH)),
            b"}\n",
        )
        self._kinds = kind_words(PLAIN_WORDS)

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        return _plain_fields(self._layout, block, self._spec, self._kinds).encoded()


class RetailRocket:
    """Writes lines of RetailRocket's `events.csv`; a purchase's transaction is its session."""

    header = b"timestamp,visitorid,event,itemid,transactionid\n"

    def __init__(self, spec: EventSpec) -> None:
        self._spec = spec
        self._layout = Layout(
            *(("ts", TS_WIDTH), b",", _user(spec), b",", ("kind", 11), b",", _item(spec), b","),
            *(("session", SESSION_WIDTH), b"\n"),
        )
        self._kinds = kind_words(RETAILROCKET_WORDS)

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        sheet = self._layout.sheet(len(block))
        _who_what_when(sheet, block, self._spec, self._kinds)
        sheet.number("session", block.session)
        sheet.blank("session", block.kind != KIND_CODES[Kind.PURCHASE])
        return sheet.encoded()


def user_numbers(user: np.ndarray[Any, Any], spec: EventSpec) -> Integers:
    """Return the number by which each user is called."""
    return reordered(user, spec.n_users, seed=spec.seed)


def item_numbers(item: np.ndarray[Any, Any], spec: EventSpec) -> Integers:
    """Return the number by which each item is called."""
    return reordered(item, spec.n_items, seed=spec.seed)


def kind_words(words: dict[Kind, bytes]) -> Bytes:
    """Return the words as rows, one for each code of a kind."""
    by_code = {KIND_CODES[kind]: word for kind, word in words.items()}
    return choices([by_code.get(code, b"") for code in range(max(KIND_CODES.values()) + 1)])


def _plain_fields(layout: Layout, block: Block, spec: EventSpec, kinds: Bytes) -> Sheet:
    sheet = layout.sheet(len(block))
    _who_what_when(sheet, block, spec, kinds)
    sheet.number("value", block.value)
    cents = price_cents(block.item, seed=spec.seed)
    dollars = cents // 100
    sheet.number("dollars", dollars)
    sheet.padded_number("cents", cents - dollars * 100)
    sheet.number("session", block.session)
    return sheet


def _who_what_when(sheet: Sheet, block: Block, spec: EventSpec, kinds: Bytes) -> None:
    sheet.number("user", user_numbers(block.user, spec))
    sheet.number("item", item_numbers(block.item, spec))
    sheet.choice("kind", kinds, block.kind)
    sheet.number("ts", block.ts_ms)


def _user(spec: EventSpec) -> tuple[str, int]:
    return "user", len(str(spec.n_users))


def _item(spec: EventSpec) -> tuple[str, int]:
    return "item", len(str(spec.n_items))
