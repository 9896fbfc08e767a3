"""The event logs against a plain list, and URLs that must never show a password."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.stores.events.memory import MemoryEventLog
from endcap.stores.events.sqlite import SqliteEventLog
from endcap.stores.urls import HIDDEN, redact

APPENDS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.lists(st.binary(max_size=20), max_size=4)),
    max_size=8,
)


async def check_against_list(log, appends):
    """Append one after the other; at each moment every offset leads to the right rest."""
    model = []
    try:
        for key, events in appends:
            await log.append(events, key=key)
            model += events
        pairs = [pair async for pair in log.read()]
        assert [event for _, event in pairs] == model
        for place, (offset, _) in enumerate(pairs):
            assert [event async for _, event in log.read(after=offset)] == model[place + 1 :]
    finally:
        await log.close()


@given(appends=APPENDS)
@settings(max_examples=50, deadline=None)
def test_a_memory_log_answers_like_a_list(appends):
    asyncio.run(check_against_list(MemoryEventLog(), appends))


@given(appends=APPENDS)
@settings(max_examples=15, deadline=None)
def test_a_sqlite_log_answers_like_a_list(appends, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "events.db"
    asyncio.run(check_against_list(SqliteEventLog(path), appends))


@given(password=st.text(min_size=1))
def test_no_password_is_ever_shown(password):
    assert redact(f"redis://user:{password}@host:6379/0") == f"redis://user:{HIDDEN}@host:6379/0"


@pytest.mark.parametrize("name", ["password", "sasl_plain_password", "access_key", "auth_token"])
@given(secret=st.text(st.characters(exclude_characters="&;"), min_size=1))
def test_no_secret_option_is_ever_shown(name, secret):
    assert redact(f"kafka://host?{name}={secret}&acks=all").endswith(f"{name}={HIDDEN}&acks=all")
