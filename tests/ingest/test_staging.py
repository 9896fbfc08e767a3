from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from endcap.ingest.staging import CHUNK_BYTES, Format, stage
from endcap.schema.errors import DataError

TEXT = "user_id,item_id\nJosé,ä\n".encode()


def test_good_text_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(TEXT)
    staged = stage(path, tmp_path, label="rows")
    assert staged.path == path
    assert staged.format is Format.CSV
    assert staged.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert (staged.n_bytes, staged.n_replaced) == (len(TEXT), 0)


def test_gzip_is_unpacked_and_hashed_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "rows.CSV.GZ"
    packed = gzip.compress(TEXT * 3)
    path.write_bytes(packed)
    staged = stage(path, tmp_path, label="rows")
    assert staged.format is Format.CSV
    assert staged.path.read_bytes() == TEXT * 3
    assert staged.sha256 == hashlib.sha256(packed).hexdigest()


def test_gzip_of_several_members_is_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert stage(path, tmp_path, label="rows").path.read_bytes() == b"a\nb\n"


@pytest.mark.parametrize("damage", ["cut", "flipped", "not gzip"])
def test_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(b"".join(b"%d,%d\n" % (i, i * i) for i in range(20_000))))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    elif damage == "flipped":
        packed[-6] ^= 0xFF  # in the checksum: the text itself is whole
    else:
        packed = bytearray(b"user,item\n")
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(bytes(packed))
    with pytest.raises(DataError, match="cut off or damaged") as caught:
        stage(path, tmp_path, label="rows")
    assert "rows.csv.gz" in caught.value.where


def test_other_encodings_are_repaired_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("name\nJosé\nMüller\nok\n".encode("latin-1"))
    staged = stage(path, tmp_path, label="rows")
    assert staged.path.read_text(encoding="utf-8") == "name\nJos�\nM�ller\nok\n"
    assert staged.n_replaced == 2


def test_a_replacement_character_in_the_text_is_no_fault(tmp_path: Path) -> None:
    # The mark straddles two chunks, and one byte elsewhere is bad.
    body = b"x" * (CHUNK_BYTES - 1) + "�".encode() + b"\n\xff\n"
    path = tmp_path / "rows.csv"
    path.write_bytes(body)
    assert stage(path, tmp_path, label="rows").n_replaced == 1


def test_a_letter_that_straddles_chunks_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"x" * (CHUNK_BYTES - 1) + "é\n".encode())
    assert stage(path, tmp_path, label="rows").path == path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "empty"),
        ("rows.csv.gz", gzip.compress(b"", mtime=0), "empty once unpacked"),
        ("rows.csv", "user,item\n".encode("utf-16"), "not UTF-8 text"),
        ("rows.xlsx", b"PK", "form of the file is unknown"),
        ("rows.parquet.gz", b"PAR1", "form of the file is unknown"),
        ("rows", b"a,b", "form of the file is unknown"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        stage(tmp_path / name, tmp_path, label="x")
    assert name in caught.value.where


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_bytes(TEXT)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(DataError, match="may not be read"):
        stage(tmp_path / "rows.csv", tmp_path, label="x")


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="directory"):
        stage(tmp_path, tmp_path, label="x")
    with pytest.raises(DataError, match="no such file"):
        stage(tmp_path / "none.csv", tmp_path, label="x")
