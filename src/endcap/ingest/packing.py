"""Packed files as streams of their bytes: gzip, Zstandard or plain, with progress and clear errors.

What the bytes mean is for `staging` and `readers`.
"""

from __future__ import annotations

import gzip
import io
import queue
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from isal import igzip, isal_zlib

from endcap.schema.errors import DataError
from endcap.telemetry import Task, track

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DAMAGE: tuple[type[Exception], ...] = (
    *(EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError),
    cast("type[Exception]", isal_zlib.error),
)
CHUNK_BYTES = 4 * 2**20
PART_BYTES = 64 * 2**20
HEAD_BYTES = 4096
BOM = b"\xef\xbb\xbf"
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
MAX_ZERO_SHARE = 0.25  # every other byte of plain words in UTF-16 is zero
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
PACKED_SUFFIX = {"gzip": ".gz", "zstd": ".zst", "zip": ".zip"}


class Packing(StrEnum):
    """How the bytes of a file are packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


SUFFIXES = {".gz": Packing.GZIP, ".zst": Packing.ZSTD, ".zstd": Packing.ZSTD}


@contextmanager
def open_bytes(path: Path, packing: Packing, *, task: Task | None = None) -> Iterator[IO[bytes]]:
    """Yield the unpacked bytes of a file as a stream.

    Args:
        path: the file.
        packing: how it is packed.
        task: is told how many packed bytes went by.

    Raises:
        DataError: the stream is cut off or damaged, as far as it is read.
    """
    raw = cast("IO[bytes]", io.BufferedReader(_Meter(path, task), CHUNK_BYTES))
    with raw:
        try:
            if packing is Packing.NONE:
                yield raw
            elif packing is Packing.GZIP:
                with igzip.open(raw) as stream:
                    yield cast("IO[bytes]", stream)
            else:
                with zstd.ZstdFile(raw) as stream:
                    yield cast("IO[bytes]", stream)
        except DAMAGE as error:
            raise DataError(
                f"the {packing} file is cut off or damaged: {error}",
                where=str(path),
                mend=f"Fetch it again, or take the {path.suffix} from its name if it is not packed",
            ) from error


def chunks(
    path: Path, packing: Packing, *, task: Task | None = None, encoding: str | None = None
) -> Iterator[bytes]:
    """Yield the bytes of a text file in pieces of up to 4 MiB, without a byte order mark.

    Args:
        path: the file.
        packing: how it is packed.
        task: is told how many packed bytes went by.
        encoding: of the text, where it is known; then any bytes are believed.

    Raises:
        DataError: it is cut off, damaged, or not text of one byte a unit.
    """
    with open_bytes(path, packing, task=task) as stream:
        chunk = stream.read(CHUNK_BYTES)
        if encoding is None:
            _refuse_other_bytes(chunk[:HEAD_BYTES], path)
        chunk = chunk.removeprefix(BOM)
        while chunk:
            yield chunk
            chunk = stream.read(CHUNK_BYTES)


def lines(
    path: Path, packing: Packing, *, task: Task | None = None, encoding: str | None = None
) -> Iterator[bytes]:
    """Yield the lines of a text file, with their ends, without a byte order mark.

    Args and errors are those of `chunks`.
    """
    with open_bytes(path, packing, task=task) as stream:
        for nth, line in enumerate(stream):
            if nth:
                yield line
                continue
            if encoding is None:
                _refuse_other_bytes(line[:HEAD_BYTES], path)
            yield line.removeprefix(BOM)


def text_lines(path: Path, packing: Packing, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file in any encoding; what does not fit becomes U+FFFD."""
    with open_bytes(path, packing) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        yield from text


def _refuse_other_bytes(head: bytes, path: Path) -> None:
    """Raise `DataError` if a file that begins so is no UTF-8 text; a stray zero byte is none."""
    packed = next((name for start, name in MAGIC.items() if head.startswith(start)), None)
    if packed is not None:
        raise DataError(
            f"the file is packed with {packed}, and its name does not say so",
            where=str(path),
            mend=f"Name it {path.name}{PACKED_SUFFIX[packed]}",
        )
    if head.startswith(WIDE_MARKS) or head.count(0) > MAX_ZERO_SHARE * len(head):
        raise DataError(
            "the file is not UTF-8 text",
            where=str(path),
            mend='If it is UTF-16, say encoding = "utf-16" under [file] of a mapping file, or '
            "convert it with: iconv -f UTF-16 -t UTF-8",
        )


def unpacked_parts(path: Path, packing: Packing, scratch: Path) -> Iterator[Path]:
    """Yield plain copies of successive parts of a text file, cut at line ends, each removed after.

    The next part is unpacked while one is worked on, so the disk never holds more than three.

    Raises:
        DataError: as `chunks` does.
    """
    ready: queue.Queue[Path | BaseException | None] = queue.Queue(maxsize=1)
    stop = threading.Event()
    label, n_bytes = f"Reading {path.name}", path.stat().st_size
    with track(label, n_bytes, unit="B") as task:
        unpacking = threading.Thread(
            target=_unpack_parts, args=(chunks(path, packing, task=task), scratch, ready, stop)
        )
        unpacking.start()
        try:
            while (part := ready.get()) is not None:
                if isinstance(part, BaseException):
                    raise part
                yield part
                part.unlink()
        finally:
            stop.set()
            while unpacking.is_alive():  # it may wait for room in the queue
                _drain(ready)
                unpacking.join(timeout=0.05)


def _drain(ready: queue.Queue[Path | BaseException | None]) -> None:
    while not ready.empty():
        ready.get_nowait()


def _unpack_parts(
    text: Iterator[bytes],
    scratch: Path,
    ready: queue.Queue[Path | BaseException | None],
    stop: threading.Event,
) -> None:
    try:
        rest: bytes | None = b""
        nth = 0
        while rest is not None and not stop.is_set():
            part = scratch / f"part-{nth}.txt"
            rest = _write_part(text, part, rest)
            nth += 1
            ready.put(part)
    except BaseException as error:  # the thread that waits for the part raises it
        ready.put(error)
        return
    ready.put(None)


def _write_part(text: Iterator[bytes], part: Path, start: bytes) -> bytes | None:
    """Write about `PART_BYTES`; return what belongs to the next part, None at the end."""
    size = len(start)
    with part.open("wb", buffering=0) as out:
        out.write(start)
        for chunk in text:
            size += len(chunk)
            cut = chunk.rfind(b"\n") + 1 if size >= PART_BYTES else 0
            if cut:
                out.write(chunk[:cut])
                return chunk[cut:]
            out.write(chunk)
    return None


class _Meter(io.RawIOBase):
    """Reads a file through and reports what goes by."""

    def __init__(self, path: Path, task: Task | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._task = task

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        n_bytes = self._file.readinto(memoryview(buffer)) or 0
        if self._task is not None:
            self._task.advance(n_bytes)
        return n_bytes

    def close(self) -> None:
        self._file.close()
        super().close()
