"""The stores of rows against a plain dictionary: any calls in any order give the same answers."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from endcap.stores.rows.memory import MemoryStore
from endcap.stores.rows.sqlite import SqliteStore

TABLES = st.sampled_from(["users", "slates"])
TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
# A few keys come again and again, so that rows are replaced and removed; the rest is anything.
KEYS = st.sampled_from(["a", "b", "aa", "ä"]) | TEXT.filter(bool)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.dictionaries(TEXT, JSON, max_size=3)


class StoreAgainstDict(RuleBasedStateMachine):
    """Subclasses say which store."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model = {"users": {}, "slates": {}}
        self.store = self.open()

    def run(self, call):
        return self.loop.run_until_complete(call)

    @rule(table=TABLES, rows=st.dictionaries(KEYS, ROWS, max_size=4))
    def put_many(self, table, rows):
        self.run(self.store.put_many(table, rows))
        self.model[table].update(rows)

    @rule(table=TABLES, keys=st.lists(KEYS, max_size=4))
    def get_many(self, table, keys):
        expected = [self.model[table].get(key) for key in keys]
        assert self.run(self.store.get_many(table, keys)) == expected

    @rule(table=TABLES, keys=st.lists(KEYS, max_size=4))
    def delete_many(self, table, keys):
        self.run(self.store.delete_many(table, keys))
        for key in keys:
            self.model[table].pop(key, None)

    @rule(table=TABLES, limit=st.integers(1, 5))
    def read_pages(self, table, limit):
        found, token = self.run(self.store.page(table, limit=limit))
        while token is not None:
            page, token = self.run(self.store.page(table, token=token, limit=limit))
            assert 1 <= len(page) <= limit
            found += page
        assert found == sorted(self.model[table].items())

    def teardown(self):
        self.run(self.store.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()


class MemoryAgainstDict(StoreAgainstDict):
    def open(self):
        return MemoryStore()


class SqliteAgainstDict(StoreAgainstDict):
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        return SqliteStore(Path(self.folder.name) / "rows.db")

    @rule()
    def reopen(self):
        self.run(self.store.close())
        self.store = SqliteStore(Path(self.folder.name) / "rows.db")

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


@pytest.mark.parametrize("machine", [MemoryAgainstDict, SqliteAgainstDict])
def test_a_store_answers_like_a_dictionary(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )
