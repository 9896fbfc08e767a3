from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from endcap.ingest.peek import HEAD_BYTES, form_of_bytes, peek
from endcap.ingest.shapes import Dialect
from endcap.ingest.staging import Format
from endcap.schema.errors import DataError


def write(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "form", "delimiter", "columns"),
    [
        ("a.csv", b"a,b\n1,2\n", Format.CSV, ",", ("a", "b")),
        ("a.csv", b"\xef\xbb\xbfa;b\r\n1;2\r\n", Format.CSV, ";", ("a", "b")),
        ("a.dat", b"1::x|y::3\n", Format.CSV, "::", ("1", "x|y", "3")),
        ("a.tsv.gz", gzip.compress(b"a\tb\n1\t2\n", mtime=0), Format.TSV, "\t", ("a", "b")),
        ("export", b"a\tb\n1\t2\n", Format.TSV, "\t", ("a", "b")),
        ("export.2024", b'{"a": 1}\n', Format.JSON_LINES, None, ("a",)),
        ("export.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), Format.CSV, ",", ("a", "b")),
        ("a.jsonl", b"{'a': 1, 'b': None}\n", Format.JSON_LINES, None, ("a", "b")),
    ],
)
def test_the_form_is_told_from_the_name_or_the_content(
    tmp_path: Path,
    name: str,
    content: bytes,
    form: Format,
    delimiter: str | None,
    columns: tuple[str, ...],
) -> None:
    seen = peek(write(tmp_path, name, content))
    assert (seen.dialect.format, seen.dialect.delimiter) == (form, delimiter)
    assert seen.columns == columns
    assert (seen.converter == "literals") is content.startswith(b"{'")


def test_what_is_known_goes_before_what_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "é|1,5\n".encode("latin-1"))
    dialect = Dialect(delimiter="|", encoding="latin-1", has_header=False)
    seen = peek(path, dialect=dialect)
    assert seen.columns == ("#1", "#2")
    assert [dict(row) for row in seen.sample] == [{"#1": "é", "#2": "1,5"}]


def test_only_the_beginning_is_read(tmp_path: Path) -> None:
    lines = b"a,b\n" + b"1,2\n" * HEAD_BYTES
    packed = gzip.compress(lines, compresslevel=1)
    seen = peek(write(tmp_path, "cut.csv.gz", packed[: len(packed) // 2]))
    assert len(seen.sample) == 100
    wide = ",".join(f"column{n}" for n in range(HEAD_BYTES // 10))
    assert len(wide) > HEAD_BYTES
    seen = peek(write(tmp_path, "wide.csv", f"{wide}\n1,2\n".encode()))
    assert (len(seen.columns), seen.sample) == (HEAD_BYTES // 10, ())


def test_columns_of_parquet_need_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with duckdb.connect() as db:
        db.execute(
            "COPY (SELECT TIMESTAMPTZ '2020-01-01 00:00:00+00' AS ts, [1] AS items) "
            f"TO '{path}' (FORMAT parquet)"
        )
    seen = peek(path)
    assert (seen.columns, seen.sample) == (("ts", "items"), ())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b" \n \n", "empty once unpacked"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-12], "cut off or damaged"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "not UTF-8 text"),
        ("a.jsonl", b'[{"a": 1}]\n', "none of the first"),
        ("a.jsonl", b"words\n", "none of the first"),
        ("a.parquet", b"PAR1 and then nothing", "not a whole Parquet file"),
        ("picture", b"\x89PNG\r\n\x1a\n\0\0\0", "form of the file is unknown"),
        ("book.xlsx", b"PK\x03\x04\0\0\0\0", "form of the file is unknown"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError, match=message) as caught:
        peek(path)
    assert caught.value.where == str(path)


def test_forms_of_bytes() -> None:
    assert form_of_bytes(b"PAR1....") is Format.PARQUET
    assert form_of_bytes(b'\xef\xbb\xbf  {"a": 1}') is Format.JSON_LINES
    assert form_of_bytes(b"a,b") is Format.CSV
    assert form_of_bytes(b"a\tb,c\td") is Format.TSV
    assert form_of_bytes(b"\0") is None
    assert form_of_bytes(b" ") is None
