import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.schema.columns import Kind
from endcap.schema.errors import EventError
from endcap.schema.events import MAX_TS_US, Event, parse_event

ids = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=128)


@given(
    event_id=ids,
    user_id=ids,
    item_id=ids,
    kind=st.sampled_from(Kind),
    ts=st.integers(0, MAX_TS_US - 1),
    value=st.floats(allow_nan=False, allow_infinity=False),
    request_id=st.none() | ids,
)
def test_bytes_round_trip_and_hold_no_line_break(**fields):
    event = Event(**fields)
    data = event.encode()
    assert b"\n" not in data
    assert Event.decode(data) == event


@pytest.mark.parametrize("name", ["event_id", "kind", "user_id", "item_id", "ts"])
def test_a_missing_field_is_named(name):
    record = {"event_id": "e", "kind": "view", "user_id": "u", "item_id": "i", "ts": 1}
    del record[name]
    with pytest.raises(EventError) as error:
        parse_event(record)
    assert error.value.where == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", ""),
        ("event_id", 7),
        ("user_id", "x" * 129),
        ("item_id", "line\nbreak"),
        ("kind", "stare"),
        ("ts", 1.5),
        ("ts", True),
        ("ts", -1),
        ("ts", MAX_TS_US),
        ("value", "many"),
        ("value", float("nan")),
        ("request_id", ""),
    ],
)
def test_a_wrong_field_is_named(name, value):
    record = {"event_id": "e", "kind": "view", "user_id": "u", "item_id": "i", "ts": 1}
    with pytest.raises(EventError) as error:
        parse_event(record | {name: value})
    assert error.value.where == name


def test_unknown_keys_are_ignored_so_that_senders_may_add_them():
    record = {"event_id": "e", "kind": "cart", "user_id": "u", "item_id": "i", "ts": 1, "tint": 3}
    assert parse_event(record).kind is Kind.CART


@pytest.mark.parametrize("data", [b"", b"[]", b'{"v":99}', b"\xff"])
def test_foreign_bytes_are_refused(data):
    with pytest.raises(EventError):
        Event.decode(data)


def test_the_first_version_stays_readable():
    stored = (
        b'{"v":1,"event_id":"e","kind":"purchase","user_id":"u","item_id":"i","ts":5,"value":2.0}'
    )
    assert Event.decode(stored) == Event("e", Kind.PURCHASE, "u", "i", 5, 2.0)
    assert json.loads(Event.decode(stored).encode()) == json.loads(stored)
