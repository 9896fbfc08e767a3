"""Looks at one raw file and makes it ready to be read: its form, its hash, text as plain UTF-8.

Looks at bytes only; what a row means is for `readers` and `clean`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from endcap.ingest.packing import CHUNK_BYTES, SUFFIXES, Packing, chunks, lines
from endcap.schema.artefacts import file_sha256
from endcap.schema.errors import DataError
from endcap.telemetry import track

EMPTY = "Export it again, or leave it out"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LINE_SEPARATOR = "\N{LINE SEPARATOR}"
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
Converter = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Turns the lines of an odd file into JSON lines, one for one."""


class Format(StrEnum):
    """The forms in which raw rows may come."""

    CSV = "csv"
    TSV = "tsv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


FORMATS = {
    ".csv": Format.CSV,
    ".dat": Format.CSV,
    ".txt": Format.CSV,
    ".data": Format.TSV,
    ".item": Format.CSV,
    ".tsv": Format.TSV,
    ".json": Format.JSON_LINES,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A raw file that is ready to be read.

    path: what to read: the original, or an unpacked, repaired or converted copy of it.
    original: the file as it was given.
    packing: of `path`; only JSON lines are read packed.
    sha256, n_bytes: of the original.
    n_replaced: characters of the copy that were not UTF-8 and are U+FFFD now.
    """

    path: Path
    original: Path
    format: Format
    sha256: str
    n_bytes: int
    n_replaced: int = 0
    packing: Packing = Packing.NONE


def stage(
    original: Path,
    scratch: Path,
    *,
    label: str,
    file_format: Format | None = None,
    encoding: str | None = None,
    converter: Converter | None = None,
) -> StagedFile:
    """Return the file as something an engine can read whole.

    JSON lines stay as they are, packed or not. Other text that is packed, not in UTF-8, or whose
    lines end now so, now so, is copied into `scratch` as `label`.txt; so is all text of which the
    encoding is given. What a converter makes goes there as `label`.jsonl.

    Args:
        original: the file.
        scratch: a folder for copies.
        label: names the copy.
        file_format: what the file is, where its name does not tell.
        encoding: of the text, UTF-8 when None; what does not fit becomes U+FFFD.
        converter: for files that are no table.

    Raises:
        DataError: the file is missing, a directory, empty, cut off, damaged, UTF-16 or of an
            unknown form.

    Cost: one or two passes over the bytes; disk space of the unpacked text for a packed CSV.
    """
    file_format, packing = form(original, file_format)
    n_bytes = original.stat().st_size
    if n_bytes == 0:
        raise DataError("the file is empty", where=str(original), mend=EMPTY)
    digest = file_sha256(original)
    if file_format is Format.PARQUET and converter is None:
        return StagedFile(original, original, file_format, digest, n_bytes)
    text, n_replaced = original, 0
    is_table = file_format in {Format.CSV, Format.TSV} and converter is None
    if encoding is not None or (is_table and not (packing is Packing.NONE and _is_plain(text))):
        text = scratch / f"{label}.txt"
        n_replaced = _copy_as_utf8(original, packing, text, encoding)
        packing = Packing.NONE
        if text.stat().st_size == 0:
            raise DataError("the file is empty once unpacked", where=str(original), mend=EMPTY)
    if converter is not None:
        copy = scratch / f"{label}.jsonl"
        _convert(text, packing, copy, converter)
        return StagedFile(copy, original, Format.JSON_LINES, digest, n_bytes, n_replaced)
    if file_format is Format.JSON_LINES:
        _refuse_empty(text, packing, original)
    return StagedFile(text, original, file_format, digest, n_bytes, n_replaced, packing)


def form(path: Path, known: Format | None = None) -> tuple[Format, Packing]:
    """Return what kind of file it is and how it is packed, by its name; `known` goes before that.

    Raises:
        DataError: it is missing, a directory, not readable, or of an unknown form.
    """
    if path.is_dir():
        raise DataError("a directory is not a data file", where=str(path), mend="Name one file")
    if not path.exists():
        raise DataError("no such file", where=str(path), mend="Check its name")
    if not path.is_file():
        raise DataError(
            "a pipe or a device is not a data file",
            where=str(path),
            mend=f"Read it as standard input: endcap ingest - < {path}",
        )
    if not os.access(path, os.R_OK):
        raise DataError(
            "the file may not be read by this user", where=str(path), mend="Change its rights"
        )
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packing = SUFFIXES.get(suffixes[-1] if suffixes else "", Packing.NONE)
    if packing is not Packing.NONE:
        suffixes.pop()
    file_format = known or FORMATS.get(suffixes[-1] if suffixes else "")
    if file_format is None or (packing is not Packing.NONE and file_format is Format.PARQUET):
        raise DataError(
            "the form of the file is unknown",
            where=str(path),
            mend=f"Its name should end in {', '.join(FORMATS)}; text may also end in .gz or .zst",
        )
    return file_format, packing


def plain_copy(file: StagedFile, scratch: Path, *, label: str) -> Path:
    """Return the path of the unpacked text of a file, for engines that cannot unpack it."""
    if file.packing is Packing.NONE:
        return file.path
    copy = scratch / f"{label}.jsonl"
    with copy.open("wb") as out:
        for chunk in chunks(file.path, file.packing):
            out.write(chunk)
    return copy


def _refuse_empty(text: Path, packing: Packing, original: Path) -> None:
    if next(chunks(text, packing), None) is None:
        raise DataError("the file is empty once unpacked", where=str(original), mend=EMPTY)


def _convert(original: Path, packing: Packing, copy: Path, converter: Converter) -> None:
    label, n_bytes = f"Converting {original.name}", original.stat().st_size
    with copy.open("wb", CHUNK_BYTES) as out, track(label, n_bytes, unit="B") as task:
        for line in converter(lines(original, packing, task=task)):
            out.write(line if line.endswith(b"\n") else line + b"\n")


def _is_plain(original: Path) -> bool:
    """Return whether a file is UTF-8, and all its lines end alike."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_feeds = n_returns = n_pairs = 0
    before = b""
    try:
        for chunk in chunks(original, Packing.NONE):
            decoder.decode(chunk)
            n_feeds += chunk.count(b"\n")
            n_returns += chunk.count(b"\r")
            n_pairs += chunk.count(b"\r\n") + (before == b"\r" and chunk[:1] == b"\n")
            before = chunk[-1:]
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return not n_returns or not n_feeds or n_returns == n_feeds == n_pairs


def _copy_as_utf8(original: Path, packing: Packing, copy: Path, encoding: str | None) -> int:
    """Write the file as plain UTF-8; return the number of characters that were replaced."""
    n_replaced, tail = 0, b""
    name = encoding or "utf-8"
    marker = REPLACEMENT.encode(name, errors="ignore")
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    ends = _LineEnds()
    label, n_bytes = f"Unpacking {original.name}", original.stat().st_size
    with copy.open("wb", CHUNK_BYTES) as out, track(label, n_bytes, unit="B") as task:
        for chunk in chunks(original, packing, task=task, encoding=encoding):
            text = decoder.decode(chunk)
            # A marker already in the file is text, also where two chunks share it.
            n_replaced += text.count(REPLACEMENT)
            if marker:
                n_replaced -= (tail + chunk).count(marker)
                tail = chunk[-2:]
            out.write(ends.settle(text).encode())
        end = decoder.decode(b"", True)
        out.write((ends.settle(end) + ends.last()).encode())
        return n_replaced + len(end)


class _LineEnds:
    """Makes the lines of a text end alike, and a stray carriage return a character like others.

    The engine reads no file that mixes them; text from other people's forms is full of them.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_feeds: bool | None = None

    def settle(self, text: str) -> str:
        """Return the next piece of the text with its line ends settled."""
        text = self._held + text
        settled = text.rstrip("\r")
        self._held = text[len(settled) :]
        if self._has_feeds is None and settled:
            self._has_feeds = "\n" in settled
            settled = settled.removeprefix(MARK)
        if "\r" in settled:
            settled = re.sub(r"\r+\n", "\n", settled)
            if self._has_feeds:
                settled = settled.replace("\r", LINE_SEPARATOR)
        return settled

    def last(self) -> str:
        """Return what is left at the end of the text."""
        return "\n" if self._held and self._has_feeds else self._held
