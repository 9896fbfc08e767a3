"""The laws of an event log, over every back end that we bring."""

import pytest

from endcap.stores.events.memory import MemoryEventLog
from endcap.stores.events.sqlite import SqliteEventLog
from endcap.testing.events import DurableEventLogContract, EventLogContract


class TestMemoryEventLog(EventLogContract):
    @pytest.fixture
    def log(self):
        return MemoryEventLog()


class TestSqliteEventLog(DurableEventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path):
        return lambda: SqliteEventLog(tmp_path / "events.db")
