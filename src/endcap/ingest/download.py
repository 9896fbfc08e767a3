"""Fetches one public file over HTTP: resumable, checked for its size, never half in place.

What is in the file is not looked at here.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import ssl
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from endcap import __version__
from endcap.schema.errors import DownloadError
from endcap.telemetry import console, track

Answer: TypeAlias = http.client.HTTPResponse | HTTPError

CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 20.0
FIRST_DELAY_S = 1.0
MAX_FRUITLESS = 3
NETWORK_ERRORS = (URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
WORTH_ANOTHER_TRY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class _GaveUpError(Exception):
    """One address did not yield the file; the text says why."""


def download(
    urls: Sequence[str],
    folder: Path,
    *,
    name: str,
    sha256: str | None = None,
    md5: str | None = None,
    n_bytes: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Return the path of the file, fetched unless it lies there already.

    What has arrived stays in a `.part` file beside it, so that the next try goes on from there,
    also in another process. An address is given up after three tries that bring nothing, or at
    once when the server says that it has no such file.

    Args:
        urls: http(s) addresses of the same file, tried in order.
        folder: the file goes into `folder/name/`.
        name: of the data set, for people.
        sha256: what the whole file must hash to, if that is known.
        md5: likewise, where the publisher states no better hash.
        n_bytes: its size as far as that is known, to see beforehand whether there is room.
        sleep: waits so many seconds between tries.

    Raises:
        DownloadError: no address yields it, or there is no room; says what was tried.
    """
    target = fetched_path(urls, folder, name=name)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _check_room(part, n_bytes, name=name)
    tried = []
    for url in urls:
        try:
            _fetch(url, part, name=name, sleep=sleep)
            _check_hash(part, "sha256", sha256)
            _check_hash(part, "md5", md5)
        except _GaveUpError as error:
            tried.append(f"{url}: {error}")
            continue
        part.replace(target)
        _tag_file(part).unlink(missing_ok=True)
        return target
    raise DownloadError(
        f"{name} could not be fetched",
        where="tried " + "; ".join(tried),
        mend="Download it yourself and run make demo DATA=/path/to/file",
    )


def fetched_path(urls: Sequence[str], folder: Path, *, name: str) -> Path:
    """Return where `download` puts the file."""
    return folder / name / Path(urlsplit(urls[0]).path).name


def _check_room(part: Path, n_bytes: int | None, *, name: str) -> None:
    missing_bytes = (n_bytes or 0) - _size(part)
    free_bytes = shutil.disk_usage(part.parent).free
    if missing_bytes > free_bytes:
        raise DownloadError(
            f"{name} still needs {missing_bytes:,} bytes, and {free_bytes:,} are free",
            where=str(part.parent),
            mend="Make room, or set ENDCAP_VAR to another disk",
        )


def _fetch(url: str, part: Path, *, name: str, sleep: Callable[[float], None]) -> None:
    """Bring the whole file into `part`, however many tries that takes."""
    n_fruitless = 0
    while True:
        n_before = _size(part)
        try:
            if _fetch_rest(url, part, name=name):
                return
            reason = "the connection was cut"
        except HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            error.close()
            if error.code not in WORTH_ANOTHER_TRY:
                raise _GaveUpError(reason) from error
        except NETWORK_ERRORS as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        except OSError as error:
            raise DownloadError(
                f"{name} cannot be written: {error.strerror}", where=str(part)
            ) from error
        n_fruitless = 0 if _size(part) > n_before else n_fruitless + 1
        if n_fruitless == MAX_FRUITLESS:
            raise _GaveUpError(f"{reason} ({MAX_FRUITLESS} tries)")
        delay_s = FIRST_DELAY_S * 2**n_fruitless
        console.print(f"  {name}: {reason}; trying again in {delay_s:.0f} s")
        sleep(delay_s)


def _fetch_rest(url: str, part: Path, *, name: str) -> bool:
    """Append what `part` lacks; return whether it is whole now."""
    start = _size(part)
    with _open(url, start=start, tag=_read_tag(part)) as response:
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _is_whole(part, _total(response))
        if response.status != HTTPStatus.PARTIAL_CONTENT or _range_start(response) != start:
            start = 0
        total = _total(response)
        _tag_file(part).write_text(response.headers.get("ETag") or "", encoding="utf-8")
        with (
            part.open("ab" if start else "wb") as file,
            track(f"Fetching {name}", float(total or 0), unit="B") as task,
        ):
            task.advance(start)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                task.advance(len(chunk))
    return _is_whole(part, total)


def _open(url: str, *, start: int, tag: str) -> Answer:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise _GaveUpError("not an http or https address")
    headers = {"User-Agent": f"endcap/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag:
            # Another file under the same address is sent whole, not from the middle.
            headers["If-Range"] = tag
    try:
        request = Request(url, headers=headers)  # noqa: S310 - the scheme is checked above
        answer = _web_only().open(request, timeout=TIMEOUT_S)
        return cast("http.client.HTTPResponse", answer)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return error  # an answer like any other, with headers
        raise


def _web_only() -> OpenerDirector:
    """Return an opener without the handlers of file: and ftp:, so no redirect leads there."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        UnknownHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPDefaultErrorHandler,
        HTTPRedirectHandler,
        HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _is_whole(part: Path, total: int | None) -> bool:
    """Return whether `part` is complete; a part that cannot become the file is thrown away."""
    size = _size(part)
    if total is None or size == total:
        return True
    if size > total:
        part.unlink()
        raise _GaveUpError(f"it sent {size} bytes where {total} were announced")
    return False


def _total(response: Answer) -> int | None:
    """Return the size of the whole file, if the answer says."""
    whole = re.fullmatch(r"bytes .*/(\d+)", response.headers.get("Content-Range") or "")
    if whole:
        return int(whole[1])
    length = response.headers.get("Content-Length")
    return int(length) if length and response.status == HTTPStatus.OK else None


def _range_start(response: Answer) -> int:
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(start[1]) if start else -1


def _check_hash(part: Path, algorithm: str, wanted: str | None) -> None:
    if wanted is None:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != wanted:
        part.unlink()
        raise _GaveUpError(f"its {algorithm} is {found[:12]}..., not {wanted[:12]}...")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _read_tag(part: Path) -> str:
    path = _tag_file(part)
    return path.read_text(encoding="utf-8") if path.is_file() else ""
