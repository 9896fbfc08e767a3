from __future__ import annotations

import asyncio
import os
import signal
import socket

import httpx
import pytest

from endcap.bundle.write import current
from endcap.schema.columns import Kind
from endcap.schema.errors import BundleError, EventError, SettingsError
from endcap.schema.events import Event
from endcap.serving.config import ServingConfig
from endcap.serving.run import listen, live_state, opened, serve
from endcap.stores.config import StoresConfig
from endcap.stores.events.sqlite import SqliteEventLog
from endcap.stores.rows.sqlite import SqliteStore
from shops import SHIFT_US, WALL_NOW_US


def sqlite_stores(folder) -> StoresConfig:
    return StoresConfig(events=f"sqlite:///{folder}/events.db", rows=f"sqlite:///{folder}/rows.db")


def test_the_network_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(SettingsError, match="API key"):
        serve(
            tmp_path / "no-bundle",
            config=ServingConfig(host="0.0.0.0", port=0),
            stores=sqlite_stores(tmp_path),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("allowed", "is_warned"), [(None, True), (("shop.example",), False)])
def test_a_server_that_nobody_outside_may_name_says_so(tmp_path, caplog, allowed, is_warned):
    config = ServingConfig(host="0.0.0.0", port=0, api_key="correct-horse-battery")
    if allowed:
        config = config.model_copy(update={"allowed_hosts": allowed})
    with pytest.raises(BundleError):
        serve(tmp_path / "no-bundle", config=config, stores=sqlite_stores(tmp_path))
    assert ("serving.allowed_hosts" in caplog.text) is is_warned


def test_a_taken_port_is_a_wrong_setting(bundle_root, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}") as caught:
            serve(
                current(bundle_root),
                config=ServingConfig(port=port),
                stores=sqlite_stores(tmp_path),
            )
    assert "another port" in caught.value.mend


def test_a_missing_bundle_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        serve(tmp_path, config=ServingConfig(port=0), stores=sqlite_stores(tmp_path))


def test_listen_takes_a_free_port():
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        assert one.getsockname()[1] != other.getsockname()[1]


def test_live_counts_go_on_where_the_bundle_ends(bundle):
    state = live_state(bundle)
    at_end = bundle.decay_origin_us
    bought = Event(event_id="e", kind=Kind.PURCHASE, user_id="u", item_id="item-001", ts=at_end)
    state.apply(bought, at_end)
    assert state.trending_counts[1] == 1.0
    assert state.popular_counts[1] == 1.0


async def test_the_log_of_yesterday_is_known_today(bundle, tmp_path):
    event = {"event_id": "e1", "kind": "cart", "user_id": "ann", "item_id": "item-010"}
    for expected in ({"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1}):
        async with opened(
            bundle,
            config=ServingConfig(),
            stores=sqlite_stores(tmp_path),
            now_us=lambda: WALL_NOW_US,
        ) as served:
            await served.intake.replay()
            transport = httpx.ASGITransport(app=served.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
                receipt = (await web.post("/v1/events", json=event)).json()
                assert receipt == {**expected, "event_ids": ["e1"]}
                page = (await web.get("/v1/home/ann")).json()
                assert page["visitor"] == "session"
            assert served.app.state.shop.state.recent("ann")[0].ts == WALL_NOW_US - SHIFT_US


async def write_record(path, record: bytes) -> None:
    log = SqliteEventLog(path)
    await log.append([record], key="k")
    await log.close()


def test_a_log_of_a_newer_release_stops_the_server(bundle_root, tmp_path):
    asyncio.run(write_record(tmp_path / "events.db", b'{"v":99}'))
    addresses: list[str] = []
    with pytest.raises(EventError, match="known version"):
        serve(
            current(bundle_root),
            config=ServingConfig(port=0),
            stores=sqlite_stores(tmp_path),
            on_ready=addresses.append,
        )
    assert addresses == []


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_writes_what_waits_and_returns(bundle_root, tmp_path, sent):
    request_ids: list[str] = []

    def visit(address: str) -> None:
        async def ask() -> None:
            async with httpx.AsyncClient(base_url=address) as web:
                page = (await web.get("/v1/home/user-03")).json()
                request_ids.append(page["request_id"])
            os.kill(os.getpid(), sent)

        visits.append(asyncio.get_running_loop().create_task(ask()))

    visits: list[asyncio.Task[None]] = []
    before = signal.getsignal(sent)
    serve(
        current(bundle_root),
        config=ServingConfig(port=0),
        stores=sqlite_stores(tmp_path),
        on_ready=visit,
    )
    assert signal.getsignal(sent) is before

    async def kept():
        store = SqliteStore(tmp_path / "rows.db")
        try:
            return await store.get_many("slates", request_ids)
        finally:
            await store.close()

    (slate,) = asyncio.run(kept())
    assert slate["user_id"] == "user-03"
