from __future__ import annotations

import gzip
import sys
import threading
from pathlib import Path

import pytest

from endcap.ingest import packing
from endcap.ingest.packing import Packing, chunks, lines, unpacked_parts
from endcap.schema.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = [b"%d,%s\n" % (n, b"x" * (n % 300)) for n in range(5000)]
TEXT = b"".join(LINES)


def packed(path: Path, packing: Packing, text: bytes = TEXT) -> Path:
    make = {Packing.NONE: bytes, Packing.GZIP: gzip.compress, Packing.ZSTD: zstd.compress}
    path.write_bytes(make[packing](text))
    return path


@pytest.mark.parametrize("how", list(Packing))
def test_what_was_packed_comes_out(tmp_path: Path, how: Packing) -> None:
    path = packed(tmp_path / "f", how)
    assert b"".join(chunks(path, how)) == TEXT
    assert list(lines(path, how)) == LINES


@pytest.mark.parametrize("how", [Packing.GZIP, Packing.ZSTD])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_damage_is_told_and_named(tmp_path: Path, how: Packing, damage: str) -> None:
    path = packed(tmp_path / "f", how)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    else:
        data = bytearray(TEXT)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=f"the {how} file is cut off or damaged") as caught:
        list(chunks(path, how))
    assert caught.value.where == str(path)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = packed(tmp_path / "f", Packing.GZIP, packing.BOM + b"a\nb\n")
    assert b"".join(chunks(path, Packing.GZIP)) == b"a\nb\n"
    assert list(lines(path, Packing.GZIP)) == [b"a\n", b"b\n"]


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_parts_are_cut_at_line_ends_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(packing, "CHUNK_BYTES", 997)
    monkeypatch.setattr(packing, "PART_BYTES", size)
    path = packed(tmp_path / "f", Packing.GZIP, TEXT + b"no end of line")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = []
    for part in unpacked_parts(path, Packing.GZIP, scratch):
        found.append(part.read_bytes())
        assert len(list(scratch.iterdir())) <= 3
    assert b"".join(found) == TEXT + b"no end of line"
    assert all(part.endswith(b"\n") for part in found[:-1])
    assert list(scratch.iterdir()) == []


def test_a_line_longer_than_a_part_is_never_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "CHUNK_BYTES", 10)
    monkeypatch.setattr(packing, "PART_BYTES", 20)
    path = packed(tmp_path / "f", Packing.GZIP, b"a\n" + b"x" * 500 + b"\nb\n")
    parts = [part.read_bytes() for part in unpacked_parts(path, Packing.GZIP, tmp_path)]
    assert b"".join(parts) == b"a\n" + b"x" * 500 + b"\nb\n"
    assert any(b"x" * 500 in part for part in parts)


def test_damage_in_a_late_part_reaches_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(packing, "PART_BYTES", 5000)
    path = packed(tmp_path / "f", Packing.GZIP)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cut off"):
        list(unpacked_parts(path, Packing.GZIP, tmp_path))


def test_a_reader_that_stops_early_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_threads = threading.active_count()
    monkeypatch.setattr(packing, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(packing, "PART_BYTES", 5000)
    path = packed(tmp_path / "f", Packing.GZIP)
    parts = unpacked_parts(path, Packing.GZIP, tmp_path)
    next(parts)
    parts.close()
    assert threading.active_count() == n_threads
