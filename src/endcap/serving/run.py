"""Runs one server process: opens the bundle and the stores, replays the log, listens, drains.

Everything here can also be put together by hand; see `app.create_app`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from endcap.bundle.read import Bundle, read_bundle
from endcap.feedback.impressions import Impressions
from endcap.feedback.intake import Intake
from endcap.feedback.state import ALWAYS_COUNTED, COUNTED_IF_LEARNT, LiveConfig, LiveState
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import Pseudonyms
from endcap.serving.app import create_app, wall_clock_us
from endcap.serving.blas import one_blas_thread
from endcap.serving.config import ServingConfig
from endcap.serving.door import open_door
from endcap.serving.engine import Engine
from endcap.serving.guard import check_exposure, is_loopback
from endcap.stores.config import StoresConfig
from endcap.stores.registry import open_cache, open_events, open_store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """An app and what must be awaited before its visitors are known."""

    app: FastAPI
    intake: Intake
    engine: Engine


def serve(
    bundle_folder: Path,
    *,
    config: ServingConfig,
    stores: StoresConfig,
    pseudonyms: Pseudonyms | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a bundle until SIGINT or SIGTERM; then finish open requests and write what waits.

    Args:
        bundle_folder: an immutable bundle.
        config: where to listen, and the limits.
        stores: URLs of the back ends; one server process to an event log.
        pseudonyms: of the key in the settings, which a bundle with hashed user ids needs.
        on_ready: called with the address once the log was replayed.

    Raises:
        SettingsError: the address is taken, or would be open to the network without a key; or the
            key of the bundle's pseudonyms is missing or another.
        BundleError: the bundle cannot be read.
        StoreError: a back end cannot be opened, or the log cannot be read.
        EventError: the log was written by a newer release.
    """
    check_exposure(config)
    if not is_loopback(config.host) and all(map(is_loopback, config.allowed_hosts)):
        logger.warning(
            "requests from other machines are refused: none of their names for this server is in "
            "serving.allowed_hosts"
        )
    listener = listen(config.host, config.port)
    try:
        bundle = read_bundle(bundle_folder)
        with one_blas_thread(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            serving = _serve(
                bundle,
                listener,
                config=config,
                stores=stores,
                pseudonyms=pseudonyms,
                on_ready=on_ready,
            )
            runner.run(serving)
    finally:
        listener.close()


@asynccontextmanager
async def opened(
    bundle: Bundle,
    *,
    config: ServingConfig,
    stores: StoresConfig,
    pseudonyms: Pseudonyms | None = None,
    now_us: Callable[[], int] = wall_clock_us,
) -> AsyncIterator[Served]:
    """Yield the app of a bundle with its stores open; they are closed at the end.

    Raises:
        SettingsError: the key of the bundle's pseudonyms is missing or another.
        StoreError: a back end cannot be opened.
    """
    door = open_door(bundle, pseudonyms)
    async with AsyncExitStack() as stack:
        log = open_events(stores.events)
        stack.push_async_callback(log.close)
        store = open_store(stores.rows)
        stack.push_async_callback(store.close)
        cache = open_cache(stores.cache)
        stack.push_async_callback(cache.close)
        state = live_state(bundle)
        intake = Intake(log, state, clock_shift_us=bundle.clock_shift_us, door=door)
        impressions = Impressions(
            store, max_waiting=config.impression_queue, keep_s=config.keep_slates_s
        )
        engine = Engine(bundle, state, now_us)
        app = create_app(engine, intake, impressions, cache, config=config, now_us=now_us)
        yield Served(app, intake, engine)


def live_state(bundle: Bundle) -> LiveState:
    """Return an empty live state whose counts go on where those of the bundle end."""
    return LiveState(
        bundle.item_index,
        LiveConfig(
            decay_origin_us=bundle.decay_origin_us,
            trending_half_life_days=bundle.trending_half_life_days,
            popular_half_life_days=bundle.popular_half_life_days,
            counted=ALWAYS_COUNTED | (COUNTED_IF_LEARNT & set(bundle.kinds)),
            weights=bundle.kind_weights,
        ),
        learnt=bundle.unsettled_of,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        SettingsError: the address is taken or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            where="serving.host, serving.port",
            mend="Choose another port, or 0 for a free one",
        ) from error


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Unlike the inherited one it does not raise the signal again at the end, which would end
        # the process before the stores are closed.
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


async def _serve(
    bundle: Bundle,
    listener: socket.socket,
    *,
    config: ServingConfig,
    stores: StoresConfig,
    pseudonyms: Pseudonyms | None,
    on_ready: Callable[[str], None] | None,
) -> None:
    async with opened(bundle, config=config, stores=stores, pseudonyms=pseudonyms) as served:
        server = _Server(
            uvicorn.Config(
                served.app,
                http="httptools" if sys.platform != "win32" else "h11",
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(config.drain_s)),
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            n_events = await _unless_stopped(served.intake.replay(), serving)
            if n_events is not None:
                logger.info("replayed %d events", n_events)
                _warm_up(served.engine)
                _settle_memory()
                if on_ready is not None:
                    on_ready(_address(listener))
        finally:
            if not served.intake.is_ready:
                server.should_exit = True
            await serving
            gc.unfreeze()


async def _unless_stopped(
    replay: Coroutine[Any, Any, int], serving: asyncio.Task[None]
) -> int | None:
    """Return what the replay returns; None when the server was stopped before it ended."""
    replaying = asyncio.ensure_future(replay)
    await asyncio.wait({replaying, serving}, return_when=asyncio.FIRST_COMPLETED)
    if not replaying.done():
        replaying.cancel()
        await asyncio.wait({replaying})
        return None
    return replaying.result()


def _warm_up(engine: Engine) -> None:
    # The first page of a process reads the mapped arrays from disk; no visitor should wait for it.
    for user_id in (*engine.bundle.user_ids[:1], "warm-up"):
        engine.home(user_id, request_id="warm-up")


def _settle_memory() -> None:
    # What is loaded now stays for good; the collector need not walk through it again.
    gc.collect()
    gc.freeze()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
