"""A first look at a raw file: its form, its columns and some records, without reading all of it.

What they mean is for `shapes` and `mapping`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from endcap.ingest.convert import CONVERTERS
from endcap.ingest.packing import SUFFIXES, Packing, lines, open_bytes
from endcap.ingest.readers import RawTable, first_records, open_table
from endcap.ingest.shapes import UNSAID, Dialect
from endcap.ingest.staging import EMPTY, FORMATS, Format, StagedFile, form
from endcap.schema.errors import DataError

SAMPLE_ROWS = 100
HEAD_BYTES = 2**20
SNIFFED_BYTES = 4096
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Peek:
    """What the first records of a file show.

    columns: names as `readers` gives them; values of the first record where there is no header.
    sample: the records after it, values as text; none of Parquet, whose names always tell.
    converter: of lines, where they are Python literals instead of JSON.
    """

    path: Path
    dialect: Dialect
    columns: tuple[str, ...]
    sample: tuple[Mapping[str, str | None], ...]
    converter: str | None = None


def peek(path: Path, *, dialect: Dialect = UNSAID) -> Peek:
    """Return what the beginning of a file shows.

    Args:
        path: the file.
        dialect: what is known already; the rest is told from the name and the first bytes.

    Raises:
        DataError: it is missing, empty, or no table as far as can be seen.

    Cost: up to a mebibyte of text.
    """
    file_format, packing = form(path, dialect.format or sniff(path))
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=str(path), mend=EMPTY)
    dialect = replace(dialect, format=file_format)
    file = StagedFile(path, path, file_format, "", 0, packing=packing)
    if file_format is Format.PARQUET:
        return Peek(path, dialect, open_table(file).columns, ())
    with TemporaryDirectory(prefix="endcap-peek-") as folder:
        if file_format is Format.JSON_LINES:
            return _peek_lines(file, dialect, Path(folder))
        return _peek_text(file, dialect, Path(folder))


def sniff(path: Path) -> Format | None:
    """Return the form that the first bytes show; None if the name of the file tells it."""
    packing = SUFFIXES.get(path.suffix.lower(), Packing.NONE)
    named = path if packing is Packing.NONE else path.with_suffix("")
    if named.suffix.lower() in FORMATS or not path.is_file():
        return None
    with open_bytes(path, packing) as stream:
        return form_of_bytes(stream.read(SNIFFED_BYTES))


def form_of_bytes(head: bytes) -> Format | None:
    """Return the form of a file that begins so; None if it is no text and no Parquet."""
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if b"\0" in head or not head.strip():
        return None
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return Format.JSON_LINES
    first = head.split(b"\n", 1)[0]
    return Format.TSV if first.count(b"\t") > first.count(b",") else Format.CSV


def _looked_at(table: RawTable, dialect: Dialect, converter: str | None = None) -> Peek:
    return Peek(
        path=table.file.original,
        dialect=dialect,
        columns=table.columns,
        sample=tuple(first_records(table, SAMPLE_ROWS)),
        converter=converter,
    )


def _peek_lines(file: StagedFile, dialect: Dialect, folder: Path) -> Peek:
    if dialect.encoding is not None:
        utf8 = folder / "head-utf8.jsonl"
        utf8.write_text(_head_text(file, dialect.encoding), encoding="utf-8", newline="")
        file = replace(file, path=utf8, packing=Packing.NONE)
    try:
        return _looked_at(open_table(file), dialect)
    except DataError:
        copy = folder / "head.jsonl"
        converted = CONVERTERS["literals"](islice(lines(file.path, file.packing), SAMPLE_ROWS))
        copy.write_bytes(b"\n".join(converted) + b"\n")
        try:
            table = open_table(replace(file, path=copy, packing=Packing.NONE))
        except DataError:
            table = None
        if table is None:
            raise
        return _looked_at(table, dialect, "literals")


def _peek_text(file: StagedFile, dialect: Dialect, folder: Path) -> Peek:
    copy = folder / "head.txt"
    text = _head_text(file, dialect.encoding)
    copy.write_text(text, encoding="utf-8", newline="")
    if not text.strip():
        raise DataError("the file is empty once unpacked", where=str(file.original), mend=EMPTY)
    delimiter, quote = dialect.delimiter, dialect.quote
    first = text.split("\n", 1)[0]
    if delimiter is None and first.count("::") > 1:
        delimiter, quote = "::", ""
    table = open_table(
        replace(file, path=copy, packing=Packing.NONE),
        positional=not dialect.has_header,
        delimiter=delimiter,
        quote=quote,
    )
    return _looked_at(table, replace(dialect, delimiter=table.delimiter, quote=quote))


def _head_text(file: StagedFile, encoding: str | None) -> str:
    text = _head(file, encoding).decode(encoding or "utf-8", errors="replace")
    return text.removeprefix(MARK)


def _head(file: StagedFile, encoding: str | None) -> bytes:
    """Return the first whole lines, or the first line however long it is."""
    taken = bytearray()
    for line in lines(file.path, file.packing, encoding=encoding):
        taken += line
        if len(taken) > HEAD_BYTES:
            break
    return bytes(taken)
