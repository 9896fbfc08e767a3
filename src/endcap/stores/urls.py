"""How a back end's URL is read, and how it is shown without its secrets.

Knows the form of a URL only; which schemes exist is the business of `registry.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from endcap.schema.errors import StoreError

HIDDEN = "***"

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_SECRET_OPTION = re.compile(
    r"([?&;][^=&;]*(?:pass|pwd|secret|token|credential|key)[^=&;]*=)([^&;]*)", re.IGNORECASE
)


def redact(url: str) -> str:
    """Return the URL with its password, and every option that sounds like one, as `***`.

    A password may hold `@`, `/` or `?` that somebody forgot to escape, so everything from the
    first colon to the last `@` goes. When in doubt too much is hidden, never too little.

    Example:
        >>> redact("redis://endcap:s3cr3t@cache:6379/0?ssl_password=x")
        'redis://endcap:***@cache:6379/0?ssl_password=***'
    """
    scheme, separator, rest = _split(url)
    login, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        rest = f"{user}{colon}{HIDDEN if colon else ''}@{place}"
    return _SECRET_OPTION.sub(rf"\g<1>{HIDDEN}", f"{scheme}{separator}{rest}")


def secrets_of(url: str) -> list[str]:
    """Return what `redact` hides, as written and as unescaped, longest first."""
    login, at, _ = _split(url)[2].rpartition("@")
    found = [match[2] for match in _SECRET_OPTION.finditer(url)]
    if at:
        found.append(login.partition(":")[2])
    return sorted({form for text in found for form in (text, unquote(text)) if form}, key=len)[::-1]


def scheme_of(url: str) -> str:
    """Return the scheme, lower case: what stands before `://`.

    Raises:
        StoreError: it is not a URL.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise StoreError(
            "the address of a back end is not a URL",
            where=redact(url),
            mend="Write scheme://place, for example sqlite:///./var/rows.db or memory://",
        )
    return scheme.lower()


def file_of(url: str) -> Path:
    """Return the file that a URL names: three slashes before a relative path, four before `/`.

    Raises:
        StoreError: the URL names no file, or has a host or options.
    """
    scheme = scheme_of(url)
    options_of(url, known=())
    place = url.partition("://")[2].partition("?")[0]
    path = unquote(place[1:])
    if not place.startswith("/") or path in ("", "/", ":memory:") or "\0" in path:
        raise StoreError(
            "the URL names no file",
            where=redact(url),
            mend=f"Write {scheme}:///./var/name.db (relative) or {scheme}:////srv/name.db "
            "(absolute); to keep nothing on disk, memory://",
        )
    return Path(path)


def check_bare(url: str) -> None:
    """Raise `StoreError` unless the URL is a scheme and nothing else, as `memory://`."""
    scheme = scheme_of(url)
    options_of(url, known=())
    if url.partition("://")[2].strip("/?"):
        raise StoreError(
            f"a {scheme} back end has no place", where=redact(url), mend=f"Write {scheme}://"
        )


def options_of(url: str, *, known: Collection[str]) -> dict[str, str]:
    """Return the options behind the `?`.

    Raises:
        StoreError: one of them is not known; a misspelt option must not be ignored.
    """
    options = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise StoreError(
            f"unknown option {unknown[0]!r} in the URL",
            where=redact(url),
            mend=f"Known: {', '.join(sorted(known)) or 'none'}",
        )
    return options


def _split(url: str) -> tuple[str, str, str]:
    scheme, separator, rest = url.partition("://")
    return (scheme, separator, rest) if separator else ("", "", url)
