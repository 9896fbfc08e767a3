"""Live state is a function of the set of events: order and repetition do not matter."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.feedback.intake import Intake
from endcap.feedback.state import NOTHING_FORGOTTEN, SALES, LiveConfig, LiveState
from endcap.schema.columns import Kind
from endcap.schema.events import Event
from endcap.schema.types import DAY_US
from endcap.stores.events.memory import MemoryEventLog

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


def built(events, config: LiveConfig | None = None) -> LiveState:
    state = LiveState(INDEX, config)
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
    assert first.shoppers == second.shoppers
    np.testing.assert_allclose(first.trending_counts, second.trending_counts, rtol=1e-9)
    np.testing.assert_allclose(first.popular_counts, second.popular_counts, rtol=1e-9)


@given(event_sets(), st.randoms(use_true_random=False), st.integers(1, 5), st.integers(1, 5))
def test_what_is_remembered_of_many_events_does_not_depend_on_their_order(
    events, random, n_recent, n_sales
):
    config = LiveConfig(n_recent=n_recent, n_sales=n_sales)
    first = built(events, config)
    shuffled = list(events)
    random.shuffle(shuffled)
    second = built(shuffled, config)
    for user in USERS:
        kept = first.remembered(user)
        assert kept == second.remembered(user)
        assert [one.ts for one in kept.events] == sorted(one.ts for one in kept.events)
        own = [event for event in events if event.user_id == user]
        acts = [event.ts for event in own if event.kind is not Kind.IMPRESSION]
        sales = [event.ts for event in own if event.kind in SALES]
        assert kept.forgotten_until_us == newest_beyond(acts, n_recent)
        assert kept.sales_forgotten_until_us == newest_beyond(sales, n_sales)
        # After what is confessed as forgotten, everything is there.
        for times, since_us, kinds in (
            (acts, kept.forgotten_until_us, set(Kind)),
            (sales, kept.sales_forgotten_until_us, SALES),
        ):
            found = [one.ts for one in kept.events if one.kind in kinds and one.ts > since_us]
            assert found == sorted(ts for ts in times if ts > since_us)


def newest_beyond(times, limit):
    """Return the newest of all but the `limit` newest times."""
    return sorted(times)[-limit - 1] if len(times) > limit else NOTHING_FORGOTTEN


@given(event_sets(), st.lists(st.integers(0, 39), max_size=20), st.integers(1, 5))
def test_a_replay_of_the_log_gives_the_state_that_the_events_gave(events, repeats, batch_size):
    sent = [*events, *(events[n] for n in repeats if n < len(events))]

    async def run() -> tuple[LiveState, LiveState]:
        log, live, rebuilt = MemoryEventLog(), LiveState(INDEX), LiveState(INDEX)
        intake = Intake(log, live, clock_shift_us=7)
        await intake.replay()
        batches = [sent[start : start + batch_size] for start in range(0, len(sent), batch_size)]
        await asyncio.gather(*(intake.accept(batch) for batch in batches))
        n_read = await Intake(log, rebuilt, clock_shift_us=7).replay()
        assert n_read == len(events)  # each id is in the log once
        return live, rebuilt

    live, rebuilt = asyncio.run(run())
    assert len(live) == len(rebuilt) == len(events)
    for user in USERS:
        assert live.recent(user) == rebuilt.recent(user)
        assert live.version(user) == rebuilt.version(user)
    np.testing.assert_allclose(live.trending_counts, rebuilt.trending_counts, rtol=1e-9)
