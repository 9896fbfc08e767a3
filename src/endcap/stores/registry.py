"""From a URL to a back end: which scheme is which class, and which extra brings its client.

A back end is imported only when its scheme is asked for. Third parties add theirs by an entry
point in the group `endcap.rows`, `endcap.events` or `endcap.cache`, named like the scheme, that
names a class with a class method `from_url(url)`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias, cast

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Cache, EventLog, Store
from endcap.stores.urls import HIDDEN, redact, scheme_of, secrets_of

StoreKind: TypeAlias = Literal["rows", "events", "cache"]

BACK_ENDS: dict[StoreKind, dict[str, tuple[str, str | None]]] = {
    "rows": {
        "memory": ("endcap.stores.rows.memory:MemoryStore", None),
        "sqlite": ("endcap.stores.rows.sqlite:SqliteStore", None),
    },
    "events": {
        "memory": ("endcap.stores.events.memory:MemoryEventLog", None),
        "sqlite": ("endcap.stores.events.sqlite:SqliteEventLog", None),
    },
    "cache": {
        "memory": ("endcap.stores.cache.memory:MemoryCache", None),
    },
}
"""Scheme -> the class, and the extra of this package that brings its client library."""


def open_store(url: str) -> Store:
    """Return the store of rows that the URL names, such as `sqlite:///./var/rows.db`.

    Raises:
        StoreError: the scheme is unknown, its client is missing, or it cannot be opened.
    """
    return cast("Store", _open("rows", url))


def open_events(url: str) -> EventLog:
    """Return the event log that the URL names, such as `sqlite:///./var/events.db`.

    Raises:
        StoreError: the scheme is unknown, its client is missing, or it cannot be opened.
    """
    return cast("EventLog", _open("events", url))


def open_cache(url: str) -> Cache:
    """Return the cache that the URL names, such as `memory://`.

    Raises:
        StoreError: the scheme is unknown, its client is missing, or it cannot be opened.
    """
    return cast("Cache", _open("cache", url))


def schemes(kind: StoreKind) -> list[str]:
    """Return the schemes that can be opened, ours and those of installed packages, sorted."""
    return sorted({*BACK_ENDS[kind], *(point.name for point in _points(kind))})


def _open(kind: StoreKind, url: str) -> Any:
    back_end = _find(kind, url)
    try:
        return back_end.from_url(url)
    except Exception as error:
        shown = str(error)
        for secret in secrets_of(url):
            shown = shown.replace(secret, HIDDEN)
        if shown == str(error):
            raise
    # Outside the handler, so that the error which shows the secret is not chained to this one.
    raise StoreError(f"the back end cannot be opened: {shown}", where=redact(url))


def _find(kind: StoreKind, url: str) -> Any:
    scheme = scheme_of(url)
    if scheme in BACK_ENDS[kind]:
        target, extra = BACK_ENDS[kind][scheme]
        return _load(target, extra, url)
    points = [point for point in _points(kind) if point.name == scheme]
    if not points:
        raise StoreError(
            f"unknown scheme {scheme!r} for {kind}",
            where=redact(url),
            mend=f"Known: {', '.join(schemes(kind))}",
        )
    if len(points) > 1:
        raise StoreError(
            f"several packages offer {scheme!r} for {kind}",
            where=", ".join(sorted(point.value for point in points)),
            mend="Uninstall all but one of them",
        )
    return points[0].load()


def _load(target: str, extra: str | None, url: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        # A module of our own that is missing is our mistake, not a client to install.
        is_ours = (error.name or "").partition(".")[0] == __name__.partition(".")[0]
        if extra is None or is_ours:
            raise
        raise StoreError(
            f"the client library of this back end is not installed: {error}",
            where=redact(url),
            mend=f"Run: pip install 'endcap[{extra}]'",
        ) from error


def _points(kind: StoreKind) -> list[EntryPoint]:
    # An installation and its source tree may both announce the same one.
    return sorted(set(entry_points(group=f"endcap.{kind}")))
