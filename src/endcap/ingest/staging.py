"""Brings one raw file into a state the engine can read: plain UTF-8 text or Parquet, hashed.

Looks at bytes only; what a row means is for `readers` and `clean`.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from endcap.schema.errors import DataError
from endcap.telemetry import Task, track

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 4 * 2**20
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Format(StrEnum):
    """The forms in which raw rows may come."""

    CSV = "csv"
    TSV = "tsv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".json": Format.JSON_LINES,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A raw file that is ready to be read.

    path: what to read: the original, or an unpacked or repaired copy of it.
    original: the file as it was given.
    sha256, n_bytes: of the original.
    n_replaced: characters of the copy that were not UTF-8 and are U+FFFD now.
    """

    path: Path
    original: Path
    format: Format
    sha256: str
    n_bytes: int
    n_replaced: int = 0


def stage(original: Path, scratch: Path, *, label: str) -> StagedFile:
    """Return the file as something the engine can read whole.

    A gzip file is unpacked into `scratch` as `label`.txt, because only a whole pass shows that it
    is complete and unharmed: the engine does not look at the checksum.

    Raises:
        DataError: the file is missing, a directory, empty, cut off, damaged, UTF-16 or of an
            unknown form.

    Cost: one pass over the bytes; disk space of the unpacked text for gzip.
    """
    file_format, packed = _form(original)
    n_bytes = original.stat().st_size
    if n_bytes == 0:
        raise DataError("the file is empty", where=str(original))
    if file_format is Format.PARQUET:
        with original.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return StagedFile(original, original, file_format, digest, n_bytes)
    if not packed:
        digest, is_utf8 = _inspect(original)
        if is_utf8:
            return StagedFile(original, original, file_format, digest, n_bytes)
    copy = scratch / f"{label}.txt"
    digest, n_replaced = _unpack(original, copy, packed=packed)
    if copy.stat().st_size == 0:
        raise DataError("the file is empty once unpacked", where=str(original))
    return StagedFile(copy, original, file_format, digest, n_bytes, n_replaced)


def _form(path: Path) -> tuple[Format, bool]:
    if path.is_dir():
        raise DataError("a directory is not a data file", where=str(path), mend="Name one file")
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    if not os.access(path, os.R_OK):
        raise DataError("the file may not be read by this user", where=str(path))
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    if packed:
        suffixes.pop()
    file_format = SUFFIXES.get(suffixes[-1] if suffixes else "")
    if file_format is None or (packed and file_format is Format.PARQUET):
        raise DataError(
            "the form of the file is unknown",
            where=str(path),
            mend=f"Its name should end in {', '.join(SUFFIXES)}; text may also end in .gz",
        )
    return file_format, packed


def _inspect(path: Path) -> tuple[str, bool]:
    """Return the sha256 of a text file, and whether all of it is UTF-8."""
    digest, is_utf8 = hashlib.sha256(), True
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        for chunk in _chunks(file.read, path):
            digest.update(chunk)
            is_utf8 = is_utf8 and _decodes(decoder, chunk, final=False)
    return digest.hexdigest(), is_utf8 and _decodes(decoder, b"", final=True)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _unpack(original: Path, copy: Path, *, packed: bool) -> tuple[str, int]:
    """Write the file as plain UTF-8; return its sha256 and the number of characters replaced."""
    n_replaced, tail = 0, b""
    marker = REPLACEMENT.encode()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    label, n_bytes = f"Unpacking {original.name}", original.stat().st_size
    with copy.open("wb") as out, track(label, n_bytes, unit="B") as task:
        meter = _Meter(original, task)
        with io.BufferedReader(meter, CHUNK_BYTES) as raw:
            for chunk in _chunks(gzip.GzipFile(fileobj=raw).read if packed else raw.read, original):
                text = decoder.decode(chunk)
                # A marker already in the file is text, also where two chunks share it.
                n_replaced += text.count(REPLACEMENT) - (tail + chunk).count(marker)
                tail = chunk[-2:]
                out.write(text.encode())
            end = decoder.decode(b"", True)
            out.write(end.encode())
            return meter.digest.hexdigest(), n_replaced + len(end)


def _chunks(read: Callable[[int], bytes], path: Path) -> Iterator[bytes]:
    """Yield the bytes of a text file.

    Raises:
        DataError: it is not text of one byte a unit, or the gzip stream is cut off or damaged.
    """
    try:
        chunk = read(CHUNK_BYTES)
        if b"\0" in chunk[:4096]:
            raise DataError(
                "the file is not UTF-8 text",
                where=str(path),
                mend="Convert UTF-16 with: iconv -f UTF-16 -t UTF-8",
            )
        while chunk:
            yield chunk
            chunk = read(CHUNK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"the gzip file is cut off or damaged: {error}", where=str(path), mend="Fetch it again"
        ) from error


class _Meter(io.RawIOBase):
    """Reads a file through; hashes and reports what goes by."""

    def __init__(self, path: Path, task: Task) -> None:
        self._file = path.open("rb", buffering=0)
        self._task = task
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        n_bytes = self._file.readinto(memoryview(buffer)) or 0
        self.digest.update(memoryview(buffer)[:n_bytes])
        self._task.advance(n_bytes)
        return n_bytes

    def close(self) -> None:
        self._file.close()
        super().close()
