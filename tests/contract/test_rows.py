"""The laws of a store of rows, over every back end that we bring."""

import pytest

from endcap.stores.rows.memory import MemoryStore
from endcap.stores.rows.sqlite import SqliteStore
from endcap.testing.rows import DurableStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestSqliteStore(DurableStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path):
        return lambda: SqliteStore(tmp_path / "rows.db")
