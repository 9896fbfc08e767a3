"""Live state is a function of the set of events: order and repetition do not matter."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.feedback.state import LiveState
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US

ITEMS = ["milk", "bread", "tea", "unknown"]
INDEX = {"milk": 0, "bread": 1, "tea": 2}
USERS = ["ann", "bob"]


@st.composite
def event_sets(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(list(Kind)),
                st.sampled_from(USERS),
                st.sampled_from(ITEMS),
                st.integers(0, 400 * DAY_US),
            ),
            max_size=40,
        )
    )
    return [
        Event(event_id=f"e{n}", kind=kind, user_id=user, item_id=item, ts=ts)
        for n, (kind, user, item, ts) in enumerate(rows)
    ]


def built(events) -> LiveState:
    state = LiveState(INDEX)
    for event in events:
        state.apply(event, event.ts)
    return state


@given(event_sets(), st.randoms(use_true_random=False))
def test_any_order_with_repetitions_gives_the_same_state(events, random):
    again = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(again)
    first, second = built(events), built(again)
    assert len(first) == len(second) == len(events)
    for user in USERS:
        assert first.recent(user) == second.recent(user)
        assert first.version(user) == second.version(user)
        assert first.cart(user) == second.cart(user)
    np.testing.assert_allclose(first.trending_counts, second.trending_counts, rtol=1e-9)
    np.testing.assert_allclose(first.popular_counts, second.popular_counts, rtol=1e-9)
