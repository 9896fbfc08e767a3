"""The laws of a `Store`, for any back end: subclass, override one fixture, run.

Says nothing about speed, nor about crashes: a crash is each back end's own test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Row, Store

ODD_KEYS = [" ", "%", "'; --", "Z", "a", "a\x00b", "a b", "ä", "\ufffd", "\U0001f600"]
"""In code point order, which is neither alphabetical nor that of UTF-16."""


@dataclass
class _Point:
    x: int


async def read_pages(store: Store, table: str, *, limit: int) -> list[list[tuple[str, Row]]]:
    """Return the pages of a table, following the tokens to the end."""
    pages = []
    token: str | None = None
    while True:
        page, token = await store.page(table, token=token, limit=limit)
        pages.append(page)
        if token is None:
            return pages


@pytest.mark.asyncio
class StoreContract:
    """What every store must do. Override `store`; the suite closes what it returns."""

    @pytest.fixture
    def store(self) -> Store:
        """Override: return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    @pytest_asyncio.fixture(autouse=True)
    async def close_store(self, store: Store) -> AsyncIterator[None]:
        """Close the store after each test."""
        yield
        await store.close()

    async def test_missing_row_is_none(self, store: Store) -> None:
        """A key that was never written has no row, in a table that was never written either."""
        assert await store.get_many("users", ["ann"]) == [None]
        assert await store.get_many("users", []) == []

    async def test_rows_come_in_the_order_of_the_keys(self, store: Store) -> None:
        """Answers stand where their keys stand, also for repeated and missing keys."""
        await store.put_many("users", {"ann": {"n": 1}, "bob": {"n": 2}})
        assert await store.get_many("users", ["bob", "eve", "ann", "bob"]) == [
            {"n": 2},
            None,
            {"n": 1},
            {"n": 2},
        ]

    async def test_batch_equals_single(self, store: Store) -> None:
        """Asking for many at once answers what asking one by one does."""
        await store.put_many("users", {key: {"key": key} for key in ODD_KEYS[::2]})
        single = [(await store.get_many("users", [key]))[0] for key in ODD_KEYS]
        assert await store.get_many("users", ODD_KEYS) == single

    @pytest.mark.parametrize(
        "value",
        [None, True, 0, -1, 2**63 - 1, 0.1, -1e300, "", "ä\x00\U0001f600", [], {}, [1, [None]]],
    )
    async def test_json_values_round_trip(self, store: Store, value: object) -> None:
        """What JSON can hold comes back equal and of the same type."""
        row = {"value": value, "nested": {"list": [value]}}
        await store.put_many("users", {"ann": row})
        (found,) = await store.get_many("users", ["ann"])
        assert found == row
        assert found is not None
        assert type(found["value"]) is type(value)

    async def test_row_is_replaced_whole(self, store: Store) -> None:
        """Writing a row again leaves nothing of the old one."""
        await store.put_many("users", {"ann": {"old": 1, "both": 1}})
        await store.put_many("users", {"ann": {"both": 2}})
        assert await store.get_many("users", ["ann"]) == [{"both": 2}]

    async def test_tables_are_apart(self, store: Store) -> None:
        """The same key in two tables is two rows."""
        await store.put_many("users", {"x": {"n": 1}})
        await store.put_many("slates", {"x": {"n": 2}})
        await store.delete_many("users", ["x"])
        assert await store.get_many("users", ["x"]) == [None]
        assert await store.get_many("slates", ["x"]) == [{"n": 2}]
        assert await read_pages(store, "users", limit=10) == [[]]

    async def test_rows_are_copies(self, store: Store) -> None:
        """Changing a row after writing or reading it changes nothing in the store."""
        row: dict[str, Any] = {"tags": ["a"]}
        await store.put_many("users", {"ann": row})
        row["tags"].append("b")
        (found,) = await store.get_many("users", ["ann"])
        assert found == {"tags": ["a"]}
        found["tags"].append("c")
        assert await store.get_many("users", ["ann"]) == [{"tags": ["a"]}]

    @pytest.mark.parametrize(
        "value",
        [
            *(float("nan"), float("inf"), b"bytes", "\ud800", object()),
            *({1: "number as key"}, date(2020, 1, 1), _Point(1)),
        ],
    )
    async def test_put_is_all_or_nothing(self, store: Store, value: object) -> None:
        """A row that JSON cannot hold raises, and none of the batch is written."""
        await store.put_many("users", {"ann": {"n": 1}})
        with pytest.raises(StoreError):
            await store.put_many("users", {"ann": {"n": 2}, "bob": {"n": None, "value": value}})
        assert await read_pages(store, "users", limit=10) == [[("ann", {"n": 1})]]

    @pytest.mark.parametrize("key", ["", "\ud800"])
    async def test_key_is_text(self, store: Store, key: str) -> None:
        """An empty key, or one that UTF-8 lacks, is refused."""
        with pytest.raises(StoreError):
            await store.put_many("users", {key: {"n": 1}})
        with pytest.raises(StoreError):
            await store.get_many("users", [key])

    async def test_empty_put_is_nothing(self, store: Store) -> None:
        """Writing no rows returns, and leaves no trace."""
        await store.put_many("users", {})
        assert await read_pages(store, "users", limit=10) == [[]]

    @pytest.mark.parametrize("limit", [1, 3, len(ODD_KEYS), 1000])
    async def test_pages_go_in_key_order(self, store: Store, limit: int) -> None:
        """Following the tokens gives every row once, by code point, at most limit a page."""
        rows = {key: {"n": n} for n, key in enumerate(ODD_KEYS)}
        await store.put_many("users", dict(reversed(rows.items())))
        pages = await read_pages(store, "users", limit=limit)
        assert all(len(page) <= limit for page in pages)
        assert [pair for page in pages for pair in page] == list(rows.items())

    async def test_page_may_change_meanwhile(self, store: Store) -> None:
        """Rows written or removed between pages disturb no others."""
        await store.put_many("users", {key: {} for key in "bdfh"})
        page, token = await store.page("users", limit=2)
        assert [key for key, _ in page] == ["b", "d"]
        await store.put_many("users", {"a": {}, "g": {}})
        await store.delete_many("users", ["d", "f"])
        page, token = await store.page("users", token=token, limit=10)
        assert [key for key, _ in page] == ["g", "h"]
        assert token is None

    @pytest.mark.parametrize("token", ["no token!", "ä", "_w=="])
    async def test_foreign_token_is_refused(self, store: Store, token: str) -> None:
        """A token that no page gave raises."""
        with pytest.raises(StoreError):
            await store.page("users", token=token)

    async def test_page_holds_at_least_one(self, store: Store) -> None:
        """A page of no rows would never end."""
        with pytest.raises(StoreError):
            await store.page("users", limit=0)

    async def test_deleting_is_idempotent(self, store: Store) -> None:
        """A removed row is gone; removing it again, or one that never was, is no error."""
        await store.put_many("users", {"ann": {}, "bob": {}})
        for _ in range(2):
            await store.delete_many("users", ["ann", "eve"])
        await store.delete_many("users", [])
        assert await store.get_many("users", ["ann", "bob"]) == [None, {}]

    async def test_concurrent_calls_all_count(self, store: Store) -> None:
        """Many writers at once lose nothing."""
        await asyncio.gather(
            *(store.put_many("users", {f"{n} {m}": {"n": n} for m in range(5)}) for n in range(20))
        )
        ((*rows,),) = await read_pages(store, "users", limit=1000)
        assert len(rows) == 100

    async def test_closed_store_says_so(self, store: Store) -> None:
        """Closing twice is harmless; using the store afterwards raises."""
        await store.close()
        await store.close()
        with pytest.raises(StoreError):
            await store.get_many("users", ["ann"])
        with pytest.raises(StoreError):
            await store.put_many("users", {"ann": {}})


class DurableStoreContract(StoreContract):
    """What a store that outlives its process must do. Override `open_store`, not `store`."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """Override: return a function that opens the store, always the same, empty at first."""
        raise NotImplementedError("override the fixture `open_store`")

    @pytest.fixture
    def store(self, open_store: Callable[[], Store]) -> Store:
        """The store, opened once."""
        return open_store()

    async def test_rows_and_tokens_outlive_the_store(
        self, store: Store, open_store: Callable[[], Store]
    ) -> None:
        """Closed and opened again, the store has the same rows, and pages go on."""
        await store.put_many("users", {key: {"key": key} for key in "abc"})
        await store.delete_many("users", ["b"])
        _, token = await store.page("users", limit=1)
        await store.close()
        again = open_store()
        try:
            page, end = await again.page("users", token=token)
            assert (page, end) == ([("c", {"key": "c"})], None)
            assert await again.get_many("users", ["a", "b"]) == [{"key": "a"}, None]
        finally:
            await again.close()
