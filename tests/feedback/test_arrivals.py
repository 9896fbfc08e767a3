from __future__ import annotations

from itertools import count

import pytest

from endcap.feedback.arrivals import ArrivalRules, BadEventsError, read_events
from endcap.schema.columns import Kind
from endcap.schema.types import SECOND_US

NOW_US = 1_700_000_000 * SECOND_US
GOOD = {"event_id": "e1", "kind": "view", "user_id": "ann", "item_id": "milk", "ts": NOW_US}


def read(body, **rules):
    numbers = count()
    return read_events(
        body, now_us=NOW_US, new_id=lambda: f"made-{next(numbers)}", rules=ArrivalRules(**rules)
    )


def refused(body, **rules):
    with pytest.raises(BadEventsError) as caught:
        read(body, **rules)
    return [(bad.index, bad.field) for bad in caught.value.fields]


@pytest.mark.parametrize("body", [GOOD, [GOOD], {"events": [GOOD]}])
def test_one_event_a_list_and_an_envelope_are_the_same(body):
    (event,) = read(body)
    assert (event.event_id, event.kind, event.ts) == ("e1", Kind.VIEW, NOW_US)


def test_a_missing_id_and_time_are_made_up():
    one, two = read([{"kind": "cart", "user_id": "ann", "item_id": item} for item in "ab"])
    assert (one.event_id, two.event_id) == ("made-0", "made-1")
    assert one.ts == NOW_US


def test_null_means_left_out():
    (event,) = read({**GOOD, "event_id": None, "ts": None, "request_id": None, "value": None})
    assert (event.event_id, event.ts, event.request_id, event.value) == (
        "made-0",
        NOW_US,
        None,
        1.0,
    )


def test_every_bad_entry_is_named_and_none_is_taken():
    bad_kind, no_item = {**GOOD, "kind": "stare"}, {**GOOD}
    del no_item["item_id"]
    assert refused([GOOD, bad_kind, GOOD, no_item, 7]) == [
        (1, "kind"),
        (3, "item_id"),
        (4, "events"),
    ]


@pytest.mark.parametrize("body", [None, 3, "view", {"events": {}}, {"events": None}])
def test_another_shape_is_refused(body):
    assert refused(body) == [(0, "events")]


@pytest.mark.parametrize("body", [[], {"events": []}])
def test_no_event_at_all_is_refused(body):
    assert refused(body) == [(0, "events")]


def test_the_batch_is_bounded():
    assert len(read([GOOD] * 3, max_batch=3)) == 3
    assert refused([GOOD] * 4, max_batch=3) == [(3, "events")]


def test_the_future_is_refused_beyond_what_clocks_may_differ():
    assert read({**GOOD, "ts": NOW_US + 60 * SECOND_US}, max_ahead_s=60)
    assert refused({**GOOD, "ts": NOW_US + 61 * SECOND_US}, max_ahead_s=60) == [(0, "ts")]


@pytest.mark.parametrize("per_second", [1, 1000])
def test_seconds_and_milliseconds_are_not_taken_for_microseconds(per_second):
    assert refused({**GOOD, "ts": NOW_US // SECOND_US * per_second}) == [(0, "ts")]
    assert read({**GOOD, "ts": NOW_US - 20 * 365 * 86_400 * SECOND_US})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", ""),
        ("event_id", 7),
        ("user_id", "x" * 129),
        ("user_id", "a\nb"),
        ("item_id", []),
        ("kind", ["view"]),
        ("kind", {}),
        ("ts", "yesterday"),
        ("ts", 1.5),
        ("ts", -1),
        ("ts", True),
        ("value", "many"),
        ("value", float("nan")),
        pytest.param("value", 10**400, id="value-huge"),
        ("request_id", ""),
    ],
)
def test_wrong_values_name_their_field(field, value):
    assert refused({**GOOD, field: value}) == [(0, field)]
